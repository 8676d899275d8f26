"""What a pooler may not be, and that its pools fit into the server's connections."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sos_constructs import HaPostgres, Pooler, PoolerImage, SosConfig, SosSecrets
from sos_constructs.errors import InvalidOption
from sos_constructs.postgres.spec import Database, PatroniTiming
from sos_constructs.secrets.handles import SecretHandle

import cdk8s
import pytest

from tests.postgres.example import spec
from tests.postgres.pooler.example import KEYS, pooled


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"replicas": 1}, "pooler.replicas=1 must be a whole number from 2 to 100"),
        ({"replicas": True}, "pooler.replicas=True must be"),
        ({"pool_size": 0}, "pooler.pool_size=0 must be"),
        ({"max_clients": 9}, "pooler.max_clients=9 must be"),
        ({"direct_connections": -1}, "pooler.direct_connections=-1 must be"),
        ({"pool_mode": "statement"}, "pooler.pool_mode='statement' must be 'transaction' or 'session'"),
        ({"readonly": "yes"}, "pooler.readonly='yes' must be True or False"),
        ({"query_wait_timeout": 30}, "pooler.query_wait_timeout='30' must be a timedelta"),
        ({"query_wait_timeout": timedelta(milliseconds=1500)}, "pooler.query_wait_timeout='0:00:01.500000' must be a timedelta of whole seconds"),
        ({"image": "pgbouncer:1"}, "pooler.image='pgbouncer:1' must be made with PoolerImage"),
        ({"image": PoolerImage(image="a b", uid=1, gid=1)}, "pooler.image.image='a b' must be a reference"),
        ({"image": PoolerImage(image="a", uid=0, gid=1)}, "pooler.image.uid=0 must be a numeric id above 0"),
        ({"memory_request": "1Gi"}, "pooler.memory_request='1Gi' must not exceed memory_limit='128Mi'"),
        ({"cpu_limit": "one"}, "pooler.cpu_limit='one' must be a positive Kubernetes quantity"),
    ],
)
def test_what_cannot_work(options: dict[str, Any], complaint: str):
    with pytest.raises(InvalidOption) as raised:
        pooled(Pooler(**options)).check()
    assert str(raised.value).startswith(complaint)


def test_not_a_pooler():
    with pytest.raises(InvalidOption, match=r"pooler=True must be made with Pooler\(…\), or None for none"):
        pooled(True).check()


def test_the_longest_service_is_a_dns_label():
    pooled(name="a" * 39).check()
    with pytest.raises(InvalidOption, match=r"name='a{40}'"):
        pooled(name="a" * 40).check()


def test_the_secret_needs_two_keys_more_only_with_a_pooler():
    """An installation of yesterday without them goes on as it is."""
    spec().check()
    with pytest.raises(InvalidOption, match=r"credentials='postgres-credentials' lacks the keys pooler-password, which pooler=Pooler\(…\) needs"):
        pooled(credentials=SecretHandle("postgres-credentials", {**spec().credentials.keys, "pooler-username": "X"})).check()


def test_its_role_owns_no_database():
    keys = {**spec().credentials.keys, **KEYS, "x-db-username": "A", "x-db-password": "B"}
    databases = (Database(name="x", owner="pgbouncer"),)
    with pytest.raises(InvalidOption, match="databases='pgbouncer' is the pooler's own role"):
        pooled(credentials=SecretHandle("s", keys), databases=databases).check()
    spec(credentials=SecretHandle("s", keys), databases=databases).check()  # without a pooler it is a name as any other


def test_without_a_database_there_is_nothing_to_pool():
    with pytest.raises(InvalidOption, match="needs at least one database"):
        pooled(databases=()).check()


# --- connections ------------------------------------------------------------------------------------------------------


def test_the_most_that_one_server_may_see():
    """Three pods while they roll, five databases, both sides, four of the pool and one to look up passwords; and one of each pod's agent."""
    assert Pooler().server_connections(pooled()) == 3 * (5 * 2 * (4 + 1) + 1) == 153
    assert Pooler(readonly=False, replicas=3, pool_size=10).server_connections(pooled()) == 4 * (5 * 11 + 1)


