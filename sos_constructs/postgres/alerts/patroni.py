"""Patroni, and what it needs from the Kubernetes API."""

from __future__ import annotations

from sos_constructs.postgres.alerts.alert import Alert

PATRONI = (
    Alert(
        name="PatroniPaused",
        expr="max by (namespace, postgres_cluster) (patroni_is_paused{$cluster}) == 1",
        lasting="1h",
        severity="warning",
        summary="Automatic failover of {{ $labels.namespace }}/{{ $labels.postgres_cluster }} is off",
        description="Somebody paused Patroni an hour ago or more. A primary that fails now is not replaced.",
        look=("patronictl list", "patronictl show-config"),
        act="patronictl resume, when the maintenance is over.",
    ),
    Alert(
        name="ApiServerUnreachable",
        expr="time() - patroni_dcs_last_seen{$cluster} > 60",
        lasting="1m",
        severity="warning",
        summary="{{ $labels.pod }} has not reached the Kubernetes API for {{ $value | humanizeDuration }}",
        description="A standby in this state cannot be promoted; a primary goes on only in failsafe mode.",
        look=(
            "kubectl get --raw /readyz",
            "kubectl -n sos-app logs postgres-0 -c postgres --tail=50",
            "kubectl -n sos-app auth can-i patch configmap/postgres-patroni-leader --as=system:serviceaccount:sos-app:postgres",
        ),
        act=(
            "All members: the API server itself. One: its node's way there, and the NetworkPolicy's egress to the ports of the "
            "option api_server_ports. A 403 in the log: the Role "
            "was changed; apply the chart again."
        ),
    ),
    Alert(
        name="FailsafeActive",
        expr="max by (namespace, postgres_cluster) (patroni_failsafe_mode_is_active{$cluster}) == 1",
        lasting="2m",
        severity="critical",
        summary="{{ $labels.namespace }}/{{ $labels.postgres_cluster }} runs without the Kubernetes API",
        description="The primary goes on only because it reaches every member. If one more pod fails, writes stop.",
        look=("kubectl get --raw /readyz", "kubectl -n sos-app logs postgres-0 -c postgres --tail=50"),
        act="Restore the API server. Do not restart or delete database pods until it is back.",
        needs=("standbys",),
    ),
    Alert(
        name="PendingRestart",
        expr="patroni_pending_restart{$cluster} == 1",
        lasting="1h",
        severity="info",
        summary="{{ $labels.pod }} waits for a restart to take on new settings",
        description="A changed setting takes effect at the next start of PostgreSQL only.",
        look=("patronictl list", "SELECT name, setting FROM pg_settings WHERE pending_restart"),
        act="Does a rollout stand still? The step rolling in the log of the primary's agent says why. Else patronictl restart, standbys first.",
    ),
)
