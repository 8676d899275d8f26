"""Further roles on a real server: they may do what is declared and nothing else, and lose it when it is no longer declared."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sos_constructs.postgres import configmaps
from sos_constructs.postgres.agent.psql import SqlError
from sos_constructs.postgres.roles import Role
from sos_constructs.postgres.spec import Database

import psycopg
import pytest

from tests.postgres.example import spec
from tests.postgres.mounted import mount_config
from tests.postgres_live.conftest import Postgres, PostgresFactory
from tests.postgres_live.test_agent import HBA, Cluster

SHOP = Database(name="shop", owner="shop_app")
STOCK = Database(name="stock")
REPORT = Role("report", login=True, read_only=["shop"])
DATED = "report_202611231000"

Declared = Callable[..., Cluster]


@pytest.fixture(scope="module")
def server(postgres_factory: PostgresFactory) -> Postgres:
    return postgres_factory(hba=HBA)


@pytest.fixture
def declared(server: Postgres, tmp_path: Path) -> Iterator[Declared]:
    """A server with the databases shop and stock, and the roles that are given."""
    made: list[Cluster] = []

    def declare(*roles: Role, databases: tuple[Database, ...] = (SHOP, STOCK)) -> Cluster:
        made.append(Cluster(server, tmp_path, databases, roles))
        made[0].reconcile()
        return made[0]

    yield declare
    for database in ("shop", "stock"):
        server.psql(f"DROP DATABASE IF EXISTS {database}")
    server.psql("DROP SCHEMA IF EXISTS sos_agent CASCADE")
    for role in server.psql("SELECT rolname FROM pg_roles WHERE rolname !~ '^pg_' AND rolname <> 'postgres' ORDER BY length(rolname) DESC").split():
        server.psql(f'DROP OWNED BY "{role}"; DROP ROLE "{role}"')


def change(cluster: Cluster, *roles: Role) -> list[str]:
    """Declare other roles, as another ``kubectl apply`` would, and let the agent act."""
    folder = cluster.member.config_dir.parent
    for role in roles:
        for key, value in ((role.username_key, role.name), (role.password_key, f"canary-{role.password_key}-0123456789")):
            if role.login and not (folder / "credentials" / key).exists():
                (folder / "credentials" / key).write_text(value)
    patroni = (folder / "config" / "patroni.json").read_text()
    mount_config(folder, spec(databases=(SHOP, STOCK), roles=roles))
    (folder / "config" / "patroni.json").write_text(patroni)
    return cluster.reconcile()


def owner(cluster: Cluster, sql: str) -> None:
    with cluster.login("shop_app", cluster.password("shop-db-password"), "shop") as connection:
        connection.execute(sql.encode())


def asked(cluster: Cluster, sql: str, *, database: str = "shop", user: str = "report", role: str = "report") -> list[tuple[Any, ...]]:
    with cluster.login(user, cluster.password(f"{role}-role-password"), database) as connection:
        found = connection.execute(sql.encode())
        return found.fetchall() if found.description else []


def gets_in(cluster: Cluster, user: str, password: str, database: str = "shop") -> bool:
    try:
        cluster.login(user, password, database).close()
    except psycopg.OperationalError:
        return False
    return True


def test_a_reader_reads_what_the_owner_has_and_what_it_makes_later(declared: Declared):
    made = declared()
    owner(made, "CREATE TABLE before (n int); INSERT INTO before VALUES (1); CREATE SEQUENCE counted; CREATE VIEW seen AS SELECT n FROM before")
    owner(made, 'CREATE SCHEMA "its own"; CREATE TABLE "its own"."a""b" (n int)')
    done = change(made, REPORT)
    assert done[:2] == ["create role report", "let report connect to database shop"]
    assert done[2].startswith("let report read database shop: ")
    assert change(made, REPORT) == []
    owner(made, "CREATE TABLE later (n int); INSERT INTO later VALUES (2); CREATE SCHEMA late; CREATE TABLE late.too (n int); INSERT INTO late.too VALUES (3)")
    assert asked(made, "SELECT n FROM before UNION ALL SELECT n FROM seen UNION ALL SELECT n FROM later UNION ALL SELECT n FROM late.too") == [
        (1,),
        (1,),
        (2,),
        (3,),
    ]
    assert asked(made, 'SELECT n FROM "its own"."a""b"') == []
    assert change(made, REPORT) == [], "default privileges have done it at once"


def test_a_reader_writes_nothing(declared: Declared):
    made = declared(REPORT)
    owner(made, "CREATE TABLE orders (n int)")
    for sql in (
        "INSERT INTO orders VALUES (1)",
        "UPDATE orders SET n = 2",
        "DELETE FROM orders",
        "TRUNCATE orders",
        "DROP TABLE orders",
        "CREATE TABLE mine (n int)",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            asked(made, sql)
    assert not gets_in(made, "report", made.password("report-role-password"), "stock")


def test_what_is_not_the_owners_is_not_read(declared: Declared):
    made = declared(REPORT)
    made.server.psql("CREATE TABLE of_the_superuser (n int)", "shop")
    assert made.reconcile() == []
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        asked(made, "SELECT * FROM of_the_superuser")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        asked(made, "SELECT rolpassword FROM pg_authid")


def test_an_owner_cannot_have_its_own_code_run_by_the_superuser(declared: Declared):
    """Functions and operators of the owner stand in the way of those that the agent's queries use."""
    made = declared()
    trap = "CREATE FUNCTION public.{0} RETURNS {1} LANGUAGE plpgsql AS $$ BEGIN ALTER ROLE shop_app SUPERUSER; RETURN {2}; END $$"
    owner(made, trap.format("format(text, name, name)", "text", "'SELECT 1'") + ";" + trap.format("has_table_privilege(oid, oid, text)", "boolean", "false"))
    owner(made, "CREATE FUNCTION public.differs(name, text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN ALTER ROLE shop_app SUPERUSER; RETURN true; END $$")
    owner(made, "CREATE OPERATOR public.!~ (LEFTARG = name, RIGHTARG = text, FUNCTION = public.differs)")
    owner(made, "ALTER DATABASE shop SET search_path = public, pg_catalog")
    owner(made, 'CREATE TABLE "x; ALTER ROLE shop_app SUPERUSER; --" (n int); CREATE TABLE "\\! touch /tmp/x\n\\q" (n int)')
    change(made, REPORT)
    assert asked(made, 'SELECT * FROM "x; ALTER ROLE shop_app SUPERUSER; --"') == []
    assert made.server.psql("SELECT rolsuper FROM pg_roles WHERE rolname = 'shop_app'") == "f"


