"""Secrets of the data stores that run in the cluster: PostgreSQL, MongoDB, Redis. Data only."""

from __future__ import annotations

from sos_constructs.secrets.catalogue_logins import cluster_logins, login
from sos_constructs.secrets.model import DUAL_PASSWORD, KEYFILE, LOGIN, SERVER_PASSWORD, Key, SecretSpec
from sos_constructs.secrets.rings import with_rings

DATABASES = {
    "auth": "log-ins and sessions",
    "users": "user profiles",
    "emergency": "emergencies and their history",
    "medical": "medical profiles",
    "devices": "IoT devices",
}
"""The requirement's five databases, and what stops when one cannot be reached."""

_ANY_NAME = r"[\w.@-]+"  # a MongoDB run elsewhere has names of its own; consumers read them from the Secret

POSTGRES = SecretSpec(
    name="postgres-credentials",
    attribute="postgres",
    meaning="PostgreSQL: superuser, the cluster's own roles, and one owner for each database.",
    postgres="postgres",
    keys=with_rings(
        *cluster_logins(),
        *(row for database, breaks in DATABASES.items() for row in login(f"{database}-db-", database, f"the owner of database {database}", f"No {breaks}.", rotation=LOGIN)),
    ),
)

MONGODB = SecretSpec(
    name="mongodb-credentials",
    attribute="mongodb",
    meaning="MongoDB: administrator, the application's user, and the key the members know each other by.",
    keys=with_rings(
        *login("mongodb-root-", "root", "the MongoDB administrator", "The replica set cannot be set up.", pattern=_ANY_NAME, rotation=SERVER_PASSWORD),
        *login("mongodb-", "sos", "the application's MongoDB user", "Services cannot reach MongoDB.", pattern=_ANY_NAME, rotation=SERVER_PASSWORD),
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
