"""Secrets of the data stores that run in the cluster: PostgreSQL, MongoDB, Redis. Data only."""

from __future__ import annotations

from sos_constructs.secrets.model import DUAL_PASSWORD, KEYFILE, LOGIN, NEVER, PASSWORD, SERVER_PASSWORD, Key, Rotation, SecretSpec
from sos_constructs.secrets.rings import dated_pattern, with_rings

DATABASES = {
    "auth": "log-ins and sessions",
    "users": "user profiles",
    "emergency": "emergencies and their history",
    "medical": "medical profiles",
    "devices": "IoT devices",
}
"""The requirement's five databases, and what stops when one cannot be reached."""

_ANY_NAME = r"[\w.@-]+"  # a MongoDB run elsewhere has names of its own; consumers read them from the Secret
_TOOL = "PostgreSQL needs a role of its own for it: the superuser must not serve as one"


def _login(prefix: str, user: str, who: str, breaks: str, *, pattern: str = "", added_user: str = "", added: str = "", rotation: Rotation = PASSWORD) -> tuple[Key, ...]:
    return (
        Key(
            key=f"{prefix}username",
            origin="fixed",
            form="text",
            rotation=NEVER,
            value=user,
            pattern=dated_pattern(user) if rotation is LOGIN else pattern,
            follows=f"{prefix}password" if rotation is LOGIN else "",
            meaning=f"Name of {who}.",
            breaks=breaks,
            added=added_user or added,
        ),
        Key(key=f"{prefix}password", origin="generated", form="password", rotation=rotation, meaning=f"Password of {who}.", breaks=breaks, added=added),
    )


POSTGRES = SecretSpec(
    name="postgres-credentials",
    attribute="postgres",
    meaning="PostgreSQL: superuser, the cluster's own roles, and one owner for each database.",
    keys=with_rings(
        *_login(
            "postgres-", "postgres", "the PostgreSQL superuser", "The database does not start.", added_user="the name beside the requirement's password, so that consumers need no constant"
        ),
        *_login("replication-", "standby", "the role replicas stream with", "Replicas cannot join; no failover.", added=_TOOL),
        *_login("rewind-", "rewind", "the role pg_rewind uses after a failover", "A failed primary must be copied anew instead of rewound.", added=_TOOL),
        *_login(
            "monitoring-", "monitoring", "the role of monitoring tools that log in over the network", "No metrics from tools outside the pod; the exporter in it needs no password.", added=_TOOL, rotation=LOGIN
        ),
        *_login(
            "pooler-", "pgbouncer", "the role with which the connection pooler looks up passwords", "No log-in through the pooler, where there is one.", added=_TOOL
        ),
        *_login("patroni-", "patroni", "the user of Patroni's REST API", "Anyone in the network may restart or fail over the database.", added="Patroni's unsafe calls must be authenticated"),
        *(row for database, breaks in DATABASES.items() for row in _login(f"{database}-db-", database, f"the owner of database {database}", f"No {breaks}.", rotation=LOGIN)),
    ),
)

MONGODB = SecretSpec(
    name="mongodb-credentials",
    attribute="mongodb",
    meaning="MongoDB: administrator, the application's user, and the key the members know each other by.",
    keys=with_rings(
        *_login("mongodb-root-", "root", "the MongoDB administrator", "The replica set cannot be set up.", pattern=_ANY_NAME, rotation=SERVER_PASSWORD),
        *_login("mongodb-", "sos", "the application's MongoDB user", "Services cannot reach MongoDB.", pattern=_ANY_NAME, rotation=SERVER_PASSWORD),
        Key(
            key="mongodb-replica-set-key",
            origin="generated",
            form="mongodb-keyfile",
            rotation=KEYFILE,
            meaning="Key file by which members of the replica set authenticate each other.",
            breaks="Members do not join the replica set.",
        ),
    ),
)

REDIS = SecretSpec(
    name="redis-credentials",
    attribute="redis",
    meaning="Redis: one password for the cache, one for the publish/subscribe instance.",
    keys=with_rings(
        Key(key="redis-password", origin="generated", form="password", rotation=DUAL_PASSWORD, meaning="Password of the Redis cache.", breaks="No cache; sessions are lost."),
        Key(
            key="redis-pubsub-password",
            origin="generated",
            form="password",
            rotation=DUAL_PASSWORD,
            meaning="Password of the Redis instance for real-time messages.",
            breaks="No live updates of positions and alerts.",
        ),
    ),
)
