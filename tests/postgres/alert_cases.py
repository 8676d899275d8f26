"""Synthetic series for promtool: a healthy cluster, and for each alert what goes wrong, when nothing may fire yet and when it must.

A series is its name, its pod, and what else it is labelled with; ``None`` for values takes it away, ``stale`` is what Prometheus notes when
a target is gone.
"""

from __future__ import annotations

from attrs import field, frozen

PODS = ("postgres-0", "postgres-1", "postgres-2")
MINUTES = 130

Series = dict[tuple[str, str, str], "str | None"]


def healthy() -> Series:
    """Two hours in the life of three members: postgres-0 is the primary. One sample a minute, in promtool's notation."""
    now, one, zero = f"0+60x{MINUTES}", f"1x{MINUTES}", f"0x{MINUTES}"
    found: Series = {}
    for pod in PODS:
        primary = pod == "postgres-0"
        values = {
            **dict.fromkeys(("patroni_standby_leader", "patroni_is_paused", "patroni_failsafe_mode_is_active", "patroni_pending_restart"), zero),
            "patroni_primary": one if primary else zero,
            "patroni_replica": zero if primary else one,
            "patroni_postgres_running": one,
            "patroni_postgres_streaming": zero if primary else one,
            "patroni_postgres_timeline": one,
            "patroni_dcs_last_seen": now,
            "sos_agent_last_success_timestamp_seconds": now,
            "pg_up": one,
            "pg_exporter_last_scrape_error": zero,
            "pg_exporter_user_queries_load_error": zero,
            "sos_pg_postmaster_in_recovery": zero if primary else one,
            "sos_pg_connections_used_ratio": f"0.5x{MINUTES}",
            **dict.fromkeys(("sos_pg_replication_lag_seconds", "sos_pg_archive_failing"), zero),
            **dict.fromkeys(("sos_pg_transactions_oldest_seconds", "sos_pg_transactions_oldest_idle_seconds", "sos_pg_lock_waits_oldest_seconds"), zero),
            "sos_pg_postmaster_start_time_seconds": one,
            "sos_pg_archive_pending_segments": zero,
            "pg_stat_archiver_last_archive_age": f"30x{MINUTES}",
            "pg_stat_bgwriter_checkpoints_req_total": zero,
            "pg_stat_bgwriter_checkpoints_timed_total": f"0+0.1x{MINUTES}",
            **({"sos_pg_sync_standbys": f"2x{MINUTES}"} if primary else {}),
        }
        found |= {(name, pod, ""): value for name, value in values.items()}
        found |= {("sos_agent_reconcile_success", pod, f'step="{step}"'): one for step in ("databases", "settings")}
        found |= {("sos_agent_last_action_timestamp_seconds", pod, f'action="{action}"'): zero for action in ("hand_over", "reinitialize", "restart")}
        found |= {("sos_agent_last_success_timestamp_seconds", pod, 'step="databases"'): now if primary else zero}
        found |= {("sos_pg_slot_retained_bytes", pod, 'slot_name="postgres_9"'): zero, ("sos_pg_slot_wal_lost", pod, 'slot_name="postgres_9"'): zero}
        of_databases = (
            "sos_pg_database_xid_age",
            "sos_pg_database_mxid_age",
            "sos_pg_database_checksum_failures",
            "sos_pg_index_invalid",
            "pg_stat_database_deadlocks",
        )
        found |= {(name, pod, 'datname="auth"'): zero for name in of_databases}
        found |= {(f"kubelet_volume_stats_{what}_bytes", pod, ""): f"{size}x{MINUTES}" for what, size in (("available", 50), ("capacity", 100))}
    found["kube_cronjob_status_last_successful_time", "", 'cronjob="backup"'] = now
    return found


@frozen(kw_only=True)
class Case:
    """What goes wrong, the last minute at which nothing of the kind may fire, and the first at which exactly ``alerts`` fire."""

    alerts: str
    series: Series = field(repr=False)
    quiet: int
    fires: int


def one(name: str, values: str | None, pod: str = "postgres-1", labels: str = "") -> Series:
    return {(name, pod, labels): values}


def everywhere(name: str, values: str | None) -> Series:
    return {(name, pod, ""): values for pod in PODS}


