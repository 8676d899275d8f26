"""Histories made by hand: each broken promise is found, and nothing is found where none was broken."""

from __future__ import annotations

import json

import attrs
import pytest

from tests.chaos.checker import KINDS, check, lost, reads_going_back, relapses, rivals
from tests.chaos.history import History, Read, Write, largest_gap

A, B = "10.0.0.1", "10.0.0.2"


def member_of(address: str) -> str:
    return {A: "postgres-0", B: "postgres-1", "10.0.0.9": "postgres-0"}[address]


def write(seq: int, began: float, ended: float | None = None, server: str = A, timeline: int = 1, writer: int = 1) -> Write:
    return Write(writer, seq, began, began + 0.1 if ended is None else ended, server, timeline)


def read(seen: int, began: float, ended: float | None = None, server: str = A, timeline: int = 1) -> Read:
    return Read(began, began + 0.1 if ended is None else ended, (0, seen), server, timeline, False)


GOOD = History(
    writes=[write(1, 0), write(2, 1), write(3, 2), write(4, 30, server=B, timeline=2), write(5, 31, server=B, timeline=2)],
    reads=[read(1, 0.5), read(2, 1.5), read(3, 2.5), read(4, 30.5, server=B, timeline=2), read(5, 31.5, server=B, timeline=2)],
)
ALL = {1: {1, 2, 3, 4, 5, 6}}
"""Row 6 was written and never acknowledged."""


def verdict(history: History, tables: object = None):
    return check(history, tables or {"postgres-0": ALL, "postgres-1": ALL}, member_of)  # type: ignore[arg-type]


def test_a_failover_without_damage_is_no_complaint():
    assert verdict(GOOD).counts() == dict.fromkeys(KINDS, 0)
    assert verdict(GOOD).failures() == []


def test_a_row_that_is_missing_on_one_member_is_lost():
    found = verdict(GOOD, {"postgres-0": ALL, "postgres-1": {1: {1, 2, 4, 5}}})
    assert found.lost == ["row 3 of writer 1 is missing on postgres-1"]
    assert "1 lost" in found.failures()[0]


def test_a_member_without_any_row_lost_them_all():
    assert len(lost(GOOD.writes, {"postgres-0": {}})) == 5


def test_two_members_in_one_timeline_are_rivals():
    history = attrs.evolve(GOOD, writes=[*GOOD.writes, write(6, 32, server=A, timeline=2)])
    assert verdict(history).rivals == ["timeline 2: postgres-0, postgres-1"]


def test_a_member_with_a_new_address_is_its_own_successor():
    assert rivals([write(1, 0), write(2, 1, server="10.0.0.9")], member_of) == []


def test_a_former_primary_that_acknowledges_after_its_successor_relapses():
    history = attrs.evolve(GOOD, writes=[*GOOD.writes, write(6, 30.5, server=A, timeline=1)])
    assert len(verdict(history).relapses) == 1


def test_an_answer_that_was_long_on_its_way_is_no_relapse():
    """It began before the successor's first acknowledgement: nothing says which of the two was committed first."""
    assert relapses([*GOOD.writes, write(6, 2.2, ended=30.5)]) == []


@pytest.mark.parametrize(
    ("late", "kind"),
    [
        (read(4, 32, server=B, timeline=2), "back"),
        (read(3, 32, server=A, timeline=1), "stale"),
        (read(3, 32, server=A, timeline=0), "stale"),
    ],
    ids=["the leader", "a former primary", "a standby"],
)
def test_a_read_that_misses_what_was_acknowledged(late: Read, kind: str):
    found = verdict(attrs.evolve(GOOD, reads=[late]))
    assert {name: count for name, count in found.counts().items() if count} == {kind: 1}


def test_a_read_that_misses_what_another_read_saw():
    """Row 3 was seen before its own acknowledgement arrived: from then on everybody sees it, on the same server."""
    found = reads_going_back([write(1, 0), write(2, 1), write(3, 2, ended=9)], [read(3, 2.5), read(2, 3)])
    assert [len(found[kind]) for kind in ("back", "stale", "phantom")] == [0, 0, 1]
    assert [len(kind) for kind in reads_going_back([write(1, 0), write(2, 1), write(3, 2, ended=2.6)], [read(3, 2.5), read(2, 3)]).values()] == [1, 0, 0]


def test_a_row_that_was_seen_and_vanished_with_its_server_is_a_phantom():
    history = attrs.evolve(GOOD, reads=[read(6, 2.9), read(5, 31.5, server=B, timeline=2)])
    assert verdict(history).phantom == ["5 instead of 6 of writer 1 at 31.500 from 10.0.0.2, timeline 2; latest timeline 2"]
    assert verdict(history).failures(["phantom"]) == []


def test_reads_that_overlap_may_see_either():
    assert reads_going_back([write(1, 0, ended=5)], [read(1, 1, ended=3), read(0, 2, ended=4)]) == {"back": [], "stale": [], "phantom": []}


def test_a_history_survives_its_file():
    assert History.from_json(json.loads(json.dumps(GOOD.as_json()))) == GOOD


def test_the_largest_gap_lies_between_acknowledgements_or_before_the_end():
    began, length = largest_gap(GOOD.writes, frozenset({0}), 0, 32)
    assert (round(began, 3), round(length, 3)) == (2.1, 28.0)
    assert largest_gap(GOOD.writes, frozenset({0, 1}), 0, 40) == (0, 40)
    assert round(largest_gap(GOOD.writes, frozenset(), 0, 90)[1], 3) == 58.9
