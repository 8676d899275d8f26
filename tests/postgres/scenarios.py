"""The installations whose YAML is reviewed: tests/snapshots/postgres/."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sos_constructs import (
    OFFICIAL,
    CertManager,
    Clients,
    Database,
    FastFailover,
    HaPostgres,
    ImageProfile,
    PatroniTiming,
    Pooler,
    PoolerImage,
    PrometheusOperator,
    Resources,
    SecretHandle,
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

EVERYTHING: dict[str, Any] = {
    "name": "orders",
    "namespace": "shop",
    "instances": 5,
    "databases": (
        Database(name="auth"),
        Database(
            name="orders", owner="shop", extensions=("pgcrypto", "uuid-ossp"), sql='CREATE TABLE IF NOT EXISTS orders (id uuid PRIMARY KEY, "it\'s" text);\n'
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
    ),
    "allow_from": (Clients(pods={"app": "orders"}), Clients(pods={"app": "reports"}, namespace="batch")),
    "tls": CertManager(issuer="platform-ca", issuer_kind="ClusterIssuer", duration=timedelta(days=30), renew_before=timedelta(days=10)),
}
"""Every option another than its default."""

FAST: dict[str, Any] = {"failover": FastFailover(detect=timedelta(seconds=7)), "synchronous_mode_strict": True}
"""The one option that needs another's default."""


POOLED: dict[str, Any] = {"monitoring": PrometheusOperator(), "pooler": Pooler()}
"""The requirement's database behind a pooler."""

SCENARIOS: dict[str, dict[str, Any]] = {"default": {}, "minimal": MINIMAL, "everything": EVERYTHING, "fast": FAST, "pooled": POOLED}


def credentials(chart: cdk8s.Chart) -> SecretHandle:
    """The catalogue's Secret, with two more keys for the database that only EVERYTHING has."""
    handle = SosSecrets(chart, "secrets").postgres
    return evolve(handle, keys=dict(handle.keys) | {"orders-db-username": "ORDERS_DB_USERNAME", "orders-db-password": "ORDERS_DB_PASSWORD"})


def install(options: dict[str, Any]) -> tuple[cdk8s.Chart, HaPostgres]:
    """A chart with nothing but one installation."""
    chart = cdk8s.Chart(cdk8s.Testing.app(), "sos-app", namespace="sos-app", disable_resource_name_hashes=True)
    return chart, HaPostgres(chart, "postgres", credentials=credentials(chart), **options)
