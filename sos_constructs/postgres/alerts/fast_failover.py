"""The option ``failover``: what its agents did to the lock, and whether a standby is left cut off.

``increase`` sees a step only because every agent with the option sends all of them from the start, at 0.
"""

from __future__ import annotations

from sos_constructs.postgres.alerts.alert import Alert

_LOGS = tuple(f"kubectl -n sos-app logs postgres-{number} -c agent --tail=50" for number in range(3))
_LOCK = "kubectl -n sos-app get configmap postgres-patroni-leader -o yaml"
_PODS = "kubectl -n sos-app get pods -l app.kubernetes.io/instance=postgres -o wide -L role,app.kubernetes.io/component"
_CLUSTER = "namespace, postgres_cluster"
_NAME = "{{ $labels.namespace }}/{{ $labels.postgres_cluster }}"


def _steps(step: str, window: str, how: str = "sum") -> str:
    return f'{how} by ({_CLUSTER}) (increase(sos_agent_failover_steps_total{{$cluster,step="{step}"}}[{window}]))'


FAST_FAILOVER = (
    Alert(
        name="StandbyCutOff",
        # An ordinary cut lasts as long as detection leaves to the election: seconds; Patroni's own ttl ends it in the worst case.
        expr="sos_agent_cut_off{$cluster} == 1",
        lasting="2m",
        severity="critical",
        summary="{{ $labels.pod }} has been cut off from its primary by the fast failover and is not reconnected",
        description=(
            "It confirms no commit and cannot take over; if it is the last standby, writes hang. It reconnects when the primary renews its lock or another "
            "leads: either nobody leads, or its agent does not learn of it."
        ),
        look=("patronictl list", _LOCK, *_LOGS, "kubectl get --raw /readyz"),
        act=(
            "No leader, or the API server away: mend that first (SosPostgresNoLeader, SosPostgresApiServerUnreachable), and it reconnects by itself. A leader "
            "that renews (renewTime moves on): the step failover in this agent's log says what it cannot do. Deleting the pod is safe: the new one begins "
            "connected, unless its flag still counts, and then it must not be."
        ),
        needs=("fast failover",),
    ),
    Alert(
        name="LockReleased",
        expr=f"{_steps('releases', '10m')} > 0",
        lasting="0m",
        severity="info",
        summary=f"The agents of {_NAME} released the lock of a primary that was silent",
        description="Within the last ten minutes the primary neither renewed nor answered, every voter was cut off from it, and Patroni elected another.",
        look=("patronictl history", "patronictl list", *_LOGS, "kubectl get nodes"),
        act=(
            "Never planned: why was the former primary (leader in the log's line) silent? Its node, its memory, its network. Was it alive, only slow or cut? "
            "Then it has demoted itself, and its last reads may have been old."
        ),
        needs=("fast failover",),
    ),
    Alert(
        name="FailoverNotFast",
        # Two minutes: a scrape of every member has seen the release by then.
        expr=(
            f"{_steps('cuts', '10m')} > 0 and on ({_CLUSTER}) max by ({_CLUSTER}) (patroni_postgres_timeline{{$cluster}})"
            f" > max by ({_CLUSTER}) (patroni_postgres_timeline{{$cluster}} offset 10m) unless on ({_CLUSTER}) {_steps('releases', '10m')} > 0"
        ),
        lasting="2m",
        severity="warning",
        summary=f"The agents of {_NAME} did not agree on a failover, which so took Patroni's ttl",
        description=(
            "A standby was cut off from the primary and the primary was replaced, but nobody released the lock: another voter saw signs of life, or was not "
            "there."
        ),
        look=("patronictl history", *_LOGS, _LOCK, _PODS),
        act=(
            "Whose log has no cuts and flags at that time? A network that parted the nodes: it reached the primary, and then the long way is right. Its agent "
            "was down or failed at the step failover: mend that, or the next crash takes as long again."
        ),
        needs=("fast failover",),
    ),
    Alert(
        name="FailoverFalseAlarms",
        # The agent that cut most often: each failover is one cut for it, and one release for all. 2.5: increase() gives no whole numbers.
        expr=f"{_steps('cuts', '6h', 'max')} - on ({_CLUSTER}) {_steps('releases', '6h')} > 2.5",
        lasting="0m",
        severity="warning",
        summary=f'A standby of {_NAME} was cut off for nothing {{{{ $value | printf "%.0f" }}}} times within six hours',
        description=(
            "The primary had only paused: it renewed or answered before the lock was released. Each time writes wait for seconds; the next time may cost a "
            "failover."
        ),
        look=(*_LOGS, "kubectl get --raw /readyz", "kubectl -n sos-app describe pod postgres-0"),
        act=(
            "What holds the primary up? CPU throttled or starved, a slow disk, a slow API server (the lines cuts and withdraws, reconnects have the times). "
            "If it is to be so: raise detect of FastFailover by two or three seconds; it arrives without a restart."
        ),
        needs=("fast failover",),
    ),
)
