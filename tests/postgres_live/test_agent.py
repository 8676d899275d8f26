"""The agent on a real server: what is declared comes true, again and again, and nothing else is touched."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sos_constructs.postgres.agent import databases, scram
from sos_constructs.postgres.agent.files import Declared
from sos_constructs.postgres.agent.psql import SqlError
from sos_constructs.postgres.agent.reconcile import Member
from sos_constructs.postgres.roles import Role
from sos_constructs.postgres.spec import Database

import psycopg
import pytest

from tests.postgres.example import spec
from tests.postgres.mounted import mount
from tests.postgres_live.conftest import Postgres, PostgresFactory
from tests.waiting import until

Mounted = Callable[..., "Cluster"]


class Cluster:
    """One declared set of databases on a server."""

    def __init__(self, server: Postgres, folder: Path, declared: tuple[Database, ...], roles: tuple[Role, ...] = ()) -> None:
        self.server = server
        self.member: Member = mount(folder, spec(databases=declared, roles=roles))
        patroni = json.loads((self.member.config_dir / "patroni.json").read_text())
        patroni["postgresql"]["bin_dir"] = str(server.bin_dir)
        (self.member.config_dir / "patroni.json").write_text(json.dumps(patroni))

    def declare(self, **changes: Any) -> None:
        """Change the first database as another ``kubectl apply`` would."""
        path = self.member.config_dir / "databases.json"
        config = json.loads(path.read_text())
        config["databases"][0] |= changes
        path.write_text(json.dumps(config))

    def password(self, key: str, value: str | None = None) -> str:
        path = self.member.credentials_dir / key
        if value is not None:
            path.write_text(value)
        return path.read_text()

    def reconcile(self) -> list[str]:
        declared = self.member.declared()
        psql = self.member.psql(declared)
        return list(databases.reconcile(declared, type(psql)(psql.bin_dir, str(self.server.socket_dir), psql.user)))

    def login(self, user: str, password: str, database: str) -> psycopg.Connection[Any]:
        return psycopg.connect(host=str(self.server.socket_dir), port=self.server.port, user=user, password=password, dbname=database, autocommit=True)


#: The superuser is trusted as everywhere in these tests; all others log in as in the pod.
HBA = "local all postgres trust\nlocal replication all trust\nlocal all all scram-sha-256"


@pytest.fixture(scope="module")
def server(postgres_factory: PostgresFactory) -> Postgres:
    """It would log every statement, and it keeps statistics of all."""
    return postgres_factory(hba=HBA, log_statement="all", log_min_duration_statement="0", shared_preload_libraries="pg_stat_statements")


@pytest.fixture
def cluster(server: Postgres, tmp_path: Path) -> Mounted:
    return lambda *declared: Cluster(server, tmp_path, declared)


def test_an_empty_server_gets_everything_and_then_nothing_more(postgres_factory: PostgresFactory, tmp_path: Path):
    fresh = Cluster(postgres_factory(hba=HBA), tmp_path, spec().databases)
    done = fresh.reconcile()
    assert {
        "create role standby",
        "create role auth",
        "add role monitoring to pg_monitor",
        "create database devices",
        "close database auth to all but its owner",
    } <= set(done)
    assert fresh.reconcile() == []
    owners = fresh.server.psql("SELECT datname, pg_get_userbyid(datdba) FROM pg_database WHERE NOT datistemplate ORDER BY 1").splitlines()
    assert owners == ["auth|auth", "devices|devices", "emergency|emergency", "medical|medical", "postgres|postgres", "users|users"]
    assert fresh.server.psql("SELECT count(*) FROM pg_roles WHERE rolsuper OR rolcreatedb OR rolcreaterole OR rolbypassrls") == "1"


def test_each_owner_works_in_its_own_database_and_in_no_other(cluster: Mounted):
    made = cluster(Database(name="one"), Database(name="two"))
    made.reconcile()
    with made.login("one", made.password("one-db-password"), "one") as connection:
        connection.execute("CREATE TABLE patients (name text)")
        connection.execute("INSERT INTO patients VALUES ('a')")
        connection.execute("CREATE SCHEMA extra")
    with pytest.raises(psycopg.OperationalError, match='permission denied for database "one"'):
        made.login("two", made.password("two-db-password"), "one")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        made.login("one", made.password("two-db-password"), "one")


def test_monitoring_sees_every_database_and_reads_no_table(cluster: Mounted):
    made = cluster(Database(name="private", sql="CREATE TABLE IF NOT EXISTS patients (name text)"))
    made.reconcile()
    with made.login("monitoring", made.password("monitoring-password"), "private") as connection:
        assert connection.execute("SELECT relname FROM pg_stat_user_tables").fetchall() == [("patients",)]
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("SELECT * FROM patients")


# --- passwords --------------------------------------------------------------------------------------------------------


def stored(server: Postgres, role: str) -> str:
    return server.psql(f"SELECT rolpassword FROM pg_authid WHERE rolname = '{role}'")


def test_a_rotated_password_arrives_and_no_other_changes(cluster: Mounted):
    made = cluster(Database(name="rotated"))
    made.reconcile()
    old, others = made.password("rotated-db-password"), stored(made.server, "standby")
    made.password("rotated-db-password", "another-password-of-32-characters")
    assert made.reconcile() == ["set password of role rotated"]
    assert stored(made.server, "standby") == others
    made.login("rotated", "another-password-of-32-characters", "rotated").close()
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        made.login("rotated", old, "rotated")


def test_a_verifier_made_by_the_server_is_recognized(cluster: Mounted):
    """Whoever sets the right password by hand has done the agent's work."""
    made = cluster(Database(name="byhand"))
    made.reconcile()
    made.server.psql(f"ALTER ROLE byhand PASSWORD '{made.password('byhand-db-password')}'")
    assert scram.matches(made.password("byhand-db-password"), stored(made.server, "byhand"))
    assert made.reconcile() == []


