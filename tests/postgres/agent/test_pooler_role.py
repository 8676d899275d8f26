"""The pooler's role and function on the primary: which difference leads to which statement. A real server runs them in tests/postgres_live."""

from __future__ import annotations

from sos_constructs.postgres.agent import scram
from sos_constructs.postgres.agent.files import DeclaredError
from sos_constructs.postgres.agent.patroni_api import Status
from sos_constructs.postgres.agent.pooler_role import HOLD, PoolerRole
from sos_constructs.postgres.agent.reconcile import NotYet

import pytest

from tests.postgres.agent.conftest import Pod

PASSWORD = "pooler-canary-0123456789"
DATABASES = ("auth", "users", "emergency", "medical", "devices")
PRIMARY = Status(role="primary", running=True, streaming=False)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def step(pod: Pod, clock: Clock) -> PoolerRole:
    """With everything as declared."""
    pod.set_config("databases.json", pooler={"name": "pgbouncer", "password_key": "pooler-password", "username_key": "pooler-username"})
    pod.set_password("pooler-username", "pgbouncer")
    pod.set_password("pooler-password", PASSWORD)
    pod.psql.answer("datname FROM pg_catalog.pg_database", *((name,) for name in DATABASES))
    pod.psql.answer("pg_catalog.pg_proc", ("1",))
    pod.psql.answer("rolpassword", ("pgbouncer", scram.verifier(PASSWORD, b"salt", 1)))
    return PoolerRole(clock)


def test_nothing_to_do(pod: Pod, step: PoolerRole):
    step(pod.member, PRIMARY)
    assert pod.psql.changes() == []


def test_without_a_pooler_or_on_a_standby_nothing_is_asked(pod: Pod, step: PoolerRole):
    step(pod.member, Status(role="replica", running=True, streaming=True))
    pod.set_config("databases.json", pooler=None)
    step(pod.member, PRIMARY)
    assert pod.psql.asked() == []


def test_a_new_pooler_gets_its_role_and_functions_at_once(pod: Pod, step: PoolerRole, capsys: pytest.CaptureFixture[str]):
    pod.psql.answer("rolpassword", ("postgres", ""))
    pod.psql.answer("pg_catalog.pg_proc")
    pod.psql.answer("has_database_privilege('pgbouncer', oid")
    step(pod.member, PRIMARY)
    changes = pod.psql.changes()
    assert changes[0].startswith('CREATE ROLE "pgbouncer" LOGIN PASSWORD ')
    assert changes[1:3] == [changes[1], 'GRANT CONNECT ON DATABASE "auth" TO "pgbouncer"'], "nobody comes in before the function is the agent's"
    assert [each for each in changes if "SECURITY DEFINER" in each] == changes[1::2]
    assert len(changes) == 1 + 2 * len(DATABASES)
    for each in changes[1::2]:
        assert each.startswith("BEGIN;")
        assert "REVOKE ALL ON FUNCTION" in each
        assert each.endswith("COMMIT")
    assert "canary" not in str(pod.psql.asked()) + capsys.readouterr().out


def test_the_function_waits_for_its_database(pod: Pod, step: PoolerRole):
    pod.psql.answer("datname FROM pg_catalog.pg_database", ("auth",))
    pod.psql.answer("pg_catalog.pg_proc")
    step(pod.member, PRIMARY)
    assert len(pod.psql.changes()) == 1


def test_a_new_password_waits_until_every_pooler_can_have_it(pod: Pod, step: PoolerRole, clock: Clock):
    pod.set_password("pooler-password", "another-canary")
    for _ in range(2):
        with pytest.raises(NotYet, match="waits until every pooler can have it"):
            step(pod.member, PRIMARY)
    assert pod.psql.changes() == []
    clock.now += HOLD
    step(pod.member, PRIMARY)
    (change,) = pod.psql.changes()
    assert change.startswith('ALTER ROLE "pgbouncer" PASSWORD ')
    pod.psql.answer("rolpassword", ("pgbouncer", scram.verifier("another-canary", b"salt", 1)))
    step(pod.member, PRIMARY)
    assert len(pod.psql.changes()) == 1


def test_a_password_that_came_back_is_forgotten(pod: Pod, step: PoolerRole, clock: Clock):
    pod.set_password("pooler-password", "another-canary")
    with pytest.raises(NotYet):
        step(pod.member, PRIMARY)
    pod.set_password("pooler-password", PASSWORD)
    step(pod.member, PRIMARY)
    clock.now += HOLD
    pod.set_password("pooler-password", "a-third-canary")
    with pytest.raises(NotYet):
        step(pod.member, PRIMARY)


def test_a_secret_of_yesterday_is_told_by_its_key(pod: Pod, step: PoolerRole):
    (pod.member.credentials_dir / "pooler-password").unlink()
    with pytest.raises(DeclaredError, match=r"^Secret key pooler-password: is missing"):
        step(pod.member, PRIMARY)
    assert pod.psql.changes() == []
