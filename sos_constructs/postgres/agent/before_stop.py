"""Patroni's ``before_stop``: nobody is left to read what a server shows while it ends.

A commit that waits for a standby is invisible until its wait is over. A fast shutdown breaks the wait off ("has already committed locally, but might
not have been replicated", PostgreSQL's ``syncrep.c``): the row is visible then, to whoever is not gone yet, and it may go down with this server.
A primary that is cut off from everybody ends like that, with its clients' rows in wait for as long as the cut has lasted. So before any stop
the fence is closed, and all are disconnected but those that wait. The agent opens it again where this server goes on.
"""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from . import fence
from .files import write_whole
from .log import log, say_as_first_process
from .psql import Psql, SqlError, of_patroni

LONGEST = 3
"""Seconds after which Patroni goes on, also where the server answers no more."""
LOOK_SECONDS = 0.02

READERS = f"{fence.END} AND wait_event IS DISTINCT FROM 'SyncRep'"
"""Their ends do not show anything, and a wait that goes on can still end well."""


def turn_out(folder: Path, psql: Psql, sleep: Callable[[float], None] = time.sleep) -> int:
    """Close the server to clients, and return how many were disconnected when none is left.

    :raises SqlError: when the server does not answer.
    """
    write_whole(folder / fence.FILE, fence.CLOSED)
    psql.query(fence.RELOAD)
    disconnected = 0
    while found := len(psql.query(READERS)):  # also those that came in just before the server had read the file
        disconnected += found
        sleep(LOOK_SECONDS)
    return disconnected


def main(arguments: list[str]) -> None:
    """With Patroni's configuration file, in its container; Patroni waits for the end."""
    patroni_file = Path(arguments[0])
    try:
        disconnected = turn_out(patroni_file.parent, of_patroni(json.loads(patroni_file.read_text())))
    except SqlError as error:
        log("warning", "before_stop", str(error))
    else:
        log("info", "before_stop", "closed to clients before the server stops", disconnected=disconnected)


if __name__ == "__main__":
    signal.alarm(LONGEST)  # nobody handles it, so it ends this process
    say_as_first_process()
    main(sys.argv[1:])
