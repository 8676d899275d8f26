"""Whose turn it is to restart PostgreSQL in place, and that nobody does before the members have settled."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from sos_constructs.postgres.agent.patroni_api import Patroni, Status
from sos_constructs.postgres.agent.reconcile import Member
from sos_constructs.postgres.agent.restarts import SETTLED, Restarts, Settled, turn

import pytest

OURS = {"max_connections", "max_wal_senders"}


def member(name: str, role: str = "quorum_standby", state: str = "streaming", **pending: tuple[str, str]) -> dict[str, Any]:
    reasons = {setting: {"old_value": old, "new_value": new} for setting, (old, new) in pending.items()}
    return {"name": name, "role": role, "state": state} | ({"pending_restart": True, "pending_restart_reason": reasons} if reasons else {})


def leader(name: str = "b", **pending: tuple[str, str]) -> dict[str, Any]:
    return member(name, "leader", "running", **pending)


LOWER, RAISE = ("250", "200"), ("200", "250")


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ([member("a"), leader(), member("c")], ""),
        ([member("a", max_connections=LOWER), leader(max_connections=LOWER), member("c", max_connections=LOWER)], "b"),
        ([member("a", max_connections=LOWER), leader(), member("c", max_connections=LOWER)], "a"),
        ([member("a"), leader(), member("c", max_connections=LOWER)], "c"),
        ([member("a", max_connections=RAISE), leader(max_connections=RAISE), member("c", max_connections=RAISE)], "a"),
        ([member("a"), leader(max_connections=RAISE), member("c", max_connections=RAISE)], "c"),
        ([member("a"), leader(max_connections=RAISE), member("c")], "b"),
        ([member("a", state="starting"), leader(max_connections=LOWER), member("c")], ""),
        ([member("a", max_connections=LOWER), member("c")], ""),
        ([member("a"), member("b", "leader", "stopping", max_connections=LOWER)], ""),
        ([member("a", shared_buffers=("1", "2")), leader(shared_buffers=("1", "2"))], ""),
    ],
)
def test_turn(members: list[dict[str, Any]], expected: str):
    assert turn(members, OURS) == expected


class Api:
    """A Patroni that only counts."""

    def __init__(self, members: list[dict[str, Any]]) -> None:
        self.now, self.restarts, self.answer = 100.0, 0, members

    def members(self) -> list[dict[str, Any]]:
        return self.answer

    def restart_pending(self) -> None:
        self.restarts += 1

    def as_member(self, name: str) -> Member:
        declared = SimpleNamespace(patroni={"bootstrap": {"dcs": {"postgresql": {"parameters": dict.fromkeys(OURS, "1")}}}})
        return cast("Member", SimpleNamespace(pod=SimpleNamespace(name=name), declared=lambda: declared, patroni=lambda _: cast("Patroni", self)))


def test_restarts_only_after_everybody_was_unchanged_for_a_while():
    api = Api([member("a"), leader(max_connections=LOWER)])
    step, own, status = Restarts(clock=lambda: api.now), api.as_member("b"), Status("primary", True, False, ("max_connections",))
    step(own, status)
    api.now += SETTLED - 1
    api.answer = [member("a", state="starting"), leader(max_connections=LOWER)]
    step(own, status)
    api.now += 2
    api.answer = [member("a"), leader(max_connections=LOWER)]
    step(own, status)
    api.now += SETTLED - 1
    step(own, status)
    assert api.restarts == 0
    api.now += 1
    step(own, status)
    assert api.restarts == 1
    step(own, status)
    assert api.restarts == 1, "the same finding must settle anew"


def test_leaves_it_to_the_member_whose_turn_it_is():
    api = Api([member("a", max_connections=LOWER), leader(max_connections=LOWER)])
    step = Restarts(clock=lambda: api.now)
    for _ in range(3):
        step(api.as_member("a"), Status("replica", True, True, ("max_connections",)))
        api.now += SETTLED
    assert api.restarts == 0


def test_settled_means_that_all_run_and_nothing_changed():
    now = [0.0]
    settled = Settled(lambda: now[0])
    together = [member("a"), leader()]
    assert not settled(together)
    now[0] += SETTLED
    assert settled(together)
    assert settled(together)
    assert not settled([leader()]), "one has gone"
    now[0] += SETTLED
    assert settled([leader()])
    assert not settled([member("a", state="starting"), leader()])
    now[0] += SETTLED
    assert not settled([member("a", state="starting"), leader()]), "it does not stream"


def test_asks_nobody_while_nothing_is_pending():
    Restarts()(cast("Member", None), Status("primary", True, False))