def backup(values: str | None) -> Series:
    return {("kube_cronjob_status_last_successful_time", "", 'cronjob="backup"'): values}


def agent_gone(pod: str) -> Series:
    return {(name, each, labels): None for name, each, labels in healthy() if each == pod and name.startswith("sos_agent_")}


def crashed(pod: str, minute: int) -> Series:
    """Every series of one member ends: its node is gone, and Prometheus marks them stale at the next scrape. The volume's go with the kubelet's."""
    ended: Series = {}
    for (name, each, labels), values in healthy().items():
        if each == pod and values:
            start, _, count = values.partition("x")
            ended[name, each, labels] = f"{start}x{min(minute, int(count))} stale"
    return ended


def promoted(pod: str, minute: int) -> Series:
    """The member becomes primary: what it and the other standby say from then on."""
    later = f"x{minute}", f"x{MINUTES - minute - 1}"
    turned = {"patroni_primary": "0{} 1{}", "patroni_replica": "1{} 0{}", "patroni_postgres_streaming": "1{} 0{}", "sos_pg_postmaster_in_recovery": "1{} 0{}"}
    found: Series = {(name, pod, ""): text.format(*later) for name, text in turned.items()}
    found |= {("patroni_postgres_timeline", each, ""): "1{} 2{}".format(*later) for each in PODS[1:]}
    return found | {("sos_pg_sync_standbys", pod, ""): f"_{later[0]} 1{later[1]}"}


SLOT, DATABASE, STEP = 'slot_name="postgres_9"', 'datname="auth"', 'step="databases"'

