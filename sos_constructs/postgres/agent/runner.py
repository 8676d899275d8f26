"""When a step of the agent runs again, and how its outcome is told."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from .files import DeclaredError
from .guard import NotStreaming
from .kube_api import KubeError
from .log import log
from .metrics import Metrics
from .patroni_api import PatroniError, Status
from .psql import SqlError
from .reconcile import Member, NotYet

INTERVAL = 5.0
"""Seconds between two looks at the mounted files and at Patroni. The kubelet itself takes up to two minutes to bring a changed mount."""
RESYNC = 60.0
"""Seconds after which a step runs although nothing changed, to undo what somebody changed by hand."""
BACK_OFF = 60.0
"""Longest pause, in seconds, after failures of one step: 5, 10, 20, 40, 60, 60, …"""

Step = Callable[[Member, Status], None]


@dataclass(frozen=True)
class Situation:
    """What a step depends on: when it changes, every step runs at once."""

    files: str
    status: Status


class Runner:
    """When one step runs, and how its outcome is told."""

    def __init__(self, name: str, step: Step, resync: float = RESYNC) -> None:
        self.name, self.step, self.resync = name, step, resync
        self._seen: Situation | None = None
        self._due = self._pause = 0.0
        self._error = ""

    def round(self, member: Member, situation: Situation, metrics: Metrics) -> None:
        """Run the step if the situation changed or its time has come."""
        if situation == self._seen and time.monotonic() < self._due:
            return
        self._seen = situation
        error = attempt(self.step, member, situation.status)
        self.note(error, metrics)
        self._pause = min(BACK_OFF, max(INTERVAL, self._pause * 2)) if error else 0.0
        self._due = time.monotonic() + (self._pause if error else self.resync)

    def note(self, error: str, metrics: Metrics) -> None:
        """Count the outcome, and log it when it is another than last time."""
        metrics.record(self.name, not error)
        if error != self._error:
            log("error" if error else "info", self.name, error or "works again")
            self._error = error


def attempt(step: Step, member: Member, status: Status) -> str:
    """Run one step and return what went wrong, or an empty string."""
    try:
        step(member, status)
    except Exception as error:  # noqa: BLE001  # see words()
        return words(error)
    return ""


def words(error: Exception) -> str:
    """What is logged of an error. A mistake in this code must not end the loop, and its text could quote a value: then only its type is told."""
    expected = (DeclaredError, KubeError, NotStreaming, NotYet, PatroniError, SqlError, OSError)
    return str(error) if isinstance(error, expected) else f"unexpected {type(error).__name__}"
