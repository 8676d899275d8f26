"""Before a primary stops: nobody is left to read what it shows while it ends.

A commit that waits for a standby is invisible until its wait is over. A fast shutdown breaks the wait off ("has already committed locally, but might
not have been replicated", PostgreSQL's ``syncrep.c``): the row is visible then, to whoever is not gone yet, and it may go down with this server.
A primary that is cut off from its standbys ends like that, with its clients' rows in wait for as long as the cut has lasted. So the fence is closed
first, and all are disconnected but those that wait. The agent opens it again where this server goes on.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic as clock
from types import FrameType
from typing import Any

from . import fence
from .files import write_whole
from .log import log
from .psql import Psql, SqlError, of_patroni

SECONDS = 3
"""After which the stop goes on; a living server needs a tenth of one."""
SETTLED = 0.02
"""Seconds for the server to read the file, and for a backend to be gone."""

STANDBY = "SELECT pg_catalog.pg_is_in_recovery()"
LEAVE_WAITS = f"{fence.END} AND wait_event IS DISTINCT FROM 'SyncRep'"
"""Those that wait show nothing, and their waits can still end well."""
# Readers first: a backend that is about to begin its wait breaks it off at once, and shows its row to whoever is still there.
TURN_OUT = f"""DO $$ BEGIN PERFORM pg_catalog.pg_reload_conf(), pg_catalog.pg_sleep({SETTLED}); END $$;
DO $$ BEGIN PERFORM ended FROM ({LEAVE_WAITS} AND backend_xid IS NULL) AS readers (ended); PERFORM pg_catalog.pg_sleep({SETTLED}); END $$;
{LEAVE_WAITS}"""


class TooLong(Exception):
    """What had its time."""


@contextmanager
def limit(seconds: float) -> Iterator[None]:
    """What lasts for longer is broken off by :class:`TooLong`. For the main thread; within another limit both hold."""

    def end(_number: int, _frame: FrameType | None) -> None:
        raise TooLong(f"not done after {seconds:g} s")

    began, before = clock(), signal.signal(signal.SIGALRM, end)
    outer, _ = signal.setitimer(signal.ITIMER_REAL, seconds)
    if 0 < outer < seconds:
        signal.setitimer(signal.ITIMER_REAL, outer)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        if outer:
            signal.setitimer(signal.ITIMER_REAL, max(0.001, outer - (clock() - began)))


def close(folder: Path, config: dict[str, Any]) -> None:
    """Close a primary to clients until none of them reads; on a standby nothing waits. Whatever the server answers, its end goes on.

    :param folder: where the fence's file lies.
    :param config: Patroni's configuration file, read.
    """
    try:
        turn_out(folder, of_patroni(config))
    except (SqlError, OSError) as error:
        log("warning", "closing", str(error))
    else:
        log("info", "closing", "nobody is left to read while the server ends")


def close_in_time(folder: Path, config: dict[str, Any]) -> None:
    """:func:`close`, or as much of it as is done in time."""
    try:
        with limit(SECONDS):
            close(folder, config)
    except TooLong as error:
        log("warning", "closing", str(error))


def turn_out(folder: Path, psql: Psql) -> None:
    """The same; raises what fails."""
    if psql.query(STANDBY) == [["t"]]:
        return
    closed = False
    while not closed:
        write_whole(folder / fence.FILE, fence.CLOSED)
        found = psql.query(TURN_OUT)
        # The agent may have opened it before the server had read it, as long as the lock is ours.
        closed = not found and (folder / fence.FILE).read_text() == fence.CLOSED
