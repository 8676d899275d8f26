"""Patroni's ``before_stop``: nobody is left to read what a server shows while it ends.

A commit that waits for a standby is invisible until its wait is over. A fast shutdown breaks the wait off ("has already committed locally, but might
not have been replicated", PostgreSQL's ``syncrep.c``): the row is visible then, to whoever is not gone yet, and it may go down with this server.
A primary that is cut off from everybody ends like that, with its clients' rows in wait for as long as the cut has lasted. So before any stop
the fence is closed, and all are disconnected but those that wait. The agent opens it again where this server goes on.

Where it is a switchover that was asked for, the server is stopped right here: switchover.py.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

from . import fence
from .files import write_whole
from .kube_api import TOKEN_DIR, Kube, KubeError, in_cluster_url
from .log import log, say_as_first_process
from .patroni_api import PatroniError
from .psql import Psql, SqlError, of_patroni
from .switchover import requested, switch_over

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


@contextmanager
def limit(seconds: int) -> Iterator[None]:
    """What lasts for longer is broken off by a TimeoutError."""

    def end(_number: int, _frame: FrameType | None) -> None:
        raise TimeoutError(f"not done after {seconds} s")

    signal.signal(signal.SIGALRM, end)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)


def close(folder: Path, config: dict[str, Any]) -> None:
    """The same; whatever goes wrong, the stop goes on."""
    try:
        with limit(LONGEST):
            disconnected = turn_out(folder, of_patroni(config))
    except (SqlError, OSError) as error:
        log("warning", "before_stop", str(error))
    else:
        log("info", "before_stop", "closed to clients before the server stops", disconnected=disconnected)


def main(arguments: list[str], kube: Kube) -> None:
    """With Patroni's configuration file, in its container; Patroni waits for the end."""
    patroni_file = Path(arguments[0])
    config = json.loads(patroni_file.read_text())
    closing = partial(close, patroni_file.parent, config)
    try:
        request = requested(kube, config)
    except (KubeError, PatroniError) as error:
        log("warning", "before_stop", str(error))
        request = None
    if request:
        switch_over(kube, config, patroni_file, request, closing)
    else:
        closing()


if __name__ == "__main__":
    say_as_first_process()
    main(sys.argv[1:], Kube(in_cluster_url(os.environ), (TOKEN_DIR / "namespace").read_text(), TOKEN_DIR, timeout=1.0))
