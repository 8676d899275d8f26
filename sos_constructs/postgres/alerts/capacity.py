"""What clients use up: connections, transactions, locks, transaction ids, checkpoints."""

from __future__ import annotations

from sos_constructs.postgres.alerts.alert import Alert

_SESSIONS = "SELECT usename, application_name, state, count(*) FROM pg_stat_activity GROUP BY 1, 2, 3 ORDER BY 4 DESC"
_OLDEST = "SELECT pid, usename, state, xact_start, left(query, 60) FROM pg_stat_activity WHERE xact_start IS NOT NULL ORDER BY xact_start LIMIT 10"

CAPACITY = (
    Alert(
        name="ConnectionsHigh",
        expr="sos_pg_connections_used_ratio{$cluster} > 0.8",
        lasting="5m",
        severity="warning",
        summary="{{ $labels.pod }} uses {{ $value | humanizePercentage }} of its connections",
        description="When none is left, services are refused.",
        look=(_SESSIONS,),
        act=(
            "Lower the pool sizes of the services that have most (SosConfig checks their sum), use a pooler, or raise max_connections together with the memory."
        ),
    ),
    Alert(
        name="ConnectionsExhausted",
        expr="sos_pg_connections_used_ratio{$cluster} > 0.95",
        lasting="1m",
        severity="critical",
        summary="{{ $labels.pod }} has hardly a connection left ({{ $value | humanizePercentage }} used)",
        description="Services are being refused or will be in a moment.",
        look=(_SESSIONS,),
        act=(
            "End idle ones: SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE state = 'idle' AND state_change < now() - interval '10 min'. Then "
            "SosPostgresConnectionsHigh."
        ),
    ),
    Alert(
        name="LongTransaction",
        expr="sos_pg_transactions_oldest_seconds{$cluster} > 1800 or sos_pg_transactions_oldest_idle_seconds{$cluster} > 600",
        lasting="5m",
        severity="warning",
        summary="A transaction in {{ $labels.pod }} has been open for {{ $value | humanizeDuration }}",
        description="It keeps vacuum from removing dead rows and may hold locks.",
        look=(_OLDEST,),
        act=(
            "Whose is it (usename)? A backup or a report: let it end. Idle in transaction: a client forgot to commit; SELECT pg_terminate_backend(pid), and "
            "mend the client."
        ),
    ),
    Alert(
        name="LockWait",
        expr="sos_pg_lock_waits_oldest_seconds{$cluster} > 60",
        lasting="2m",
        severity="warning",
        summary="A session in {{ $labels.pod }} has waited {{ $value | humanizeDuration }} for a lock",
        description="Requests of users hang behind it.",
        look=("SELECT pid, pg_blocking_pids(pid) AS blocked_by, left(query, 60) FROM pg_stat_activity WHERE wait_event_type = 'Lock'", _OLDEST),
        act=(
            "The blocker is the pid that is named and does not wait itself. A migration: stop it, run it with lock_timeout. Else SELECT "
            "pg_terminate_backend(pid of the blocker)."
        ),
    ),
    Alert(
        name="Deadlocks",
        expr="sum by (namespace, postgres_cluster, pod, datname) (increase(pg_stat_database_deadlocks{$cluster}[15m])) > 5",
        lasting="0m",
        severity="warning",
        summary="{{ $value | humanize }} deadlocks in {{ $labels.datname }} within a quarter of an hour",
        description="PostgreSQL ends one of the transactions each time: requests fail or are repeated.",
        look=(
            "SELECT datname, deadlocks, stats_reset FROM pg_stat_database ORDER BY deadlocks DESC",
            "kubectl -n sos-app logs postgres-0 -c postgres --since=15m",
        ),
        act="The log has both statements ('deadlock detected', with DETAIL). Let them take their locks in one order, or the services try again.",
    ),
    Alert(
        name="TransactionIdAge",
        # 500 million: two and a half times autovacuum_freeze_max_age (200 million), so autovacuum is not keeping up.
        expr=(
            "max by (namespace, postgres_cluster, datname) (sos_pg_database_xid_age{$cluster}) > 5e8"
            " or max by (namespace, postgres_cluster, datname) (sos_pg_database_mxid_age{$cluster}) > 5e8"
        ),
        lasting="1h",
        severity="warning",
        summary="Database {{ $labels.datname }} has not been frozen for {{ $value | humanize }} transactions",
        description="Near 2 billion PostgreSQL stops taking writes.",
        look=(
            "SELECT datname, age(datfrozenxid), mxid_age(datminmxid) FROM pg_database ORDER BY 2 DESC",
            _OLDEST,
            "SELECT slot_name, xmin, catalog_xmin FROM pg_replication_slots",
            "SELECT gid, prepared FROM pg_prepared_xacts",
        ),
        act=(
            "Remove what holds vacuum back: old transactions, prepared transactions, slots. Then VACUUM (FREEZE, VERBOSE) on the oldest tables of that "
            "database."
        ),
    ),
    Alert(
        name="CheckpointsTooOften",
        expr=(
            "increase(pg_stat_bgwriter_checkpoints_req_total{$cluster}[1h]) > 5"
            " and increase(pg_stat_bgwriter_checkpoints_req_total{$cluster}[1h]) > increase(pg_stat_bgwriter_checkpoints_timed_total{$cluster}[1h])"
        ),
        lasting="30m",
        severity="warning",
        summary="{{ $labels.pod }} was forced to {{ $value | humanize }} checkpoints within an hour",
        description="WAL fills max_wal_size before checkpoint_timeout is over: more full-page images, more WAL, slower commits.",
        look=("SELECT checkpoints_timed, checkpoints_req, stats_reset FROM pg_stat_bgwriter", "SHOW max_wal_size"),
        act="A bulk load passes. If it stays: raise max_wal_size (parameters=), and the volume with it: it should hold ten times as much.",
    ),
    Alert(
        name="InvalidIndex",
        expr="max by (namespace, postgres_cluster, datname) (sos_pg_index_invalid{$cluster}) > 0",
        lasting="2h",
        severity="info",
        summary="Database {{ $labels.datname }} has {{ $value }} invalid indexes",
        description="A CREATE INDEX CONCURRENTLY failed and left them behind: they cost every write and serve no query.",
        look=("SELECT indexrelid::regclass, indrelid::regclass FROM pg_index WHERE NOT indisvalid",),
        act="In that database: DROP INDEX CONCURRENTLY, and create it again; or REINDEX INDEX CONCURRENTLY.",
    ),
    Alert(
        name="ExporterErrors",
        expr="pg_exporter_last_scrape_error{$cluster} == 1 or pg_exporter_user_queries_load_error{$cluster} == 1",
        lasting="10m",
        severity="warning",
        summary="The exporter in {{ $labels.pod }} cannot read everything",
        description="Some series are missing, so some alerts cannot fire. Or the server refuses all connections.",
        look=("kubectl -n sos-app logs postgres-0 -c postgres-exporter --tail=20",),
        act="The log names the query: a missing CONNECT right (the agent grants it on declared databases), a query that timed out, a file it cannot parse.",
    ),
)
