"""An owner who prepares its database for the superuser's visit gains nothing by it, and keeps nothing from being done.

Each statement of the agent runs in the prepared database, also those that run elsewhere in a pod.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

from sos_constructs.postgres.agent import closing, databases, fast_cut, fence, handover, pooler_role, pooler_watch, reconcile, standbys
from sos_constructs.postgres.agent import psql as agent_psql
from sos_constructs.postgres.agent.psql import Psql, SqlError
from sos_constructs.postgres.pooler.ini import LOOKUP, ONLY_PRIMARY
from sos_constructs.postgres.spec import Database

import pytest

from tests.postgres_live.conftest import Postgres, PostgresFactory
from tests.postgres_live.test_agent import HBA, Cluster

OWNER = "tenant"

#: What an attack wants to reach, done by whoever runs it.
GAIN = "INSERT INTO evil.caught SELECT session_user, current_user"

FUNCTIONS = (
    ("btrim", "text"),
    ("has_schema_privilege", "name, oid, text"),
    ("has_function_privilege", "name, oid, text"),
    ("has_database_privilege", "name, oid, text"),
    ("pg_get_userbyid", "oid"),
    ("to_regclass", "text"),
    ("now", ""),
    ("pg_is_in_recovery", ""),
    ("pg_reload_conf", ""),
    ("pg_terminate_backend", "integer"),
    ("pg_sleep", "double precision"),
    ("pg_backend_pid", ""),
    ("clock_timestamp", ""),
    ("left", "text, integer"),
)
SETTINGS = (
    "search_path = evil, pg_catalog, public",
    f"role = '{OWNER}'",
    f"session_authorization = '{OWNER}'",
    "client_encoding = 'SJIS'",
    "standard_conforming_strings = off",
    "transform_null_equals = on",
    "default_transaction_read_only = on",
    "default_transaction_isolation = 'serializable'",
    "default_transaction_deferrable = on",
    "statement_timeout = 1",
    "lock_timeout = 1",
    "idle_session_timeout = 1",
    "row_security = off",
    "check_function_bodies = off",
    "default_tablespace = 'nowhere'",
    "exit_on_error = on",
    "client_min_messages = error",
    "debug_print_parse = on",
)


def attack() -> Iterator[str]:
    """What an owner can do in its own database; the superuser's rights are in none of it."""
    yield "CREATE SCHEMA evil; GRANT ALL ON SCHEMA evil TO PUBLIC"
    yield "CREATE TABLE evil.caught (session name, current name); GRANT ALL ON evil.caught TO PUBLIC"
    for name, arguments in FUNCTIONS:
        returns = {"btrim": "text", "left": "text", "to_regclass": "oid", "pg_get_userbyid": "name"}.get(name, "boolean")
        yield f'CREATE FUNCTION evil."{name}"({arguments}) RETURNS {returns} LANGUAGE plpgsql AS $$ BEGIN {GAIN}; RETURN NULL; END $$'
    for left, right in (("text", "text"), ("name", "name"), ("oid", "oid"), ("name", "text"), ("text", "name"), ("bool", "bool")):
        made = f"evil.eq_{left}_{right}"
        yield f"CREATE FUNCTION {made}({left}, {right}) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN {GAIN}; RETURN true; END $$"
        for operator in ("=", "<>", "~", "<="):
            yield f"CREATE OPERATOR evil.{operator} (LEFTARG = {left}, RIGHTARG = {right}, FUNCTION = {made})"
    for relation in ("pg_extension", "pg_proc", "pg_namespace", "pg_roles", "pg_database", "pg_authid", "pg_class", "pg_stat_activity"):
        yield f"CREATE VIEW evil.{relation} AS SELECT evil.now()"
    yield "CREATE TYPE evil.name AS (a text); CREATE TYPE evil.text AS (a integer); CREATE DOMAIN evil.bool AS integer"
    yield "CREATE CAST (evil.text AS evil.name) WITH INOUT AS IMPLICIT"
    yield "ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO PUBLIC; ALTER DEFAULT PRIVILEGES GRANT ALL ON FUNCTIONS TO PUBLIC"
    yield "CREATE SCHEMA postgres; CREATE SCHEMA sos_agent; CREATE TABLE sos_agent.bait (a int)"
    yield f"CREATE FUNCTION evil.lookup(name) RETURNS record LANGUAGE plpgsql AS $$ BEGIN {GAIN}; RETURN NULL; END $$"
    yield "CREATE RULE bait AS ON INSERT TO sos_agent.bait DO ALSO SELECT evil.now()"
    yield f"CREATE SCHEMA sos_pooler; CREATE FUNCTION sos_pooler.lookup(name) RETURNS record LANGUAGE plpgsql AS $$ BEGIN {GAIN}; RETURN NULL; END $$"
    yield "CREATE VIEW evil.depends AS SELECT 1 AS one FROM sos_agent.bait"
    for setting in SETTINGS:
        yield f"ALTER DATABASE {OWNER} SET {setting}"


