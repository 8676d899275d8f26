"""HaPostgres as its users see it: one line gives everything, and what it hands out fits into their workloads."""

from __future__ import annotations

import inspect
import re
from typing import Any
from urllib.parse import urlsplit

from sos_constructs import Database, DatabaseHandle, HaPostgres, SosSecrets
from sos_constructs.errors import InvalidOption
from sos_constructs.postgres import manifests
from sos_constructs.postgres.names import TAKEN_SUFFIXES, Names
from sos_constructs.postgres.pooler.names import PoolerNames

import cdk8s
import cdk8s_plus_27 as kplus
import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg.conninfo import conninfo_to_dict

from tests.conftest import Golden
from tests.generated import examples
from tests.postgres.example import spec
from tests.postgres.scenarios import EVERYTHING, FAST, SCENARIOS, install


def kinds(objects: list[dict[str, Any]]) -> list[str]:
    return [f"{m['kind']} {m['metadata']['name']}" for m in objects]


# --- table of contents ------------------------------------------------------------------------------------------------

CONTENTS = [
    "ConfigMap postgres-config",
    "ConfigMap postgres-agent",
    "ConfigMap postgres-exporter-config",
    "ServiceAccount postgres",
    "Role postgres",
    "RoleBinding postgres",
    "NetworkPolicy postgres",
    "Service postgres-headless",
    "Service postgres-service",
    "Service postgres-readonly-service",
    "StatefulSet postgres",
    "PodDisruptionBudget postgres",
]


def test_contents():
    """In the order in which they are applied: what the pods need stands before the pods."""
    assert kinds(manifests(spec(monitoring=None))) == CONTENTS
    assert kinds(manifests(spec())) == [*CONTENTS, "PodMonitor postgres", "PrometheusRule postgres"]


def test_one_member_has_no_budget():
    """maxUnavailable 1 of 1 would say nothing; a budget that blocks would block every drain."""
    assert kinds(manifests(spec(monitoring=None, instances=1))) == CONTENTS[:-1]


def test_every_object_is_named_labelled_and_in_the_namespace():
    for made in manifests(spec(name="orders", namespace="shop")):
        assert made["metadata"]["name"].startswith("orders")
        assert made["metadata"]["namespace"] == "shop"
        assert (
            made["metadata"]["labels"].items()
            >= {
                "app.kubernetes.io/component": "database",
                "app.kubernetes.io/instance": "orders",
                "app.kubernetes.io/name": "postgres",
                "app.kubernetes.io/part-of": "sos-app",
            }.items()
        )


# --- the construct ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_synth_is_what_the_builders_return(scenario: str):
    chart, db = install(SCENARIOS[scenario])
    assert cdk8s.Testing.synth(chart) == manifests(db.spec)
    assert [f"{kind} {name}" for kind, name in db.objects] == kinds(manifests(db.spec))


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_reviewed_yaml(scenario: str, golden: Golden):
    """Without the ConfigMaps that hold files of the package as they are; dist/ shows them."""
    _, db = install(SCENARIOS[scenario])
    files = (db.spec.names.agent, db.spec.names.exporter_config, PoolerNames(db.spec.name).agent)
    golden(f"postgres/{scenario}", [m for m in manifests(db.spec) if m["metadata"]["name"] not in files])


def test_everything_is_every_option():
    parameters = inspect.signature(HaPostgres.__init__).parameters
    options = {name: p.default for name, p in parameters.items() if p.kind is p.KEYWORD_ONLY and name != "credentials"}
    every = EVERYTHING | {"failover": FAST["failover"]}
    assert every.keys() == options.keys()
    assert [name for name, default in options.items() if every[name] == default] == []


@pytest.mark.parametrize(
    ("chart", "option", "result"), [(None, None, "sos-app"), ("staging", None, "staging"), ("staging", "shop", "shop"), (None, "shop", "shop")]
)
def test_namespace(chart: str | None, option: str | None, result: str):
    parent = cdk8s.Chart(cdk8s.Testing.app(), "c", namespace=chart)
    db = HaPostgres(parent, "postgres", credentials=SosSecrets(parent, "secrets").postgres, namespace=option)
    assert {m["metadata"]["namespace"] for m in cdk8s.Testing.synth(parent)} == {result}
    assert db.spec.namespace == result


