"""What is mounted: settings, Patroni's configuration, declared databases, the passwd file, and the agent's code."""

from __future__ import annotations

import json

from sos_constructs.postgres import configmaps, patroni
from sos_constructs.postgres.agent_files import MEMBER, agent_files
from sos_constructs.postgres.containers import OFFICIAL
from sos_constructs.postgres.spec import Database
from sos_constructs.postgres.tuning import postgresql_conf

from tests.postgres.example import spec


def test_the_config_holds_four_files():
    made = configmaps.config(spec())
    assert made["metadata"]["name"] == "postgres-config"
    assert list(made["data"]) == ["databases.json", "passwd", "patroni.json", "postgresql.conf"]
    assert json.loads(made["data"]["patroni.json"]) == patroni.local(spec())
    assert json.loads(made["data"]["databases.json"]) == configmaps.declared(spec())
    assert made["data"]["postgresql.conf"] == postgresql_conf(spec())


def test_the_agent_is_a_package():
    made = configmaps.agent(spec())
    assert made["metadata"]["name"] == "postgres-agent"
    assert made["data"] == agent_files(MEMBER)
    assert {"__init__.py", "__main__.py"} <= made["data"].keys()


def test_declared_roles_and_databases():
    declared = configmaps.declared(spec(databases=(Database(name="auth", owner="app", extensions=("pgcrypto",), sql="SELECT 1"),)))
    assert declared["databases"] == [{"extensions": ["pgcrypto"], "name": "auth", "owner": "app", "sql": "SELECT 1", "sql_seconds": 600}]
    keys = {role["name"]: (role["username_key"], role["password_key"], role.get("member_of")) for role in declared["roles"]}
    assert keys == {
        "postgres": ("postgres-username", "postgres-password", None),
        "standby": ("replication-username", "replication-password", None),
        "rewind": ("rewind-username", "rewind-password", None),
        "monitoring": ("monitoring-username", "monitoring-password", "pg_monitor"),
        "app": ("auth-db-username", "auth-db-password", None),
    }


def test_the_five_databases_of_the_requirement():
    assert [d["name"] for d in configmaps.declared(spec())["databases"]] == ["auth", "users", "emergency", "medical", "devices"]


def test_passwd_knows_the_images_user_and_the_exporters():
    entries = [line.split(":") for line in configmaps.passwd(spec(image=OFFICIAL)).splitlines()]
    assert all(len(entry) == 7 for entry in entries)
    assert {entry[0]: (entry[2], entry[3]) for entry in entries} == {"root": ("0", "0"), "postgres": ("999", "999"), "nobody": ("65534", "65534")}
