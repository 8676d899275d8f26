"""``python3 -m agent.again FILE claim|confirm``: whether a Patroni that was killed may be started again, and whether it has come back.

``claim`` succeeds when the lock is this member's, its server is a primary that answers, and nothing else is left of the old Patroni (a base backup or
pg_rewind would write under the new one). It renews the lock as Patroni does, by compare-and-set: nobody else can have it for a whole ttl from then on,
however long Patroni has been silent. ``confirm`` succeeds as soon as somebody has renewed it for this member once more. See patroni_process.py.
"""

from __future__ import annotations

import json
import os
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from .closing import STANDBY, TooLong, limit
from .files import write_whole
from .handover import server_pid, within
from .kube_api import TOKEN_DIR, Conflict, Kube, KubeError, in_cluster_url
from .lock_store import Lock, Store
from .log import log, say_as_first_process
from .psql import SqlError, of_patroni

CLAIM_SECONDS = 3
"""For everything before the new Patroni is started."""
ORPHAN_SECONDS = 1.0
"""For what Patroni was just running to end."""
CONFIRM_SECONDS = 14.0
"""For a Patroni to start and to take its first round; it needs two or three, and a ttl after the claim the lock may be another's."""
LOOK_SECONDS = 0.25
TRIES = 3
CLAIMED = "claimed"
"""File beside Patroni's: the renewal that is ours, and not yet the new Patroni's."""


def is_held(lock: Lock, own: str) -> bool:
    """Whether this member holds the lock and nobody is about to take it away or to give it away."""
    return lock.holder == own and not (lock.released or lock.leaving or lock.flagged)


def claim(store: Store, config: dict[str, Any], folder: Path, proc: Path) -> str:
    """Renew the lock for a Patroni that is to come; why not, or an empty string.

    :raises KubeError: when the API server does not answer.
    :raises SqlError: when the server does not.
    """
    data_dir = Path(config["postgresql"]["data_dir"])
    for _ in range(TRIES):
        lock = store.lock()
        if not is_held(lock, config["name"]):
            return "the lock is not this member's to keep"
        if not within(ORPHAN_SECONDS, LOOK_SECONDS, lambda: orphans(proc) == {server_pid(data_dir)}):
            return "more than the server is left of it"
        if of_patroni(config).query(STANDBY) != [["f"]]:
            return "the server is no primary"
        with suppress(Conflict):
            write_whole(folder / CLAIMED, store.renew(lock))
            return ""
    return "the lock changes all the time"


def confirm(store: Store, own: str, folder: Path) -> str:
    """Wait for the new Patroni's renewal; what is wrong, or an empty string."""
    claimed, until = (folder / CLAIMED).read_text(), time.monotonic() + CONFIRM_SECONDS
    while time.monotonic() < until:
        with suppress(KubeError):
            lock = store.lock()
            if lock.holder != own:
                return "the lock is another's"
            if lock.renewed != claimed:
                return ""
        time.sleep(LOOK_SECONDS)
    return f"no renewal within {CONFIRM_SECONDS:.0f} s"


def orphans(proc: Path) -> set[int]:
    """Living children of the first process, but this one. What ``kubectl exec`` starts is nobody's child here."""
    found = set()
    for folder in proc.iterdir():
        if folder.name.isdigit() and int(folder.name) != os.getpid():
            with suppress(OSError):
                state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
                if parent == "1" and state != "Z":
                    found.add(int(folder.name))
    return found


def main(arguments: list[str], kube: Kube, proc: Path = Path("/proc")) -> int:
    """Returns the exit code."""
    file, verb = Path(arguments[0]), arguments[1]
    config = json.loads(file.read_text())
    store = Store(kube, config["scope"], config["kubernetes"]["role_label"])
    try:
        if verb == "claim":
            with limit(CLAIM_SECONDS):
                wrong = claim(store, config, file.parent, proc)
        else:
            wrong = confirm(store, config["name"], file.parent)
    except (KubeError, SqlError, TooLong, OSError) as error:
        wrong = str(error)
    if wrong:
        log("error", "again", f"Patroni was killed, and the server ends with it: {wrong}")
    elif verb == "claim":
        log("warning", "again", "Patroni was killed: starting it again beside its server")
    else:
        log("info", "again", "Patroni is back, and has renewed the lock")
    return 1 if wrong else 0


if __name__ == "__main__":
    say_as_first_process()
    sys.exit(main(sys.argv[1:], Kube(in_cluster_url(os.environ), (TOKEN_DIR / "namespace").read_text(), TOKEN_DIR, timeout=1.0)))