def test_outputs():
    _, db = install({"name": "orders"})
    assert (db.primary_host, db.readonly_host, db.port) == ("orders-service", "orders-readonly-service", 5432)
    assert {("Service", db.primary_host), ("Service", db.readonly_host)} <= set(db.objects)


def test_the_escape_hatch_drops_nothing():
    chart, db = install({})
    before = cdk8s.Testing.synth(chart)
    db.objects["StatefulSet", "postgres"].add_json_patch(
        cdk8s.JsonPatch.add("/spec/persistentVolumeClaimRetentionPolicy", {"whenScaled": "Retain"}),
        cdk8s.JsonPatch.add("/spec/template/spec/tolerations", [{"key": "database", "operator": "Exists"}]),
    )
    after = cdk8s.Testing.synth(chart)
    (patched,) = [m for m in after if m not in before]
    (original,) = [m for m in before if m not in after]
    original["spec"]["persistentVolumeClaimRetentionPolicy"] = {"whenScaled": "Retain"}
    original["spec"]["template"]["spec"]["tolerations"] = [{"key": "database", "operator": "Exists"}]
    assert patched == original


# --- two installations ------------------------------------------------------------------------------------------------

NAMES = st.from_regex(r"[a-z]{1,2}(-(config|agent|exporter|patroni|leader|service|readonly|headless|0)){0,2}", fullmatch=True)


def taken(name: str) -> set[tuple[str, str]]:
    """Everything of one installation that has a name in the namespace, Patroni's own ConfigMaps and the claims included."""
    names = Names(name)
    ours = {(m["kind"], m["metadata"]["name"]) for m in manifests(spec(name=name).check())}
    theirs = {("ConfigMap", store) for store in names.store}
    return ours | theirs | {("Pod", pod) for pod in names.pods} | {("PersistentVolumeClaim", f"data-{pod}") for pod in names.pods}


@examples(60)
@given(NAMES, NAMES)
def test_names_of_two_installations_never_meet(one: str, other: str):
    if one != other and not one.endswith(TAKEN_SUFFIXES) and not other.endswith(TAKEN_SUFFIXES):
        assert taken(one).isdisjoint(taken(other))


@pytest.mark.parametrize("suffix", TAKEN_SUFFIXES)
def test_names_that_would_meet_are_refused(suffix: str):
    with pytest.raises(InvalidOption, match=re.escape(f"name='postgres{suffix}' must not end in -exporter, -patroni, -pooler, -readonly")):
        spec(name=f"postgres{suffix}").check()


def test_selectors_of_two_installations_never_meet():
    chart = cdk8s.Chart(cdk8s.Testing.app(), "c", namespace="sos-app")
    credentials = SosSecrets(chart, "secrets").postgres
    for name in ("postgres", "orders"):
        HaPostgres(chart, name, credentials=credentials, name=name)
    found = cdk8s.Testing.synth(chart)
    pods = {m["metadata"]["name"]: m["spec"]["template"]["metadata"]["labels"] for m in found if m["kind"] == "StatefulSet"}
    for made in found:
        if made["kind"] in ("Service", "PodDisruptionBudget", "NetworkPolicy", "StatefulSet"):
            selector = made["spec"].get("selector") or made["spec"]["podSelector"]
            labels = selector.get("matchLabels", selector)
            own = {name for name, pod in pods.items() if (labels.items() - {("role", "primary"), ("role", "replica")}) <= pod.items()}
            assert own == {made["metadata"]["labels"]["app.kubernetes.io/instance"]}, made["metadata"]["name"]


# --- handles ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def auth() -> DatabaseHandle:
    return install({})[1].database("auth")


def test_unknown_databases_are_refused():
    _, db = install({})
    with pytest.raises(
        ValueError, match=re.escape("database='aut' is not declared (did you mean 'auth'?); there are auth, users, emergency, medical, devices")
    ):
        db.database("aut")


