"""The platform's secrets: 12 of them, every key a row of one catalogue. No value ever enters a chart.

Names are resolved on first use, so that ``sosctl secrets`` needs neither Node nor the time it takes to start.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sos_constructs.secrets.access import SecretAccess
    from sos_constructs.secrets.admission import SecretAdmission
    from sos_constructs.secrets.construct import SosSecrets
    from sos_constructs.secrets.dsns import ExternalDsns
    from sos_constructs.secrets.external import AwsSecretsManager, AzureKeyVault, ExternalSecrets, GcpSecretManager, KubernetesStore, Vault
    from sos_constructs.secrets.handles import SecretHandle, reload_on, version_annotations
    from sos_constructs.secrets.sealed import SealedSecrets
    from sos_constructs.secrets.sources import ExistingSecrets, SecretSource, TemplateSecrets

__all__ = [
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
    "SecretHandle",
    "SecretSource",
    "SosSecrets",
    "TemplateSecrets",
    "Vault",
    "reload_on",
    "version_annotations",
]

_EXTERNAL = ("AwsSecretsManager", "AzureKeyVault", "ExternalSecrets", "GcpSecretManager", "KubernetesStore", "Vault")
_HOME = {
    "ExternalDsns": "dsns",
    "SealedSecrets": "sealed",
    "SecretAccess": "access",
    "SecretAdmission": "admission",
    "SecretHandle": "handles",
    "SosSecrets": "construct",
    "reload_on": "handles",
    "version_annotations": "handles",
} | dict.fromkeys(_EXTERNAL, "external")


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME.get(name, 'sources')}"), name)
