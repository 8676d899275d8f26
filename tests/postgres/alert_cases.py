"""Synthetic series for promtool: a healthy cluster, and for each alert what goes wrong, when nothing may fire yet and when it must.

A series is its name, its pod, and what else it is labelled with; ``None`` for values takes it away, ``stale`` is what Prometheus notes when
a target is gone.
"""

from __future__ import annotations

from attrs import field, frozen

PODS = ("postgres-0", "postgres-1", "postgres-2")
POOLERS = ("postgres-pooler-a", "postgres-pooler-b")
MINUTES = 130

DAY = 86400
STEPS = ("cuts", "flags", "reconnects", "releases", "seals", "withdraws")
SIDES = ('side="primary"', 'side="readonly"')

Series = dict[tuple[str, str, str], "str | None"]


def step(name: str) -> str:
    return f'step="{name}"'


def pool(side: str, state: str = "") -> str:
    return f'{side},database="auth",user="auth"' + (f',state="{state}"' if state else "")


def healthy() -> Series:
    """Two hours in the life of three members, postgres-0 being the primary, and of two poolers. One sample a minute, in promtool's notation."""
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
        found |= {("sos_agent_failover_steps_total", pod, step(name)): zero for name in STEPS}
        # no member's certificate ends within sixty days; they were made together
        found |= {("sos_agent_certificate_expiry_timestamp_seconds", pod, ""): f"{60 * DAY}x{MINUTES}", ("sos_agent_cut_off", pod, ""): zero}
        found |= {("sos_agent_certificate_start_timestamp_seconds", pod, ""): f"{-90 * DAY}x{MINUTES}"}
    found["kube_cronjob_status_last_successful_time", "", 'cronjob="backup"'] = now
    return found | poolers()


def poolers() -> Series:
    """Both sides of each have one database with a pool of four, of which one is lent."""
    one, zero = f"1x{MINUTES}", f"0x{MINUTES}"
    found: Series = {}
    for pod in POOLERS:
        found |= {("sos_pooler_config_current", pod, ""): one, ("sos_pooler_password_current", pod, ""): one}
        for side in SIDES:
            found |= {("sos_pooler_up", pod, side): one, ("sos_pooler_serves", pod, side): one}
            found |= {("sos_pooler_client_connections", pod, side): f"300x{MINUTES}", ("sos_pooler_client_connections_limit", pod, side): f"1000x{MINUTES}"}
            found |= {("sos_pooler_pool_size", pod, f'{side},database="auth"'): f"4x{MINUTES}"}
            found |= {("sos_pooler_servers", pod, pool(side, state)): value for state, value in (("active", one), ("idle", zero))}
            found |= {("sos_pooler_clients", pod, pool(side, state)): value for state, value in (("active", f"9x{MINUTES}"), ("waiting", zero))}
            found |= {("sos_pooler_longest_wait_seconds", pod, pool(side)): zero}
    return found


@frozen(kw_only=True)
class Case:
    """What goes wrong, the last minute at which nothing of the kind may fire, and the first at which exactly ``alerts`` fire.

    ``alerts`` are names; ``*2`` behind one: for two pods, or two sides, at once.
    """

    alerts: str
    series: Series = field(repr=False)
    quiet: int
    fires: int


def one(name: str, values: str | None, pod: str = "postgres-1", labels: str = "") -> Series:
    return {(name, pod, labels): values}


def everywhere(name: str, values: str | None) -> Series:
    return {(name, pod, ""): values for pod in PODS}


def poolers_say(name: str, values: str | None, labels: str = "", pods: tuple[str, ...] = POOLERS) -> Series:
    return {(name, pod, labels): values for pod in pods}


def poolers_gone(minute: int, pods: tuple[str, ...] = POOLERS) -> Series:
    """Their series end: their nodes are gone."""
    return {key: f"{values.partition('x')[0]}x{minute} stale" for key, values in poolers().items() if values and key[1] in pods}


def steps(name: str, values: str, *pods: str) -> Series:
    return {("sos_agent_failover_steps_total", pod, step(name)): values for pod in pods}


def certificate(values: str, *pods: str) -> Series:
    return {("sos_agent_certificate_expiry_timestamp_seconds", pod, ""): values for pod in pods}


