"""Restarts of PostgreSQL in place, for the settings that all members share through Patroni's store.

A standby cannot run with less than its primary has of max_connections, max_worker_processes, max_wal_senders, max_prepared_transactions
and max_locks_per_transaction. New pods are no way to bring such a value. Lowered, it never arrives: Patroni starts a standby with its
primary's value, and each new primary has been such a standby. Raised, it arrives with damage: the first member that starts with it and
becomes primary stops every standby that has not ("recovery aborted because of insufficient parameter settings"), and the quorum with
them; seen on a cluster, as gaps of 6 to 8 s. In place, one member at a time, there is one gap, that of the primary's restart.
Standbys go first for a raised value, the primary for a lowered one (Patroni documentation, dynamic configuration).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from .log import log
from .patroni_api import Status
from .reconcile import Member

SETTLED = 20.0
"""Seconds for which the members must not have changed. While pods are rolled for another reason, nobody restarts in between, and the
store keeps its values: a pod that started with a raised one would stop the others."""


class Settled:
    """Whether all members run and have been as they are for a while."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.forget()

    def forget(self) -> None:
        """Begin anew."""
        self._seen: object = None
        self._since = 0.0

    def __call__(self, members: list[dict[str, Any]]) -> bool:
        """Take note of the members now."""
        seen = [{key: each.get(key) for key in ("name", "role", "state", "pending_restart_reason")} for each in members]
        if seen != self._seen:
            self._seen, self._since = seen, self._clock()
        return _all_run(members) and self._clock() - self._since >= SETTLED


class Restarts:
    """The step; it remembers since when the members have been as they are."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._settled = Settled(clock)

    def __call__(self, member: Member, status: Status) -> None:
        """Restart this member's PostgreSQL if it waits for one of our settings and it is its turn."""
        if not status.pending:
            self._settled.forget()
            return
        declared = member.declared()
        patroni = member.patroni(declared)
        members = patroni.members()
        ours = set(declared.patroni["bootstrap"]["dcs"]["postgresql"]["parameters"])
        if self._settled(members) and turn(members, ours) == member.pod.name:
            self._settled.forget()
            log("info", "restarts", "restarting PostgreSQL in place", settings=sorted(ours & set(status.pending)))
            patroni.restart_pending()


def turn(members: list[dict[str, Any]], ours: set[str]) -> str:
    """Which member restarts next: one at a time, and nobody while another is away. Settings that are not ours wait for whoever made them."""
    leaders = [each for each in members if each.get("role") == "leader"]
    standbys = [each for each in members if each.get("role") != "leader"]
    if not _all_run(members):
        return ""
    waiting = sorted(str(each["name"]) for each in standbys if _reasons(each, ours))
    of_leader = _reasons(leaders[0], ours)
    if of_leader and (not waiting or any(map(_lowered, of_leader))):
        return str(leaders[0]["name"])
    return waiting[0] if waiting else ""


def _all_run(members: list[dict[str, Any]]) -> bool:
    states = [each.get("state") for each in members if each.get("role") == "leader"]
    return states == ["running"] and all(each.get("state") == "streaming" for each in members if each.get("role") != "leader")


def _reasons(member: dict[str, Any], ours: set[str]) -> list[dict[str, Any]]:
    reasons = member.get("pending_restart_reason") or {}
    return [reason for name, reason in reasons.items() if name in ours]


def _lowered(reason: dict[str, Any]) -> bool:
    try:
        return int(reason["new_value"]) < int(reason["old_value"])
    except (KeyError, TypeError, ValueError):
        return False
