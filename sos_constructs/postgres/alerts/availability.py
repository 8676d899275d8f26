"""Is there a primary, one only, and are all members there."""

from __future__ import annotations

from sos_constructs.postgres.alerts.alert import Alert

_PODS = "kubectl -n sos-app get pods -l app.kubernetes.io/instance=postgres -o wide -L role,app.kubernetes.io/component"
_LOG = "kubectl -n sos-app logs postgres-0 -c postgres --tail=50"
_SESSIONS = "SELECT usename, state, count(*) FROM pg_stat_activity GROUP BY 1, 2 ORDER BY 3 DESC"

AVAILABILITY = (
    Alert(
        name="NoLeader",
        expr="max by (namespace, postgres_cluster) (patroni_primary{$cluster} + patroni_standby_leader{$cluster}) < 1",
        lasting="1m",
        severity="critical",
        summary="{{ $labels.namespace }}/{{ $labels.postgres_cluster }} has no primary",
        description="No member takes writes. Patroni promotes a standby within seconds unless none is healthy enough or Patroni is paused.",
        look=(_PODS, "patronictl list", "patronictl history", "kubectl -n sos-app get configmap postgres-patroni-leader -o yaml", _LOG),
        act=(
            "Is Patroni paused (patronictl list shows it)? Run patronictl resume. Otherwise read the log of the member with the newest data: why does it not "
            "promote? In quorum mode only a member with every acknowledged commit may. Bring such a member back first; patronictl failover would lose commits."
        ),
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
        description="More than one member takes writes. Their histories diverge, and only one of them will survive.",
        look=(_PODS, "patronictl list", "kubectl -n sos-app get configmap postgres-patroni-leader -o yaml"),
        act=(
            "Delete every such pod that does not hold the lock (annotation leader of the ConfigMap whose name ends in -leader). If its writes matter, copy "
            "them first (pg_dump). When the member comes back as a standby, pg_rewind removes them."
        ),
    ),
    Alert(
        name="Blind",
        expr="absent(patroni_primary{$cluster})",
        lasting="5m",
        severity="critical",
        summary="{{ $labels.namespace }}/{{ $labels.postgres_cluster }} sends no metrics",
        description="No pod is scraped, so no other alert can fire. Either all pods are gone or Prometheus does not reach or select them.",
        look=(_PODS, "kubectl -n sos-app get networkpolicy", "kubectl -n sos-app get podmonitor", "kubectl get nodes"),
        act=(
            "Are the pods ready? Then check Prometheus: its page of targets, the labels that select the PodMonitor (monitoring.labels), and the"
            " NetworkPolicy, which admits the namespace monitoring.namespace."
        ),
    ),
    Alert(
        name="MemberDown",
        expr="sum by (namespace, postgres_cluster) (patroni_postgres_running{$cluster}) < $members",
        lasting="5m",
        severity="warning",
        summary="{{ $labels.namespace }}/{{ $labels.postgres_cluster }} is down to {{ $value }} members",
        description="After the next failure there may be no standby left to promote.",
        look=(_PODS, "kubectl -n sos-app get events --sort-by=.lastTimestamp", "kubectl get nodes", "patronictl list"),
        act=(
            "Is the node lost for ever, with local storage? Delete the claim data-<pod> and the pod; the member is then copied to another node. Otherwise "
            "follow the events: image, memory, volume. Scaled by hand? Set instances= of HaPostgres to the same number."
        ),
    ),
    Alert(
        name="ExporterDown",
        # pg_up is 0 when the exporter cannot log in, and gone when the exporter is; Patroni says that there is a server to log in to.
        expr="patroni_postgres_running{$cluster} == 1 unless on (namespace, pod) pg_up{$cluster} == 1",
        lasting="5m",
        severity="warning",
        summary="The exporter of {{ $labels.pod }} reads nothing from its PostgreSQL",
        description="Patroni says that the server runs. Alerts about this member's connections, replication, locks and archiving cannot fire.",
        look=(_PODS, "kubectl -n sos-app logs postgres-0 -c postgres-exporter --tail=20", _SESSIONS),
        act=(
            "Usually every connection is in use; see SosPostgresConnectionsExhausted. Otherwise read the exporter's log: memory limit, socket, or a role "
            "monitoring that cannot log in."
        ),
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
        description="A failover or switchover took place within the last ten minutes.",
        look=("patronictl history", "patronictl list", "kubectl -n sos-app get events --sort-by=.lastTimestamp"),
        act=(
            "Was it planned (rollout, drain)? Then do nothing. Otherwise read the log of the former primary: why did it lose the lock? Use kubectl logs, with "
            "--previous if its container restarted."
        ),
        needs=("standbys",),
    ),
    Alert(
        name="FailoverFlapping",
        expr=(
            "max by (namespace, postgres_cluster) (patroni_postgres_timeline{$cluster})"
            " - max by (namespace, postgres_cluster) (patroni_postgres_timeline{$cluster} offset 1h) >= 3"
        ),
        lasting="0m",
        severity="warning",
        summary="{{ $labels.namespace }}/{{ $labels.postgres_cluster }} changed its primary {{ $value }} times within an hour",
        description=(
            "Every change interrupts writes for seconds. Usual reasons: a member that is killed for memory or starved of CPU, a slow disk, an unsteady API "
            "server."
        ),
        look=("patronictl history", _PODS, "kubectl -n sos-app get events --sort-by=.lastTimestamp", _LOG),
        act=(
            "Find what the former primaries have in common. patronictl pause stops the changes while you look, but then no standby takes over when the primary"
            " really fails. Run patronictl resume afterwards."
        ),
        needs=("standbys",),
    ),
    Alert(
        name="ServerRestarts",
        expr="changes(sos_pg_postmaster_start_time_seconds{$cluster}[1h]) >= 3",
        lasting="0m",
        severity="warning",
        summary="PostgreSQL in {{ $labels.pod }} started {{ $value }} times within an hour",
        description="It crashes or is killed, and recovers in place. Each time its clients lose their connections.",
        look=(_PODS, _LOG, "kubectl -n sos-app describe pod postgres-0"),
        act=(
            "'terminated by signal 9' means out of memory: raise resources.memory_limit, or lower work_mem or the number of connections. 'PANIC' points to the "
            "disk. Otherwise look at the statement that the log names."
        ),
    ),
)