#: The connection's own options against the settings that would end a session of these tests before it is done.
ALIVE = "-c default_transaction_read_only=off -c statement_timeout=0 -c lock_timeout=0 -c idle_session_timeout=0"
AS_SUPERUSER = f"dbname={OWNER} options='{ALIVE} -c role=none -c session_authorization=postgres'"


class Inside(Psql):
    """Every statement runs in the prepared database."""

    def query(self, sql: str, database: str = "postgres") -> list[list[str]]:
        del database
        return super().query(sql, OWNER)


@pytest.fixture(scope="module")
def server(postgres_factory: PostgresFactory) -> Postgres:
    return postgres_factory(hba=HBA.replace("local all all", "local all pgbouncer trust\nlocal all all"), shared_preload_libraries="pg_stat_statements")


@pytest.fixture
def hostile(server: Postgres, tmp_path: Path) -> Iterator[Cluster]:
    cluster = Cluster(server, tmp_path, (Database(name=OWNER, extensions=("citext", "plpgsql")),))
    server.psql(f"CREATE ROLE {OWNER} LOGIN")
    server.psql(f"CREATE DATABASE {OWNER} OWNER {OWNER}")
    for sql in attack():
        server.psql(
            f"SET ROLE {OWNER}; SET search_path = pg_catalog; SET default_transaction_read_only = off; {sql}", "postgres" if "ALTER DATABASE" in sql else OWNER
        )
    yield cluster
    server.psql(f"DROP DATABASE {OWNER} (FORCE)")
    server.psql("DROP SCHEMA IF EXISTS sos_agent CASCADE")
    for role in (OWNER, "pgbouncer"):
        server.psql(f"DROP ROLE IF EXISTS {role}")


def inside(cluster: Cluster) -> Inside:
    psql = cluster.member.psql(cluster.member.declared())
    return Inside(psql.bin_dir, str(cluster.server.socket_dir), psql.user)


def caught(server: Postgres) -> str:
    return server.psql("SET search_path = pg_catalog; SELECT session, current FROM evil.caught", AS_SUPERUSER)


def supers(server: Postgres) -> str:
    return server.psql("SELECT rolname FROM pg_roles WHERE rolsuper OR rolcreaterole OR rolbypassrls")


def test_the_attack_works_on_whoever_does_not_guard_against_it(hostile: Cluster):
    """Else the others would show nothing."""
    hostile.server.psql("SELECT now()", AS_SUPERUSER)
    assert caught(hostile.server) == "postgres|postgres"


def test_nothing_of_the_superuser_runs_the_owners_code(hostile: Cluster):
    psql = inside(hostile)
    declared = hostile.member.declared()
    list(databases.reconcile(declared, psql))
    for action in _pooler(hostile):
        psql.query(action.sql)
    standbys.standbys(psql)
    reconcile.report_broken_settings(psql)
    for sql in (fence.RELOAD, fence.END, fence.ON_NEWEST_TIMELINE, closing.STANDBY, closing.TURN_OUT, fast_cut.PATH, fast_cut.RECEIVERS, fast_cut.SOURCE):
        psql.query(sql)
    fast_cut.promoted(psql)
    fast_cut.receives(psql, 1.0)
    psql.query(f"SET statement_timeout = '{handover.CHECKPOINT_SECONDS}s'; CHECKPOINT")
    assert caught(hostile.server) == ""
    assert supers(hostile.server) == "postgres"
    assert list(databases.reconcile(declared, psql)) == [], "all of it was done, in spite of the settings"
    assert list(_pooler(hostile)) == []


