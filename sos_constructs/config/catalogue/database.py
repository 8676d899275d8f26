"""ConfigMap ``sos-app-database``: PostgreSQL, MongoDB, Redis and Redis for publish/subscribe."""

from __future__ import annotations

from sos_constructs.config.model import REQUIREMENT, Key, Section
from sos_constructs.config.values import BOOL, HOST, HOST_PORT, PATH, PORT, WORD, Choice, Duration, Int, Items, Text, hours, minutes, ms, seconds

_DATABASE = Text(r"[a-z][a-z0-9_]{0,62}", "a database name: lower-case letters, digits and '_'")
_KEY_PREFIX = Text(r"[a-z][a-z0-9-]*(:[a-z0-9-]+)*:", "words that end with a colon, such as sos:")
_POOL = Int(0, 500)
_CONNECT = Duration(seconds(1), seconds(60))
_CONNECT_RANGE = "the requirement's 2 to 5 seconds"
_OWN_DATABASE = "the requirement's databases; HaPostgres creates them under these names"
_FAILOVER = "a dead primary must be noticed while Patroni fails over (within about 30 seconds), not by the kernel's two hours"

_POSTGRES = (
    Key("POSTGRES_HOST", HOST, "postgres-service", "Host of the primary, for writes and for reads that must be current.", REQUIREMENT),
    Key("POSTGRES_READONLY_HOST", HOST, "postgres-readonly-service", "Host of the replicas, for reads that may lag.", REQUIREMENT),
    Key("POSTGRES_PORT_NUMBER", PORT, 5432, "Port of both.", REQUIREMENT),
    Key("POSTGRES_SSL_MODE", Choice("disable", "prefer", "require", "verify-ca", "verify-full"), "prefer", "How much TLS is demanded of the server, in libpq's words.",
        "works with every server; HaPostgres, where it is wired, has a certificate and makes it verify-full"),
    Key("POSTGRES_SSL_ROOT_CERT", PATH, "/etc/sos/postgres-ca/ca.crt", "File with the CA that signed the server's certificate, for verify-ca and verify-full.",
        "where db.ca.mount() of HaPostgres puts it"),
    Key("POSTGRES_POOL_MIN_CONNECTIONS", _POOL, 2, "Connections that each process keeps open.", REQUIREMENT),
    Key("POSTGRES_POOL_MAX_CONNECTIONS", Int(1, 500), 10, "Most connections of each process.", REQUIREMENT),
    Key("POSTGRES_CLIENT_PROCESSES", Int(1, 10000), 15, "Processes that have such a pool, over all services: replicas, times workers in each.",
        "five services of three replicas; two thirds of the connections are then spoken for, the rest is for rollouts, when old and new pods run together"),
    Key("POSTGRES_SERVER_CONNECTIONS", Int(1, 100000), 195, "Connections that the server has for services; taken from HaPostgres where it is wired.",
        "the requirement's max_connections of 200, less the 5 that HaPostgres keeps for superusers"),
    Key("POSTGRES_POOL_IDLE_TIMEOUT_SECONDS", Duration(seconds(1), hours(1)), seconds(30), "Idle connections above the minimum are closed after this.", "gives connections back within a minute of a peak"),
    Key("POSTGRES_POOL_ACQUIRE_TIMEOUT_SECONDS", Duration(seconds(1), seconds(60)), seconds(2), "How long a request waits for a free connection.",
        f"the shorter end of {_CONNECT_RANGE}: waiting comes on top of the query itself"),
    Key("POSTGRES_CONNECTION_MAX_LIFETIME_MINUTES", Duration(minutes(1), hours(24)), minutes(30), "Connections are replaced at this age.", "spreads reads over replicas that joined later"),
    Key("POSTGRES_CONNECT_TIMEOUT_SECONDS", _CONNECT, seconds(5), "How long opening a connection may take.", f"the longer end of {_CONNECT_RANGE}: a busy server must not look like a dead one"),
    Key("POSTGRES_LOCK_TIMEOUT_MS", Duration(ms(100), minutes(5)), ms(2000), "How long a statement waits for a lock.", "below the query timeout, so that the error says what was in the way"),
    Key("POSTGRES_IDLE_TRANSACTION_TIMEOUT_SECONDS", Duration(seconds(1), hours(1)), seconds(30), "The server ends transactions that do nothing for this long.",
        "a forgotten transaction keeps locks and stops vacuum; no request takes longer than HTTP_REQUEST_TIMEOUT_SECONDS"),
    Key("POSTGRES_KEEPALIVE_IDLE_SECONDS", Duration(seconds(1), hours(2)), seconds(10), "Silence after which TCP asks whether the server is still there.", _FAILOVER),
    Key("POSTGRES_TARGET_SESSION_ATTRS", Choice("any", "read-write", "read-only", "primary", "standby", "prefer-standby"), "read-write", "What a server must be to be written to.",
        "just after a failover a name may still lead to the old primary; the client then tries again instead of failing on the first write"),
    Key("POSTGRES_REPLICA_READS_ENABLED", BOOL, True, "Sends reads that may lag to the replicas.", "two of three members would idle otherwise"),
    Key("AUTH_DB_NAME", _DATABASE, "auth", "Database of the auth service.", _OWN_DATABASE),
    Key("USERS_DB_NAME", _DATABASE, "users", "Database of the users service.", _OWN_DATABASE),
    Key("EMERGENCY_DB_NAME", _DATABASE, "emergency", "Database of the emergency service.", _OWN_DATABASE),
    Key("MEDICAL_DB_NAME", _DATABASE, "medical", "Database of the medical service.", _OWN_DATABASE),
    Key("DEVICES_DB_NAME", _DATABASE, "devices", "Database of the devices service.", _OWN_DATABASE),
)

