"""Rules between the keys of the HTTP interface, the databases, the cache, timeouts, retries and monitoring."""

from __future__ import annotations

from datetime import timedelta

from sos_constructs.config.checks import Rule
from sos_constructs.config.values import seconds

_POOLS = "node-postgres, Pool: min and max; MongoDB specification of connection pools: minPoolSize and maxPoolSize"
_RETRIES = "Google SRE Book, chapter 22: deadlines must cover what is tried below them"


def _not_above(low: float, high: float) -> bool:
    return low <= high


def pauses(attempts: int, initial: timedelta, longest: timedelta, multiplier: float) -> timedelta:
    """The longest that the pauses between so many attempts may take in all; jitter only makes them shorter."""
    total, pause = timedelta(), initial
    for _ in range(attempts - 1):
        total += min(pause, longest)
        pause = min(pause * multiplier, longest)
    return total


def _calls(attempts: int, initial: timedelta, longest: timedelta, multiplier: float, call: timedelta) -> timedelta:
    return pauses(attempts, initial, longest, multiplier) + attempts * call


def _seconds(span: timedelta) -> str:
    return f"{span.total_seconds():g} s"


SERVICE_RULES = (
    Rule(
        id="pool-fits-server",
        keys=("POSTGRES_POOL_MAX_CONNECTIONS", "POSTGRES_CLIENT_PROCESSES", "POSTGRES_SERVER_CONNECTIONS"),
        holds=lambda pool, processes, server: pool * processes <= server,
        detail=lambda pool, processes, server: f"{processes} processes x {pool} connections = {pool * processes}",
        demand="the pools of all processes must fit into the server's connections",
        reason="the one connection too many is refused with 'sorry, too many clients already', at the busiest moment",
        fix="lower POSTGRES_POOL_MAX_CONNECTIONS, raise max_connections of the server, or put a pooler between: SosConfig(postgres=db.pooled)",
        source="PostgreSQL 15 manual, 20.3 Connections and Authentication: max_connections",
    ),
    Rule(
        id="postgres-pool",
        keys=("POSTGRES_POOL_MIN_CONNECTIONS", "POSTGRES_POOL_MAX_CONNECTIONS"),
        holds=_not_above,
        demand="the minimum of a pool may not be above its maximum",
        reason="pools refuse to start with such bounds, or ignore one of them",
        fix="lower the minimum or raise the maximum",
        source=_POOLS,
    ),
    Rule(
        id="mongodb-pool",
        keys=("MONGODB_POOL_MIN_CONNECTIONS", "MONGODB_POOL_MAX_CONNECTIONS"),
        holds=_not_above,
        demand="the minimum of a pool may not be above its maximum",
        reason="the driver refuses such bounds",
        fix="lower the minimum or raise the maximum",
        source=_POOLS,
    ),
    Rule(
        id="lock-before-query",
        keys=("POSTGRES_LOCK_TIMEOUT_MS", "DATABASE_QUERY_TIMEOUT_SECONDS"),
        holds=lambda lock, query: lock < query,
        demand="waiting for a lock must end before the query's own timeout",
        reason="otherwise the error never says that a lock was in the way",
        fix="lower POSTGRES_LOCK_TIMEOUT_MS or raise DATABASE_QUERY_TIMEOUT_SECONDS",
        source="PostgreSQL 15 manual, 20.11 Client Connection Defaults: lock_timeout is pointless at or above statement_timeout",
    ),
    Rule(
        id="query-before-request",
        keys=("POSTGRES_POOL_ACQUIRE_TIMEOUT_SECONDS", "DATABASE_QUERY_TIMEOUT_SECONDS", "HTTP_REQUEST_TIMEOUT_SECONDS"),
        holds=lambda acquire, query, request: acquire + query < request,
        demand="waiting for a connection and one query must fit into a request",
        reason="the server would go on working for a client that is gone",
        fix="lower one of the first two or raise HTTP_REQUEST_TIMEOUT_SECONDS",
        source=_RETRIES,
    ),
    Rule(
        id="retries-service",
        keys=("RETRY_MAX_ATTEMPTS", "RETRY_INITIAL_DELAY_MS", "RETRY_MAX_DELAY_SECONDS", "RETRY_BACKOFF_MULTIPLIER", "SERVICE_CALL_TIMEOUT_SECONDS", "HTTP_REQUEST_TIMEOUT_SECONDS"),
        holds=lambda attempts, initial, longest, multiplier, call, request: _calls(attempts, initial, longest, multiplier, call) < request,
        detail=lambda attempts, initial, longest, multiplier, call, _: f"they take up to {_seconds(_calls(attempts, initial, longest, multiplier, call))}",
        demand="all attempts of a call and the pauses between them must fit into the request that waits for it",
        reason="the caller has given up before the last attempt, which then only adds load",
        fix="lower RETRY_MAX_ATTEMPTS, the delays or SERVICE_CALL_TIMEOUT_SECONDS, or raise HTTP_REQUEST_TIMEOUT_SECONDS",
        source=_RETRIES,
    ),
    Rule(
        id="retries-database",
        keys=("RETRY_DATABASE_MAX_ATTEMPTS", "RETRY_INITIAL_DELAY_MS", "RETRY_MAX_DELAY_SECONDS", "RETRY_BACKOFF_MULTIPLIER", "DATABASE_QUERY_TIMEOUT_SECONDS", "HTTP_REQUEST_TIMEOUT_SECONDS"),
        holds=lambda attempts, initial, longest, multiplier, query, request: pauses(attempts, initial, longest, multiplier) + query < request,
        detail=lambda attempts, initial, longest, multiplier, query, _: f"they take up to {_seconds(pauses(attempts, initial, longest, multiplier) + query)}",
        demand="the pauses between attempts at the database and the query of the last one must fit into the request that waits for it",
        reason="refused connections fail at once, so pauses are what a failover costs; the caller must still be there when it is over",
        fix="lower RETRY_DATABASE_MAX_ATTEMPTS or the delays, or raise HTTP_REQUEST_TIMEOUT_SECONDS",
        source=_RETRIES,
    ),
    Rule(
        id="retry-delays",
        keys=("RETRY_INITIAL_DELAY_MS", "RETRY_MAX_DELAY_SECONDS"),
        holds=_not_above,
        demand="the first pause may not be longer than the longest",
        reason="every pause would then be the longest one, and nothing would back off",
        fix="lower RETRY_INITIAL_DELAY_MS or raise RETRY_MAX_DELAY_SECONDS",
        source="AWS Architecture Blog: Exponential Backoff and Jitter (capped backoff)",
    ),
    Rule(
        id="http-timeouts",
        keys=("HTTP_REQUEST_TIMEOUT_SECONDS", "HTTP_LONG_REQUEST_TIMEOUT_SECONDS", "HTTP_UPLOAD_TIMEOUT_SECONDS"),
        holds=lambda regular, long, upload: regular <= long <= upload,
        demand="a long request may take no less than a regular one, and an upload no less than both",
        reason="the longer class would be cut off first",
        fix="put the three in ascending order",
        source="the requirement's 30, 60 and 120 seconds",
    ),
    Rule(
        id="websocket-pong",
        keys=("WEBSOCKET_PONG_TIMEOUT_SECONDS", "WEBSOCKET_PING_INTERVAL_SECONDS"),
        holds=lambda pong, ping: pong < ping,
        demand="the answer to a ping must be due before the next ping",
        reason="answers would be ambiguous, and a dead connection would be noticed a round late",
        fix="lower WEBSOCKET_PONG_TIMEOUT_SECONDS or raise WEBSOCKET_PING_INTERVAL_SECONDS",
        source="RFC 6455, 5.5.3: a pong may answer only the most recent ping",
    ),
    Rule(
        id="cache-ttl-order",
        keys=("CACHE_TTL_NOT_FOUND_SECONDS", "CACHE_TTL_SHORT_SECONDS", "CACHE_TTL_MEDIUM_SECONDS", "CACHE_TTL_LONG_SECONDS", "CACHE_TTL_SESSION_SECONDS"),
        holds=lambda *lifetimes: list(lifetimes) == sorted(lifetimes),
        demand="lifetimes must ascend: not found, short, medium, long, session",
        reason="code chooses a lifetime by its word, and the words would lie",
        fix="put the five in ascending order",
        source="the requirement's presets: 5 minutes, 30 minutes, 1 hour, 24 hours",
    ),
    Rule(
        id="cache-session",
        keys=("SESSION_TIMEOUT_MINUTES", "CACHE_TTL_SESSION_SECONDS"),
        holds=_not_above,
        demand="session data must live as long as a session without use",
        reason="people would be logged out before the timeout that the settings promise",
        fix="raise CACHE_TTL_SESSION_SECONDS or lower SESSION_TIMEOUT_MINUTES",
        source="OWASP Session Management Cheat Sheet: the idle timeout is enforced by the server's own record",
    ),
    Rule(
        id="pagination",
        keys=("PAGINATION_DEFAULT_LIMIT", "PAGINATION_MAX_LIMIT"),
        holds=_not_above,
        demand="the default may not be above the maximum",
        reason="a client that names no number would get more than one that asks for as many",
        fix="lower PAGINATION_DEFAULT_LIMIT or raise PAGINATION_MAX_LIMIT",
        source="the requirement's 20 and 100",
    ),
    Rule(
        id="health-paths",
        keys=("HEALTH_LIVENESS_PATH", "HEALTH_READINESS_PATH"),
        holds=lambda alive, ready: alive != ready,
        demand="the paths must differ",
        reason="a readiness answer asks dependencies, and a liveness probe on it restarts every pod when the database is away",
        fix="give each its own path",
        source="Kubernetes documentation, Liveness, Readiness and Startup Probes (caution on liveness probes)",
    ),
    Rule(
        id="ports",
        keys=("SERVER_PORT_NUMBER", "METRICS_PORT_NUMBER"),
        holds=lambda server, metrics: server != metrics,
        demand="the ports must differ",
        reason="one process cannot listen twice, and metrics would be published with the API",
        fix="give the metrics a port of their own",
        source="bind(2): EADDRINUSE",
    ),
    Rule(
        id="otlp-port",
        keys=("OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_ENDPOINT"),
        holds=lambda protocol, endpoint: not endpoint.rstrip("/").endswith({"grpc": ":4318", "http/protobuf": ":4317"}[protocol]),
        demand="the port must be the protocol's: 4317 for grpc, 4318 for http/protobuf",
        reason="collectors drop what comes in the other protocol, and traces are missed only when they are needed",
        fix="change the port in OTEL_EXPORTER_OTLP_ENDPOINT or OTEL_EXPORTER_OTLP_PROTOCOL",
        source="OpenTelemetry Protocol specification 1.x: default ports of OTLP/gRPC and OTLP/HTTP",
    ),
    Rule(
        id="shutdown",
        keys=("SERVER_SHUTDOWN_DELAY_SECONDS", "SERVER_SHUTDOWN_TIMEOUT_SECONDS"),
        holds=lambda delay, timeout: delay + timeout < seconds(30),
        demand="delay and timeout together must stay below 30 seconds",
        reason="that is a pod's default grace period, after which requests under way are killed with it",
        fix="lower one of them; where pods have a longer terminationGracePeriodSeconds, waive the rule",
        source="Kubernetes API reference, PodSpec v1: terminationGracePeriodSeconds",
    ),
    Rule(
        id="idempotency-emergency",
        keys=("EMERGENCY_AUTO_RESOLVE_HOURS", "IDEMPOTENCY_TTL_HOURS"),
        holds=_not_above,
        demand="idempotency keys must be remembered as long as an emergency can stay open",
        reason="a phone back from a dead spot would raise the same alarm a second time",
        fix="raise IDEMPOTENCY_TTL_HOURS or lower EMERGENCY_AUTO_RESOLVE_HOURS",
        source="IETF draft-ietf-httpapi-idempotency-key-header: the expiry has to cover the clients' retries",
    ),
    Rule(
        id="migration-timeout",
        keys=("DATABASE_QUERY_TIMEOUT_SECONDS", "DATABASE_MIGRATION_TIMEOUT_MINUTES"),
        holds=lambda query, migration: query <= migration,
        demand="a migration may take no less than a query",
        reason="it runs statements that no request waits for",
        fix="raise DATABASE_MIGRATION_TIMEOUT_MINUTES",
        source="PostgreSQL 15 manual, CREATE INDEX: building an index reads the whole table",
    ),
)
