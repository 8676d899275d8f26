"""A highly available PostgreSQL: Patroni for failover, an agent for everything a manifest cannot do once applied.

Names are loaded on first use: a file that declares databases and roles for ``sosctl`` needs no Node.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sos_constructs.postgres.clients import Clients
    from sos_constructs.postgres.construct import HaPostgres
    from sos_constructs.postgres.containers import OFFICIAL, POSTGRES_EXPORTER, SPILO, ExporterImage, ImageProfile, Resources
    from sos_constructs.postgres.contents import manifests
    from sos_constructs.postgres.exposure import ServiceOptions
    from sos_constructs.postgres.failover import FastFailover
    from sos_constructs.postgres.handles import DatabaseHandle, ServerCa
    from sos_constructs.postgres.locale import Locale
    from sos_constructs.postgres.monitoring import PrometheusOperator
    from sos_constructs.postgres.pods import PodOptions
    from sos_constructs.postgres.pooler import PGBOUNCER, Pooler, PoolerImage
    from sos_constructs.postgres.roles import Role
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
    "Role",
    "ServerCa",
    "ServiceOptions",
    "manifests",
]

_NAMES = {
    "clients": ("Clients",),
    "construct": ("HaPostgres",),
    "containers": ("OFFICIAL", "POSTGRES_EXPORTER", "SPILO", "ExporterImage", "ImageProfile", "Resources"),
    "contents": ("manifests",),
    "exposure": ("ServiceOptions",),
    "failover": ("FastFailover",),
    "handles": ("DatabaseHandle", "ServerCa"),
    "locale": ("Locale",),
    "monitoring": ("PrometheusOperator",),
    "pods": ("PodOptions",),
    "pooler": ("PGBOUNCER", "Pooler", "PoolerImage"),
    "roles": ("Role",),
    "tls": ("CertManager", "CertificateSecret"),
}
_HOME = {name: module for module, names in _NAMES.items() for name in names}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME.get(name, 'spec')}"), name)