_MONGODB = (
    Key("MONGODB_HOSTS", Items(HOST_PORT), tuple(f"mongodb-{member}.mongodb-headless:27017" for member in range(3)), "Members of the replica set.",
        "drivers find the primary themselves; three are listed so that one may be away at start"),
    Key("MONGODB_REPLICA_SET_NAME", WORD, "rs0", "Name of the replica set.", "MongoDB's own custom"),
    Key("MONGODB_DATABASE", _DATABASE, "sos_events", "Database of logs and events.", "what MongoDB holds in this platform"),
    Key("MONGODB_AUTH_SOURCE", _DATABASE, "admin", "Database in which the users are defined.", "where MongoDB creates users by default"),
    Key("MONGODB_AUTH_MECHANISM", Choice("SCRAM-SHA-256", "MONGODB-X509"), "SCRAM-SHA-256", "How clients log in.", "SHA-1 is the driver's fallback and is left behind"),
    Key("MONGODB_TLS_ENABLED", BOOL, True, "Encrypts connections.", "the requirement demands encryption in transit"),
    Key("MONGODB_POOL_MIN_CONNECTIONS", _POOL, 2, "Connections that each process keeps open.", "as for PostgreSQL"),
    Key("MONGODB_POOL_MAX_CONNECTIONS", Int(1, 500), 10, "Most connections of each process.", "as for PostgreSQL; the driver's 100 would be 100 threads on the server"),
    Key("MONGODB_CONNECT_TIMEOUT_SECONDS", _CONNECT, seconds(5), "How long opening a connection may take.", f"the longer end of {_CONNECT_RANGE}, as for PostgreSQL"),
    Key("MONGODB_SERVER_SELECTION_TIMEOUT_SECONDS", Duration(seconds(1), minutes(2)), seconds(5), "How long an operation waits for a usable member.", "the driver's 30 seconds are longer than any request may take"),
    Key("MONGODB_READ_PREFERENCE", Choice("primary", "primaryPreferred", "secondary", "secondaryPreferred", "nearest"), "primaryPreferred", "Which members are read from.",
        "current data while there is a primary, some data while there is none"),
    Key("MONGODB_WRITE_CONCERN", Choice("1", "majority"), "majority", "Which members must have a write before it counts.", "a write that only the primary has is lost with it"),
)


def _redis(prefix: str, host: str, what: str) -> tuple[Key, ...]:
    return (
        Key(f"{prefix}_HOST", HOST, host, f"Host of the Redis for {what}.", "the Service of the Redis deployment"),
        Key(f"{prefix}_PORT_NUMBER", PORT, 6379, f"Port of the Redis for {what}.", "Redis' own"),
        Key(f"{prefix}_TLS_ENABLED", BOOL, True, f"Encrypts connections to the Redis for {what}.", "the requirement demands encryption in transit"),
        Key(f"{prefix}_CONNECT_TIMEOUT_SECONDS", _CONNECT, seconds(2), f"How long opening a connection to the Redis for {what} may take.", f"the shorter end of {_CONNECT_RANGE}: Redis answers at once or not at all"),
    )


_REDIS = (
    *_redis("REDIS", "redis-service", "caching"),
    Key("REDIS_KEY_PREFIX", _KEY_PREFIX, "sos:", "First part of every key.", "lets several applications share one Redis"),
    Key("REDIS_OFFLINE_QUEUE_ENABLED", BOOL, False, "Queues commands while the connection is down.", "a cache that does not answer must fail at once, so that the request goes to the database"),
    Key("REDIS_RECONNECT_MAX_DELAY_MS", Duration(ms(50), minutes(1)), ms(2000), "Longest pause between attempts to reconnect.", "back within two seconds of the server"),
    *_redis("REDIS_PUBSUB", "redis-pubsub-service", "publish/subscribe"),
    Key("REDIS_PUBSUB_CHANNEL_PREFIX", _KEY_PREFIX, "sos:events:", "First part of every channel.", "keeps channels apart from keys in tools that show both"),
    Key("REDIS_PUBSUB_PING_INTERVAL_SECONDS", Duration(seconds(1), minutes(5)), seconds(15), "How often an idle subscriber checks its connection.",
        "a subscriber sends nothing by itself and would not notice that it hears nothing any more"),
)

DATABASE = Section(
    name="database",
    title="Databases",
    doc="PostgreSQL, MongoDB, Redis and Redis for publish/subscribe: where they are and how connections are kept.",
    keys=(*_POSTGRES, *_MONGODB, *_REDIS),
)
