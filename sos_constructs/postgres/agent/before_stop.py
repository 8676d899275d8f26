"""Patroni's ``before_stop``: before it stops a server, nobody is left to read (closing.py), or the lock goes over right here (switchover.py).

Before a restart in place nothing is done: what waits is visible when the server is back, whatever happens here.
"""

from __future__ import annotations

import json
import os
import sys
from functools import partial
from pathlib import Path
from typing import Any

from .closing import TooLong, close, close_in_time, limit
from .kube_api import TOKEN_DIR, Kube, KubeError, in_cluster_url
from .log import log, say_as_first_process
from .patroni_api import PatroniError, of_member
from .switchover import Request, requested, switch_over

SWITCHOVER_SECONDS = 8
"""After which Patroni goes on; less than half of its lock's least life."""


def main(arguments: list[str], kube: Kube) -> None:
    """With Patroni's configuration file, in its container; Patroni waits for the end."""
    patroni_file = Path(arguments[0])
    config = json.loads(patroni_file.read_text())
    if is_restart(config):
        return
    request = asked_for(kube, config)
    if request is None:
        close_in_time(patroni_file.parent, config)
        return
    try:
        with limit(SWITCHOVER_SECONDS):
            switch_over(kube, config, patroni_file, request, partial(close, patroni_file.parent, config))
    except TooLong as error:
        log("warning", "before_stop", str(error))


def is_restart(config: dict[str, Any]) -> bool:
    """Whether Patroni is about to start the server again at once."""
    try:
        return of_member(config, "127.0.0.1", own=True).state() == "restarting"
    except PatroniError as error:
        log("warning", "before_stop", str(error))
        return False


def asked_for(kube: Kube, config: dict[str, Any]) -> Request | None:
    """The switchover that is the reason, as far as it can be known."""
    try:
        return requested(kube, config)
    except KubeError as error:
        log("warning", "before_stop", str(error))
    except Exception as error:  # noqa: BLE001  # of what somebody wrote into the store by hand
        log("warning", "before_stop", f"cannot tell whether a switchover was asked for: {type(error).__name__}")
    return None


if __name__ == "__main__":
    say_as_first_process()
    main(sys.argv[1:], Kube(in_cluster_url(os.environ), (TOKEN_DIR / "namespace").read_text(), TOKEN_DIR, timeout=1.0))