def test_what_is_walked_above_is_all_that_asks():
    """A module that asks the server for something new is walked, too."""
    folder = Path(agent_psql.__file__).parent
    asking = {path.stem for path in folder.glob("*.py") if re.search(r"\.query\(", path.read_text())}
    assert asking == {"again", "closing", "databases", "fast_cut", "fence", "handover", "logins", "owner_sql", "pooler_role", "reconcile", "roles", "standbys"}


def test_the_extension_lies_where_everybody_looks_for_it(hostile: Cluster):
    list(databases.reconcile(hostile.member.declared(), inside(hostile)))
    sql = "SET search_path = pg_catalog; SELECT nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = extnamespace WHERE extname = 'citext'"
    assert hostile.server.psql(sql, AS_SUPERUSER) == "public"


def _pooler(hostile: Cluster) -> Iterator[databases.Action]:
    path = hostile.member.config_dir / "databases.json"
    pooler = {"name": "pgbouncer", "password_key": "pooler-password", "username_key": "pooler-username"}
    path.write_text(json.dumps(json.loads(path.read_text()) | {"pooler": pooler}))
    hostile.password("pooler-username", "pgbouncer")
    hostile.password("pooler-password", "p" * 32)
    return pooler_role.actions(hostile.member.declared(), inside(hostile), lambda differs: differs)


def test_the_role_that_looks_passwords_up_runs_nothing_of_the_owners(hostile: Cluster):
    """It could change its own password, and read everybody's verifier with it."""
    psql = inside(hostile)
    list(databases.reconcile(hostile.member.declared(), psql))
    for action in _pooler(hostile):
        psql.query(action.sql)
    said = [
        hostile.server.psql(sql, f"dbname={OWNER} options='{ALIVE}'", user="pgbouncer")
        for sql in (ONLY_PRIMARY, pooler_watch.QUESTION, LOOKUP.replace("$1", f"'{OWNER}'"))
    ]
    assert said[:2] == ["", "f"]
    assert said[2].startswith(f"{OWNER}|SCRAM-SHA-256$")
    assert caught(hostile.server) == ""


@pytest.mark.parametrize("name", ['a"b', "a'b", "a b", "a\\b", "a\nb\n", "ä\u2028ö", "$$;DROP", ":name", "-c role"])
def test_names_of_any_characters_are_read_and_left_alone(name: str, server: Postgres, tmp_path: Path):
    """Of databases and roles that somebody made by hand."""
    quoted = agent_psql.identifier(name)
    server.psql(f"CREATE ROLE {quoted} LOGIN PASSWORD 'x'")
    server.psql(f"CREATE DATABASE {quoted} OWNER {quoted}")
    try:
        cluster = Cluster(server, tmp_path, (Database(name="plain"),))
        cluster.reconcile()
        assert cluster.reconcile() == []
        psql = cluster.member.psql(cluster.member.declared())
        psql = Psql(psql.bin_dir, str(server.socket_dir), psql.user)
        assert name in databases.stored_verifiers(psql)
        assert psql.query(f"SELECT {agent_psql.literal(name)}") == [[name]]
        assert psql.query(f"SELECT 1 AS {quoted}", name) == [["1"]]
    finally:
        server.psql(f"DROP DATABASE {quoted}")
        server.psql(f"DROP ROLE {quoted}")


def test_only_superusers_make_event_triggers(hostile: Cluster):
    with pytest.raises(RuntimeError, match="permission denied to create event trigger"):
        hostile.server.psql(
            f"SET ROLE {OWNER}; CREATE FUNCTION public.hook() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN END $$;"
            " CREATE EVENT TRIGGER hook ON ddl_command_end EXECUTE FUNCTION public.hook()",
            AS_SUPERUSER,
        )


def test_the_superusers_session_is_the_superusers(hostile: Cluster):
    assert inside(hostile).query("SELECT session_user, current_user, pg_catalog.current_setting('search_path')") == [
        ["postgres", "postgres", "pg_catalog,pg_temp"]
    ]
    with pytest.raises(SqlError, match="does not exist"):
        inside(hostile).query("SELECT nothing_of_that_name")
