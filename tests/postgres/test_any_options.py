"""Whatever the options: either one clear sentence about one of them, or objects that Kubernetes takes."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from sos_constructs import (
    OFFICIAL,
    SPILO,
    Clients,
    ClusterDns,
    Database,
    ExporterImage,
    FastFailover,
    HaPostgres,
    ImageProfile,
    Locale,
    PatroniTiming,
    PodOptions,
    Pooler,
    PrometheusOperator,
    Resources,
    Role,
    SecretHandle,
    ServiceOptions,
)
from sos_constructs.postgres import manifests
from sos_constructs.postgres.tls import CertificateSecret, CertManager

import cdk8s
from hypothesis import HealthCheck, event, given
from hypothesis import strategies as st

from tests.generated import examples
from tests.policy.objects import pod_of
from tests.policy.pod_security import violations
from tests.policy.test_schemas import Validate, is_custom, validate
from tests.postgres.example import spec

__all__ = ["validate"]  # the fixture

OPTIONS = inspect.signature(HaPostgres.__init__).parameters.keys() - {"self", "scope", "id"}

quantity = st.sampled_from(["100m", "500m", "1", "2", "8", "0", "-1", "two"])
memory = st.sampled_from(["64Mi", "256Mi", "512Mi", "1Gi", "4Gi", "64Gi", "1.5Gi", "512m", "4GB"])
seconds = st.sampled_from([timedelta(seconds=s) for s in (0, 1, 2, 3, 5, 10, 20, 30, 60, 2.5)])
words = st.sampled_from(["postgres", "orders", "a", "x" * 46, "x" * 47, "A", "", "a.b", "orders-patroni", "it's"])
names = st.sampled_from(["auth", "users", "orders", "Auth", "postgres", "pg_x", "a-b", "", "x" * 64])
values = st.one_of(st.booleans(), st.integers(-1, 1000), st.floats(0, 2, allow_nan=False), st.sampled_from(["on", "64MB", "1h", "x y", "it's\\", "", "a\nb"]))
parameters = st.sampled_from(["work_mem", "max_connections", "jit", "search_path", "port", "wal_level", "sos.anything", "max_conections", "shared_buffers"])
resources = st.builds(Resources, cpu_request=quantity, cpu_limit=quantity, memory_request=memory, memory_limit=memory)
databases = st.builds(
    Database,
    name=names,
    extensions=st.lists(st.sampled_from(["pgcrypto", "uuid-ossp", "x;y"]), max_size=2).map(tuple),
    sql=st.sampled_from(["", "SELECT 'ü';\n", "\tSELECT 1;\nSELECT 2", "$$ \\ '", "\u2028"]),
)
roles = st.builds(
    Role,
    name=names,
    login=st.booleans(),
    read_only=st.lists(names, max_size=1),
    connect=st.lists(st.sampled_from(["auth", "users"]), max_size=1),
    member_of=st.lists(st.sampled_from(["auth", "users", "pg_monitor", "pg_read_all_data", "orders"]), max_size=2),
    connection_limit=st.sampled_from([None, 0, 5]),
)
operators = st.builds(PrometheusOperator, interval=seconds, namespace=words, labels=st.dictionaries(st.sampled_from(["release", "a b"]), words, max_size=1))
labels = st.dictionaries(st.sampled_from(["team", "role", "a b", "app.kubernetes.io/name"]), words, max_size=1)
pods = st.builds(
    PodOptions,
    image_pull_secrets=st.lists(words, max_size=2),
    tolerations=st.lists(
        st.fixed_dictionaries({}, optional={"key": words, "operator": st.sampled_from(["Exists", "Equal", "In"]), "value": words}),
        max_size=2,
    ),
    node_selector=labels,
    affinity=st.sampled_from([None, {}, {"podAntiAffinity": {}}, {"nodeAffinity": {"x": 1}}]),
    topology_spread_constraints=st.none() | st.lists(st.fixed_dictionaries({"maxSkew": st.integers(0, 1), "topologyKey": words}), max_size=1),
    labels=labels,
    annotations=labels,
)
services = st.builds(
    ServiceOptions,
    type=st.sampled_from(["ClusterIP", "NodePort", "LoadBalancer", "ExternalName"]),
    load_balancer_class=st.none() | words,
    load_balancer_source_ranges=st.lists(st.sampled_from(["10.0.0.0/8", "10.0.0.1/8", "x"]), max_size=1),
    node_port=st.sampled_from([None, 30000, 0]),
    hosts=st.lists(words, max_size=1),
    labels=labels,
)
locales = st.builds(
    Locale,
    name=st.sampled_from(["C", "de_DE.UTF-8", "x y"]),
    provider=st.sampled_from(["libc", "icu"]),
    icu_locale=st.sampled_from([None, "de"]),
    encoding=st.sampled_from(["UTF8", "LATIN1", "utf-9"]),
)
poolers = st.builds(
    Pooler,
    replicas=st.integers(1, 4),
    pool_mode=st.sampled_from(["transaction", "session", "statement"]),
    pool_size=st.integers(0, 8),
    max_clients=st.sampled_from([1, 100, 1000]),
    query_wait_timeout=st.none() | seconds,
    direct_connections=st.integers(0, 50),
    readonly=st.booleans(),
    pods=pods,
    service=services,
    parameters=st.dictionaries(st.sampled_from(["server_idle_timeout", "auth_type", "x"]), values, max_size=1),
    ignore_startup_parameters=st.lists(st.sampled_from(["options", "a b"]), max_size=1),
    memory_limit=memory,
)


def handle(keys: Mapping[str, str]) -> SecretHandle:
    return SecretHandle("postgres-credentials", dict(keys))


MORE = [f"{who}-{what}" for who in ("orders-db", "orders-role", "pooler") for what in ("username", "password")]
KEYS = dict(spec().credentials.keys) | {key: key.upper().replace("-", "_") for key in MORE}

CHOICES: dict[str, st.SearchStrategy[Any]] = {
    "credentials": st.sampled_from([handle(KEYS), handle({}), handle({key: name for key, name in KEYS.items() if "users" not in key})]),
    "name": words,
    "namespace": words,
    "instances": st.integers(-1, 11),
    "databases": st.lists(databases, max_size=3).map(tuple),
    "roles": st.lists(roles, max_size=2),
    "storage": st.none() | memory | st.sampled_from(["50Gi", "10Ti"]),
    "storage_class": st.none() | words,
    "image": st.sampled_from([SPILO, OFFICIAL, *(ImageProfile(image=image, uid=uid, gid=5) for image, uid in (("x:1", 0), ("", 5), ("x:1", 26)))]),
    "size": st.sampled_from(["standard", "laptop", "tiny", None]),
    "first_uid": st.sampled_from([None, 0, 1000680000, 2**31, True]),
    "resources": st.none() | resources,
    "exporter_image": st.builds(ExporterImage, image=st.sampled_from(["x:1", ""]), uid=st.sampled_from([0, 101, 65534])),
    "exporter_resources": st.none() | resources,
    "agent_resources": st.none() | resources,
    "shared_memory": st.none() | memory,
    "pods": pods,
    "service": services,
    "readonly_service": services,
    "api_server_ports": st.lists(st.sampled_from([0, 443, 65536, "443"]), max_size=2),
    "dns": st.none() | st.builds(ClusterDns, port=st.sampled_from([53, 5353])),
    "locale": locales,
    "pg_hba": st.lists(st.sampled_from(["hostssl all all all scram-sha-256", "host auth all 10.0.0.0/8 reject", "host all all all trust", "x"]), max_size=2),
    "parameters": st.dictionaries(parameters, values, max_size=3),
    "timing": st.builds(PatroniTiming, ttl=seconds, loop_wait=seconds, retry_timeout=seconds),
    "synchronous_mode": st.sampled_from(["quorum", "on", "off", "", True]),
    "synchronous_mode_strict": st.booleans(),
    "priority_class_name": st.none() | words,
    "monitoring": st.none() | operators,
    "failover": st.none() | st.builds(FastFailover, detect=seconds),
    "pooler": st.none() | poolers,
    "storage_template": st.none() | memory | st.sampled_from(["50Gi", "60Gi"]),
    "allow_from": st.lists(st.builds(Clients, pods=st.dictionaries(words, words, max_size=2), namespace=st.none() | words), max_size=2),
    "tls": st.none() | st.builds(CertificateSecret, name=st.none() | words) | st.builds(CertManager, issuer=words, duration=seconds),
}


def test_every_option_is_tried():
    assert CHOICES.keys() == OPTIONS


@st.composite
def options(draw: st.DrawFn) -> dict[str, Any]:
    """Few at a time, because most combinations of many are refused for the first one."""
    picked = draw(st.sets(st.sampled_from(sorted(OPTIONS)), max_size=3))
    return {"credentials": handle(KEYS)} | {name: draw(CHOICES[name]) for name in sorted(picked)}


@examples(80, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(options())
def test_any_options(validate: Validate, options: dict[str, Any]):
    chart = cdk8s.Chart(cdk8s.App(), "platform", namespace="sos-app")
    message, made = "", list[dict[str, Any]]()
    try:
        made = manifests(HaPostgres(chart, "db", **options).spec)
    except ValueError as error:
        message = str(error)
    event("refused" if message else "made")
    if message:
        named = re.match(r"platform/db(/\S+)?: ([a-z_]+)", message)
        assert named, f"no option in: {message}"
        # labels and the text of SQL are checked where all labels and texts are
        assert named[2] in options or named[1] or (named[2] == "label" and "monitoring" in options), message
        return
    assert cdk8s.Testing.synth(chart) == made
    for manifest in made:
        if not is_custom(manifest):
            for version in ("1.27", "1.37"):
                validate(manifest, version)
        if pod := pod_of(manifest):
            assert violations(pod) == []
