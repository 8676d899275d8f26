"""What the dashboard shows, as data: rows of panels. ``$cluster`` and ``$volumes`` in an expression are those of the alerts."""

from __future__ import annotations

from typing import Literal

from sos_constructs.postgres.alerts.alert import Need

from attrs import evolve, frozen

Kind = Literal["stat", "state-timeline", "timeseries"]


@frozen(kw_only=True)
class Panel:
    """One panel.

    :param title: what is seen.
    :param queries: PromQL and the legend of its series.
    :param kind: one figure, states over time, or lines.
    :param unit: Grafana's name of the unit.
    :param words: texts for values, with Grafana's name of a colour.
    :param description: what a healthy cluster looks like, where that is not plain.
    :param needs: all that the installation must have for the panel to show anything.
    """

    title: str
    queries: tuple[tuple[str, str], ...]
    kind: Kind = "timeseries"
    unit: str = "short"
    words: tuple[tuple[int, str, str], ...] = ()
    description: str = ""
    needs: tuple[Need, ...] = ()


_PRIMARY = "and on (namespace, pod) sos_pg_postmaster_in_recovery{$cluster} == 0"
_YES = ((0, "no", "green"), (1, "yes", "red"))
_WORKS = ((0, "fails", "red"), (1, "works", "green"))
_RATE = "sum by (datname) (rate({name}{{$cluster}}[5m]))"


def _rate(name: str) -> str:
    return _RATE.format(name=name)


