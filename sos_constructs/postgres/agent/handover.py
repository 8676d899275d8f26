"""A primary that is about to stop anyway gives the lock away as soon as its server has ended, in half a second instead of one and a half.

Patroni stops its server and looks at it once a second; where it finds the last checkpoint written and the server still there, it waits one
second more (patroni/postgresql/__init__.py, ``_do_stop``; patroni/ha.py, ``shutdown``), after up to half a second for its REST API. So the
``preStop`` hook stops the server: PostgreSQL's fast shutdown ends only when the connected standbys have everything, the last checkpoint
included. Patroni, told to stop first, is held still meanwhile. It goes on when the successor is in the Service: the pod's network
lives until then, and a client that asks the old address is refused at once instead of waiting for its time-out. Its own attempt to give
the lock away then finds that it has none. Where anything is other than expected, it goes on at once, and stops as ever.

kube-proxy changes a Service at most once a second. So the old primary is taken out a third of a second before its clients are turned out, in which
they write on: when kube-proxy may change the Service again, the successor should be there.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

from .closing import TooLong, limit
from .files import write_whole
from .kube_api import Conflict, Kube, KubeError
from .lock_store import Store
from .log import log
from .patroni_process import HELD
from .psql import SqlError, of_patroni

CHECKPOINT_SECONDS = 20
"""For the checkpoint before the last one, which has little left to write; clients write on meanwhile."""
STOP_SECONDS = 2.0
"""For the server to end. It needs a tenth of it, or as long as a standby that does not answer keeps it (``wal_sender_timeout``)."""
SUCCESSOR_SECONDS = 3.0
"""For a successor to be labelled; it takes half a second."""
SERVICE_SECONDS = 1.5
"""From the label until every kube-proxy has it: it changes a Service at most once a second."""
SERVICE_AHEAD_SECONDS = 0.3
"""From being taken out of the Service until clients are turned out. The successor is labelled 0.3 to 0.9 s after that (15 deletions, load 6), and a label
that comes before the second is over costs nothing; one that comes later can miss kube-proxy by as much again, since it hears of each Service apart."""
HELD_ANSWER_SECONDS = 1.0
"""For each answer of the API server while Patroni is held still and its server takes writes: all of them, and all else, within the lock's life."""
LONGEST_HOLD = 11.0
"""Seconds for which Patroni is held still at most; it needs three."""
TRIES = 3
LOOK_SECONDS = 0.01
ASK_SECONDS = 0.1
STATE, PARENT, STARTED = 0, 1, 19
"""Places in :func:`stat_of`'s list; the last in clock ticks since the boot (proc(5): fields 3, 4 and 22)."""

Kill = Callable[[int, int], None]


def send(pid: int, number: int) -> None:
    """A signal, to a process that may have ended meanwhile."""
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def hand_over(
    kube: Kube, config: dict[str, Any], patroni_file: Path, close: Callable[[], None], not_before: float, proc: Path = Path("/proc"), kill: Kill = send
) -> None:
    """Stop PostgreSQL and give the lock away, under a Patroni that has been told to stop.

    :param config: Patroni's configuration file, read.
    :param close: has the server turn its clients out.
    :param not_before: monotonic time from which kube-proxy may change the Service again: it has just done so, for the pod's end.
    """
    patroni, server = patroni_pid(proc, patroni_file), server_pid(Path(config["postgresql"]["data_dir"]))
    if patroni is None or server is None:
        return
    store = Store(kube.within(HELD_ANSWER_SECONDS), config["scope"], config["kubernetes"]["role_label"])
    checkpoint(config)
    time.sleep(max(0.0, not_before - time.monotonic()))
    kill(patroni, signal.SIGTERM)  # from here on its loop takes no further round, and will not start the server again
    seconds = longest_hold(config)
    with held_still(patroni, kill, patroni_file.parent, seconds):
        try:
            with limit(seconds):
                stop_and_vacate(store, config, server, close, proc, kill)
        except (KubeError, TooLong) as error:
            log("warning", "handover", str(error))


def stop_and_vacate(store: Store, config: dict[str, Any], server: int, close: Callable[[], None], proc: Path, kill: Kill) -> None:
    """While Patroni is held still.

    :raises KubeError: when the API server does not answer, or the lock has changed meanwhile.
    :raises TooLong: when it lasts for too long.
    """
    with suppress(KubeError):
        store.announce()
    # The others need not wait two seconds for its answer either. They hear of this and of the lock in two streams, so it has to be well before.
    ahead(partial(store.strike_off, config["name"], only_ending=True))
    close()
    if not ended_well(end_server(server, config, proc, kill)):
        log("warning", "handover", "the server has not ended well in time: leaving the rest to Patroni")
        return
    vacate(store, config)


