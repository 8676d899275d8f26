"""One step: when it runs again, and how its outcome is told."""

from __future__ import annotations

import json
import time
from itertools import pairwise
from pathlib import Path

from sos_constructs.postgres.agent.files import DeclaredError
from sos_constructs.postgres.agent.metrics import Metrics
from sos_constructs.postgres.agent.patroni_api import PatroniError, Status
from sos_constructs.postgres.agent.psql import SqlError
from sos_constructs.postgres.agent.reconcile import Member, NotYet
from sos_constructs.postgres.agent.runner import INTERVAL, Runner, Situation, attempt

import pytest

from tests.postgres.agent.test_metrics import parsed
from tests.postgres.example import spec
from tests.postgres.mounted import mount

PRIMARY = Status("primary", True, False)


class Clock:
    """``time.monotonic`` by hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(time, "monotonic", lambda: self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


@pytest.fixture
def member(tmp_path: Path) -> Member:
    return mount(tmp_path, spec())


class Step:
    """Counts its runs, and fails with what it is told."""

    def __init__(self) -> None:
        self.runs = 0
        self.error: Exception | None = None

    def __call__(self, member: Member, status: Status) -> None:
        self.runs += 1
        if self.error:
            raise self.error


def test_a_step_runs_when_something_changed_and_once_a_minute(clock: Clock, member: Member):
    step, metrics = Step(), Metrics()
    runner = Runner("x", step)
    first, other, third = Situation("a", PRIMARY), Situation("b", PRIMARY), Situation("b", Status("replica", True, True))
    for situation, seconds, runs in (
        (first, 0, 1),
        (first, 5, 1),
        (other, 5, 2),
        (other, 59, 2),
        (other, 1, 3),
        (third, 0, 4),
    ):
        clock.now += seconds
        runner.round(member, situation, metrics)
        assert step.runs == runs


def test_pauses_after_failures_grow_up_to_a_minute(clock: Clock, member: Member):
    step, metrics, situation = Step(), Metrics(), Situation("a", PRIMARY)
    step.error = SqlError("no")
    runner = Runner("x", step)
    times: list[float] = []
    while len(times) < 7:
        before = step.runs
        runner.round(member, situation, metrics)
        if step.runs > before:
            times.append(clock.now)
        clock.now += 1
    assert [later - earlier for earlier, later in pairwise(times)] == [5, 10, 20, 40, 60, 60]
    runner.round(member, Situation("b", PRIMARY), metrics)
    assert step.runs == 8, "a change is no reason to wait"


def test_pauses_begin_anew_after_a_success(clock: Clock, member: Member):
    step, metrics = Step(), Metrics()
    runner = Runner("x", step)
    for name, error in (("a", SqlError("no")), ("b", SqlError("no")), ("c", None), ("d", SqlError("no"))):
        step.error = error
        runner.round(member, Situation(name, PRIMARY), metrics)
    clock.now += INTERVAL
    runner.round(member, Situation("d", PRIMARY), metrics)
    assert step.runs == 5


def test_an_error_is_told_once_and_its_end_too(clock: Clock, member: Member, capsys: pytest.CaptureFixture[str]):
    step, metrics = Step(), Metrics()
    runner = Runner("databases", step)
    for error in (None, SqlError("no"), SqlError("no"), SqlError("other"), None, None):
        step.error = error
        clock.now += 100
        runner.round(member, Situation("a", PRIMARY), metrics)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["level"], line["step"], line["message"]) for line in lines] == [
        ("error", "databases", "no"),
        ("error", "databases", "other"),
        ("info", "databases", "works again"),
    ]
    found = parsed(metrics.text())
    assert (found['sos_agent_reconcile_failures_total{step="databases"}'], found['sos_agent_reconcile_success{step="databases"}']) == (3, 1)


@pytest.mark.parametrize("error", [DeclaredError("why"), NotYet("why"), PatroniError("why"), SqlError("why"), OSError("why")])
def test_expected_errors_are_told(error: Exception, member: Member):
    step = Step()
    step.error = error
    assert attempt(step, member, PRIMARY) == "why"


@pytest.mark.parametrize("error", [KeyError("canary"), ValueError("canary"), RuntimeError("canary"), ZeroDivisionError("canary")])
def test_mistakes_are_told_by_their_type_alone(error: Exception, member: Member):
    step = Step()
    step.error = error
    assert attempt(step, member, PRIMARY) == f"unexpected {type(error).__name__}"
