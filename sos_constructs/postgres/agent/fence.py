"""A former primary that hears of no successor lets no client in.

Cut off from the others, a primary gives up by itself before anybody may follow it; but it comes back as a standby that follows nobody, and
its pod keeps the label primary as long as the API server cannot be told, so clients on its side of the cut read what was true before. And
when the cut ends, Patroni's first word is the label of the view it had before: seen on a cluster, such a standby stood in the Service for a
moment. So, as long as it neither leads nor streams, the first line of pg_hba.conf turns clients away, and those who are connected are
disconnected. Members and this pod's own processes come in as always.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .files import write_whole
from .log import log
from .patroni_api import Status
from .psql import Psql

FILE = "fenced"
OPEN, CLOSED = "", "all\n"
GRACE = 3.0
"""Seconds that a former primary has to find its successor, which in a switchover takes less, as long as the API server answers. Where it does not,
there is nothing to wait for, and what the server shows as it comes back may be what nobody was promised: commits whose wait was broken off."""
INTERVAL = 0.5
"""Seconds between two looks: a primary that gives up is a standby about two seconds later."""

LEADS, FOLLOWS = ("primary", "promoted"), ("replica", "demoted")
"""Patroni's words. Whoever is neither, such as a member that is being copied, says nothing."""

END = "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity WHERE backend_type = 'client backend' AND client_addr IS NOT NULL"


def hba_line(folder: Path) -> str:
    """The first line of pg_hba.conf: turns away whom the file names. PostgreSQL drops a field in which nothing stands, so something does."""
    return f"host sos-nobody,@{folder / FILE} all all reject"


def prepare(folder: Path) -> None:
    """PostgreSQL refuses the whole of pg_hba.conf when a file that it names is missing."""
    if not (folder / FILE).exists():
        write_whole(folder / FILE, OPEN)


@dataclass
class Fence:
    """Of this member's server; the file outlives a restart of the agent."""

    folder: Path
    clock: Callable[[], float] = time.monotonic
    _told: str | None = None
    """What the server was last told to read."""
    _said: str | None = None
    _led: bool = False
    _alone_since: float | None = None

    def round(self, status: Status, psql: Psql, store_answers: Callable[[], bool]) -> None:
        """Close or open, as the member stands now."""
        leads = status.role in LEADS
        if status.streaming or (leads and status.running):
            self._led, self._alone_since = leads, None
            self._set(OPEN, psql, running=status.running)
        elif not leads and status.role not in FOLLOWS:
            return
        elif leads or self._led:
            if self._alone_since is None:
                self._led, self._told = True, None
                self._write(CLOSED)  # first: a server that comes back meanwhile reads it when it starts
            if self._alone_since is None or not status.running:
                self._alone_since = self.clock()
            # once closed it stays so: what answers again first is the store, and the data is still what nobody was promised
            waits = self._said != CLOSED and self.clock() - self._alone_since < GRACE and store_answers()
            self._set(OPEN if waits else CLOSED, psql, running=status.running)
        elif self.closed:  # since before this process
            self._set(CLOSED, psql, running=status.running)

    @property
    def closed(self) -> bool:
        """Whether clients are turned away."""
        return (self.folder / FILE).read_text() == CLOSED

    def _set(self, content: str, psql: Psql, *, running: bool) -> None:
        self._write(content)
        if content != self._said:
            if content == CLOSED:
                log("warning", "fence", "a former primary without a leader: clients are turned away until it streams or leads again")
            elif self._said is not None:
                log("info", "fence", "clients may connect again")
            self._said = content
        if not running:
            self._told = None  # what it reads when it starts is one of the two
        elif self._told != content:
            psql.query("SELECT pg_catalog.pg_reload_conf()")
            self._told = content
        if running and content == CLOSED:
            psql.query(END)

    def _write(self, content: str) -> None:
        if (self.folder / FILE).read_text() != content:
            write_whole(self.folder / FILE, content)