def test_pools_must_fit():
    pooled(Pooler(direct_connections=42)).check()  # 153 + 42 = 195, all that max_connections=200 leaves
    with pytest.raises(InvalidOption) as raised:
        pooled(Pooler(direct_connections=43)).check()
    assert str(raised.value) == (
        "pooler.pool_size=4 does not fit: 2 replicas and 1 while they roll, 5 databases on primary and replicas make up to 153 connections of one server,"
        " and direct_connections=43 are kept; it has 195 (max_connections less those for superusers)."
        " Lower pool_size, replicas or direct_connections, or raise parameters['max_connections']"
    )
    pooled(Pooler(direct_connections=43), parameters={"max_connections": 201}).check()


def build(**options: Any) -> tuple[cdk8s.Chart, HaPostgres]:
    chart = cdk8s.Chart(cdk8s.Testing.app(), "sos-app", namespace="sos-app")
    return chart, HaPostgres(chart, "postgres", credentials=SosSecrets(chart, "secrets").postgres, **options)


def test_the_error_names_the_construct():
    with pytest.raises(ValueError, match=r"^sos-app/postgres: pooler.pool_size=9 does not fit"):
        build(pooler=Pooler(pool_size=9))


def test_direct_services_and_the_pooler_share_the_server():
    """15 processes with 10 connections each, the catalogue's default, beside the pooler's 153."""
    chart, db = build(pooler=Pooler())
    assert db.client_connections == 195 - 153
    with pytest.raises(ValueError, match=r"POSTGRES_SERVER_CONNECTIONS=42.*150.*SosConfig\(postgres=db.pooled\)"):
        SosConfig(chart, "config", postgres=db)
    chart, db = build(pooler=Pooler(), parameters={"max_connections": 308})
    assert SosConfig(chart, "config", postgres=db).value("POSTGRES_SERVER_CONNECTIONS") == 150


def test_services_behind_the_pooler_have_its_clients():
    chart, db = build(pooler=Pooler(replicas=3, pool_size=3, max_clients=400))
    config = SosConfig(chart, "config", postgres=db.pooled)
    assert config.value("POSTGRES_SERVER_CONNECTIONS") == 800, "one pod may be away"
    assert (config.value("POSTGRES_HOST"), config.value("POSTGRES_READONLY_HOST")) == ("postgres-pooler-service", "postgres-pooler-readonly-service")
    assert config.value("POSTGRES_PORT_NUMBER") == 5432


# --- handles ----------------------------------------------------------------------------------------------------------


def test_one_word_switches_a_service():
    _, db = build(pooler=Pooler())
    direct, through = db.database("auth"), db.database("auth").pooled
    plain = {entry["name"]: entry for entry in direct.libpq_env()}
    assert plain.pop("PGTARGETSESSIONATTRS"), "PgBouncer would answer what it once heard"
    for entry in ({"name": "PGHOST", "value": "postgres-pooler-service"}, {"name": "PGSSLROOTCERT", "value": "/etc/sos/postgres-pooler-ca/ca.crt"}):
        plain[entry["name"]] = entry
    assert {entry["name"]: entry for entry in through.libpq_env()} == plain
    uri = "postgresql://$(AUTH_DB_USERNAME):$(AUTH_DB_PASSWORD)@postgres-pooler-service:5432/auth"
    assert through.dsn_env(sslmode="require")[-1]["value"] == f"{uri}?sslmode=require"
    assert {"name": "PGHOST", "value": "postgres-pooler-readonly-service"} in through.libpq_env(readonly=True)


def test_without_a_readonly_side_reads_go_to_the_replicas_themselves():
    _, db = build(pooler=Pooler(readonly=False))
    assert db.pooled.readonly_host == db.readonly_host
    assert db.database("auth").pooled.readonly_host == db.readonly_host


def test_no_pooler_no_pooled():
    _, db = build()
    with pytest.raises(ValueError, match=r"^sos-app/postgres: pooler=None has no pooled endpoint; make HaPostgres with pooler=Pooler\(\)"):
        _ = db.pooled
    with pytest.raises(ValueError, match=r"pooled='auth' has no pooler"):
        _ = db.database("auth").pooled


def test_clients_outwait_a_failover():
    assert Pooler().wait_seconds(pooled()) == 30
    assert Pooler().wait_seconds(pooled(timing=PatroniTiming(ttl=timedelta(seconds=40)))) == 50
    assert Pooler(query_wait_timeout=timedelta(seconds=5)).wait_seconds(pooled()) == 5