ROWS: dict[str, tuple[Panel, ...]] = {
    "Now": (
        Panel(title="Primary", kind="stat", queries=(("patroni_primary{$cluster} == 1", "{{pod}}"),), description="Exactly one."),
        Panel(title="Members running", kind="stat", queries=(("sum(patroni_postgres_running{$cluster})", ""),)),
        Panel(title="Standbys streaming", kind="stat", queries=(("max(sos_pg_sync_streaming_standbys{$cluster})", ""),)),
        Panel(
            title="Standbys that confirm commits",
            kind="stat",
            queries=(("max(sos_pg_sync_standbys{$cluster})", ""),),
            description="At 0 an acknowledged commit exists in one copy only.",
        ),
        Panel(
            title="Paused",
            kind="stat",
            queries=(("max(patroni_is_paused{$cluster})", ""),),
            words=_YES,
            description="While Patroni is paused nobody fails over.",
        ),
        Panel(title="Without the Kubernetes API", kind="stat", queries=(("max(patroni_failsafe_mode_is_active{$cluster})", ""),), words=_YES),
    ),
    "Roles and replication": (
        Panel(
            title="Roles",
            kind="state-timeline",
            queries=(("2 * patroni_primary{$cluster} + patroni_replica{$cluster}", "{{pod}}"),),
            words=((0, "neither", "orange"), (1, "standby", "blue"), (2, "primary", "green")),
        ),
        Panel(
            title="Timeline",
            queries=(("patroni_postgres_timeline{$cluster}", "{{pod}}"),),
            description="One step per failover or switchover, the same on all members.",
        ),
        Panel(
            title="Streaming",
            kind="state-timeline",
            queries=(("patroni_postgres_streaming{$cluster} and on (namespace, pod) patroni_replica{$cluster} == 1", "{{pod}}"),),
            words=((0, "no", "red"), (1, "yes", "green")),
        ),
        Panel(title="Lag", unit="s", queries=(("sos_pg_replication_lag_seconds{$cluster}", "{{pod}}"),)),
        Panel(title="Not yet replayed on the standby", unit="bytes", queries=((f"sos_pg_stream_replay_lag_bytes{{$cluster}} {_PRIMARY}", "{{standby}}"),)),
        Panel(title="WAL kept by slots", unit="bytes", queries=(("max by (slot_name) (sos_pg_slot_retained_bytes{$cluster})", "{{slot_name}}"),)),
    ),
    "Connections and transactions": (
        Panel(title="Connections by state", queries=(("sum by (pod, state) (pg_stat_activity_count{$cluster}) > 0", "{{pod}} {{state}}"),)),
        Panel(title="Connections used", unit="percentunit", queries=(("sos_pg_connections_used_ratio{$cluster}", "{{pod}}"),)),
        Panel(
            title="Transactions per second",
            unit="ops",
            queries=((_rate("pg_stat_database_xact_commit"), "{{datname}} committed"), (_rate("pg_stat_database_xact_rollback"), "{{datname}} rolled back")),
        ),
        Panel(
            title="Rows written per second",
            unit="ops",
            queries=(
                (_rate("pg_stat_database_tup_inserted"), "{{datname}} inserted"),
                (_rate("pg_stat_database_tup_updated"), "{{datname}} updated"),
                (_rate("pg_stat_database_tup_deleted"), "{{datname}} deleted"),
            ),
        ),
        Panel(
            title="Oldest transaction",
            unit="s",
            queries=(("sos_pg_transactions_oldest_seconds{$cluster}", "{{pod}}"), ("sos_pg_transactions_oldest_idle_seconds{$cluster}", "{{pod}} idle")),
        ),
        Panel(
            title="Locks",
            queries=(("sum by (pod, mode) (pg_locks_count{$cluster}) > 0", "{{pod}} {{mode}}"), ("sos_pg_lock_waits_sessions{$cluster}", "{{pod}} waiting")),
        ),
        Panel(title="Longest wait for a lock", unit="s", queries=(("sos_pg_lock_waits_oldest_seconds{$cluster}", "{{pod}}"),)),
        Panel(title="Deadlocks per hour", queries=(("sum by (datname) (increase(pg_stat_database_deadlocks{$cluster}[1h]))", "{{datname}}"),)),
    ),
    "Memory, WAL and checkpoints": (
        Panel(
            title="Cache hits",
            unit="percentunit",
            queries=(
                (
                    (
                        "sum by (pod) (rate(pg_stat_database_blks_hit{$cluster}[5m]))"
                        " / (sum by (pod) (rate(pg_stat_database_blks_hit{$cluster}[5m])) + sum by (pod) (rate(pg_stat_database_blks_read{$cluster}[5m])))"
                    ),
                    "{{pod}}",
                ),
            ),
            description="Pages found in shared_buffers. The kernel's cache is behind it.",
        ),
        Panel(
            title="Temporary files per second",
            unit="Bps",
            queries=((_rate("pg_stat_database_temp_bytes"), "{{datname}}"),),
            description="Sorts that need more than work_mem.",
        ),
        Panel(
            title="Checkpoints per hour",
            queries=(
                ("increase(pg_stat_bgwriter_checkpoints_timed_total{$cluster}[1h])", "{{pod}} by time"),
                ("increase(pg_stat_bgwriter_checkpoints_req_total{$cluster}[1h])", "{{pod}} forced"),
            ),
            description="By time is right: six an hour with checkpoint_timeout=10min.",
        ),
        Panel(
            title="Pages written per second",
            unit="ops",
            queries=(
                ("rate(pg_stat_bgwriter_buffers_checkpoint_total{$cluster}[5m])", "{{pod}} by checkpoints"),
                ("rate(pg_stat_bgwriter_buffers_clean_total{$cluster}[5m])", "{{pod}} by the writer"),
                ("rate(pg_stat_bgwriter_buffers_backend_total{$cluster}[5m])", "{{pod}} by clients"),
            ),
        ),
        Panel(title="WAL written per second", unit="Bps", queries=((f"rate(sos_pg_wal_position_bytes{{$cluster}}[5m]) {_PRIMARY}", "{{pod}}"),)),
        Panel(title="WAL on disk", unit="bytes", queries=(("pg_wal_size_bytes{$cluster}", "{{pod}}"),)),
        Panel(title="Segments waiting for the archive", queries=((f"sos_pg_archive_pending_segments{{$cluster}} {_PRIMARY}", "{{pod}}"),)),
    ),
    "Storage": (
        Panel(
            title="Volumes used",
            unit="percentunit",
            queries=(("1 - kubelet_volume_stats_available_bytes{$volumes} / kubelet_volume_stats_capacity_bytes{$volumes}", "{{persistentvolumeclaim}}"),),
        ),
        Panel(title="Databases", unit="bytes", queries=(("max by (datname) (pg_database_size_bytes{$cluster})", "{{datname}}"),)),
        Panel(
            title="Dead rows, ten worst tables",
            queries=(("topk(10, max by (datname, schemaname, relname) (sos_pg_table_n_dead_tup{$cluster}))", "{{datname}} {{schemaname}}.{{relname}}"),),
        ),
        Panel(
            title="Transactions since the oldest unfrozen row",
            queries=(("max by (datname) (sos_pg_database_xid_age{$cluster})", "{{datname}}"),),
            description="Autovacuum freezes at 200 million; writes stop near 2 billion.",
        ),
    ),
    "Agent and exporter": (
        Panel(title="Steps of the agent", kind="state-timeline", queries=(("sos_agent_reconcile_success{$cluster}", "{{pod}} {{step}}"),), words=_WORKS),
        Panel(
            title="Failed steps per hour",
            queries=(("sum by (pod, step) (increase(sos_agent_reconcile_failures_total{$cluster}[1h])) > 0", "{{pod}} {{step}}"),),
        ),
        Panel(title="Exporter", kind="state-timeline", queries=(("pg_up{$cluster}", "{{pod}}"),), words=_WORKS),
        Panel(
            title="Certificate ends in",
            unit="s",
            queries=(("sos_agent_certificate_expiry_timestamp_seconds{$cluster} - time()", "{{pod}}"),),
            description="The same on all members; it jumps up when it is renewed.",
            needs=("a certificate",),
        ),
        Panel(title="Time of a scrape", unit="s", queries=(("pg_exporter_last_scrape_duration_seconds{$cluster}", "{{pod}}"),)),
    ),
    "Fast failover": (
        Panel(
            title="Cut off from the primary",
            kind="state-timeline",
            queries=(("sos_agent_cut_off{$cluster}", "{{pod}}"),),
            words=_YES,
            description="For seconds, while a primary is silent. Then it is replaced, or was only slow.",
            needs=("fast failover",),
        ),
        Panel(
            title="Steps within five minutes",
            queries=(("sum by (step) (increase(sos_agent_failover_steps_total{$cluster}[5m])) > 0", "{{step}}"),),
            description="A failover: each standby cuts, flags and reconnects, one seals and releases. Cuts without a release are false alarms.",
            needs=("fast failover",),
        ),
    ),
    "Pooler": tuple(
        evolve(panel, needs=("a pooler",))
        for panel in (
            Panel(title="PgBouncer answers", kind="state-timeline", queries=(("sos_pooler_up{$cluster}", "{{pod}} {{side}}"),), words=_WORKS),
            Panel(
                title="Clients get a server",
                kind="state-timeline",
                queries=(("sos_pooler_serves{$cluster}", "{{pod}} {{side}}"),),
                words=_WORKS,
                description="The agent asks as a client does, every 15 seconds.",
            ),
            Panel(title="Client connections", queries=(("sum by (pod, side) (sos_pooler_client_connections{$cluster})", "{{pod}} {{side}}"),)),
            Panel(
                title="Clients that wait",
                queries=(('sum by (side, database) (sos_pooler_clients{$cluster,state="waiting"}) > 0', "{{side}} {{database}}"),),
                description="For a server connection. Now and then some for a moment, none for long.",
            ),
            Panel(title="Longest wait", unit="s", queries=(("max by (side, database) (sos_pooler_longest_wait_seconds{$cluster})", "{{side}} {{database}}"),)),
            Panel(
                title="Time that clients wait, per second",
                unit="s",
                queries=(("sum by (side, database) (rate(sos_pooler_client_wait_seconds_total{$cluster}[5m]))", "{{side}} {{database}}"),),
                description="At 1 as if one client waited all the time.",
            ),
            Panel(
                title="Pools used",
                unit="percentunit",
                queries=(
                    (
                        (
                            'sum by (pod, side, database) (sos_pooler_servers{$cluster,state="active"})'
                            " / sum by (pod, side, database) (sos_pooler_pool_size{$cluster})"
                        ),
                        "{{pod}} {{side}} {{database}}",
                    ),
                ),
                description="Server connections that are lent, of those that there may be.",
            ),
            Panel(title="Server connections", queries=(("sum by (side, state) (sos_pooler_servers{$cluster})", "{{side}} {{state}}"),)),
            Panel(
                title="Transactions per second",
                unit="ops",
                queries=(("sum by (side, database) (rate(sos_pooler_transactions_total{$cluster}[5m]))", "{{side}} {{database}}"),),
            ),
            Panel(
                title="Clients held",
                kind="state-timeline",
                queries=(("sos_pooler_paused{$cluster}", "{{pod}}"),),
                words=_YES,
                description="While there is no primary.",
            ),
        )
    ),
}
