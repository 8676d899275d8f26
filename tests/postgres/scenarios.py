"""The installations whose YAML is reviewed: tests/snapshots/postgres/."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sos_constructs import (
    OFFICIAL,
    CertManager,
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
    PoolerImage,
    PrometheusOperator,
    Resources,
    Role,
    SecretHandle,
    ServiceOptions,
    SosSecrets,
)

import cdk8s
from attrs import evolve

MINIMAL: dict[str, Any] = {
    "instances": 1,
    "databases": (),
    "storage": "1Gi",
    "image": OFFICIAL,
    "resources": Resources(cpu_request="100m", cpu_limit="500m", memory_request="256Mi", memory_limit="512Mi"),
    "shared_memory": "64Mi",
    "priority_class_name": None,
    "synchronous_mode": "off",
}
"""One small member for a laptop."""

PODS = PodOptions(
    image_pull_secrets=("registry", {"name": "mirror"}),
    tolerations=({"key": "dedicated", "operator": "Equal", "value": "database", "effect": "NoSchedule"}, {"operator": "Exists", "effect": "NoExecute"}),
    node_selector={"kubernetes.io/arch": "amd64"},
    affinity={
        "nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {
                "nodeSelectorTerms": [{"matchExpressions": [{"key": "node-role.example/database", "operator": "Exists"}]}]
            }
        }
    },
    topology_spread_constraints=({"maxSkew": 1, "topologyKey": "topology.kubernetes.io/zone", "whenUnsatisfiable": "DoNotSchedule"},),
    labels={"team": "sos", "example.org/cost-centre": "112"},
    annotations={"sidecar.istio.io/inject": "false"},
    service_account_annotations={"eks.amazonaws.com/role-arn": "arn:aws:iam::111122223333:role/database"},
)
"""Whatever may be added to pods."""

EVERYTHING: dict[str, Any] = {
    "name": "orders",
    "namespace": "shop",
    "instances": 5,
    "databases": (
        Database(name="auth", locale=Locale(name="C", encoding="LATIN1")),
        Database(
            name="orders", owner="shop", extensions=("pgcrypto", "uuid-ossp"), sql='CREATE TABLE IF NOT EXISTS orders (id uuid PRIMARY KEY, "it\'s" text);\n'
        ),
    ),
    "roles": (
        Role("readers", read_only=["orders"]),
        Role(
            "report",
            login=True,
            member_of=["readers", "pg_monitor"],
            connect=["auth"],
            inherit=False,
            connection_limit=5,
            valid_until=datetime(2027, 1, 31, tzinfo=UTC),
            bypassrls=True,
        ),
    ),
    "storage": "200Gi",
    "storage_template": "20Gi",
    "storage_class": "fast-ssd",
    "image": ImageProfile(image="registry.example/postgres-patroni:15.8-4.1.5", uid=26, gid=27, bin_dir="/usr/pgsql-15/bin"),
    "resources": Resources(cpu_request="8", cpu_limit="8", memory_request="32Gi", memory_limit="32Gi"),
    "exporter_resources": Resources(cpu_request="100m", cpu_limit="500m", memory_request="128Mi", memory_limit="512Mi"),
    "shared_memory": "1Gi",
    "parameters": {"max_connections": 400, "log_statement": "ddl", "pg_stat_statements.track": "all", "TimeZone": "Europe/Berlin", "jit": True},
    "timing": PatroniTiming(ttl=timedelta(seconds=30), loop_wait=timedelta(seconds=10), retry_timeout=timedelta(seconds=10)),
    "synchronous_mode": "on",
    "synchronous_mode_strict": True,
    "priority_class_name": "sos-app-critical",
    "monitoring": PrometheusOperator(interval=timedelta(seconds=15), namespace="observability", labels={"release": "kube-prometheus-stack"}),
    "pooler": Pooler(
        replicas=3,
        pool_mode="session",
        pool_size=6,
        max_clients=500,
        query_wait_timeout=timedelta(seconds=60),
        direct_connections=100,
        readonly=False,
        tls_secret="orders-pgbouncer-tls",
        image=PoolerImage(image="registry.example/pgbouncer:1.25.1", uid=70, gid=71, command="/opt/pgbouncer/bin/pgbouncer"),
        cpu_request="200m",
        cpu_limit="500m",
        memory_request="64Mi",
        memory_limit="64Mi",
        agent_resources=Resources(cpu_request="15m", cpu_limit="300m", memory_request="40Mi", memory_limit="96Mi"),
        pods=PODS,
        service=ServiceOptions(type="LoadBalancer", load_balancer_source_ranges=("192.0.2.0/24",), hosts=("pool.example.org",)),
        parameters={"server_idle_timeout": 60, "max_prepared_statements": 500, "log_connections": True, "pkt_buf": 8192},
        ignore_startup_parameters=("extra_float_digits", "options", "search_path"),
    ),
    "allow_from": (
        Clients(pods={"app": "orders"}),
        Clients(pods={"app": "reports"}, namespace="batch"),
        Clients(addresses=("198.51.100.0/24", "2001:db8::/32")),
    ),
    "size": "laptop",
    "first_uid": 1000680000,
    "exporter_image": ExporterImage(image="registry.example/postgres-exporter:v0.19.1", uid=70, gid=71),
    "agent_resources": Resources(cpu_request="30m", cpu_limit="500m", memory_request="64Mi", memory_limit="192Mi"),
    "pods": PODS,
    "service": ServiceOptions(
        type="LoadBalancer",
        load_balancer_class="example.net/internal",
        load_balancer_source_ranges=("203.0.113.0/24",),
        hosts=("db.example.org", "203.0.113.10"),
        labels={"team": "sos"},
        annotations={"external-dns.alpha.kubernetes.io/hostname": "db.example.org"},
    ),
    "readonly_service": ServiceOptions(type="NodePort", node_port=30432, external_traffic_policy="Cluster", hosts=("reads.example.org",)),
    "api_server_ports": (8443,),
    "dns": ClusterDns(namespace="openshift-dns", pods={"dns.operator.openshift.io/daemonset-dns": "default"}, port=5353, addresses=()),
    "locale": Locale(name="de_DE.UTF-8", provider="icu", icu_locale="de-DE"),
    "pg_hba": (
        "hostssl orders shop 10.66.0.0/16 reject",
        'hostssl orders all 10.0.0.0/8 ldap ldapserver=ldap.example.org ldaptls=1 ldapprefix="uid=" ldapsuffix=",ou=people,dc=example,dc=org"',
    ),
    "tls": CertManager(issuer="platform-ca", issuer_kind="ClusterIssuer", duration=timedelta(days=30), renew_before=timedelta(days=10)),
}
"""Every option another than its default."""

FAST: dict[str, Any] = {"failover": FastFailover(detect=timedelta(seconds=7)), "synchronous_mode_strict": True}
"""The one option that needs another's default."""


POOLED: dict[str, Any] = {"monitoring": PrometheusOperator(), "pooler": Pooler()}
"""The requirement's database behind a pooler."""

SCENARIOS: dict[str, dict[str, Any]] = {"default": {}, "minimal": MINIMAL, "everything": EVERYTHING, "fast": FAST, "pooled": POOLED}


def credentials(chart: cdk8s.Chart) -> SecretHandle:
    """The catalogue's Secret, with the keys of what only EVERYTHING has."""
    handle = SosSecrets(chart, "secrets").postgres
    more = [f"{who}-{what}" for who in ("orders-db", "report-role") for what in ("username", "password")]
    return evolve(handle, keys=dict(handle.keys) | {key: key.upper().replace("-", "_") for key in more})


def install(options: dict[str, Any]) -> tuple[cdk8s.Chart, HaPostgres]:
    """A chart with nothing but one installation."""
    chart = cdk8s.Chart(cdk8s.Testing.app(), "sos-app", namespace="sos-app", disable_resource_name_hashes=True)
    return chart, HaPostgres(chart, "postgres", credentials=credentials(chart), **options)
