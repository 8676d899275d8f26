"""The alerts of HaPostgres, as data. ``monitoring.prometheus_rule`` makes the PrometheusRule of them, docs/monitoring.md the table.

``$cluster`` in an expression stands for the label matchers of one installation, ``$volumes`` for those of its volumes and
``$members`` for its number of pods. Series come from Patroni (``patroni_*``), the exporter (``pg_*``, ``sos_pg_*``), the agent
(``sos_agent_*``) and the kubelet. Severity ``critical`` means: writes stop, or data is at risk, now; ``warning``: within days;
``info``: worth knowing when something else looks odd.
"""

from __future__ import annotations

from typing import Literal

from attrs import frozen


@frozen(kw_only=True)
class Alert:
    """One row.

    :param name: of the alert, without the common prefix ``SosPostgres``.
    :param expr: PromQL that is non-empty while the alert is due.
    :param lasting: how long it must be due before it fires, a Prometheus duration; longer than an ordinary failover or restart takes.
    :param summary: one sentence; Prometheus fills in ``{{ … }}``.
    :param description: what it means and what happens if nobody acts.
    :param runbook: what to do first.
    :param needs: what the installation must have for the alert to make sense.
    """

    name: str
    expr: str
    lasting: str
    severity: Literal["critical", "warning", "info"]
    summary: str
    description: str
    runbook: str
    needs: Literal["nothing", "standbys", "synchronous standbys"] = "nothing"


AVAILABILITY = (
    Alert(
        name="NoLeader",
        expr="max by (namespace, postgres_cluster) (patroni_primary{$cluster} + patroni_standby_leader{$cluster}) < 1",
        lasting="1m",
        severity="critical",
        summary="{{ $labels.namespace }}/{{ $labels.postgres_cluster }} has no primary",
        description="No member takes writes. Patroni promotes a standby within seconds unless none is healthy enough or Patroni is paused.",
        runbook="patronictl list in any member's postgres container; then the log of the most advanced member for why it does not promote.",
    ),
    Alert(
        name="MultiplePrimaries",
        # The second half sees a PostgreSQL that takes writes although its Patroni is dead.
        expr=(
            "sum by (namespace, postgres_cluster) (patroni_primary{$cluster}) > 1"
            " or count by (namespace, postgres_cluster) (sos_pg_postmaster_in_recovery{$cluster} == 0) > 1"
        ),
        lasting="1m",
        severity="critical",
        summary="{{ $labels.namespace }}/{{ $labels.postgres_cluster }} has {{ $value }} primaries",
        description="More than one member takes writes: the histories part, and those of all but one will be thrown away.",
        runbook="patronictl list; delete the pod that does not hold the lock (annotation leader of the ConfigMap whose name ends in -leader).",
    ),
    Alert(
        name="Blind",
        expr="absent(patroni_primary{$cluster})",
        lasting="5m",
        severity="critical",
        summary="{{ $labels.namespace }}/{{ $labels.postgres_cluster }} sends no metrics",
        description="No pod is scraped, so no other alert can fire. Either all pods are gone or Prometheus does not reach or select them.",
        runbook="kubectl get pods; then the target page of Prometheus, the PodMonitor's labels, and the NetworkPolicy for the port patroni.",
    ),
    Alert(
        name="MemberDown",
        expr="sum by (namespace, postgres_cluster) (patroni_postgres_running{$cluster}) < $members",
        lasting="5m",
        severity="warning",
        summary="{{ $labels.namespace }}/{{ $labels.postgres_cluster }} is down to {{ $value }} members",
        description="The next failure may have no standby to fall back to.",
        runbook="kubectl get pods -o wide and kubectl describe pod: node gone, volume bound to a lost node, image, memory; then patronictl list.",
    ),
    Alert(
        name="FailoverHappened",
        expr=(
            "max by (namespace, postgres_cluster) (patroni_postgres_timeline{$cluster})"
            " > max by (namespace, postgres_cluster) (patroni_postgres_timeline{$cluster} offset 10m)"
        ),
        lasting="0m",
        severity="info",
        summary="{{ $labels.namespace }}/{{ $labels.postgres_cluster }} changed its primary",
        description="A failover or switchover took place within the last ten minutes; the timeline is now {{ $value }}.",
        runbook="Planned? Then nothing. Else patronictl history, and the log of the former primary for why it lost the lock.",
        needs="standbys",
    ),
)