CASES = (
    Case(alerts="NoLeader", series=one("patroni_primary", "1x4 0x99", "postgres-0"), quiet=5, fires=6),
    Case(alerts="MultiplePrimaries", series=one("patroni_primary", "0x4 1x99"), quiet=5, fires=6),
    Case(alerts="MultiplePrimaries", series=one("sos_pg_postmaster_in_recovery", "1x4 0x99"), quiet=5, fires=6),
    Case(alerts="Blind", series=everywhere("patroni_primary", None), quiet=4, fires=5),
    Case(alerts="MemberDown", series=one("patroni_postgres_running", "1x4 0x99"), quiet=9, fires=10),
    Case(alerts="MemberDown", series=one("patroni_postgres_running", "1x4 stale"), quiet=9, fires=10),
    Case(alerts="ExporterDown", series=one("pg_up", "1x4 0x99"), quiet=9, fires=10),
    Case(alerts="ExporterDown", series=one("pg_up", "1x4 stale"), quiet=9, fires=10),
    Case(alerts="FailoverHappened", series=one("patroni_postgres_timeline", "1x19 2x99"), quiet=19, fires=20),
    Case(alerts="FailoverHappened FailoverFlapping", series=one("patroni_postgres_timeline", "1x64 2x4 3x4 4x50"), quiet=64, fires=75),
    Case(alerts="ServerRestarts", series=one("sos_pg_postmaster_start_time_seconds", "1x4 2x4 3x4 4x99"), quiet=14, fires=15),
    Case(alerts="PatroniPaused", series=everywhere("patroni_is_paused", "1x130"), quiet=59, fires=60),
    Case(alerts="ApiServerUnreachable", series=one("patroni_dcs_last_seen", "0x99"), quiet=2, fires=3),
    Case(alerts="FailsafeActive", series=one("patroni_failsafe_mode_is_active", "1x99"), quiet=1, fires=2),
    Case(alerts="PendingRestart", series=one("patroni_pending_restart", "1x99"), quiet=59, fires=60),
    Case(alerts="AgentFailing", series=one("sos_agent_reconcile_success", "0x99", labels=STEP), quiet=9, fires=10),
    Case(alerts="AgentStuck", series=one("sos_agent_last_success_timestamp_seconds", "0x99"), quiet=20, fires=21),
    Case(alerts="AgentDown", series=agent_gone("postgres-1"), quiet=9, fires=10),
    Case(alerts="AgentActed", series=one("sos_agent_last_action_timestamp_seconds", "0x4 300x99", labels='action="reinitialize"'), quiet=4, fires=5),
    Case(alerts="ReplicaNotStreaming", series=one("patroni_postgres_streaming", "1x4 0x99"), quiet=14, fires=15),
    Case(alerts="ReplicaNotStreaming", series=one("patroni_postgres_streaming", None), quiet=9, fires=10),
    Case(alerts="SyncStandbyMissing", series=one("sos_pg_sync_standbys", "1x4 0x99", "postgres-0"), quiet=6, fires=7),
    Case(alerts="ReplicationLag", series=one("sos_pg_replication_lag_seconds", "61x99"), quiet=4, fires=5),
    Case(alerts="SlotRetainsWal", series=one("sos_pg_slot_retained_bytes", "5400000000x99", labels=SLOT), quiet=9, fires=10),
    Case(alerts="SlotLostWal", series=one("sos_pg_slot_wal_lost", "1x99", labels=SLOT), quiet=4, fires=5),
    Case(alerts="ConnectionsHigh", series=one("sos_pg_connections_used_ratio", "0.81x99"), quiet=4, fires=5),
    Case(alerts="ConnectionsExhausted", series=one("sos_pg_connections_used_ratio", "0.96x99"), quiet=0, fires=1),
    Case(alerts="ConnectionsExhausted ConnectionsHigh", series=one("sos_pg_connections_used_ratio", "0.96x99"), quiet=0, fires=5),
    Case(alerts="LongTransaction", series=one("sos_pg_transactions_oldest_seconds", "1801x99"), quiet=4, fires=5),
    Case(alerts="LongTransaction", series=one("sos_pg_transactions_oldest_idle_seconds", "601x99"), quiet=4, fires=5),
    Case(alerts="LockWait", series=one("sos_pg_lock_waits_oldest_seconds", "61x99"), quiet=1, fires=2),
    Case(alerts="Deadlocks", series=one("pg_stat_database_deadlocks", "0x4 0+1x99", labels=DATABASE), quiet=6, fires=20),
    Case(alerts="TransactionIdAge", series=one("sos_pg_database_mxid_age", "500000001x130", labels=DATABASE), quiet=59, fires=60),
    Case(alerts="CheckpointsTooOften", series=one("pg_stat_bgwriter_checkpoints_req_total", "0+0.5x130"), quiet=29, fires=60),
    Case(alerts="InvalidIndex", series=one("sos_pg_index_invalid", "1x130", labels=DATABASE), quiet=119, fires=120),
    Case(alerts="TransactionIdAge", series=one("sos_pg_database_xid_age", "500000001x130", labels=DATABASE), quiet=59, fires=60),
    Case(alerts="VolumeFilling", series=one("kubelet_volume_stats_available_bytes", "19x99"), quiet=9, fires=10),
    Case(alerts="VolumeFull", series=one("kubelet_volume_stats_available_bytes", "4x99"), quiet=1, fires=2),
    Case(alerts="VolumeFillsSoon", series=one("kubelet_volume_stats_available_bytes", "45-0.1x130"), quiet=59, fires=62),
    Case(alerts="ArchiveFailing", series=one("sos_pg_archive_failing", "1x99", "postgres-0"), quiet=9, fires=10),
    Case(
        alerts="ArchiveStuck",
        series=one("sos_pg_archive_pending_segments", "2x99", "postgres-0") | one("pg_stat_archiver_last_archive_age", "960x99", "postgres-0"),
        quiet=14,
        fires=15,
    ),
    Case(
        alerts="ArchiveStuck",
        series=one("sos_pg_archive_pending_segments", "2x99", "postgres-0") | one("pg_stat_archiver_last_archive_age", " ".join(["NaN"] * 99), "postgres-0"),
        quiet=14,
        fires=15,
    ),
    Case(alerts="BackupTooOld", series=backup("0x130"), quiet=75, fires=76),
    Case(alerts="BackupTooOld", series=backup(None), quiet=14, fires=15),
    Case(alerts="ChecksumFailure", series=one("sos_pg_database_checksum_failures", "0x4 1x99", labels=DATABASE), quiet=4, fires=5),
    Case(alerts="ExporterErrors", series=one("pg_exporter_last_scrape_error", "1x99"), quiet=9, fires=10),
    Case(alerts="ExporterErrors", series=one("pg_exporter_user_queries_load_error", "1x99"), quiet=9, fires=10),
)
