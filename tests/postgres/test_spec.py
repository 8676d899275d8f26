"""Every option that cannot work is refused with path, option, value and what to write instead; nothing reaches the tree."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

from sos_constructs.postgres import OFFICIAL, SPILO, Database, HaPostgres, ImageProfile, PatroniTiming, PrometheusOperator, Resources
from sos_constructs.postgres.spec import DATABASES
from sos_constructs.secrets.handles import SecretHandle

import cdk8s
import pytest

from tests.postgres.example import spec


def seconds(ttl: float = 20, loop_wait: float = 3, retry_timeout: float = 5) -> PatroniTiming:
    return PatroniTiming(ttl=timedelta(seconds=ttl), loop_wait=timedelta(seconds=loop_wait), retry_timeout=timedelta(seconds=retry_timeout))


def without(*keys: str) -> SecretHandle:
    handle = spec().credentials
    return SecretHandle(handle.name, {key: name for key, name in handle.keys.items() if key not in keys})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "Postgres"}, "name='Postgres' must be a DNS-1035 label"),
        ({"name": "1db"}, "name='1db' must be a DNS-1035 label, as names of Services are"),
        (
            {"name": "x" * 47},
            f"name={'x' * 47!r} must be a DNS-1035 label, as names of Services are: lower-case letters",
        ),
        ({"namespace": "sos_app"}, "namespace='sos_app' must be a DNS-1123 label"),
        ({"instances": 0}, "instances=0 must be from 1 to 9; 3 is the least that survives a failure without loss"),
        ({"instances": 10}, "instances=10 must be from 1 to 9"),
        ({"instances": "3"}, "instances='3' must be a whole number, without quotes"),
        ({"instances": True}, "instances=True must be a whole number"),
        ({"synchronous_mode": "of"}, "synchronous_mode='of' must be one of 'quorum', 'on', 'off' (did you mean 'off'?)"),
        ({"synchronous_mode": True}, "synchronous_mode=True must be one of 'quorum', 'on', 'off'"),
        ({"synchronous_mode": "off", "synchronous_mode_strict": True}, "synchronous_mode_strict=True needs synchronous_mode 'quorum' or 'on'"),
        ({"instances": 1, "synchronous_mode_strict": True}, "synchronous_mode_strict=True needs synchronous_mode 'quorum' or 'on' and at least 2 instances"),
        ({"timing": seconds(ttl=19)}, "timing.ttl='0:00:19' must be a whole number of seconds, at least 20"),
        ({"timing": seconds(loop_wait=1)}, "timing.loop_wait='0:00:01' must be a whole number of seconds, at least 2"),
        ({"timing": seconds(retry_timeout=2)}, "timing.retry_timeout='0:00:02' must be a whole number of seconds, at least 3"),
        ({"timing": seconds(loop_wait=2.5)}, "timing.loop_wait='0:00:02.500000' must be a whole number of seconds"),
        ({"timing": PatroniTiming(ttl=30)}, "timing.ttl=30 must be a timedelta, for instance timedelta(seconds=20)"),  # type: ignore[arg-type]
        ({"timing": seconds(ttl=20, loop_wait=14, retry_timeout=3)}, "timing.ttl='0:00:20' must be at least loop_wait + retry_timeout + 5 s"),
        ({"timing": seconds(ttl=20, loop_wait=11)}, "timing.ttl='0:00:20' must be at least loop_wait + 2 * retry_timeout"),
        ({"timing": None}, "timing=None must be made with PatroniTiming(…)"),
        ({"image": "postgres:15.4"}, "image='postgres:15.4' must be made with ImageProfile(…)"),
        ({"resources": {"cpu": "1"}}, "resources={'cpu': '1'} must be made with Resources(…)"),
        ({"credentials": "postgres-credentials"}, "credentials='postgres-credentials' must be made with SecretHandle(…)"),
        ({"monitoring": True}, "monitoring=True must be made with PrometheusOperator(…)"),
        ({"monitoring": PrometheusOperator(interval=timedelta(seconds=1))}, "monitoring.interval='0:00:01' must be"),
        ({"resources": Resources(cpu_request="3")}, "resources.cpu_request='3' must not exceed cpu_limit='2'"),
        ({"resources": Resources(memory_request="5Gi")}, "resources.memory_request='5Gi' must not exceed memory_limit='4Gi'"),
        ({"resources": Resources(memory_limit="4GB")}, "resources.memory_limit='4GB' must be a positive Kubernetes quantity such as '4Gi'"),
        ({"resources": Resources(memory_request="256Mi", memory_limit="511Mi")}, "resources.memory_limit='511Mi' must be at least 512Mi"),
        ({"exporter_resources": Resources(cpu_request="0")}, "exporter_resources.cpu_request='0' must be a positive Kubernetes quantity"),
        ({"storage": "50 Gi"}, "storage='50 Gi' must be a positive Kubernetes quantity"),
        ({"storage": "1023Mi"}, "storage='1023Mi' must be at least 1Gi"),
        ({"storage_class": "Fast_SSD"}, "storage_class='Fast_SSD' must be a DNS-1123 subdomain"),
        ({"priority_class_name": ""}, "priority_class_name='' must be text or None, not an empty text"),
        ({"shared_memory": "2049Mi"}, "shared_memory='2049Mi' must be at most half of resources.memory_limit='4Gi', which counts it"),
        ({"image": ImageProfile(image="a b", uid=1, gid=1)}, "image.image='a b' must be a reference such as"),
        ({"image": ImageProfile(image="a", uid=0, gid=1)}, "image.uid=0 must be a numeric id from 1 to 2147483647"),
        ({"image": ImageProfile(image="a", uid=2**31, gid=1)}, "image.uid=2147483648 must be a numeric id from 1 to 2147483647"),
        ({"image": ImageProfile(image="a", uid=1, gid=1, bin_dir="")}, "image.bin_dir='' must be an absolute path, for instance '/usr/lib/postgresql/15/bin'"),
        ({"image": ImageProfile(image="a", uid=1, gid=1, bin_dir="bin")}, "image.bin_dir='bin' must be an absolute path"),
        ({"shared_memory": "1"}, "shared_memory='1' must be at least 1Mi"),
        ({"storage_template": "1Mi"}, "storage_template='1Mi' must be at least 1Gi"),
        ({"parameters": {"synchronous_commit": "off"}}, "parameters['synchronous_commit']='off' acknowledges writes that a failover loses"),
        ({"parameters": {"synchronous_commit": False}}, "parameters['synchronous_commit']=False acknowledges writes that a failover loses"),
        ({"parameters": {"synchronous_commit": "Local"}}, "or say so with synchronous_mode='off'"),
        ({"parameters": {"fsync": False}}, "parameters['fsync']=False must be left out: without it a crash destroys the data directory"),
        ({"parameters": {"full_page_writes": "off"}, "synchronous_mode": "off"}, "must be left out: without it a crash destroys pages"),
        ({"databases": (Database(name="auth", extensions=("pg_crypto",)),)}, "is no extension of PostgreSQL (did you mean 'pgcrypto'?)"),
        ({"databases": (Database(name="auth", extensions=("uuid_ossp",)),)}, "(did you mean 'uuid-ossp'?)"),
        ({"databases": (Database(name="auth", extensions=("pg_tgrm",)),)}, "(did you mean 'pg_trgm'?)"),
        ({"image": ImageProfile(image="a", uid=1, gid=0)}, "image.gid=0 must be a numeric id from 1 to"),
        ({"image": ImageProfile(image="a", uid="postgres", gid=1)}, "image.uid='postgres' must be a whole number"),  # type: ignore[arg-type]
        (
            {"image": ImageProfile(image="a", uid=65534, gid=1)},
            "image.uid=65534 is the user of both",
        ),
        ({"parameters": {"max_conections": 5}}, "parameters['max_conections']=5 is no setting of PostgreSQL 15 (did you mean 'max_connections'?)"),
        ({"parameters": {"port": 6000}}, "parameters['port']=6000 must be left out: Services and Patroni need it"),
        ({"databases": ("auth",)}, "databases[0]='auth' must be made with Database(…)"),
        ({"databases": (Database(name="Auth"),)}, "databases['Auth'].name='Auth' must be lower-case letters, digits and '_'"),
        ({"databases": (Database(name="a" * 64),)}, "at most 63"),
        ({"databases": (Database(name="9a"),)}, "not starting with a digit or 'pg_'"),
        ({"databases": (Database(name="pg_a"),)}, "not starting with a digit or 'pg_'"),
        ({"databases": (Database(name='a"; DROP TABLE x; --'),)}, "must be lower-case letters"),
        ({"databases": (Database(name=5),)}, "databases[0].name=5 must be text: write '5'"),  # type: ignore[arg-type]
        ({"databases": (Database(name="auth", owner="Me"),)}, "databases['auth'].owner='Me' must be lower-case letters"),
        ({"databases": (Database(name="template1"),)}, "databases['template1'].name='template1' is one of PostgreSQL's own databases; choose another name"),
        (
            {"databases": (Database(name="auth", owner="postgres"),)},
            "databases['auth'].owner='postgres' is a role of the cluster itself (monitoring, postgres, rewind, standby)",
        ),
        (
            {"databases": (Database(name="auth", extensions="pgcrypto"),)},  # type: ignore[arg-type]
            "databases['auth'].extensions='pgcrypto' must be a list of text; put it into a list",
        ),
        ({"databases": (Database(name="auth", extensions=("x; y",)),)}, "databases['auth'].extensions='x; y' must be the name of an extension"),
        ({"databases": (Database(name="auth", sql="SELECT 1;\n  \\! id"),)}, "must hold no psql command: it is sent to the server"),
        ({"databases": (Database(name="auth", sql_timeout=timedelta(0)),)}, "must be a timedelta of whole seconds, from 1 second to 1 day"),
        ({"databases": (Database(name="auth", owner="public"),)}, "is a word of PostgreSQL and no name of a role"),
        ({"databases": (Database(name="auth", owner="none"),)}, "is a word of PostgreSQL and no name of a role"),
        ({"databases": (*DATABASES, Database(name="auth", owner="b"))}, "databases='auth' is the name of two databases"),
        ({"databases": (Database(name="auth"), Database(name="users", owner="auth"))}, "databases='auth' is the owner of two databases"),
        (
            {"databases": (Database(name="orders"),)},
            "credentials='postgres-credentials' lacks the keys orders-db-password, orders-db-username; give SosSecrets catalogue=SECRETS.without",
        ),
        ({"credentials": without("auth-db-password")}, "credentials='postgres-credentials' lacks the keys auth-db-password;"),
        ({"credentials": without("rewind-password")}, "lacks the keys rewind-password;"),
        ({"credentials": without("patroni-username")}, "lacks the keys patroni-username;"),
    ],
)
def test_refused(options: dict[str, Any], message: str):
    chart = cdk8s.Chart(cdk8s.App(), "platform")
    arguments: dict[str, Any] = {"credentials": spec().credentials} | options
    with pytest.raises(ValueError, match="^" + re.escape("platform/db: ")) as raised:
        HaPostgres(chart, "db", **arguments)
    assert message in str(raised.value)
    assert chart.node.children == []


@pytest.mark.parametrize(
    "options",
    [
        {"name": "x" * 46},
        {"instances": 1},
        {"instances": 9},
        {"parameters": {"synchronous_commit": "remote_write"}},
        {"parameters": {"synchronous_commit": "off"}, "synchronous_mode": "off"},
        {"databases": (Database(name="auth", extensions=("vector", "pg_hint_plan", "uuid-ossp", "orafce")),)},
        {"synchronous_mode": "on", "synchronous_mode_strict": True, "instances": 2},
        {"timing": seconds(ttl=20, loop_wait=10)},
        {"timing": seconds(ttl=30, loop_wait=10, retry_timeout=10)},
        {"storage": "1Gi", "storage_class": "fast.ssd", "priority_class_name": None},
        {"resources": Resources(cpu_request="2", memory_request="4Gi")},
        {"resources": Resources(memory_request="256Mi", memory_limit="512Mi"), "shared_memory": "256Mi"},
        {"image": OFFICIAL},
        {"databases": ()},
        {"databases": (Database(name="auth", owner="patroni", extensions=("pgcrypto", "uuid-ossp"), sql="SELECT 1"),)},
    ],
)
def test_accepted(options: dict[str, Any]):
    made = spec(**options)
    assert made.check() is made


def test_profiles():
    assert ImageProfile(image="ghcr.io/zalando/spilo-17:4.0-p3", uid=101, gid=103, bin_dir="/usr/lib/postgresql/15/bin") == SPILO
    assert ImageProfile(image="localhost/postgres-patroni:15-4.1.5", uid=999, gid=999, bin_dir="/usr/lib/postgresql/15/bin") == OFFICIAL


def test_a_database_is_owned_by_its_namesake():
    assert (Database(name="auth").owner, Database(name="auth", owner="b").owner) == ("auth", "b")
    assert (Database(name="auth", owner="b").username_key, Database(name="auth", owner="b").password_key) == ("auth-db-username", "auth-db-password")
    assert [d.name for d in DATABASES] == ["auth", "users", "emergency", "medical", "devices"]


def test_timing_in_patronis_words():
    assert PatroniTiming().seconds() == {"loop_wait": 3, "retry_timeout": 5, "ttl": 20}
    assert [PatroniTiming().periods(span) for span in (1, 3, 6)] == [7, 20, 40]


def test_requirements_resources():
    assert Resources().manifest() == {"limits": {"cpu": "2", "memory": "4Gi"}, "requests": {"cpu": "500m", "memory": "1Gi"}}