def lives(begins: str, ends: str) -> Series:
    return certificate(ends, *PODS) | {("sos_agent_certificate_start_timestamp_seconds", pod, ""): begins for pod in PODS}


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
    # 20 days of 30 before its end, and an hour more
    Case(alerts="CertificateEndsSoon", series=certificate(f"{20 * DAY + 3600}x130", *PODS), quiet=75, fires=76),
    Case(alerts="CertificateEndsSoon CertificateEnds", series=certificate(f"{3 * DAY + 3600}x130", *PODS), quiet=14, fires=62),
    Case(alerts="CertificateEndsSoon CertificateEnds", series=certificate("600x130", *PODS), quiet=0, fires=60),
    # a certificate of a day: two thirds of eight hours before its end
    Case(alerts="CertificateEndsSoon", series=lives(f"{-18 * 3600}x130", f"{6 * 3600}x130"), quiet=54, fires=56),
    Case(alerts="CertificateDiffers", series=certificate(f"{60 * DAY}x4 {90 * DAY}x126", *PODS[1:]), quiet=19, fires=20),
    Case(alerts="StandbyCutOff", series=one("sos_agent_cut_off", "0x4 1x99"), quiet=6, fires=7),
    Case(alerts="LockReleased", series=steps("releases", "0x4 1x99", "postgres-1"), quiet=4, fires=5),
    Case(
        alerts="FailoverHappened LockReleased",
        series=one("patroni_postgres_timeline", "1x19 2x99")
        | steps("cuts", "0x19 1x99", *PODS[1:])
        | steps("flags", "0x19 1x99", *PODS[1:])
        | steps("releases", "0x20 1x99", "postgres-1"),  # is scraped a little later
        quiet=19,
        fires=24,
    ),
    Case(
        alerts="FailoverHappened FailoverNotFast",
        series=one("patroni_postgres_timeline", "1x19 2x99") | steps("cuts", "0x19 1x99", "postgres-1"),
        quiet=19,
        fires=22,
    ),
    # two of three within ten minutes are none too many; the third is
    Case(
        alerts="FailoverFalseAlarms",
        series=steps("cuts", "0x4 1x19 2x19 3x80", *PODS[1:]) | steps("withdraws", "0x4 1x19 2x19 3x80", *PODS[1:]),
        quiet=44,
        fires=45,
    ),
    Case(alerts="PoolerDown PoolerPodDown", series=poolers_say("sos_pooler_up", "1x4 0x99", SIDES[1]), quiet=6, fires=20),
    Case(alerts="PoolerDown", series=poolers_say("sos_pooler_up", "1x4 0x99", SIDES[1]), quiet=6, fires=7),
    Case(alerts="PoolerDown", series=poolers_gone(4), quiet=6, fires=7),
    Case(alerts="PoolerPodDown", series=poolers_gone(4, POOLERS[:1]), quiet=19, fires=20),
    Case(alerts="PoolerPodDown", series=poolers_say("sos_pooler_up", "1x4 0x99", SIDES[0], POOLERS[:1]), quiet=19, fires=20),
    Case(alerts="PoolerNotServing", series=poolers_say("sos_pooler_serves", "1x4 0x99", SIDES[1], POOLERS[:1]), quiet=6, fires=7),
    # nobody to serve them: that is said by another alert
    Case(
        alerts="NoLeader",
        series=one("patroni_primary", "1x4 0x99", "postgres-0") | poolers_say("sos_pooler_serves", "1x4 0x99", SIDES[0]),
        quiet=5,
        fires=30,
    ),
    Case(alerts="PoolerClientsWait*2", series=poolers_say("sos_pooler_longest_wait_seconds", "0x4 16x99", pool(SIDES[0])), quiet=6, fires=7),
    Case(
        alerts="PoolerPoolExhausted*2",
        series=poolers_say("sos_pooler_clients", "0x4 3x99", pool(SIDES[0], "waiting"))
        | poolers_say("sos_pooler_servers", "1x4 4x99", pool(SIDES[0], "active")),
        quiet=14,
        fires=15,
    ),
    Case(alerts="PoolerClientsHigh", series=poolers_say("sos_pooler_client_connections", "300x4 410x99", SIDES[0]), quiet=19, fires=20),
    Case(alerts="PoolerClientsExhausted", series=poolers_say("sos_pooler_client_connections", "300x4 960x99", SIDES[0], POOLERS[:1]), quiet=5, fires=6),
    Case(alerts="PoolerAgentFailing", series=poolers_say("sos_pooler_config_current", "1x4 0x99", pods=POOLERS[:1]), quiet=14, fires=15),
    Case(alerts="PoolerAgentFailing*2", series=poolers_say("sos_pooler_password_current", "1x4 0x99"), quiet=14, fires=15),
)

AT_THEIR_LIMITS: Series = (
    one("sos_pg_replication_lag_seconds", "60x130")
    | one("sos_pg_connections_used_ratio", "0.8x130")
    | one("sos_pg_transactions_oldest_seconds", "1800x130")
    | one("sos_pg_transactions_oldest_idle_seconds", "600x130")
    | one("sos_pg_lock_waits_oldest_seconds", "60x130")
    | one("sos_pg_database_xid_age", "500000000x130", labels=DATABASE)
    | one("sos_pg_database_mxid_age", "500000000x130", labels=DATABASE)
    | one("sos_pg_slot_retained_bytes", "5300000000x130", labels=SLOT)
    | one("kubelet_volume_stats_available_bytes", "20x130")
    | poolers_say("sos_pooler_longest_wait_seconds", "15x130", pool(SIDES[0]))
    | poolers_say("sos_pooler_client_connections", "390x130", SIDES[0])
)
"""Just not too much of everything: an alert with a lower threshold would fire."""

QUIET: tuple[tuple[str, Series], ...] = (
    ("certificates of one day, renewed every sixteen hours", lives(f"{-15 * 3600}x130", f"{9 * 3600}x130")),
    ("a full pool, for which nobody waits", poolers_say("sos_pooler_servers", "4x130", pool(SIDES[0], "active"))),
    ("clients wait for a moment while there are free servers", poolers_say("sos_pooler_clients", "2x130", pool(SIDES[0], "waiting"))),
    ("a failover behind the pooler", poolers_say("sos_pooler_serves", "1x9 0x1 1x99", SIDES[0]) | poolers_say("sos_pooler_paused", "0x9 1x1 0x99", SIDES[0])),
    ("a renewal that takes its time", certificate(f"{60 * DAY}x4 {90 * DAY}x126", *PODS[:1]) | certificate(f"{60 * DAY}x9 {90 * DAY}x121", *PODS[1:])),
    ("a new password on its way to PgBouncer", poolers_say("sos_pooler_password_current", "1x4 0x4 1x99")),
    ("values at their limits, none beyond", AT_THEIR_LIMITS),
    ("two false alarms", steps("cuts", "0x4 1x19 2x99", *PODS[1:]) | one("sos_agent_cut_off", "0x4 1x1 0x18 1x1 0x99")),
    ("a switchover long before a cut", one("patroni_postgres_timeline", "1x9 2x120") | steps("cuts", "0x29 1x99", "postgres-1")),
)
"""What is in order, or for other alerts: none of them may fire but FailoverHappened."""
