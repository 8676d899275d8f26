"""Restarts of PostgreSQL in place, for settings that new pods cannot bring.

A standby cannot run with less than its primary has of max_connections, max_worker_processes, max_wal_senders,
max_prepared_transactions and max_locks_per_transaction, so Patroni starts it with the primary's last value and reports "pending restart".
When pods are rolled, each new primary has been such a standby: a lowered value never arrives. It needs a restart of the primary that
stays primary, and then of the standbys (Patroni documentation, dynamic configuration). A raised one takes the opposite order.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from .log import log
from .patroni_api import Status
from .reconcile import Member

SETTLED = 20.0
"""Seconds for which the members must not have changed: while pods are rolled, which brings most settings, nobody restarts in between."""


class Restarts:
    """The step; it remembers since when the members have been as they are."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen: object = None
        self._since = 0.0

    def __call__(self, member: Member, status: Status) -> None:
        """Restart this member's PostgreSQL if it waits for one of our settings and it is its turn."""
        if not status.pending:
            self._seen = None
            return
        declared = member.declared()
        patroni = member.patroni(declared)
        members = patroni.members()
        seen = [{key: each.get(key) for key in ("name", "role", "state", "pending_restart_reason")} for each in members]
        if seen != self._seen:
            self._seen, self._since = seen, self._clock()
        ours = set(declared.patroni["bootstrap"]["dcs"]["postgresql"]["parameters"])
        if self._clock() - self._since >= SETTLED and turn(members, ours) == member.pod.name:
            self._seen = None
            log("info", "restarts", "restarting PostgreSQL in place", settings=sorted(ours & set(status.pending)))
            patroni.restart_pending()


def turn(members: list[dict[str, Any]], ours: set[str]) -> str:
    """Which member restarts next: one at a time, and nobody while another is away. Settings that are not ours wait for whoever made them."""
    leaders = [each for each in members if each.get("role") == "leader"]
    standbys = [each for each in members if each.get("role") != "leader"]
    if len(leaders) != 1 or leaders[0].get("state") != "running" or any(each.get("state") != "streaming" for each in standbys):
        return ""
    waiting = sorted(str(each["name"]) for each in standbys if _reasons(each, ours))
    of_leader = _reasons(leaders[0], ours)
    if of_leader and (not waiting or any(map(_lowered, of_leader))):
        return str(leaders[0]["name"])
    return waiting[0] if waiting else ""


def _reasons(member: dict[str, Any], ours: set[str]) -> list[dict[str, Any]]:
    reasons = member.get("pending_restart_reason") or {}
    return [reason for name, reason in reasons.items() if name in ours]


def _lowered(reason: dict[str, Any]) -> bool:
    try:
        return int(reason["new_value"]) < int(reason["old_value"])
    except (KeyError, TypeError, ValueError):
        return False