@pytest.mark.parametrize("change", ["PASSWORD 'wrong'", "PASSWORD NULL", "PASSWORD 'md5" + "0" * 32 + "'"])
def test_a_password_changed_by_hand_is_set_back(change: str, cluster: Mounted):
    made = cluster(Database(name="setback"))
    made.reconcile()
    made.server.psql(f"ALTER ROLE setback {change}")
    assert made.reconcile() == ["set password of role setback"]
    made.login("setback", made.password("setback-db-password"), "setback").close()


@pytest.mark.parametrize("password", ["".join(map(chr, range(0x21, 0x7F))), "';DROP_ROLE_one;--"], ids=["all", "SQL"])
def test_any_printable_password_logs_in(password: str, cluster: Mounted):
    made = cluster(Database(name="printable"))
    made.password("printable-db-password", password)
    made.reconcile()
    made.login("printable", password, "printable").close()


def test_neither_passwords_nor_verifiers_are_logged_or_kept_in_statistics(cluster: Mounted, server: Postgres):
    server.psql("CREATE EXTENSION IF NOT EXISTS pg_stat_statements; SELECT pg_stat_statements_reset(); SELECT 'a witness'")
    made = cluster(Database(name="silent", sql="SELECT 'of the chart'"))
    with psycopg.connect(host=str(server.socket_dir), port=server.port, user="postgres", dbname="postgres") as held:
        held.execute("LOCK TABLE pg_catalog.pg_authid IN SHARE MODE")
        with pytest.raises(SqlError, match="canceling statement due to lock timeout") as raised:  # servers log failing statements by default
            made.reconcile()
    assert "SCRAM" not in str(raised.value)
    made.reconcile()
    server.psql("ALTER ROLE silent NOLOGIN")
    assert made.reconcile() == ["let role silent log in again"]
    made.password("silent-db-password", "canary-of-another-password")
    made.reconcile()
    before, witness, log = (server.data_dir.parent / "log").read_text().rpartition("a witness")
    assert witness, "this server does log statements"
    assert "SCRAM-SHA-256$" not in before, "nor did any other test's agent"
    statistics = server.psql("SELECT query FROM pg_stat_statements")
    assert "pg_stat_statements_reset" in statistics or "$1" in statistics
    for text in (log, statistics):
        assert "SCRAM-SHA-256$" not in text
        assert "canary" not in text


