"""PgBouncer in front of the database: is it there, does it get its clients to a server, how long do they wait.

PgBouncer counts no refused log-ins and no errors. So the agent beside it asks as a client does, and ``sos_pooler_serves`` says whether it got an answer.
"""

from __future__ import annotations

from sos_constructs.postgres.alerts.alert import Alert

_PODS = "kubectl -n sos-app get pods -l app.kubernetes.io/name=pgbouncer -o wide"
_AGENT = "kubectl -n sos-app logs deployment/postgres-pooler -c agent --tail=20"
_PRIMARY = "kubectl -n sos-app logs deployment/postgres-pooler -c primary --tail=50"
_POOLS = "kubectl -n sos-app exec deployment/postgres-pooler -c agent -- psql -h /run/sos/primary -p 6432 -U pgbouncer pgbouncer -c 'SHOW POOLS'"
_ACTIVE = "SELECT pid, usename, datname, state, now() - xact_start AS open, left(query, 60) FROM pg_stat_activity ORDER BY xact_start LIMIT 10"

_SIDE = "namespace, postgres_cluster, side"
_POOL = "namespace, postgres_cluster, pod, side, database"
_NAME = "{{ $labels.namespace }}/{{ $labels.postgres_cluster }}"

POOLER = (
    Alert(
        name="PoolerDown",
        # Where no pod is left there is no series, and no side to name.
        expr=f"max by ({_SIDE}) (sos_pooler_up{{$cluster}}) < 1 or absent(sos_pooler_up{{$cluster}})",
        lasting="2m",
        severity="critical",
        summary=f"No pooler of {_NAME} answers{{{{ with $labels.side }}}} (side {{{{ . }}}}){{{{ end }}}}",
        description="Clients of the pooler are refused. Or none of its pods is scraped, and no other alert about it can fire.",
        look=(_PODS, "kubectl -n sos-app describe deployment postgres-pooler", _AGENT, _PRIMARY, "kubectl get nodes"),
        act=(
            "Pods waiting: what describe says (image, memory, nodes); Init:Error: the log of the container render names the Secret key. Pods ready: the way "
            "of Prometheus to port 8010 (PodMonitor $name-pooler, its labels, the NetworkPolicy). To go on meanwhile, services may use $name-service "
            "directly; mind max_connections."
        ),
        needs=("a pooler",),
    ),
    Alert(
        name="PoolerPodDown",
        expr=f"min by (namespace, postgres_cluster) (sum by ({_SIDE}) (sos_pooler_up{{$cluster}})) < $poolers",
        lasting="15m",
        severity="warning",
        summary=f"The pooler of {_NAME} is down to {{{{ $value }}}} pods",
        description="The next failure may leave none, and those that are left must hold all clients. Or the agent in one of them does not answer.",
        look=(_PODS, _AGENT, "kubectl -n sos-app get events --sort-by=.lastTimestamp", "kubectl get nodes"),
        act=(
            "Pending: no node has room. Running and never ready: nobody could log in through it yet; its agent's log (probe) says why. Restarting: the log "
            "with --previous, memory limit (pooler.memory_limit: 3 KiB a client, 40 with TLS). All there and ready: the agent's log in each. Scaled by "
            "hand? Keep replicas= of Pooler in step."
        ),
        needs=("a pooler",),
    ),
    Alert(
        name="PoolerNotServing",
        # Without a primary SosPostgresNoLeader says all there is to say.
        expr=("sos_pooler_serves{$cluster} == 0 and on (namespace, postgres_cluster) max by (namespace, postgres_cluster) (patroni_primary{$cluster}) == 1"),
        lasting="2m",
        severity="critical",
        summary="Clients of {{ $labels.pod }} get no server (side {{ $labels.side }}), though there is a primary",
        description="PgBouncer answers, but a client that asks something gets an error or nothing. Requests of services fail.",
        look=(_PODS, _PRIMARY, _AGENT, _POOLS, "kubectl -n sos-app get endpoints"),
        act=(
            "The side's log (container primary or readonly) has the reason. 'certificate verify failed': ca.crt in the database's Secret is not of the CA that "
            "signed its tls.crt. 'authentication failed': the Secret's pooler-password is not the server's; the step pooler in the "
            "log of the primary's agent. 'connect failed', 'timeout': NetworkPolicy, DNS, a Service without endpoints (side readonly: no standby is ready). "
            "'no more connections': SosPostgresPoolerClientsExhausted. One pod only: its node; delete the pod."
        ),
        needs=("a pooler",),
    ),
    Alert(
        name="PoolerClientsWait",
        # Half of query_wait_timeout: with the default 15 s, Grafana's own threshold for PgBouncer (pgbouncer-mixin).
        expr=f"max by ({_POOL}) (sos_pooler_longest_wait_seconds{{$cluster}}) > $wait / 2",
        lasting="2m",
        severity="critical",
        summary="Clients of {{ $labels.database }} have waited {{ $value | humanizeDuration }} for a server in {{ $labels.pod }} (side {{ $labels.side }})",
        description="A client that waits for query_wait_timeout gets an error: requests of services fail now or in a moment.",
        look=(_POOLS, _ACTIVE, _PRIMARY),
        act=(
            "Server connections all active (sv_active): what do they do? A long transaction or one that waits for a lock: end it (SosPostgresLongTransaction, "
            "SosPostgresLockWait). Many short ones: SosPostgresPoolerPoolExhausted. None there: SosPostgresPoolerNotServing."
        ),
        needs=("a pooler",),
    ),
    Alert(
        name="PoolerPoolExhausted",
        expr=(
            f'sum by ({_POOL}) (sos_pooler_clients{{$cluster,state="waiting"}}) > 0'
            f' and on ({_POOL}) sum by ({_POOL}) (sos_pooler_servers{{$cluster,state="active"}})'
            f" >= on ({_POOL}) sos_pooler_pool_size{{$cluster}}"
        ),
        lasting="10m",
        severity="warning",
        summary="The pool of {{ $labels.database }} in {{ $labels.pod }} is used up: {{ $value }} clients wait (side {{ $labels.side }})",
        description="For ten minutes all its server connections were busy at every look, and clients queued. Requests are slower than they need be.",
        look=(_POOLS, _ACTIVE),
        act=(
            "Transactions that are open while the service does something else (idle in transaction): mend the service. Slow statements: pg_stat_statements. "
            "Else raise pool_size of Pooler, and max_connections with it; synth says what fits. A reload brings it, no pod restarts."
        ),
        needs=("a pooler",),
    ),
    Alert(
        name="PoolerClientsHigh",
        # One pod may be away: what is left must hold them all.
        expr=(
            f"sum by ({_SIDE}) (sos_pooler_client_connections{{$cluster}})"
            f" / (max by ({_SIDE}) (sos_pooler_client_connections_limit{{$cluster}}) * ($poolers - 1)) > 0.8"
        ),
        lasting="15m",
        severity="warning",
        summary=f"Clients of the pooler of {_NAME} use {{{{ $value | humanizePercentage }}}} of what is left when one pod goes (side {{{{ $labels.side }}}})",
        description="Beyond 100 %, the failure or the drain of one node has clients refused.",
        look=(_POOLS, _PODS),
        act=(
            "Which service has more than it needs (cl_active by database and user)? Lower its pool sizes. Else raise max_clients or replicas of Pooler; "
            "max_clients wants 3 KiB of pooler.memory_limit for each, 40 with TLS."
        ),
        needs=("a pooler",),
    ),
    Alert(
        name="PoolerClientsExhausted",
        expr="sos_pooler_client_connections{$cluster} / sos_pooler_client_connections_limit{$cluster} > 0.95",
        lasting="1m",
        severity="critical",
        summary="{{ $labels.pod }} takes hardly any more clients ({{ $value | humanizePercentage }} of max_clients used, side {{ $labels.side }})",
        description="Clients that connect are refused, or will be in a moment: no more connections allowed (max_client_conn).",
        look=(_PODS, _POOLS, _PRIMARY),
        act=(
            "One service that opens connections without closing any: restart it. All of them: raise max_clients of Pooler, a reload brings it. One pod only "
            "has them all (the others came later): restart the services one after the other, so that they spread. Then SosPostgresPoolerClientsHigh."
        ),
        needs=("a pooler",),
    ),
    Alert(
        name="PoolerAgentFailing",
        expr="sos_pooler_config_current{$cluster} == 0 or sos_pooler_password_current{$cluster} == 0",
        lasting="10m",
        severity="warning",
        summary="The agent in {{ $labels.pod }} cannot give PgBouncer what is mounted",
        description=(
            "PgBouncer goes on with the configuration and the password that it has. A new password is taken when the server has it, three minutes after it "
            "came into the Secret."
        ),
        look=(_AGENT, "kubectl -n sos-app logs postgres-0 -c agent --tail=20"),
        act=(
            "Its log has the reason: a Secret key that is missing, a setting that PgBouncer does not take, a console that does not answer. Password: the step "
            "pooler in the log of the primary's agent."
        ),
        needs=("a pooler",),
    ),
)
