"""A database's SQL beside the agent's rounds: waits, pauses, and what is told. A real server runs it in tests/postgres_live."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator

from sos_constructs.postgres.agent import owner_sql
from sos_constructs.postgres.agent.owner_sql import Beside, Running, Sql
from sos_constructs.postgres.agent.psql import Psql, SqlError

import pytest

PSQL = Psql("/bin", "/tmp", "postgres")
ONE = Sql("one", "SELECT 1", 600, "one", "x")


class Work:
    def __init__(self) -> None:
        self.go, self.error, self.ran = threading.Event(), "", 0
        self.go.set()

    def __call__(self, sql: Sql, _psql: Psql) -> Iterator[str]:
        self.ran += 1
        assert self.go.wait(20)
        if self.error:
            raise SqlError(self.error)
        yield f"ran {sql.text}"


@pytest.fixture
def work() -> Work:
    return Work()


def test_quick_sql_is_done_in_the_round(work: Work):
    assert list(Beside(work)(ONE, PSQL)) == ["ran SELECT 1"]


def test_slow_sql_goes_on_and_is_told_when_it_has_ended(work: Work, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(owner_sql, "WAIT", 0.05)
    beside = Beside(work)
    work.go.clear()
    for _ in range(3):
        with pytest.raises(Running, match=r"its SQL [0-9a-f]{12} still runs"):
            list(beside(ONE, PSQL))
    work.go.set()
    monkeypatch.setattr(owner_sql, "WAIT", 20.0)
    assert list(beside(ONE, PSQL)) == ["ran SELECT 1"]
    assert work.ran == 1


def test_what_failed_is_tried_again_after_growing_pauses(work: Work, monkeypatch: pytest.MonkeyPatch):
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    beside = Beside(work)
    work.error = "no"
    ran_at = []
    for _ in range(2000):
        before = work.ran
        with pytest.raises(SqlError, match=r"^no$"):
            list(beside(ONE, PSQL))
        if work.ran > before:
            ran_at.append(now[0])
        now[0] += 1
    pauses = [round(after - before) for before, after in itertools.pairwise(ran_at)]
    assert pauses == [11, 21, 41, 81, 161, 321, 641, 641]


def test_another_text_is_tried_at_once(work: Work):
    beside = Beside(work)
    work.error = "no"
    with pytest.raises(SqlError):
        list(beside(ONE, PSQL))
    work.error = ""
    assert list(beside(Sql("one", "SELECT better", 600, "one", "x"), PSQL)) == ["ran SELECT better"]
