"""Who may log in from where: the first line of pg_hba.conf that matches decides."""

from __future__ import annotations

import re
import shlex
from typing import Any

from sos_constructs.postgres import access, patroni
from sos_constructs.postgres.pooler import ini
from sos_constructs.postgres.pooler.options import USER, Pooler
from sos_constructs.postgres.spec import Database
from sos_constructs.postgres.tls import CertificateSecret

import pytest

from tests.postgres.example import spec


def rules(**options: Any) -> list[str]:
    """Of a pod with a certificate."""
    made = patroni.local(spec(**options))
    found: list[str] = made.get("tls", made["postgresql"])["pg_hba"]
    return found


def decision(lines: list[str], kind: str, database: str, user: str) -> str | None:
    """``kind`` is a connection's: ``local``, ``hostssl`` (with TLS) or ``host`` (without). ``all`` does not match replication (PostgreSQL manual)."""
    for line in lines:
        fields = shlex.split(line)
        databases, users = fields[1].split(","), fields[2].split(",")
        matches_kind = fields[0] == kind or (fields[0] == "host" and kind == "hostssl")
        matches_database = database in databases or (databases == ["all"] and database != "replication")
        if matches_kind and matches_database and (users == ["all"] or user in users or any(role_of(user) == group[1:] for group in users if group[0] == "+")):
            return fields[3 if kind == "local" else 4]
    return None


def role_of(user: str) -> str:
    """The role that a dated login stands for, or the role itself."""
    return re.sub(r"_\d{12}$", "", user)


@pytest.mark.parametrize(
    ("kind", "database", "user", "method"),
    [
        ("local", "postgres", "postgres", "peer"),
        ("local", "auth", "monitoring", "peer"),
        ("local", "auth", "auth", "scram-sha-256"),
        ("local", "medical", "auth", None),
        ("hostssl", "auth", "auth", "scram-sha-256"),
        ("hostssl", "auth", "auth_202611232130", "scram-sha-256"),
        ("hostssl", "medical", "auth_202611232130", None),
        ("hostssl", "medical", "auth", None),
        ("hostssl", "postgres", "auth", None),
        ("hostssl", "replication", "auth", None),
        ("hostssl", "auth", "somebody", None),
        ("hostssl", "auth", "monitoring", "scram-sha-256"),
        ("hostssl", "postgres", "monitoring", "scram-sha-256"),
        ("hostssl", "template1", "monitoring", None),
        ("hostssl", "postgres", "postgres", "reject"),
        ("hostssl", "auth", "postgres", "reject"),
        ("hostssl", "replication", "postgres", None),
        ("hostssl", "replication", "standby", "scram-sha-256"),
        ("hostssl", "postgres", "rewind", "scram-sha-256"),
        ("hostssl", "auth", "rewind", "reject"),
        ("hostssl", "auth", "standby", "reject"),
        ("hostssl", "postgres", "standby", "reject"),
        ("hostssl", "replication", "rewind", None),
    ],
)
def test_who_may_log_in(kind: str, database: str, user: str, method: str | None):
    assert decision(rules(), kind, database, user) == method


@pytest.mark.parametrize(("database", "user"), [("auth", "auth"), ("postgres", "rewind"), ("replication", "standby"), ("auth", "monitoring")])
def test_nobody_gets_in_without_tls(database: str, user: str):
    assert decision(rules(), "host", database, user) in (None, "reject")
    assert decision(rules(tls=None), "host", database, user) == "scram-sha-256"


def test_plain_clients_are_clients_only():
    lines = rules(tls=CertificateSecret(plain_clients=True))
    assert decision(lines, "host", "auth", "auth") == "scram-sha-256"
    assert decision(lines, "host", "replication", "standby") is None
    assert decision(lines, "host", "postgres", "rewind") == "reject"


def test_the_pooler_looks_up_passwords_in_the_databases_and_nowhere_else():
    made = {"pooler": Pooler(), "credentials": keys("pooler")}
    assert decision(rules(**made), "hostssl", "auth", USER) == "scram-sha-256"
    assert decision(rules(**made), "host", "auth", USER) is None
    assert decision(rules(**made), "hostssl", "postgres", USER) is None
    assert decision(rules(), "hostssl", "auth", USER) is None


def test_the_poolers_agent_may_ask_where_it_asks_for_the_primary():
    """It was sent to the database postgres, which no line opens: it took that for a primary's answer, and held no client through a failover."""
    made = spec(pooler=Pooler(), credentials=keys("pooler"))
    asked = ini.declared(made, Pooler())["primary"]["dbname"]
    assert decision(rules(pooler=Pooler(), credentials=keys("pooler")), "hostssl", asked, USER) == "scram-sha-256"


def test_a_database_named_like_a_keyword_opens_nothing_else():
    lines = rules(databases=(Database(name="all"), Database(name="replication", owner="replicas")), credentials=keys("all", "replication"))
    assert '"all"' in "".join(lines)
    assert [line for line in lines if line.split()[1] == "all" and line.split()[-1] == "scram-sha-256"] == []
    assert [line.split()[2] for line in lines if line.split()[1] == "replication"] == ["standby"]


def keys(*databases: str) -> Any:
    handle = spec().credentials
    more = {f"{database}-db-{what}": f"{database}_{what}".upper() for database in databases for what in ("username", "password")}
    return type(handle)(handle.name, {**handle.keys, **more})


def test_the_superuser_can_be_only_the_pods_own_process():
    assert access.pg_ident() == ["sos postgres postgres", "sos nobody monitoring"]


def test_pods_of_a_template_without_a_certificate_keep_rules_that_need_none():
    made = patroni.local(spec())
    assert not any(line.startswith("hostssl") for line in made["postgresql"]["pg_hba"])