# --- SQL of the owner's ---


ESCAPES = (
    "RESET ROLE; RESET SESSION AUTHORIZATION;",
    "COMMIT; RESET ROLE; SET SESSION AUTHORIZATION DEFAULT;",
    "ROLLBACK; BEGIN; SET ROLE NONE;",
    "SELECT 'a\\'; COMMIT;",
    "DO $$ BEGIN\n  RAISE NOTICE '\\! id';\nEND $$;",
    "SELECT $q$ ' \\gexec\n\\! touch /tmp/escaped\n $q$;",
    "SELECT ':user', $$:'user' \\connect - postgres$$;",
    "-- it's \\! id\r\n/* ' */",
    "\ufeff",
)


@pytest.mark.parametrize("escape", ESCAPES)
@pytest.mark.parametrize("conforming", ["on", "off"])
def test_sql_is_its_owners_whatever_it_holds(escape: str, conforming: str, cluster: Mounted):
    made = cluster(Database(name="own"))
    made.reconcile()
    made.server.psql(f"ALTER DATABASE own SET standard_conforming_strings = {conforming}; SET ROLE own; DROP TABLE IF EXISTS who", "own")
    made.server.psql("DROP SCHEMA IF EXISTS sos_agent CASCADE")
    if conforming == "off":
        escape = escape.replace("'a\\'", "E'a\\\\'")
    made.declare(sql=f"{escape}\r\nCREATE TABLE who AS SELECT session_user::text AS session, current_user::text AS current;\r\n")
    made.reconcile()
    assert made.server.psql("SELECT session, current, pg_get_userbyid(relowner) FROM who, pg_class WHERE relname = 'who'", "own") == "own|own|own"
    assert made.reconcile() == []


@pytest.mark.parametrize(
    "sql", ["ALTER ROLE own SUPERUSER", "COMMIT; ALTER ROLE own SUPERUSER", "COPY (SELECT 1) TO PROGRAM 'id'", "\\! id", "SET ROLE postgres"]
)
def test_what_the_owner_may_not_do_fails(sql: str, cluster: Mounted):
    made = cluster(Database(name="own"))
    made.reconcile()
    made.declare(sql=f"CREATE TABLE half (a int); {sql}")
    with pytest.raises(SqlError, match=r"^database own: .*(must be|permission denied|syntax error)"):
        made.reconcile()
    assert made.server.psql("SELECT count(*) FROM pg_roles WHERE rolsuper") == "1"
    made.server.psql("DROP TABLE IF EXISTS half", "own")


def test_sql_is_one_transaction(cluster: Mounted):
    made = cluster(Database(name="whole"))
    made.reconcile()
    made.declare(sql="CREATE TABLE first_half (a int); SELECT 1/0")
    with pytest.raises(SqlError, match="division by zero"):
        made.reconcile()
    assert made.server.psql("SELECT count(*) FROM pg_class WHERE relname = 'first_half'", "whole") == "0"
    made.declare(sql="BEGIN; CREATE TABLE left_open (a int)")
    made.reconcile()
    assert made.server.psql("SELECT count(*) FROM pg_class WHERE relname = 'left_open'", "whole") == "1"


def test_sql_has_a_limit_of_its_own_and_ends_with_it(cluster: Mounted):
    made = cluster(Database(name="slow"))
    made.reconcile()
    made.declare(sql="SELECT pg_sleep(60)", sql_seconds=1)
    with pytest.raises(SqlError, match="canceling statement due to statement timeout"):
        made.reconcile()
    made.declare(sql="SELECT pg_sleep(1.5)", sql_seconds=20)
    assert made.reconcile()


