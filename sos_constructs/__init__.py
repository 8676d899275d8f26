"""cdk8s constructs for an SOS emergency platform: configuration, secrets and a highly available PostgreSQL.

Names are loaded on first use: importing the package costs next to nothing, and the command line never starts jsii.
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import PurePath
from typing import TYPE_CHECKING

from sos_constructs import _node  # it decides which Node jsii runs on, before anything starts jsii

if TYPE_CHECKING:
    from sos_constructs.config import SOS, Catalogue, Key, Layer, Rule, Section, SosConfig
    from sos_constructs.foundation import ClusterDns, SosNamespace
    from sos_constructs.pod_security import restricted
    from sos_constructs.postgres import (
        DATABASES,
        OFFICIAL,
        PGBOUNCER,
        POSTGRES_EXPORTER,
        SPILO,
        CertificateSecret,
        CertManager,
        Clients,
        Database,
        DatabaseHandle,
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
        ServerCa,
        ServiceOptions,
    )
    from sos_constructs.secrets import (
        SECRETS,
        AwsSecretsManager,
        AzureKeyVault,
        ExistingSecrets,
        ExternalDsns,
        ExternalSecrets,
        GcpSecretManager,
        KubernetesStore,
        SealedSecrets,
        SecretAccess,
        SecretAdmission,
        SecretCatalogue,
        SecretHandle,
        SosSecrets,
        TemplateSecrets,
        Vault,
        postgres_secret,
        reload_on,
        version_annotations,
    )

if PurePath(sys.argv[0] if sys.argv else "").stem != "sosctl":  # the command line handles files and needs no Node
    _node.choose()

__all__ = [
    "DATABASES",
    "OFFICIAL",
    "PGBOUNCER",
    "POSTGRES_EXPORTER",
    "SECRETS",
    "SOS",
    "SPILO",
    "AwsSecretsManager",
    "AzureKeyVault",
    "Catalogue",
    "CertManager",
    "CertificateSecret",
    "Clients",
    "ClusterDns",
    "Database",
    "DatabaseHandle",
    "ExistingSecrets",
    "ExporterImage",
    "ExternalDsns",
    "ExternalSecrets",
    "FastFailover",
    "GcpSecretManager",
    "HaPostgres",
    "ImageProfile",
    "Key",
    "KubernetesStore",
    "Layer",
    "Locale",
    "PatroniTiming",
    "PodOptions",
    "Pooler",
    "PoolerImage",
    "PrometheusOperator",
    "Resources",
    "Role",
    "Rule",
    "SealedSecrets",
    "SecretAccess",
    "SecretAdmission",
    "SecretCatalogue",
    "SecretHandle",
    "Section",
    "ServerCa",
    "ServiceOptions",
    "SosConfig",
    "SosNamespace",
    "SosSecrets",
    "TemplateSecrets",
    "Vault",
    "postgres_secret",
    "reload_on",
    "restricted",
    "version_annotations",
]

_HOME = {
    "config": ("SOS", "Catalogue", "Key", "Layer", "Rule", "Section", "SosConfig"),
    "foundation": ("ClusterDns", "SosNamespace"),
    "pod_security": ("restricted",),
    "secrets": (
        "SECRETS",
        "AwsSecretsManager",
        "AzureKeyVault",
        "ExistingSecrets",
        "ExternalDsns",
        "ExternalSecrets",
        "GcpSecretManager",
        "KubernetesStore",
        "SealedSecrets",
        "SecretAccess",
        "SecretAdmission",
        "SecretCatalogue",
        "SecretHandle",
        "SosSecrets",
        "TemplateSecrets",
        "Vault",
        "postgres_secret",
        "reload_on",
        "version_annotations",
    ),
}
_MODULE = {name: module for module, names in _HOME.items() for name in names}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULE.get(name, 'postgres')}"), name)


def __dir__() -> list[str]:
    return __all__
