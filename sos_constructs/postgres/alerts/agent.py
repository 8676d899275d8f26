"""The agent beside each member."""

from __future__ import annotations

from sos_constructs.postgres.alerts.alert import Alert

_LOG = "kubectl -n sos-app logs postgres-0 -c agent --tail=20"

AGENT = (
    Alert(
        name="AgentFailing",
        expr="sos_agent_reconcile_success{$cluster} == 0",
        lasting="10m",
        severity="warning",
        summary="The agent in {{ $labels.pod }} cannot finish {{ $labels.step }}",
        description="The cluster goes on as it is, but declared databases, users, passwords, settings or certificates do not arrive.",
        look=(_LOG, "patronictl list"),
        act=(
            "Each failure is one line with its reason: a Secret key that is missing, SQL that fails, a postgresql.conf that PostgreSQL does not take, a "
            "certificate that cannot be used. Mend that; the step is tried again by itself. While the step failover fails, a crash costs Patroni's ttl; "
            "while serving does, a former primary (label app.kubernetes.io/component) stays out of its Services."
        ),
    ),
    Alert(
        name="AgentStuck",
        expr="time() - max by (namespace, postgres_cluster, pod) (sos_agent_last_success_timestamp_seconds{$cluster}) > 900",
        lasting="5m",
        severity="warning",
        summary="The agent in {{ $labels.pod }} has finished nothing for {{ $value | humanizeDuration }}",
        description="It hangs or fails at everything. Nothing that is changed in ConfigMaps or Secrets arrives.",
        look=(_LOG, "patronictl list"),
        act="Its liveness probe restarts it when it hangs. If it stays: the log; deleting the pod restarts everything in it (a standby first).",
    ),
    Alert(
        name="AgentDown",
        expr="patroni_postgres_running{$cluster} == 1 unless on (namespace, pod) sos_agent_last_success_timestamp_seconds{$cluster}",
        lasting="10m",
        severity="warning",
        summary="The agent in {{ $labels.pod }} is not there",
        description="Its metrics are gone while the member runs. After a failure nobody mends this member or takes a dead primary out of the Service.",
        look=("kubectl -n sos-app get pods -l app.kubernetes.io/instance=postgres", _LOG, "kubectl -n sos-app describe pod postgres-0"),
        act="Restarting again and again: the log with --previous, its memory limit. Running: the NetworkPolicy and port 8009. Two pods labelled primary "
        "(kubectl get pods -L role): the dead one stays in the Service until kubectl label pod postgres-0 role- takes it out.",
    ),
    Alert(
        name="AgentActed",
        # A time and not a count: the pod that was restarted is another series.
        expr="time() - (sos_agent_last_action_timestamp_seconds{$cluster} > 0) < 3600",
        lasting="0m",
        severity="warning",
        summary="The agent in {{ $labels.pod }} did to its member within the last hour: {{ $labels.action }}",
        description=(
            "restart: a standby did not stream and had its pod restarted. reinitialize: that did not help, and it was copied anew from its leader. "
            "hand_over: a primary in strict mode that no standby heard gave its lock away. It mended itself; the cause may come again."
        ),
        look=("patronictl list", _LOG, "kubectl -n sos-app logs postgres-0 -c postgres --tail=50"),
        act=(
            "Why did it lose its stream? Log that the primary no longer had: max_slot_wal_keep_size, a standby that was away for long. Diverged after a "
            "failover: nothing to do. hand_over: the network between the nodes. Each is limited (restart: 10 minutes, hand_over: 10 minutes, reinitialize: "
            "1 hour); when that is used up, AgentFailing fires with the reason."
        ),
    ),
)
