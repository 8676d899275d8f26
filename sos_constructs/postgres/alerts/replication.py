"""Copies: do they stream, do they count, how far behind are they, what do they cost."""

from __future__ import annotations

from sos_constructs.postgres.alerts.alert import Alert

_SENDERS = "SELECT application_name, state, sync_state, replay_lag FROM pg_stat_replication"
_SLOTS = "SELECT slot_name, slot_type, active, wal_status, restart_lsn FROM pg_replication_slots"
_OLDEST = "SELECT pid, usename, now() - xact_start AS open, left(query, 60) FROM pg_stat_activity ORDER BY xact_start LIMIT 5"

REPLICATION = (
    Alert(
        name="ReplicaNotStreaming",
        # A former primary can come back as a standby that runs, is Ready and never streams: only this alert sees it.
        expr="patroni_replica{$cluster} == 1 unless on (namespace, pod) patroni_postgres_streaming{$cluster} == 1",
        lasting="10m",
        severity="warning",
        summary="{{ $labels.pod }} is a standby but does not stream",
        description=(
            "It falls behind, cannot be promoted, and its slot keeps WAL on the primary. The agent has already restarted it once, unless Patroni is paused."
        ),
        look=("patronictl list", "kubectl -n sos-app logs postgres-0 -c postgres --tail=50", "kubectl -n sos-app logs postgres-0 -c agent --tail=20"),
        act=(
            "'new timeline … forked off': delete the pod, a clean start runs pg_rewind. 'requested WAL segment has already been removed', or the restart did "
            "not help:"
            " patronictl reinit, which copies the member again. 'could not connect': network, password."
        ),
        needs=("standbys",),
    ),
    Alert(
        name="SyncStandbyMissing",
        expr="max by (namespace, postgres_cluster) (sos_pg_sync_standbys{$cluster}) < 1",
        lasting="2m",
        severity="critical",
        summary="Commits of {{ $labels.namespace }}/{{ $labels.postgres_cluster }} exist in one copy only",
        description="No standby confirms commits (in strict mode: writes hang). If the primary's volume is lost now, acknowledged writes are lost with it.",
        look=("patronictl list", _SENDERS, "SHOW synchronous_standby_names"),
        act="Bring a standby back; see SosPostgresReplicaNotStreaming and SosPostgresMemberDown. Do not delete the primary or its volume.",
        needs=("synchronous standbys",),
    ),
    Alert(
        name="ReplicationLag",
        expr="sos_pg_replication_lag_seconds{$cluster} > 60",
        lasting="5m",
        severity="warning",
        summary="{{ $labels.pod }} is {{ $value | humanizeDuration }} behind",
        description="Readers of the read-only Service see old data, and a failover to this member takes longer.",
        look=("patronictl list", _SENDERS, _OLDEST),
        act=(
            "On the member itself: a long query that replay waits for (max_standby_streaming_delay), its disk and CPU, replay paused by somebody"
            " (pg_wal_replay_resume()). On the primary: a burst of writes, which passes (rate of sos_pg_wal_position_bytes)."
        ),
        needs=("standbys",),
    ),
    Alert(
        name="SlotRetainsWal",
        # 5 GiB: a tenth of the default volume.
        expr="sos_pg_slot_retained_bytes{$cluster} > 5 * 2^30",
        lasting="10m",
        severity="warning",
        summary="Slot {{ $labels.slot_name }} on {{ $labels.pod }} keeps {{ $value | humanize1024 }}B of WAL",
        description="Its consumer is away or too slow. WAL grows until max_slot_wal_keep_size, then the consumer must be rebuilt.",
        look=("patronictl list", _SLOTS),
        act="A member that is away: bring it back. A logical slot: start its consumer. A slot nobody needs: SELECT pg_drop_replication_slot('…').",
    ),
    Alert(
        name="SlotLostWal",
        expr="sos_pg_slot_wal_lost{$cluster} == 1",
        lasting="5m",
        severity="warning",
        summary="WAL for slot {{ $labels.slot_name }} on {{ $labels.pod }} is gone or about to go",
        description="The consumer cannot catch up any more.",
        look=("patronictl list", _SLOTS),
        act="patronictl reinit for the member of that name; drop a logical slot and create its subscription again.",
    ),
)