def test_a_handle_knows_its_owner():
    _, db = install(EVERYTHING)
    handle = db.database("orders")
    assert (handle.name, handle.user, handle.username_key, handle.password_key) == ("orders", "shop", "orders-db-username", "orders-db-password")
    assert (handle.primary_host, handle.readonly_host, handle.port) == ("orders-service", "orders-readonly-service", 5432)


def expanded(env: list[dict[str, Any]], values: dict[str, str]) -> dict[str, str]:
    """The environment as the kubelet makes it: ``$(NAME)`` stands for a variable defined before, and is left as it is otherwise."""
    result: dict[str, str] = {}
    for entry in env:
        reference = entry.get("valueFrom", {}).get("secretKeyRef")
        text = values[reference["key"]] if reference else re.sub(r"\$\((\w+)\)", lambda match: result.get(match[1], match[0]), entry["value"])
        result[entry["name"]] = text
    return result


SECRET = {"auth-db-username": "auth", "auth-db-password": "s3cr3t-_.~"}


@pytest.mark.parametrize("readonly", [False, True])
def test_libpq_env(auth: DatabaseHandle, readonly: bool):
    env = auth.libpq_env(readonly=readonly)
    for entry in env:
        assert entry.keys() in ({"name", "value"}, {"name", "valueFrom"})
        assert isinstance(entry.get("value", ""), str)
    assert expanded(env, SECRET) == {
        "PGHOST": "postgres-readonly-service" if readonly else "postgres-service",
        "PGPORT": "5432",
        "PGDATABASE": "auth",
        "PGUSER": "auth",
        "PGPASSWORD": "s3cr3t-_.~",
        "PGSSLMODE": "verify-full",
        "PGSSLROOTCERT": "/etc/sos/postgres-ca/ca.crt",
    } | ({} if readonly else {"PGTARGETSESSIONATTRS": "read-write"})


@pytest.mark.parametrize("readonly", [False, True])
def test_dsn_env(auth: DatabaseHandle, readonly: bool):
    env = auth.dsn_env(readonly=readonly)
    assert "s3cr3t" not in str(env)
    url = expanded(env, SECRET)["DATABASE_URL"]
    assert "$(" not in url
    wanted = {
        "user": "auth",
        "password": "s3cr3t-_.~",
        "dbname": "auth",
        "host": "postgres-readonly-service" if readonly else "postgres-service",
        "port": "5432",
        "sslmode": "verify-full",
        "sslrootcert": "/etc/sos/postgres-ca/ca.crt",
    }
    assert conninfo_to_dict(url) == wanted | ({} if readonly else {"target_session_attrs": "read-write"})
    assert urlsplit(url).password == "s3cr3t-_.~"
    assert [entry["name"] for entry in auth.dsn_env("AUTH_URL")] == ["AUTH_DB_USERNAME", "AUTH_DB_PASSWORD", "AUTH_URL"]


def test_two_databases_in_one_pod_share_no_variable():
    _, db = install({})
    names = [entry["name"] for name in ("auth", "users") for entry in db.database(name).dsn_env(f"{name.upper()}_URL")]
    assert len(names) == len(set(names))


def test_in_a_workload_of_cdk8s_plus():
    chart, db = install({})
    auth = db.database("auth")
    variables = {
        "PGHOST": kplus.EnvValue.from_value(auth.primary_host),
        "PGPASSWORD": auth.credentials.env_value(chart, auth.password_key),
    }
    kplus.Deployment(chart, "app", containers=[kplus.ContainerProps(image="app:1", env_variables=variables)])
    (deployment,) = [m for m in cdk8s.Testing.synth(chart) if m["kind"] == "Deployment"]
    assert deployment["spec"]["template"]["spec"]["containers"][0]["env"] == [
        {"name": "PGHOST", "value": "postgres-service"},
        {"name": "PGPASSWORD", "valueFrom": {"secretKeyRef": {"key": "auth-db-password", "name": "postgres-credentials"}}},
    ]


def test_databases_may_be_any_sequence():
    _, db = install({"databases": [Database(name="auth")]})
    assert [d.name for d in db.spec.databases] == ["auth"]
