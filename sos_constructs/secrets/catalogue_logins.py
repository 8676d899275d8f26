"""Catalogue rows of names and passwords, and those that every PostgreSQL installation needs for itself. Data only."""

from __future__ import annotations

from sos_constructs.secrets.model import LOGIN, NEVER, PASSWORD, Key, Rotation
from sos_constructs.secrets.rings import dated_pattern

_TOOL = "PostgreSQL needs a role of its own for it: the superuser must not serve as one"


def login(prefix: str, user: str, who: str, breaks: str, *, pattern: str = "", added_user: str = "", added: str = "", rotation: Rotation = PASSWORD) -> tuple[Key, ...]:
    """Name and password of ``user``, in the keys ``<prefix>username`` and ``<prefix>password``."""
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


def cluster_logins() -> tuple[Key, ...]:
    """The superuser, and the roles by which an installation works."""
    return (
        *login(
            "postgres-", "postgres", "the PostgreSQL superuser", "The database does not start.", added_user="the name beside the requirement's password, so that consumers need no constant"
        ),
        *login("replication-", "standby", "the role replicas stream with", "Replicas cannot join; no failover.", added=_TOOL),
        *login("rewind-", "rewind", "the role pg_rewind uses after a failover", "A failed primary must be copied again instead of rewound.", added=_TOOL),
        *login(
            "monitoring-", "monitoring", "the role of monitoring tools that log in over the network", "No metrics from tools outside the pod; the exporter in it needs no password.", added=_TOOL, rotation=LOGIN
        ),
        *login(
            "pooler-", "pgbouncer", "the role with which the connection pooler looks up passwords", "No log-in through the pooler, where there is one.", added=_TOOL
        ),
        *login("patroni-", "patroni", "the user of Patroni's REST API", "Anyone in the network may restart or fail over the database.", added="Patroni's unsafe calls must be authenticated"),
    )
