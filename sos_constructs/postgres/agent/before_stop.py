"""Patroni's ``before_stop``: before it stops a server, nobody is left to read (closing.py), or the lock goes over right here (switchover.py).

Before a restart in place nothing is done: what waits is visible when the server is back, whatever happens here.

And a primary that still holds the lock is not stopped at all. An API server that has hung answers what it was asked a minute ago: a renewal that Patroni
had given up changes the lock, Patroni's next attempt is refused for that, and it "demotes self (immediate-nolock)", two to six seconds without a
primary, only to take the lock again (4.0.4 and 4.1.5; patroni/ha.py, ``process_unhealthy_cluster``). So where the lock is this member's, its
server answers as a primary, and nobody has asked for another, this Patroni is killed, and a new one finds what is (patroni_process.py).
"""

from __future__ import annotations

import json
import os
import signal
import sys
from functools import partial
from pathlib import Path
from typing import Any

from .again import cannot_go_on, is_held
from .closing import SECONDS, TooLong, close, close_in_time, limit
from .farewell import is_paused
from .handover import Kill, longest_hold, patroni_pid, send
from .kube_api import TOKEN_DIR, Kube, KubeError, in_cluster_url
from .lock_store import Store
from .log import log, say_as_first_process
from .patroni_api import PatroniError, of_member
from .patroni_process import MARK
from .psql import SqlError
from .switchover import requested, switch_over, what_is_asked

SWITCHOVER_SECONDS = 8
"""After which Patroni goes on; less than half of its lock's least life."""


def main(arguments: list[str], kube: Kube) -> None:
    """With Patroni's configuration file, in its container; Patroni waits for the end."""
    patroni_file = Path(arguments[0])
    config = json.loads(patroni_file.read_text())
    state = state_of(config)
    if state == "restarting":
        return
    request = None
    try:
        with limit(longest_hold(config) / 2):
            request = requested(kube, config)
            if request is None and state == "stopping" and is_needless(kube, config, patroni_file):
                end_patroni(patroni_file)
                return
    except (KubeError, SqlError, TooLong) as error:
        log("warning", "before_stop", str(error))
    except Exception as error:  # noqa: BLE001  # of what somebody wrote into the store by hand
        log("warning", "before_stop", f"cannot tell why the server is to stop: {type(error).__name__}")
    if request is None:
        close_in_time(patroni_file.parent, config)
        return
    try:
        with limit(min(SWITCHOVER_SECONDS, longest_hold(config))):
            switch_over(kube, config, patroni_file, request, partial(close, patroni_file.parent, config))
    except TooLong as error:
        log("warning", "before_stop", str(error))


def state_of(config: dict[str, Any]) -> str:
    """What Patroni is about; an empty string where it does not say, as when it ends itself."""
    try:
        return of_member(config, "127.0.0.1", own=True).state()
    except PatroniError as error:
        log("warning", "before_stop", str(error))
        return ""


def is_needless(kube: Kube, config: dict[str, Any], patroni_file: Path, proc: Path = Path("/proc")) -> bool:
    """Whether this server can go on as the primary, under a Patroni that begins anew. Its lock is renewed then.

    For a Patroni that has not lived for long, or that a human has paused, it is left to Patroni.

    :raises KubeError: when the API server does not answer, or refuses.
    :raises SqlError: when the server does not.
    :raises TooLong: when it does not in time.
    """
    if not (patroni_file.parent / MARK).exists():
        return False
    store = Store(kube, config["scope"], config["kubernetes"]["role_label"])
    lock, asked = store.lock(), what_is_asked(kube, config["scope"])
    if not is_held(lock, config["name"]) or asked.get("leader") or asked.get("member") or is_paused(kube, config["scope"]):
        return False
    with limit(SECONDS):
        if cannot_go_on(config, proc):
            return False
    store.renew(lock)
    return True


def end_patroni(patroni_file: Path, proc: Path = Path("/proc"), kill: Kill = send) -> None:
    """Before it can stop its server."""
    log("warning", "before_stop", "the lock is still this member's, and its server answers: Patroni begins anew instead of stopping it")
    patroni = patroni_pid(proc, patroni_file)
    if patroni is not None:
        kill(patroni, signal.SIGKILL)


if __name__ == "__main__":
    say_as_first_process()
    main(sys.argv[1:], Kube(in_cluster_url(os.environ), (TOKEN_DIR / "namespace").read_text(), TOKEN_DIR, timeout=1.0))