def test_sql_of_an_owner_whose_password_was_rotated(cluster: Mounted):
    made = cluster(Database(name="dated"))
    made.reconcile()
    made.password("dated-db-username", "dated_202611232130")
    made.password("dated-db-password", "d" * 32)
    made.declare(sql="CREATE TABLE mine (a int)")
    made.reconcile()
    assert made.server.psql("SELECT pg_get_userbyid(relowner) FROM pg_class WHERE relname = 'mine'", "dated") == "dated"


# --- databases --------------------------------------------------------------------------------------------------------


def test_what_was_changed_by_hand_is_set_back(cluster: Mounted):
    made = cluster(Database(name="kept"))
    made.reconcile()
    made.server.psql("ALTER DATABASE kept OWNER TO postgres; GRANT CONNECT ON DATABASE kept TO PUBLIC; REVOKE CONNECT ON DATABASE kept FROM monitoring")
    made.server.psql("REVOKE pg_monitor FROM monitoring")
    assert made.reconcile() == [
        "add role monitoring to pg_monitor",
        "give database kept to kept",
        "close database kept to all but its owner",
        "let monitoring connect to database kept",
    ]
    assert made.reconcile() == []


def test_another_owner_is_declared(cluster: Mounted, tmp_path: Path):
    cluster(Database(name="moved")).reconcile()
    made = cluster(Database(name="moved", owner="newcomer"))
    done = made.reconcile()
    assert "give database moved to newcomer" in done
    assert made.reconcile() == []
    made.login("newcomer", made.password("moved-db-password"), "moved").close()


def test_what_is_not_declared_stays(cluster: Mounted):
    made = cluster(Database(name="tended"))
    made.reconcile()
    made.server.psql("CREATE ROLE stranger LOGIN PASSWORD 'x'; CREATE DATABASE foreign_one OWNER stranger; GRANT CONNECT ON DATABASE tended TO stranger")
    made.server.psql(
        "GRANT stranger TO tended; ALTER ROLE tended SET work_mem = '8MB'; ALTER ROLE tended CONNECTION LIMIT 5; CREATE EXTENSION citext", "tended"
    )
    before = stored(made.server, "stranger")
    assert made.reconcile() == []
    assert stored(made.server, "stranger") == before
    assert made.server.psql("SELECT datacl IS NULL FROM pg_database WHERE datname = 'foreign_one'") == "t"
    made.login("stranger", "x", "tended").close()


def test_a_database_that_is_no_longer_declared_stays(cluster: Mounted):
    cluster(Database(name="leaving")).reconcile()
    assert cluster(Database(name="staying")).reconcile()
    assert made_of(cluster, "leaving") == "1"


def made_of(cluster: Mounted, name: str) -> str:
    return cluster().server.psql(f"SELECT count(*) FROM pg_database WHERE datname = '{name}'")


HOSTILE = ('we"ird; DROP', "it's \\ $$ %s", "Ünï cödé -- x", "Tab\there")


def test_names_are_quoted_whatever_they_are(cluster: Mounted, monkeypatch: pytest.MonkeyPatch):
    """The construct refuses them; the agent does not rely on it."""
    made = cluster()
    path = made.member.config_dir / "databases.json"
    config = json.loads(path.read_text())
    sql = "CREATE TABLE IF NOT EXISTS t (a int)"
    for number, name in enumerate(HOSTILE):
        config["databases"].append({"extensions": ["citext"], "name": name, "owner": name, "sql": sql})
        config["roles"].append({"name": name, "password_key": f"{number}-password", "username_key": f"{number}-username"})
        (made.member.credentials_dir / f"{number}-password").write_text("x" * 32)
    path.write_text(json.dumps(config))
    monkeypatch.setattr(Declared, "check_username", lambda _self, _role: None)  # it insists on printable ASCII; this is about the SQL alone
    assert {f"create database {name}" for name in HOSTILE} <= set(made.reconcile())
    assert made.reconcile() == []
    for name in HOSTILE:
        found = made.server.psql("SELECT current_database(), tableowner = current_database() FROM pg_tables WHERE tablename = 't'", name)
        assert found == f"{name}|t"


