"""A switchover that somebody asked for: the lock goes over as soon as the server has ended.

Patroni looks once a second whether its server has written the last checkpoint, then waits for another second and frees the lock; and whoever is not
the candidate sleeps for two (patroni/ha.py, ``process_unhealthy_cluster``), while commits wait for it. Its ``before_stop`` runs before all that. So
here the server is stopped under a Patroni that is held still, and the candidate, once it says that it has the last checkpoint, and with it everything,
gets the lock from its holder: it finds itself the leader, and the others follow it at once. Where no candidate was named the lock is freed, and
Patroni elects; so it does where the candidate lacks something. Where anything is other than expected, Patroni goes on as ever.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import Any

from .farewell import holds_lock, is_paused
from .handover import Kill, ahead, end_server, ended_well, held_still, longest_hold, patroni_pid, send, server_pid
from .kube_api import Kube, KubeError, NotFound
from .lock_store import Store
from .log import log
from .patroni_api import PatroniError, of_member

SOON = 5.0
"""Seconds: a switchover that is scheduled for later is not why Patroni stops its server now."""
LOOK_SECONDS = 0.05
CANDIDATE_SECONDS = 0.5
"""For the candidate to say that it has the last checkpoint. It had confirmed it before the server ended; its answer takes some hundredths."""


@dataclass(frozen=True)
class Request:
    """What was asked for."""

    candidate: str
    """Empty where it is Patroni's choice."""


def requested(kube: Kube, config: dict[str, Any], now: Callable[[], datetime] = lambda: datetime.now(timezone.utc)) -> Request | None:
    """The switchover for which this Patroni is about to stop its server, if that is why.

    :raises KubeError: when the API server does not answer.
    """
    own, scope = config["name"], config["scope"]
    asked = what_is_asked(kube, scope)
    leader, candidate, scheduled = (asked.get(key) or "" for key in ("leader", "member", "scheduled_at"))
    if leader not in ("", own) or candidate == own or not (leader or candidate):
        return None
    if scheduled and (datetime.fromisoformat(scheduled) - now()).total_seconds() > SOON:
        return None
    if not holds_lock(kube, own, scope) or is_paused(kube, scope):
        return None
    return Request(candidate)


def what_is_asked(kube: Kube, scope: str) -> dict[str, str]:
    """Patroni's note of the failover or switchover that somebody asked for."""
    try:
        return kube.annotations(f"{scope}-failover")
    except NotFound:
        return {}  # nobody ever asked


def switch_over(
    kube: Kube, config: dict[str, Any], patroni_file: Path, request: Request, close: Callable[[], None], proc: Path = Path("/proc"), kill: Kill = send
) -> None:
    """Stop PostgreSQL and give the lock to whom it was asked for.

    :param close: has the server turn its clients out.
    """
    patroni, server = patroni_pid(proc, patroni_file), server_pid(Path(config["postgresql"]["data_dir"]))
    if patroni is None or server is None:
        close()
        return
    store, own = Store(kube, config["scope"], config["kubernetes"]["role_label"]), config["name"]
    with held_still(patroni, kill, patroni_file.parent, longest_hold(config)):
        with suppress(KubeError):
            store.announce()
        ahead(partial(store.resign, own))
        close()
        data = end_server(server, config, proc, kill)
        if not ended_well(data):
            log("warning", "switchover", "the server has not ended well in time: leaving the rest to Patroni")
            return
        try:
            lock = store.lock()
            if lock.holder != own:
                return
            if request.candidate and is_voter(request.candidate, own, store) and has_everything(store.address(request.candidate), config, data):
                store.pass_on(lock, request.candidate)
                log("info", "switchover", "the server has ended, and the lock is the candidate's", candidate=request.candidate)
                return
            if request.candidate:  # Patroni's candidate takes a free lock whatever it has, and nobody else does
                log("warning", "switchover", "the candidate does not have everything: Patroni elects", candidate=request.candidate)
                store.forget_switchover()
            store.vacate(lock)
            log("info", "switchover", "the server has ended, and the lock is free")
        except KubeError as error:
            log("warning", "switchover", str(error))


def is_voter(candidate: str, own: str, store: Store) -> bool:
    """Whether commits of this primary may wait for it: who does not follow it could have a log of its own."""
    voters = store.voters()
    return voters.leader == own and candidate in voters.names


def last_checkpoint(data: dict[str, str]) -> tuple[int, int]:
    """Its timeline and place, of what pg_controldata says."""
    high, _, low = data["Latest checkpoint location"].partition("/")
    return int(data["Latest checkpoint's TimeLineID"]), (int(high, 16) << 32) + int(low, 16)


def has_everything(host: str, config: dict[str, Any], data: dict[str, str]) -> bool:
    """Whether the member at this address has the record of the last checkpoint: all that was ever committed stands before it."""
    until, (timeline, place) = time.monotonic() + CANDIDATE_SECONDS, last_checkpoint(data)
    while host:
        try:
            found = of_member(config, host).received()
        except PatroniError as error:
            log("warning", "switchover", str(error))
            return False
        if found[0] == timeline and found[1] > place:
            return True
        if time.monotonic() > until:
            return False
        time.sleep(LOOK_SECONDS)
    return False
