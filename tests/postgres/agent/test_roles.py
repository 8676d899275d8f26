"""Further roles: which difference leads to which statement. A real server runs them in tests/postgres_live/test_roles.py."""

from __future__ import annotations

import re
from typing import Any

from sos_constructs.postgres import roles as declared_roles
from sos_constructs.postgres.agent import databases, scram
from sos_constructs.postgres.agent.psql import SqlError
from sos_constructs.postgres.roles import Role

import pytest

from tests.postgres.agent.conftest import Pod
from tests.postgres.example import spec

READER = Role("reader", login=True, read_only=["auth"])
PASSWORD = "canary-reader-password"
THERE = ("LOGIN", "INHERIT", "NOBYPASSRLS", "CONNECTION LIMIT -1", "VALID UNTIL 'infinity'", "")
ROLES, NOTED, NOTES = "pg_catalog.pg_authid", "to_regclass('sos_agent.granted')", "FROM sos_agent.granted"


def reconcile(pod: Pod) -> list[str]:
    declared = pod.member.declared()
    return list(databases.reconcile(declared, pod.member.psql(declared)))


def declare(pod: Pod, *roles: Role) -> None:
    pod.set_config("databases.json", **(declared_roles.declared(spec(roles=roles)) or {"more_roles": []}))
    pod.psql.answer("'NOLOGIN' END")
    for role in roles:
        if role.login:
            pod.set_password(role.username_key, role.name)
            pod.set_password(role.password_key, PASSWORD)


def is_there(pod: Pod, *more: tuple[str, ...], attributes: tuple[str, ...] = THERE, password: str = PASSWORD) -> None:
    """The role, with all that it was given."""
    pod.psql.answer("'NOLOGIN' END", ("reader", *attributes, scram.verifier(password, b"salt", 1)), *more)
    pod.psql.answer("WITH who AS")
    pod.psql.answer("SELECT rolname FROM pg_catalog.pg_roles", ("reader",))
    pod.psql.answer("privilege_type = 'CONNECT'", ("reader", "auth"))
    pod.psql.answer(NOTED, ("1",))
    pod.psql.answer(NOTES, ("role", "reader", ""), ("connect", "reader", "auth"), ("read_only", "reader", "auth"))


def test_without_roles_nothing_is_asked_but_whether_there_were_any(pod: Pod):
    assert reconcile(pod) == []
    assert not [sql for sql in pod.psql.asked() if "'NOLOGIN' END" in sql]


def test_a_new_role_is_noted_together_with_what_makes_it(pod: Pod):
    declare(pod, READER)
    assert reconcile(pod)[0] == "create role reader"
    (made,) = [sql for sql in pod.psql.changes() if "CREATE ROLE" in sql]
    found = re.fullmatch(
        r"BEGIN; CREATE SCHEMA .*; CREATE TABLE .*; INSERT INTO sos_agent.granted .* VALUES \('role', 'reader', ''\) ON CONFLICT DO NOTHING;"
        r" CREATE ROLE \"reader\" LOGIN INHERIT NOBYPASSRLS CONNECTION LIMIT -1 VALID UNTIL 'infinity' NOSUPERUSER NOREPLICATION NOCREATEROLE NOCREATEDB"
        r" PASSWORD '(SCRAM-SHA-256\S+)'; COMMIT",
        made,
    )
    assert found
    assert scram.matches(PASSWORD, found[1])
    assert "canary" not in str(pod.psql.asked())


def test_nothing_to_do_changes_nothing(pod: Pod):
    declare(pod, READER)
    is_there(pod)
    assert reconcile(pod) == []
    assert [sql for sql in pod.psql.changes() if not sql.startswith("\nWITH who AS")] == []


@pytest.mark.parametrize(
    ("options", "done"),
    [
        ({"attributes": ("NOLOGIN", *THERE[1:])}, ["change role reader"]),
        ({"attributes": (*THERE[:5], "more")}, ["change role reader"]),
        ({"attributes": (*THERE[:3], "CONNECTION LIMIT 3", *THERE[4:])}, ["change role reader"]),
        ({"password": "another"}, ["set password of role reader"]),
    ],
)
def test_one_difference_one_action(options: dict[str, Any], done: list[str], pod: Pod):
    declare(pod, READER)
    is_there(pod, **options)
    assert reconcile(pod) == done


def test_what_is_no_longer_declared_is_taken_back_as_noted(pod: Pod):
    declare(pod)
    is_there(pod)
    assert reconcile(pod) == [
        "retire role reader, which is no longer declared",
        "let reader no longer connect to database auth",
        "let reader no longer read database auth",
    ]
    assert 'ALTER ROLE "reader" NOLOGIN PASSWORD NULL' in pod.psql.changes()
    assert not [sql for sql in pod.psql.changes() if "DROP" in sql]


def test_a_name_that_synth_refuses_is_refused_here_too(pod: Pod):
    declare(pod, READER)
    more = pod.member.declared().more_roles
    pod.set_config("databases.json", more_roles=[{**more[0], "name": "public"}, {**more[0], "name": "standby"}])
    with pytest.raises(SqlError, match=r"^role public: its name is a word of PostgreSQL .*; role standby: another role of the installation has its name$"):
        reconcile(pod)
    assert not [sql for sql in pod.psql.changes() if "ROLE" in sql]