def test_members_of_a_group_have_its_rights_at_once_or_when_they_ask(declared: Declared):
    made = declared(
        Role("readers", read_only=["shop"]), Role("anna", login=True, member_of=["readers"]), Role("bert", login=True, member_of=["readers"], inherit=False)
    )
    owner(made, "CREATE TABLE orders (n int); INSERT INTO orders VALUES (1)")
    assert asked(made, "SELECT n FROM orders", user="anna", role="anna") == [(1,)]
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        asked(made, "SELECT n FROM orders", user="bert", role="bert")
    with made.login("bert", made.password("bert-role-password"), "shop") as connection:
        connection.execute("SET ROLE readers")
        assert connection.execute("SELECT n FROM orders").fetchall() == [(1,)]
    assert made.server.psql("SELECT rolcanlogin FROM pg_roles WHERE rolname = 'readers'") == "f"


def test_a_second_user_with_the_owners_rights(declared: Declared):
    made = declared(Role("admin", login=True, member_of=["shop_app"]))
    owner(made, "CREATE TABLE orders (n int)")
    assert asked(made, "INSERT INTO orders VALUES (1) RETURNING n", user="admin", role="admin") == [(1,)]


def test_owners_grant_what_they_like_to_roles_that_may_connect(declared: Declared):
    sql = "CREATE TABLE IF NOT EXISTS inbox (n int); GRANT INSERT ON inbox TO importer"
    made = declared(Role("importer", login=True, connect=["shop"]), databases=(Database(name="shop", owner="shop_app", sql=sql), STOCK))
    asked(made, "INSERT INTO inbox VALUES (1)", user="importer", role="importer")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        asked(made, "SELECT * FROM inbox", user="importer", role="importer")
    assert made.reconcile() == [], "the agent takes back what it granted itself, and nothing else"


def test_attributes_are_kept_and_none_is_more_than_declared(declared: Declared):
    until = datetime(2031, 5, 6, 7, 8, 9, tzinfo=UTC)
    role = Role("report", login=True, read_only=["shop"], connection_limit=1, valid_until=until, bypassrls=True, inherit=False)
    made = declared(role)
    assert made.reconcile() == []
    has = "SELECT rolconnlimit, rolvaliduntil AT TIME ZONE 'UTC', rolbypassrls, rolinherit, rolsuper, rolcreatedb FROM pg_roles WHERE rolname = 'report'"
    assert made.server.psql(has) == "1|2031-05-06 07:08:09|t|f|f|f"
    made.server.psql("ALTER ROLE report SUPERUSER CREATEDB NOBYPASSRLS")
    assert made.reconcile() == ["change role report"]
    assert made.server.psql(has) == "1|2031-05-06 07:08:09|t|f|f|f"
    with made.login("report", made.password("report-role-password"), "shop"):
        assert not gets_in(made, "report", made.password("report-role-password")), "one connection"
    assert change(made, REPORT) == ["change role report"]
    assert made.server.psql(has) == "-1|infinity|f|t|f|f"


def test_a_role_that_was_there_before_is_taken_over(declared: Declared):
    made = declared()
    made.server.psql("CREATE ROLE report LOGIN PASSWORD 'by-hand'")
    assert change(made, REPORT)[0] == "set password of role report"
    assert gets_in(made, "report", made.password("report-role-password"))
    assert change(made)[-1] == "let report no longer read database shop"
    assert not gets_in(made, "report", made.password("report-role-password"))