PATRONI = (
    Alert(
        name="PatroniPaused",
        expr="max by (namespace, postgres_cluster) (patroni_is_paused{$cluster}) == 1",
        lasting="1h",
        severity="warning",
        summary="Automatic failover of {{ $labels.namespace }}/{{ $labels.postgres_cluster }} is off",
        description="Somebody paused Patroni an hour ago or more. A primary that fails now is not replaced.",
        runbook="patronictl resume, when the maintenance is over.",
    ),
    Alert(
        name="ApiServerUnreachable",
        expr="time() - patroni_dcs_last_seen{$cluster} > 60",
        lasting="1m",
        severity="warning",
        summary="{{ $labels.pod }} has not reached the Kubernetes API for {{ $value | humanizeDuration }}",
        description="A standby in this state cannot be promoted; a primary goes on only in failsafe mode.",
        runbook="The API server's health; the NetworkPolicy's egress to it; the Role (kubectl auth can-i patch configmaps --as the service account).",
    ),
    Alert(
        name="FailsafeActive",
        expr="max by (namespace, postgres_cluster) (patroni_failsafe_mode_is_active{$cluster}) == 1",
        lasting="2m",
        severity="critical",
        summary="{{ $labels.namespace }}/{{ $labels.postgres_cluster }} runs without the Kubernetes API",
        description="The primary goes on only because it reaches every member. If one more pod fails, writes stop.",
        runbook="Restore the API server. Do not restart or delete database pods until it is back.",
        needs="standbys",
    ),
    Alert(
        name="PendingRestart",
        expr="patroni_pending_restart{$cluster} == 1",
        lasting="1h",
        severity="info",
        summary="{{ $labels.pod }} waits for a restart to take on new settings",
        description="A changed setting takes effect at the next start of PostgreSQL only.",
        runbook="patronictl restart, standbys first; or wait for the next rollout.",
    ),
    Alert(
        name="AgentFailing",
        expr="sos_agent_reconcile_success{$cluster} == 0",
        lasting="10m",
        severity="warning",
        summary="The agent in {{ $labels.pod }} cannot finish {{ $labels.step }}",
        description="The cluster goes on as it is, but declared databases, users, passwords or settings do not arrive.",
        runbook="kubectl logs -c agent: each failure is one line with its reason.",
    ),
    Alert(
        name="AgentStuck",
        expr="time() - max by (namespace, postgres_cluster, pod) (sos_agent_last_success_timestamp_seconds{$cluster}) > 900",
        lasting="5m",
        severity="warning",
        summary="The agent in {{ $labels.pod }} has finished nothing for {{ $value | humanizeDuration }}",
        description="It hangs or fails at everything. Nothing that is changed in ConfigMaps or Secrets arrives.",
        runbook="kubectl logs -c agent; deleting the pod restarts it (a standby first).",
    ),
)

REPLICATION = (
    Alert(
        name="ReplicaNotStreaming",
        # A former primary can come back as a standby that runs, is Ready and never streams: only this alert sees it.
        expr="patroni_replica{$cluster} == 1 unless on (namespace, pod) patroni_postgres_streaming{$cluster} == 1",
        lasting="10m",
        severity="warning",
        summary="{{ $labels.pod }} is a standby but does not stream",
        description="It falls behind, cannot be promoted, and its slot keeps WAL on the primary.",
        runbook="The pod's log. Delete the pod: a clean restart lets pg_rewind repair it. If that fails: patronictl reinit.",
        needs="standbys",
    ),
    Alert(
        name="SyncStandbyMissing",
        expr="max by (namespace, postgres_cluster) (sos_pg_sync_standbys{$cluster}) < 1",
        lasting="2m",
        severity="critical",
        summary="Commits of {{ $labels.namespace }}/{{ $labels.postgres_cluster }} exist in one copy only",
        description="No standby confirms commits. If the primary's volume is lost now, acknowledged writes are lost with it.",
        runbook="patronictl list: why does no standby stream? Do not delete the primary or its volume.",
        needs="synchronous standbys",
    ),
    Alert(
        name="ReplicationLag",
        expr="sos_pg_replication_lag_seconds{$cluster} > 60",
        lasting="5m",
        severity="warning",
        summary="{{ $labels.pod }} is {{ $value | humanizeDuration }} behind",
        description="Readers of the read-only Service see old data, and a failover to this member takes longer.",
        runbook="Long queries on the standby (pg_stat_activity), its disk and CPU, a burst of writes on the primary (rate of sos_pg_wal_position_bytes).",
        needs="standbys",
    ),
    Alert(
        name="SlotRetainsWal",
        # 5 GiB: a tenth of the default volume.
        expr="sos_pg_slot_retained_bytes{$cluster} > 5 * 2^30",
        lasting="10m",
        severity="warning",
        summary="Slot {{ $labels.slot_name }} on {{ $labels.pod }} keeps {{ $value | humanize1024 }}B of WAL",
        description="Its consumer is away or too slow. WAL grows until max_slot_wal_keep_size, then the consumer must be rebuilt.",
        runbook="Is there still such a member? patronictl list. A slot nobody needs: SELECT pg_drop_replication_slot(…).",
    ),
    Alert(
        name="SlotLostWal",
        expr="sos_pg_slot_wal_lost{$cluster} == 1",
        lasting="5m",
        severity="warning",
        summary="WAL for slot {{ $labels.slot_name }} on {{ $labels.pod }} is gone or about to go",
        description="The consumer cannot catch up any more.",
        runbook="patronictl reinit for the member of that name; drop a logical slot and start its subscription anew.",
    ),
)

