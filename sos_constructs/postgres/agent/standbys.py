"""What the primary's own server knows of its standbys, read now: Patroni's view of them may be a round old."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .psql import Psql

NEAR = 16 * 1024 * 1024
"""Bytes of log, one segment, that a standby may be behind and still count as caught up: under load nobody is ever at zero."""


@dataclass(frozen=True)
class Standby:
    """One member that follows."""

    streaming: bool
    counted: bool
    """Its answer can acknowledge a commit."""
    behind: int
    """Bytes of log that it has not written to its disk yet."""


def standbys(psql: Psql) -> dict[str, Standby]:
    """By member. Patroni's standbys give their member's name as application_name; a base backup in progress does not count."""
    rows = psql.query(
        "SELECT application_name, state, sync_state, coalesce(pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), flush_lsn), 0)::bigint"
        " FROM pg_catalog.pg_stat_replication WHERE state <> 'backup'"
    )
    return {name: Standby(state == "streaming", sync in ("quorum", "sync"), int(behind)) for name, state, sync, behind in rows}


def lacking(found: Mapping[str, Standby], wanted: set[str], mode: object) -> str:
    """Why one member more must not go away now, or an empty string when every wanted one follows closely and commits are acknowledged.

    ``mode`` is Patroni's ``synchronous_mode``: with ``quorum`` every standby must count, with ``on`` (true) one does, without none.
    """
    for name in sorted(wanted):
        standby = found.get(name)
        if standby is None or not standby.streaming:
            return f"{name} does not stream"
        if standby.behind > NEAR:
            return f"{name} is {standby.behind // 1024**2} MiB behind"
        if mode == "quorum" and not standby.counted:
            return f"{name} is not in the quorum yet"
    if wanted and mode not in (False, None, "off") and not any(found[name].counted for name in wanted):
        return "no standby acknowledges commits yet"
    return ""
