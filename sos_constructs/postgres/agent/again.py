"""``python3 -m agent.again FILE claim|confirm``: whether a Patroni that was killed may be started again, and whether it has come back.

``claim`` succeeds when the lock is this member's, its server is a primary that answers and that a new Patroni will recognize, and nothing else is left of
the old one (a base backup or pg_rewind would write under the new one). It renews the lock as Patroni does, by compare-and-set: nobody else can have it
for a whole ttl from then on, however long Patroni has been silent. ``confirm`` succeeds as soon as the new Patroni has renewed it once more and says that
its server is a running primary: one that takes the server for dead renews, too. See patroni_process.py.
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
from .handover import PARENT, STARTED, STATE, server_pid, stat_of, within
from .kube_api import TOKEN_DIR, Conflict, Kube, KubeError, in_cluster_url
from .lock_store import Lock, Store
from .log import log, say_as_first_process
from .patroni_api import PatroniError, of_member
from .psql import SqlError, of_patroni

CLAIM_SECONDS = 3
"""For everything before the new Patroni is started."""
ORPHAN_SECONDS = 1.0
"""For what Patroni was just running to end."""
CONFIRM_SECONDS = 14.0
"""For a Patroni to start and to take its first round; it needs two to five, and a ttl after the claim the lock may be another's."""
LOOK_SECONDS = 0.25
APART_SECONDS = 2.0
"""Between the two times of a server's start; at three Patroni does not know it."""
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
        if wrong := cannot_go_on(config, proc):
            return wrong
        with suppress(Conflict):
            write_whole(folder / CLAIMED, store.renew(lock))
            return ""
    return "the lock changes all the time"


def cannot_go_on(config: dict[str, Any], proc: Path) -> str:
    """Why this server could not be the primary of a Patroni that is started now, or an empty string.

    :raises SqlError: when the server does not answer.
    """
    if not is_recognized(proc, Path(config["postgresql"]["data_dir"])):
        return "a new Patroni would not recognize the server: the clock was set since its start"
    return "" if of_patroni(config).query(STANDBY) == [["f"]] else "the server is no primary"


def is_recognized(proc: Path, data_dir: Path) -> bool:
    """Whether a Patroni that is started now takes the process in ``postmaster.pid`` for its server.

    It compares the times of their starts, and says no at three seconds (patroni/postgresql/postmaster.py, ``_is_postmaster_process``). That of the
    process is counted from a boot time that moves when the clock is set (patroni#3358), and a Patroni that does not know its server starts another.
    """
    try:
        pid, _, started = (data_dir / "postmaster.pid").read_text().split("\n")[:3]
        ticks = int(stat_of(proc / pid)[STARTED])
        (boot,) = (int(line.split()[1]) for line in (proc / "stat").read_text().splitlines() if line.startswith("btime "))
        return abs(boot + ticks / os.sysconf("SC_CLK_TCK") - int(started)) < APART_SECONDS
    except (OSError, ValueError, IndexError):
        return False


def confirm(store: Store, config: dict[str, Any], folder: Path) -> str:
    """Wait for the new Patroni's renewal and its word; what is wrong, or an empty string."""
    own, patroni = config["name"], of_member(config, "127.0.0.1", own=True)
    claimed, until = (folder / CLAIMED).read_text(), time.monotonic() + CONFIRM_SECONDS
    while time.monotonic() < until:
        with suppress(KubeError, PatroniError):
            lock = store.lock()
            if lock.holder != own:
                return "the lock is another's"
            if lock.renewed != claimed and patroni.health(seconds=1).leads:
                return ""
        time.sleep(LOOK_SECONDS)
    return f"Patroni is not back within {CONFIRM_SECONDS:.0f} s"


def orphans(proc: Path) -> set[int]:
    """Living children of the first process, but this one. What ``kubectl exec`` starts is nobody's child here."""
    found = set()
    for folder in proc.iterdir():
        if folder.name.isdigit() and int(folder.name) != os.getpid():
            with suppress(OSError):
                stat = stat_of(folder)
                if stat[PARENT] == "1" and stat[STATE] != "Z":
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
            wrong = confirm(store, config, file.parent)
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