# --- extensions and SQL -----------------------------------------------------------------------------------------------


def test_extensions(cluster: Mounted):
    made = cluster(Database(name="extended", extensions=("pgcrypto", "uuid-ossp")))
    assert {"create extension pgcrypto in extended", "create extension uuid-ossp in extended"} <= set(made.reconcile())
    assert made.reconcile() == []
    made.declare(extensions=["pgcrypto", "citext"])
    assert made.reconcile() == ["create extension citext in extended"], "and uuid-ossp stays"


def test_an_extension_that_the_image_lacks_is_named(cluster: Mounted):
    made = cluster(Database(name="lacking", extensions=("timescaledb",)))
    with pytest.raises(SqlError, match='extension "timescaledb" is not available'):
        made.reconcile()


def short(done: list[str]) -> list[str]:
    return [re.sub("[0-9a-f]{12}", "…", line) for line in done]


def test_sql_runs_as_the_owner_whenever_it_changes(cluster: Mounted):
    made = cluster(
        Database(name="scripted", sql="CREATE TABLE IF NOT EXISTS runs (who text);\nINSERT INTO runs VALUES (current_user); -- no semicolon after this")
    )
    assert short(made.reconcile())[-2:] == ["run SQL … in scripted", "note SQL … of scripted as run"]
    assert made.reconcile() == []
    made.declare(sql="INSERT INTO runs VALUES (current_user)")
    assert short(made.reconcile()) == ["run SQL … in scripted", "note SQL … of scripted as run"]
    assert made.reconcile() == []
    assert made.server.psql("SELECT who FROM runs", "scripted").splitlines() == ["scripted", "scripted"]
    assert made.server.psql("SELECT DISTINCT tableowner FROM pg_tables WHERE tablename = 'runs'", "scripted") == "scripted"


def test_sql_that_fails_leaves_no_trace_and_is_tried_again(cluster: Mounted):
    made = cluster(Database(name="failing", sql="CREATE TABLE half (a int); SELECT 1/0"))
    for _ in range(2):
        with pytest.raises(SqlError, match=r"ERROR: {2}division by zero$"):
            made.reconcile()
    assert made.server.psql("SELECT count(*) FROM pg_tables WHERE tablename = 'half'", "failing") == "0"
    made.declare(sql="CREATE TABLE IF NOT EXISTS whole (a int)")
    assert short(made.reconcile()) == ["run SQL … in failing", "note SQL … of failing as run"]


def test_sql_of_one_owner_cannot_reach_what_is_not_its_own(cluster: Mounted):
    made = cluster(Database(name="modest", sql="CREATE ROLE grabbed SUPERUSER"))
    with pytest.raises(SqlError, match=r"must be superuser|permission denied"):
        made.reconcile()


# --- standby ----------------------------------------------------------------------------------------------------------


def test_a_standby_shows_what_has_been_replicated(cluster: Mounted, server: Postgres, postgres_factory: PostgresFactory):
    """By this a member knows when a new password works everywhere."""
    made = cluster(Database(name="replicated"))
    made.reconcile()
    standby = postgres_factory(standby_of=server, name="postgres-1")
    made.password("replication-password", "a-new-replication-password")
    assert made.reconcile() == ["set password of role standby"]
    declared = made.member.declared()
    psql = type(made.member.psql(declared))(str(standby.bin_dir), str(standby.socket_dir), "postgres")
    until(lambda: scram.matches("a-new-replication-password", databases.stored_verifiers(psql)["standby"]))
    assert stored(standby, "standby") == stored(server, "standby")
