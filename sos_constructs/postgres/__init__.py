"""A highly available PostgreSQL: Patroni for failover, an agent for everything a manifest cannot do once applied."""

from __future__ import annotations

from sos_constructs.postgres.clients import Clients
from sos_constructs.postgres.construct import HaPostgres
from sos_constructs.postgres.containers import OFFICIAL, POSTGRES_EXPORTER, SPILO, ExporterImage, ImageProfile, Resources
from sos_constructs.postgres.exposure import ServiceOptions
from sos_constructs.postgres.failover import FastFailover
from sos_constructs.postgres.handles import DatabaseHandle, ServerCa
from sos_constructs.postgres.locale import Locale
from sos_constructs.postgres.manifests import manifests
from sos_constructs.postgres.monitoring import PrometheusOperator
from sos_constructs.postgres.pods import PodOptions
from sos_constructs.postgres.pooler import PGBOUNCER, Pooler, PoolerImage
from sos_constructs.postgres.spec import DATABASES, Database, PatroniTiming
from sos_constructs.postgres.tls import CertificateSecret, CertManager

__all__ = [
    "DATABASES",
    "OFFICIAL",
    "PGBOUNCER",
    "POSTGRES_EXPORTER",
    "SPILO",
    "CertManager",
    "CertificateSecret",
    "Clients",
    "Database",
    "DatabaseHandle",
    "ExporterImage",
    "FastFailover",
    "HaPostgres",
    "ImageProfile",
    "Locale",
    "PatroniTiming",
    "PodOptions",
    "Pooler",
    "PoolerImage",
    "PrometheusOperator",
    "Resources",
    "ServerCa",
    "ServiceOptions",
    "manifests",
]
