"""Secrets that live in a store outside the namespace and are copied into it by the External Secrets Operator."""

from __future__ import annotations

from sos_constructs.secrets.external.kubernetes import KubernetesStore
from sos_constructs.secrets.external.source import ExternalSecrets
from sos_constructs.secrets.external.stores import AwsSecretsManager, AzureKeyVault, GcpSecretManager, Store, Vault

__all__ = ["AwsSecretsManager", "AzureKeyVault", "ExternalSecrets", "GcpSecretManager", "KubernetesStore", "Store", "Vault"]
