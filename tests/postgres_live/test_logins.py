"""Passwords with logins of their own, on a real server: old, current and next get in, all act as the role, and a retired one does not come back."""

from __future__ import annotations

from pathlib import Path

from sos_constructs.postgres.spec import Database

import psycopg
import pytest

from tests.postgres_live.conftest import Postgres, PostgresFactory
from tests.postgres_live.test_agent import HBA, Cluster

FIRST, SECOND, THIRD, FOURTH = (f"one_20261123{hour}00" for hour in ("10", "11", "12", "13"))


@pytest.fixture(scope="module")
def server(postgres_factory: PostgresFactory) -> Postgres:
    return postgres_factory(hba=HBA)


@pytest.fixture
def made(server: Postgres, tmp_path: Path) -> Cluster:
    server.psql("DROP DATABASE IF EXISTS one")
    for role in server.psql("SELECT rolname FROM pg_roles WHERE rolname LIKE 'one%' ORDER BY rolname DESC").split():
        server.psql(f"DROP ROLE {role}")
    cluster = Cluster(server, tmp_path, (Database(name="one"),))
    cluster.reconcile()
    return cluster


def secret(made: Cluster, **states: tuple[str, str] | None) -> None:
    """State (``current``, ``next``, ``previous``) → user and password; ``None`` takes it away."""
    for state, login in states.items():
        ending = "" if state == "current" else f"-{state}"
        for what, value in zip(("username", "password"), login or (None, None), strict=True):
            path = made.member.credentials_dir / f"one-db-{what}{ending}"
            path.write_text(value) if value else path.unlink(missing_ok=True)


def gets_in(made: Cluster, user: str, password: str) -> bool:
    try:
        made.login(user, password, "one").close()
    except psycopg.OperationalError:
        return False
    return True


def test_a_whole_rotation(made: Cluster):
    old = ("one", made.password("one-db-password"))
    new = (FIRST, "n" * 40)
    secret(made, next=new)
    assert made.reconcile() == [f"create login {FIRST} of role one", f"set password of role {FIRST}"]
    assert made.reconcile() == []
    assert gets_in(made, *old)
    assert gets_in(made, *new)
    secret(made, current=new, previous=old, next=None)
    assert made.reconcile() == [], "the change takes nothing from the server: nobody waits for it"
    with made.login(*old, "one") as still_open:
        secret(made, previous=None)
        assert made.reconcile() == ["take the password from role one"]
        assert made.reconcile() == []
        assert not gets_in(made, *old)
        assert gets_in(made, *new)
        assert still_open.execute("SELECT 1").fetchone() == (1,)


def test_a_dated_login_is_the_role(made: Cluster):
    secret(made, current=(FIRST, "n" * 40))
    made.reconcile()
    with made.login(FIRST, "n" * 40, "one") as connection:
        assert connection.execute("SELECT current_user, session_user").fetchone() == ("one", FIRST)
        connection.execute("CREATE TABLE patients (name text)")
        connection.execute("CREATE SCHEMA extra")
        connection.execute("RESET ALL; RESET ROLE")
        assert connection.execute("SELECT current_user").fetchone() == ("one",), "poolers reset a session between clients"
    assert made.server.psql("SELECT tableowner FROM pg_tables WHERE tablename = 'patients'", "one") == "one"
    assert made.server.psql(f"SELECT rolsuper OR rolcreatedb OR rolcreaterole FROM pg_roles WHERE rolname = '{FIRST}'") == "f"


def test_a_server_made_from_a_rotated_secret(made: Cluster):
    """A restore: the Secret is older than the server. The role itself never gets a password."""
    made.server.psql("DROP DATABASE one; DROP ROLE one")
    secret(made, current=(SECOND, "n" * 40), previous=(FIRST, "p" * 40))
    made.reconcile()
    assert made.reconcile() == []
    assert gets_in(made, SECOND, "n" * 40)
    assert gets_in(made, FIRST, "p" * 40)
    assert made.server.psql("SELECT rolpassword IS NULL FROM pg_authid WHERE rolname = 'one'") == "t"


def test_logins_of_long_ago_go_unless_somebody_is_connected(made: Cluster):
    for name in (FIRST, SECOND, THIRD):
        secret(made, current=(name, "n" * 40))
        made.reconcile()
    with made.login(THIRD, "n" * 40, "one"):
        secret(made, current=(FOURTH, "n" * 40))
        made.reconcile()
        assert made.server.psql("SELECT string_agg(rolname, ' ' ORDER BY rolname) FROM pg_roles WHERE rolname LIKE 'one\\_%'") == f"{SECOND} {THIRD} {FOURTH}"
    assert made.reconcile() == []


def test_logins_that_are_not_ours_stay(made: Cluster):
    made.server.psql("CREATE ROLE one_report LOGIN PASSWORD 'x'; CREATE ROLE one_1234 LOGIN PASSWORD 'x'")
    secret(made, next=(FIRST, "n" * 40))
    made.reconcile()
    assert made.server.psql("SELECT count(*) FROM pg_authid WHERE rolname IN ('one_report', 'one_1234') AND rolpassword IS NOT NULL") == "2"


@pytest.mark.parametrize("name", ["somebody", "one_", "one_2026", f"{FIRST}; DROP ROLE auth", "one_report"])
def test_another_name_is_refused_and_nothing_done(made: Cluster, name: str):
    secret(made, next=(name.replace(" ", "_"), "n" * 40))
    with pytest.raises(Exception, match="Secret key one-db-username-next: differs from the declared role 'one'"):
        made.reconcile()
    assert made.server.psql("SELECT count(*) FROM pg_roles WHERE rolname LIKE 'one\\_%'") == "0"


def test_half_a_pair_is_not_there_yet(made: Cluster):
    secret(made, next=(FIRST, "n" * 40))
    (made.member.credentials_dir / "one-db-password-next").unlink()
    assert made.reconcile() == []
