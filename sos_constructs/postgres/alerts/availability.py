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
            "Paused (patronictl list says so)? patronictl resume. Else read the log of the member with the newest data for why it does not promote. In quorum "
            "mode"
            " only a member that has every acknowledged commit may: bring such a one back before you think of patronictl failover, which loses commits."
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
        description="More than one member takes writes: the histories part, and those of all but one will be thrown away.",
        look=(_PODS, "patronictl list", "kubectl -n sos-app get configmap postgres-patroni-leader -o yaml"),
        act=(
            "Delete every such pod that does not hold the lock (annotation leader of the ConfigMap whose name ends in -leader). If its writes matter, copy "
            "them out"
            " first (pg_dump): when it comes back as a standby, pg_rewind removes them."
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
            "Pods there and ready? Then the way of Prometheus: its page of targets, the labels by which it selects the PodMonitor (monitoring.labels), and the"
            " NetworkPolicy, which lets in the namespace monitoring.namespace."
        ),
    ),
    Alert(
        name="MemberDown",
        expr="sum by (namespace, postgres_cluster) (patroni_postgres_running{$cluster}) < $members",
        lasting="5m",
        severity="warning",
        summary="{{ $labels.namespace }}/{{ $labels.postgres_cluster }} is down to {{ $value }} members",
        description="The next failure may have no standby to fall back to.",
        look=(_PODS, "kubectl -n sos-app get events --sort-by=.lastTimestamp", "kubectl get nodes", "patronictl list"),
        act=(
            "Node gone for good and storage local to it: delete the claim data-<pod> and the pod, and the member is copied anew elsewhere. Else what the "
            "events say:"
            " image, memory, volume. Scaled by hand? Keep instances= of HaPostgres in step."
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
            "Every connection taken is the usual reason; see SosPostgresConnectionsExhausted. Else the exporter's log: memory limit, socket, a role monitoring "
            "that cannot log in."
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
            "Planned (rollout, drain)? Then nothing. Else the log of the former primary for why it lost the lock: kubectl logs, with --previous if its "
            "container restarted."
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
            "Find what the former primaries have in common. To stop it while you look: patronictl pause (then nobody takes over when the primary really fails),"
            " and patronictl resume afterwards."
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
            "terminated by signal 9: out of memory; raise resources.memory_limit, lower work_mem or the number of connections. PANIC: the disk. Else the "
            "statement that the log names."
        ),
    ),
)
