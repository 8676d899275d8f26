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
        description="The cluster keeps running, but changed databases, users, passwords, settings or certificates do not arrive.",
        look=(_LOG, "patronictl list"),
        act=(
            "Each failure is one log line with its reason: a missing Secret key, SQL that fails, a postgresql.conf that PostgreSQL refuses, a certificate "
            "that cannot be used. Correct the cause; the agent retries by itself. While the step failover fails, a crash costs Patroni's ttl. While the "
            "step serving fails, a former primary (label app.kubernetes.io/component) stays out of its Services."
        ),
    ),
    Alert(
        name="AgentStuck",
        expr="time() - max by (namespace, postgres_cluster, pod) (sos_agent_last_success_timestamp_seconds{$cluster}) > 900",
        lasting="5m",
        severity="warning",
        summary="The agent in {{ $labels.pod }} has finished nothing for {{ $value | humanizeDuration }}",
        description="It hangs, or every step fails. No change of a ConfigMap or Secret arrives.",
        look=(_LOG, "patronictl list"),
        act="Its liveness probe restarts it when it hangs. If the alert stays, read the log. Deleting the pod restarts everything in it; begin with a standby.",
    ),
    Alert(
        name="AgentDown",
        expr="patroni_postgres_running{$cluster} == 1 unless on (namespace, pod) sos_agent_last_success_timestamp_seconds{$cluster}",
        lasting="10m",
        severity="warning",
        summary="The agent in {{ $labels.pod }} is missing",
        description="Its metrics are gone while the member runs. After a failure nothing repairs this member or removes a dead primary from the Service.",
        look=("kubectl -n sos-app get pods -l app.kubernetes.io/instance=postgres", _LOG, "kubectl -n sos-app describe pod postgres-0"),
        act=(
            "If it restarts again and again: read the log with --previous, and check its memory limit. If it runs: check the NetworkPolicy and port 8009. If "
            "two pods are labelled primary (kubectl -n $namespace get pods -L role), remove the dead one from the Service: "
            "kubectl -n $namespace label pod <pod> role-."
        ),
    ),
    Alert(
        name="AgentActed",
        # A time and not a count: the pod that was restarted is another series.
        expr="time() - (sos_agent_last_action_timestamp_seconds{$cluster} > 0) < 3600",
        lasting="0m",
        severity="warning",
        summary="The agent in {{ $labels.pod }} acted on its member within the last hour: {{ $labels.action }}",
        description=(
            "restart: a standby did not stream, and its pod was restarted. reinitialize: that did not help, and the standby was copied again from its leader. "
            "hand_over: a primary in strict mode that no standby heard gave its lock away. The member is repaired; the cause may return."
        ),
        look=("patronictl list", _LOG, "kubectl -n sos-app logs postgres-0 -c postgres --tail=50"),
        act=(
            "Why did it lose its stream? If the primary no longer had the log: max_slot_wal_keep_size, or a standby that was away for long. If it diverged "
            "after a failover: nothing to do. hand_over: check the network between the nodes. Each action has a pause (restart and hand_over: 10 minutes, "
            "reinitialize: 1 hour). When an action is needed again before that, AgentFailing fires with the reason."
        ),
    ),
)