def longest_hold(config: dict[str, Any]) -> float:
    """Seconds for which Patroni may be held still. It renewed its lock in its last round, which began ``loop_wait`` and its tries ago at most."""
    timing = {"ttl": 20, "loop_wait": 3, "retry_timeout": 5, **config.get("bootstrap", {}).get("dcs", {})}
    return min(LONGEST_HOLD, float(timing["ttl"] - timing["loop_wait"] - timing["retry_timeout"]) - 1.0)


def ahead(leave: Callable[[], None]) -> None:
    """Leave the Service, and give kube-proxy its time while clients write on. Where the API server does not answer, do neither."""
    for _ in range(TRIES):
        try:
            leave()
        except Conflict:  # the kubelet writes into the pod, too
            continue
        except KubeError:
            return
        time.sleep(SERVICE_AHEAD_SECONDS)
        return


def end_server(server: int, config: dict[str, Any], proc: Path, kill: Kill) -> dict[str, str]:
    """PostgreSQL's fast shutdown; what pg_controldata says then, or nothing where the server has not ended in time."""
    kill(server, signal.SIGINT)
    ended = within(STOP_SECONDS, LOOK_SECONDS, lambda: not (proc / str(server)).exists())
    return control_data(config) if ended else {}


def vacate(store: Store, config: dict[str, Any]) -> None:
    """Give the lock away, and stay until the successor is in the Service.

    :raises KubeError: when the API server does not answer, or the lock has changed meanwhile.
    """
    kubernetes, own = config["kubernetes"], config["name"]
    lock = store.lock()
    if lock.holder != own:
        return
    store.vacate(lock)
    log("info", "handover", "the server has ended, and the lock is free")

    def staying(labels: dict[str, str]) -> list[str]:
        return [pod["name"] for pod in store.kube.pods(kubernetes["labels"] | labels) if pod["name"] != own and "deletionTimestamp" not in pod]

    primary = {kubernetes["role_label"]: kubernetes["leader_label_value"]}
    if staying({}) and within(SUCCESSOR_SECONDS, ASK_SECONDS, lambda: bool(staying(primary))):
        time.sleep(SERVICE_SECONDS)


def checkpoint(config: dict[str, Any]) -> None:
    """Write what is dirty while clients still write; as Patroni does before a switchover, and not before its own end."""
    try:
        of_patroni(config).query(f"SET statement_timeout = '{CHECKPOINT_SECONDS}s'; CHECKPOINT")
    except SqlError as error:
        log("warning", "handover", str(error))


def control_data(config: dict[str, Any]) -> dict[str, str]:
    """What pg_controldata says of the data directory, by its own names."""
    command = [f"{config['postgresql']['bin_dir']}/pg_controldata", config["postgresql"]["data_dir"]]
    done = subprocess.run(command, capture_output=True, text=True, env={"LC_ALL": "C"}, check=False)
    return {name: value.strip() for name, colon, value in (line.partition(":") for line in done.stdout.splitlines()) if colon}


def ended_well(data: dict[str, str]) -> bool:
    """Whether the server's last words are those of an orderly shutdown of a primary: every connected standby has everything."""
    return data.get("Database cluster state") == "shut down"


def within(seconds: float, pause: float, done: Callable[[], bool]) -> bool:
    """Ask again and again; whether it was so in time."""
    until = time.monotonic() + seconds
    while not done():
        if time.monotonic() > until:
            return False
        time.sleep(pause)
    return True


@contextmanager
def held_still(pid: int, kill: Kill, folder: Path, seconds: float) -> Iterator[None]:
    """Patroni does nothing until the end, also when that comes by an error. The first process sees to it after so many seconds, or when this one dies."""
    with suppress(OSError):
        write_whole(folder / HELD, f"{os.getpid()} {time.monotonic() + seconds + 1}")
    kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        kill(pid, signal.SIGCONT)
        with suppress(OSError):
            (folder / HELD).unlink(missing_ok=True)


def patroni_pid(proc: Path, patroni_file: Path) -> int | None:
    """The first process's child that was started with this file. The hook itself names it too, and is nobody's child here."""
    for folder in proc.iterdir():
        if not folder.name.isdigit():
            continue
        with suppress(OSError):
            parent = stat_of(folder)[PARENT]
            arguments = (folder / "cmdline").read_bytes().rstrip(b"\0").split(b"\0")
            if parent == "1" and arguments[-1] == os.fsencode(patroni_file):
                return int(folder.name)
    return None


def stat_of(folder: Path) -> list[str]:
    """Of one process: the fields of ``/proc/PID/stat`` that follow its name, which may hold anything."""
    return (folder / "stat").read_text().rpartition(")")[2].split()


def server_pid(data_dir: Path) -> int | None:
    """The postmaster's, from the file that it keeps while it runs."""
    try:
        return int((data_dir / "postmaster.pid").read_text().split("\n", 1)[0])
    except (OSError, ValueError):
        return None
