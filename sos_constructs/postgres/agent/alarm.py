"""A server that has died: its Patroni looks at once, and not in its next round, which is up to ``loop_wait`` away.

Patroni is not its server's parent and learns of its end only when it looks. Its REST API knows earlier: a query fails while Patroni believes that
the server runs, and the state becomes ``unknown``. Any change of the configuration, also one that changes nothing, wakes Patroni's loop.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from .log import log
from .patroni_api import Patroni, PatroniError, Status

QUIET = 3.0
"""Seconds between two alarms: a server that dies again and again is looked at as often as by Patroni itself."""


@dataclass
class Alarm:
    """Of this member's server; looked at twice a second."""

    clock: Callable[[], float] = time.monotonic
    _ran: bool = False
    _last: float = float("-inf")

    def look(self, status: Status, patroni: Patroni) -> None:
        """Wake Patroni if the server answered last time and does not any more."""
        ran, self._ran = self._ran, status.running
        if not ran or not status.lost or self.clock() - self._last < QUIET:
            return
        self._last = self.clock()
        try:
            patroni.wake()
        except PatroniError:
            return  # without the API server its next round does
        log("warning", "fence", "the server does not answer: waking Patroni")