CAPACITY = (
    Alert(
        name="ConnectionsHigh",
        expr="sos_pg_connections_used_ratio{$cluster} > 0.8",
        lasting="5m",
        severity="warning",
        summary="{{ $labels.pod }} uses {{ $value | humanizePercentage }} of its connections",
        description="When none is left, services are refused.",
        runbook="SELECT usename, state, count(*) FROM pg_stat_activity GROUP BY 1, 2; lower the services' pool sizes, or use a pooler.",
    ),
    Alert(
        name="ConnectionsExhausted",
        expr="sos_pg_connections_used_ratio{$cluster} > 0.95",
        lasting="1m",
        severity="critical",
        summary="{{ $labels.pod }} has hardly a connection left ({{ $value | humanizePercentage }} used)",
        description="Services are being refused or will be in a moment.",
        runbook="End idle ones: SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE state = 'idle' AND state_change < now() - interval '10 min'.",
    ),
    Alert(
        name="LongTransaction",
        expr="sos_pg_transactions_oldest_seconds{$cluster} > 1800 or sos_pg_transactions_oldest_idle_seconds{$cluster} > 600",
        lasting="5m",
        severity="warning",
        summary="A transaction in {{ $labels.pod }} has been open for {{ $value | humanizeDuration }}",
        description="It keeps vacuum from removing dead rows and may hold locks.",
        runbook="SELECT pid, usename, state, xact_start, query FROM pg_stat_activity ORDER BY xact_start; then pg_terminate_backend(pid).",
    ),
    Alert(
        name="LockWait",
        expr="sos_pg_lock_waits_oldest_seconds{$cluster} > 60",
        lasting="2m",
        severity="warning",
        summary="A session in {{ $labels.pod }} has waited {{ $value | humanizeDuration }} for a lock",
        description="Requests of users hang behind it.",
        runbook="SELECT pid, pg_blocking_pids(pid), query FROM pg_stat_activity WHERE wait_event_type = 'Lock'.",
    ),
    Alert(
        name="TransactionIdAge",
        # 500 million: two and a half times autovacuum_freeze_max_age (200 million), so autovacuum is not keeping up.
        expr="max by (namespace, postgres_cluster, datname) (sos_pg_database_xid_age{$cluster}) > 5e8",
        lasting="1h",
        severity="warning",
        summary="Database {{ $labels.datname }} has not been frozen for {{ $value | humanize }} transactions",
        description="Near 2 billion PostgreSQL stops taking writes.",
        runbook="What holds vacuum back: old transactions, prepared transactions, slots; then VACUUM FREEZE on the oldest tables.",
    ),
    Alert(
        name="VolumeFilling",
        expr="kubelet_volume_stats_available_bytes{$volumes} / kubelet_volume_stats_capacity_bytes{$volumes} < 0.2",
        lasting="10m",
        severity="warning",
        summary="{{ $labels.persistentvolumeclaim }} has {{ $value | humanizePercentage }} left",
        description="A full volume stops the server.",
        runbook="Grow the claim where the storage class allows it (kubectl edit pvc), then storage= of HaPostgres. Check slots and archiving for kept WAL.",
    ),
    Alert(
        name="VolumeFull",
        expr="kubelet_volume_stats_available_bytes{$volumes} / kubelet_volume_stats_capacity_bytes{$volumes} < 0.05",
        lasting="2m",
        severity="critical",
        summary="{{ $labels.persistentvolumeclaim }} has {{ $value | humanizePercentage }} left",
        description="PostgreSQL stops when it cannot write WAL.",
        runbook="Grow the claim now. Never delete files in pg_wal by hand.",
    ),
    Alert(
        name="ArchiveFailing",
        expr="sos_pg_archive_failing{$cluster} == 1",
        lasting="10m",
        severity="critical",
        summary="{{ $labels.pod }} cannot archive its WAL",
        description="Backups have a gap from here on, and WAL fills the volume.",
        runbook="SELECT * FROM pg_stat_archiver; the server's log for the output of archive_command.",
    ),
    Alert(
        name="ChecksumFailure",
        expr="sos_pg_database_checksum_failures{$cluster} > 0",
        lasting="0m",
        severity="critical",
        summary="{{ $labels.pod }} read {{ $value }} damaged pages in {{ $labels.datname }}",
        description="The disk or the memory of this node gives back something else than was written.",
        runbook="On a standby: patronictl reinit, on another node. On the primary: switch over first, then treat it as a standby.",
    ),
    Alert(
        name="ExporterErrors",
        expr="pg_exporter_last_scrape_error{$cluster} == 1 or pg_exporter_user_queries_load_error{$cluster} == 1",
        lasting="10m",
        severity="warning",
        summary="The exporter in {{ $labels.pod }} cannot read everything",
        description="Some series are missing, so some alerts cannot fire. Or the server refuses all connections.",
        runbook="kubectl logs -c postgres-exporter: a missing CONNECT right, a query that timed out, a file it cannot parse.",
    ),
)

GROUPS = {"availability": AVAILABILITY, "patroni": PATRONI, "replication": REPLICATION, "capacity": CAPACITY}
"""Alerts by rule group. Prometheus evaluates one group after the other."""