def test_a_rotation_of_one_role_turns_nobody_away(declared: Declared):
    limited = Role("report", login=True, read_only=["shop"], connection_limit=3)
    made = declared(limited, Role("other", login=True, read_only=["shop"]))
    owner(made, "CREATE TABLE orders (n int)")
    folder, old = made.member.credentials_dir, made.password("report-role-password")
    before = made.server.psql("SELECT rolpassword FROM pg_authid WHERE rolname = 'other'")
    (folder / "report-role-username-next").write_text(DATED)
    (folder / "report-role-password-next").write_text("n" * 40)
    assert made.reconcile() == [f"create login {DATED} of role report", f"set password of role {DATED}", f"limit login {DATED} as its role"]
    assert made.reconcile() == []
    assert gets_in(made, "report", old)
    with made.login(DATED, "n" * 40, "shop") as connection:
        assert connection.execute("SELECT current_user").fetchone() == ("report",)
        connection.execute("SELECT * FROM orders")
    for what, new in (("username", DATED), ("password", "n" * 40)):
        (folder / f"report-role-{what}-next").unlink()
        (folder / f"report-role-{what}").write_text(new)
    assert made.reconcile() == ["take the password from role report"]
    assert not gets_in(made, "report", old)
    assert gets_in(made, DATED, "n" * 40)
    assert made.server.psql("SELECT rolpassword FROM pg_authid WHERE rolname = 'other'") == before
    assert made.server.psql(f"SELECT rolconnlimit FROM pg_roles WHERE rolname = '{DATED}'") == "3"


def test_what_is_no_longer_declared_is_taken_back_and_nothing_else(declared: Declared):
    group, report = Role("readers"), Role("report", login=True, read_only=["shop", "stock"], member_of=["readers"])
    made = declared(group, report)
    owner(made, "CREATE TABLE orders (n int); GRANT INSERT ON orders TO report")
    made.server.psql("CREATE ROLE by_hand; GRANT by_hand TO report; GRANT CONNECT ON DATABASE stock TO by_hand")
    done = change(made, group, Role("report", login=True, read_only=["stock"]))
    assert done == ["take role report out of readers", "let report no longer connect to database shop", "let report no longer read database shop"]
    assert not gets_in(made, "report", made.password("report-role-password"))
    assert gets_in(made, "report", made.password("report-role-password"), "stock")
    assert made.server.psql("SELECT has_table_privilege('report', 'orders', 'SELECT'), has_table_privilege('report', 'orders', 'INSERT')", "shop") == "f|t"
    assert made.server.psql("SELECT count(*) FROM pg_default_acl", "shop") == "0"
    assert made.server.psql("SELECT pg_has_role('report', 'by_hand', 'MEMBER')") == "t", "that was granted by hand"
    assert change(made, group, Role("report", login=True, read_only=["stock"])) == []


def test_a_role_that_is_no_longer_declared_stays_without_a_login(declared: Declared):
    made = declared(REPORT)
    made.server.psql("GRANT CREATE ON SCHEMA public TO report", "shop")
    asked(made, "CREATE TABLE mine (n int)")
    (made.member.credentials_dir / "report-role-username-next").write_text(DATED)
    (made.member.credentials_dir / "report-role-password-next").write_text("n" * 40)
    made.reconcile()
    assert change(made)[:2] == [f"take the password from role {DATED}", "retire role report, which is no longer declared"]
    assert change(made) == []
    assert not gets_in(made, "report", made.password("report-role-password"))
    assert not gets_in(made, DATED, "n" * 40)
    assert made.server.psql("SELECT tableowner FROM pg_tables WHERE tablename = 'mine'", "shop") == "report", "nothing is dropped"
    assert change(made, REPORT)[0] == "change role report"
    assert gets_in(made, "report", made.password("report-role-password"))


def test_a_role_that_becomes_an_owner_goes_on_logging_in(declared: Declared):
    made = declared(Role("stock_app", login=True, read_only=["shop"]))
    folder = made.member.config_dir.parent
    (made.member.credentials_dir / "stock-db-username").write_text("stock_app")
    databases = configmaps._json(configmaps.declared(spec(databases=(SHOP, Database(name="stock", owner="stock_app")))))
    (folder / "config" / "databases.json").write_text(databases)
    made.reconcile()
    assert made.reconcile() == []
    assert gets_in(made, "stock_app", made.password("stock-db-password"), "stock")
    assert not gets_in(made, "stock_app", made.password("stock-db-password"), "shop")


def test_what_fails_of_one_role_keeps_no_other_from_its_own(declared: Declared):
    made = declared()
    (made.member.credentials_dir / "other-role-password").write_text("o" * 40)
    (made.member.credentials_dir / "other-role-username").write_text("other")
    (made.member.credentials_dir / REPORT.username_key).write_text("somebody")
    with pytest.raises(SqlError, match=r"^role report: Secret key report-role-username: differs from the declared role 'report'; change one of the two$"):
        change(made, Role("report", login=True, read_only=["shop"]), Role("other", login=True, read_only=["shop"]))
    assert gets_in(made, "other", "o" * 40)
