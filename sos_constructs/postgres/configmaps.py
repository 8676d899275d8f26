"""The ConfigMaps ``postgres-config`` and ``postgres-agent``: everything that is mounted and holds no secret."""

from __future__ import annotations

import json
from typing import Any

from sos_constructs.postgres import failover, patroni, roles, storage, tuning
from sos_constructs.postgres import names as n
from sos_constructs.postgres.agent_files import MEMBER, agent_files
from sos_constructs.postgres.pooler.options import PASSWORD_KEY, USER, USERNAME_KEY
from sos_constructs.postgres.spec import Database, Spec


def config(spec: Spec) -> dict[str, Any]:
    """``postgres-config``: PostgreSQL's settings, Patroni's configuration, the declared databases, and the passwd file."""
    return _config_map(
        spec,
        spec.names.config,
        {
            "databases.json": _json(declared(spec)),
            "passwd": passwd(spec),
            "patroni.json": _json(patroni.local(spec)),
            "postgresql.conf": tuning.postgresql_conf(spec),
            **failover.mounted(spec),
        },
    )


def agent(spec: Spec) -> dict[str, Any]:
    """``postgres-agent``: the members' Python files, mounted as a package."""
    return _config_map(spec, spec.names.agent, dict(agent_files(MEMBER)))


def declared(spec: Spec) -> dict[str, Any]:
    """What the agent keeps true on the primary: roles with the Secret keys of their passwords, and databases."""
    pooler = {"name": USER, "password_key": PASSWORD_KEY, "username_key": USERNAME_KEY}
    return storage.declared(spec) | {
        "databases": [_database(d) for d in spec.databases],
        # not one of the roles: what is missing for the pooler must not keep a member from starting
        **({"pooler": pooler} if spec.pooler else {}),
        **roles.declared(spec),
        "roles": [
            {"name": n.SUPERUSER, "password_key": "postgres-password", "username_key": "postgres-username"},
            {"name": n.REPLICATION_USER, "password_key": "replication-password", "username_key": "replication-username"},
            {"name": n.REWIND_USER, "password_key": "rewind-password", "username_key": "rewind-username"},
            {
                "logins": "dated",
                "member_of": "pg_monitor",
                "name": n.MONITORING_USER,
                "password_key": "monitoring-password",
                "username_key": "monitoring-username",
            },
            *({"logins": "dated", "name": d.owner, "password_key": d.password_key, "username_key": d.username_key} for d in spec.databases),
        ],
    }


def passwd(spec: Spec) -> str:
    """An entry for the pod's uid, whatever the image knows: initdb and peer authentication look the user up by number."""
    users = (
        "root:x:0:0:root:/:/sbin/nologin",
        f"postgres:x:{spec.image.uid}:{spec.image.gid}:PostgreSQL:/tmp:/bin/sh",
        f"nobody:x:{spec.exporter_image.uid}:{spec.exporter_image.gid}:exporter:/:/sbin/nologin",
    )
    return "".join(f"{user}\n" for user in users)


def _database(database: Database) -> dict[str, Any]:
    limit = {"sql_seconds": int(database.sql_timeout.total_seconds())} if database.sql else {}
    locale = {} if database.locale is None else {"locale": database.locale.declared()}
    return {"extensions": list(database.extensions), "name": database.name, "owner": database.owner, "sql": database.sql, **limit, **locale}


def _json(value: object) -> str:
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _config_map(spec: Spec, name: str, data: dict[str, str]) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"labels": spec.names.labels, "name": name, "namespace": spec.namespace},
        "data": data,
    }
