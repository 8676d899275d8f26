"""Roles and databases: which difference leads to which statement. Real servers run them in tests/postgres_live."""

from __future__ import annotations

import re

from sos_constructs.postgres.agent import databases, scram
from sos_constructs.postgres.agent.files import DeclaredError
from sos_constructs.postgres.agent.psql import SqlError

import pytest

from tests.postgres.agent.conftest import CANARIES, Pod

FIVE = ("auth", "users", "emergency", "medical", "devices")


def reconcile(pod: Pod) -> list[str]:
    declared = pod.member.declared()
    return list(databases.reconcile(declared, pod.member.psql(declared)))


def test_nothing_to_do_changes_nothing(pod: Pod):
    assert reconcile(pod) == []
    assert pod.psql.changes() == []


def test_an_empty_cluster_gets_everything(pod: Pod):
    """All answers empty: nothing exists."""
    for pattern in ("rolpassword", "pg_auth_members", "pg_get_userbyid(datdba)", "aclexplode"):
        pod.psql.answer(pattern)
    done = reconcile(pod)
    assert done[:5] == [*(f"create role {name}" for name in ("postgres", "standby", "rewind", "monitoring")), "add role monitoring to pg_monitor"]
    assert done[5:10] == [f"create role {name}" for name in FIVE]
    assert [line for line in done if line.startswith("create database")] == [f"create database {d}" for d in FIVE]
    assert len(pod.psql.changes()) == len(done)
    assert "SCRAM" not in str(done)
    assert not any(canary in str(done) for canary in CANARIES)
    assert 'CREATE DATABASE "auth" OWNER "auth"' in pod.psql.changes()


def test_passwords_go_as_verifiers(pod: Pod):
    pod.set_password("auth-db-password", "another-canary-password")
    assert reconcile(pod) == ["set password of role auth"]
    (statement,) = pod.psql.changes()
    match = re.fullmatch(r"""ALTER ROLE "auth" PASSWORD '(SCRAM-SHA-256\$.+)'""", statement)
    assert match
    assert scram.matches("another-canary-password", match[1])
    assert "canary" not in str(pod.psql.asked()), "no password in any statement"


@pytest.mark.parametrize(
    ("pattern", "rows", "done"),
    [
        ("pg_auth_members", [], ["add role monitoring to pg_monitor"]),
        (
            "pg_get_userbyid(datdba)",
            [(d, "postgres" if d == "auth" else d) for d in FIVE],
            ["give database auth to auth"],
        ),
        (
            "aclexplode",
            [(d, who) for d in FIVE for who in (d, "monitoring")] + [("users", "")],
            ["close database users to all but its owner"],
        ),
        ("aclexplode", [(d, "monitoring") for d in ("users", "emergency", "medical", "devices")], ["let monitoring connect to database auth"]),
    ],
)
def test_one_difference_one_action(pattern: str, rows: list[tuple[str, ...]], done: list[str], pod: Pod):
    pod.psql.answer(pattern, *rows)
    assert reconcile(pod) == done
    assert len(pod.psql.changes()) == 1


def test_extensions_and_sql(pod: Pod):
    declared = pod.member.declared().databases
    declared[0] |= {"extensions": ["pgcrypto", "citext"], "sql": "CREATE TABLE IF NOT EXISTS t (a int)"}
    pod.set_config("databases.json", databases=declared)
    pod.psql.answer("pg_extension", ("plpgsql",), ("citext",))
    done = reconcile(pod)
    assert [re.sub("[0-9a-f]{12}", "…", line) for line in done] == ["create extension pgcrypto in auth", "run SQL … in auth", "note SQL … of auth as run"]
    extension, note = pod.psql.changes()
    (sql,) = [each for each in pod.psql.asked() if "gexec" in each]
    assert sql == "SELECT E'CREATE TABLE IF NOT EXISTS t (a int)' \\gexec\nCOMMIT"
    assert extension == 'BEGIN; SET LOCAL search_path = public; CREATE EXTENSION IF NOT EXISTS "pgcrypto"; COMMIT'
    assert "sos_agent.applied" in note
    arguments = pod.psql.arguments().removesuffix("\n").split("\n")
    assert arguments[-2].endswith("-U auth -d auth -f -")
    assert arguments[-1].endswith("-d postgres -f -")


