"""The platform's secrets: 12 of them, every key a row of one catalogue. No value ever enters a chart.

Names are resolved on first use, so that ``sosctl secrets`` needs neither Node nor the time it takes to start.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sos_constructs.secrets.access import SecretAccess
    from sos_constructs.secrets.admission import SecretAdmission
    from sos_constructs.secrets.catalogue import SECRETS
    from sos_constructs.secrets.catalogues import SecretCatalogue
    from sos_constructs.secrets.construct import SosSecrets
    from sos_constructs.secrets.dsns import ExternalDsns
    from sos_constructs.secrets.external import AwsSecretsManager, AzureKeyVault, ExternalSecrets, GcpSecretManager, KubernetesStore, Vault
    from sos_constructs.secrets.handles import SecretHandle, reload_on, version_annotations
    from sos_constructs.secrets.postgres import postgres_secret
    from sos_constructs.secrets.sealed import SealedSecrets
    from sos_constructs.secrets.sources import ExistingSecrets, SecretSource, TemplateSecrets

__all__ = [
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
    "SecretSource",
    "SosSecrets",
    "TemplateSecrets",
    "Vault",
    "postgres_secret",
    "reload_on",
    "version_annotations",
]

_EXTERNAL = ("AwsSecretsManager", "AzureKeyVault", "ExternalSecrets", "GcpSecretManager", "KubernetesStore", "Vault")
_HOME = {
    "SECRETS": "catalogue",
    "ExternalDsns": "dsns",
    "SealedSecrets": "sealed",
    "SecretAccess": "access",
    "SecretAdmission": "admission",
    "SecretCatalogue": "catalogues",
    "SecretHandle": "handles",
    "SosSecrets": "construct",
    "postgres_secret": "postgres",
    "reload_on": "handles",
    "version_annotations": "handles",
} | dict.fromkeys(_EXTERNAL, "external")


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME.get(name, 'sources')}"), name)
