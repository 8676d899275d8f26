"""A former primary that hears of no successor lets no client in.

Cut off from the others, a primary gives up by itself before anybody may follow it; but it comes back as a standby that follows nobody, and
its pod keeps the label primary as long as the API server cannot be told, so clients on its side of the cut read what was true before. And
when the cut ends, Patroni's first word is the label of the view it had before: seen on a cluster, such a standby stood in the Service for a
moment. So, as long as it neither streams nor leads nor has the lock, the first line of pg_hba.conf turns clients away, and those who are
connected are disconnected. Members and this pod's own processes come in as always.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .files import write_whole
from .log import log
from .patroni_api import FOLLOWS, LEADS, Status
from .psql import Psql

FILE = "fenced"
OPEN, CLOSED = "", "all\n"
INTERVAL = 0.5
"""Seconds between two looks: a primary that gives up is a standby about two seconds later, and is closed before."""

# A former primary with writes that its successor does not have gets a stream again and again, for some hundredths of a second, of the time when both
# were one: until Patroni rewinds it. It knows better by then: the successor's timeline is the first thing that it was given.
ON_NEWEST_TIMELINE = """SELECT coalesce(max(('x' || pg_catalog.left(name, 8))::bit(32)::int), 0) <= (SELECT received_tli FROM pg_catalog.pg_stat_wal_receiver)
FROM pg_catalog.pg_ls_waldir() WHERE name ~ '^[0-9A-F]{8}[.]history$'"""
RELOAD = "SELECT pg_catalog.pg_reload_conf()"
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
    _told: str | None = None
    """What the server was last told to read."""
    _said: str | None = None
    _led: bool = False
    _down: bool = False
    """Whether it was seen not to lead since it last did."""

    def round(self, status: Status, psql: Psql, lock_is_ours: Callable[[], bool]) -> None:
        """Close or open, as the member stands now."""
        leads = status.role in LEADS
        if (status.streaming and self._follows(psql)) or status.leads:
            self._led, self._down = leads, False
            self._set(OPEN, psql, running=status.running)
        elif not leads and status.role not in FOLLOWS:
            return
        elif leads or self._led:
            if not self._down:
                self._led, self._down, self._told = True, True, None
                self._write(CLOSED)  # first: a server that comes back meanwhile reads it when it starts
            self._set(OPEN if lock_is_ours() else CLOSED, psql, running=status.running)
        elif self.closed:  # since before this process
            self._set(CLOSED, psql, running=status.running)

    @property
    def closed(self) -> bool:
        """Whether clients are turned away."""
        return (self.folder / FILE).read_text() == CLOSED

    def _follows(self, psql: Psql) -> bool:
        """Whether a stream is that of the present primary; asked of a former one only."""
        return not (self._led or self.closed) or psql.query(ON_NEWEST_TIMELINE) == [["t"]]

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
            psql.query(RELOAD)
            self._told = content
        if running and content == CLOSED:
            psql.query(END)

    def _write(self, content: str) -> None:
        if (self.folder / FILE).read_text() != content:
            write_whole(self.folder / FILE, content)
            self._told = None  # whoever wrote the other one (before_stop.py) had the server read it, too
