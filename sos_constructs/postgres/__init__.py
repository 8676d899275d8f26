"""A highly available PostgreSQL: Patroni for failover, an agent for everything a manifest cannot do once applied."""

from __future__ import annotations

from sos_constructs.postgres.clients import Clients
from sos_constructs.postgres.construct import HaPostgres, manifests
from sos_constructs.postgres.failover import FastFailover
from sos_constructs.postgres.handles import DatabaseHandle, ServerCa
from sos_constructs.postgres.monitoring import PrometheusOperator
from sos_constructs.postgres.pooler import PGBOUNCER, Pooler, PoolerImage
from sos_constructs.postgres.spec import DATABASES, OFFICIAL, SPILO, Database, ImageProfile, PatroniTiming, Resources
from sos_constructs.postgres.tls import CertificateSecret, CertManager

__all__ = [
    "DATABASES",
    "OFFICIAL",
    "PGBOUNCER",
    "SPILO",
    "CertManager",
    "CertificateSecret",
    "Clients",
    "Database",
    "DatabaseHandle",
    "FastFailover",
    "HaPostgres",
    "ImageProfile",
    "PatroniTiming",
    "Pooler",
    "PoolerImage",
    "PrometheusOperator",
    "Resources",
    "ServerCa",
    "manifests",
]