def test_sql_that_fails_is_not_noted_as_run(pod: Pod):
    declared = pod.member.declared().databases
    declared[0] |= {"sql": "SELECT broken"}
    pod.set_config("databases.json", databases=declared)
    pod.psql.answer("SELECT broken", error='ERROR:  column "broken" does not exist\n')
    with pytest.raises(SqlError, match=r'^database auth: ERROR:  column "broken" does not exist$'):
        reconcile(pod)
    assert not any("applied (database" in sql for sql in pod.psql.asked())


def test_the_failure_of_one_database_keeps_no_other_from_its_own(pod: Pod):
    declared = pod.member.declared().databases
    declared[0] |= {"sql": "SELECT broken"}
    declared[1] |= {"extensions": ["missing"]}
    declared[2] |= {"sql": "SELECT good"}
    pod.set_config("databases.json", databases=declared)
    pod.psql.answer("SELECT broken", error="ERROR:  this\n")
    pod.psql.answer("CREATE EXTENSION", error="ERROR:  that\n")
    with pytest.raises(SqlError, match=r"^database auth: ERROR:  this; database users: ERROR:  that$"):
        reconcile(pod)
    assert [sql for sql in pod.psql.asked() if "SELECT good" in sql]
    assert [sql for sql in pod.psql.changes() if "('emergency', " in sql], "noted as run"


def test_a_database_that_cannot_be_made_keeps_no_other_from_being_made(pod: Pod):
    """An owner without a password, and a locale that the image does not have."""
    (pod.member.credentials_dir / "auth-db-password").unlink()
    for pattern in ("rolpassword", "pg_get_userbyid(datdba)"):
        pod.psql.answer(pattern)
    pod.psql.answer('CREATE DATABASE "users"', error="ERROR:  invalid locale name\n")
    with pytest.raises(SqlError) as raised:
        reconcile(pod)
    assert str(raised.value) == "role auth: Secret key auth-db-password: is missing; database users: ERROR:  invalid locale name"
    made = {sql.split()[2] for sql in pod.psql.changes() if sql.startswith("CREATE DATABASE")}
    assert made == {f'"{name}"' for name in FIVE}
    assert not any('CREATE ROLE "auth"' in sql for sql in pod.psql.changes())


def test_a_declared_role_that_may_no_longer_log_in_may_again(pod: Pod):
    pod.psql.answer("WHERE NOT rolcanlogin", ("pg_monitor",), ("auth",), ("somebody",))
    assert reconcile(pod) == ["let role auth log in again"]
    (statement,) = pod.psql.changes()
    assert re.fullmatch(r"""ALTER ROLE "auth" LOGIN PASSWORD '(SCRAM-SHA-256\$.+)'""", statement)


def test_the_fault_of_one_owner_keeps_no_other_from_its_own(pod: Pod):
    (pod.member.credentials_dir / "auth-db-username").write_text("somebody")
    pod.set_password("users-db-password", "another-canary-password")
    with pytest.raises(SqlError, match=r"^role auth: Secret key auth-db-username: differs from the declared role 'auth'; change one of the two$"):
        reconcile(pod)
    assert [sql for sql in pod.psql.changes() if sql.startswith('ALTER ROLE "users" PASSWORD')]


def test_a_username_that_differs_stops_before_anything_is_changed(pod: Pod):
    pod.psql.answer("rolpassword")
    (pod.member.credentials_dir / "postgres-username").write_text("root")
    with pytest.raises(DeclaredError, match="differs from the declared role 'postgres'"):
        reconcile(pod)
    assert pod.psql.changes() == []
