"""Where the operator finds the values: one value object per kind of store, without any credential in it.

Field names and shapes are those of the operator's ``external-secrets.io/v1`` API.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from sos_constructs import names
from sos_constructs.checked import checked
from sos_constructs.errors import InvalidOption

from attrs import field, frozen

Reference = Mapping[str, str]
"""``{"name": …}`` of an object in the namespace; from a ClusterSecretStore also its ``namespace``."""


def words(value: str | Iterable[str]) -> tuple[str, ...]:
    """One word or several, as a tuple."""
    return (value,) if isinstance(value, str) else tuple(value)


class Store(Protocol):
    """Anything that holds one JSON document per Secret."""

    def account(self) -> Mapping[str, str] | None:
        """Annotations of the ServiceAccount the operator acts as; ``None`` where it acts as itself."""
        ...

    def provider(self, account: Reference) -> dict[str, Any]:
        """``spec.provider`` of the store object."""
        ...

    def remote_key(self, prefix: str, name: str) -> str:
        """Name of the document of Secret ``name``, in the characters this store allows."""
        ...

    def version(self, pin: str) -> str:
        """``remoteRef.version`` for what the store itself calls a version.

        :raises InvalidOption: for a text that cannot be one.
        """
        ...

    def push_metadata(self) -> Mapping[str, Any]:
        """What ``PushSecret`` has to know for a new document (empty: nothing)."""
        ...


@checked
@frozen(kw_only=True)
class AwsSecretsManager:
    """AWS Secrets Manager. Without ``role_arn`` and ``access_key`` the operator uses the identity of its own pod: EKS Pod Identity.

    :param region: for instance ``eu-central-1``.
    :param role_arn: IAM role for IRSA. The trust policy names the ServiceAccount that :class:`ExternalSecrets` emits.
    :param access_key: name of a Secret with the keys ``access-key-id`` and ``secret-access-key``, where there is no identity: outside AWS.
    :raises InvalidOption: for a region or role that cannot be one, or both ways to log in.
    """

    region: str
    role_arn: str | None = None
    access_key: str | None = None

    def __attrs_post_init__(self) -> None:
        matched("region", self.region, r"[a-z]{2,}(-[a-z]+)+-\d{1,2}", "must be an AWS region such as 'eu-central-1'")
        if self.role_arn is not None:
            matched(
                "role_arn",
                self.role_arn,
                r"arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]+",
                "must be the ARN of a role, as 'arn:aws:iam::123456789012:role/sos-app-secrets'",
            )
            if self.access_key is not None:
                raise InvalidOption("access_key", self.access_key, "cannot be combined with role_arn: keep the role, which needs no stored credential")
        if self.access_key is not None:
            names.dns_subdomain("access_key", self.access_key)

    def account(self) -> Mapping[str, str] | None:
        return None if self.role_arn is None else {"eks.amazonaws.com/role-arn": self.role_arn}

    def provider(self, account: Reference) -> dict[str, Any]:
        aws: dict[str, Any] = {"service": "SecretsManager", "region": self.region}
        if self.role_arn is not None:
            aws["auth"] = {"jwt": {"serviceAccountRef": dict(account)}}
        elif self.access_key is not None:
            place = {**account, "name": self.access_key}
            aws["auth"] = {
                "secretRef": {"accessKeyIDSecretRef": {**place, "key": "access-key-id"}, "secretAccessKeySecretRef": {**place, "key": "secret-access-key"}}
            }
        return {"aws": aws}

    def remote_key(self, prefix: str, name: str) -> str:
        return checked_key(prefix, f"{prefix}/{name}", r"[A-Za-z0-9/_+=.@-]{1,512}", "AWS: letters, digits and /_+=.@-, at most 512 characters")

    def version(self, pin: str) -> str:
        # stages such as AWSPREVIOUS move by themselves, so they pin nothing
        return matched("versions", pin, r"uuid/[0-9A-Za-z-]{32,64}", "must be 'uuid/' and the VersionId that aws secretsmanager list-secret-version-ids shows")

    def push_metadata(self) -> Mapping[str, Any]:
        # the default, binary, is not shown in the console, where people add the keys that vendors issue
        return {"apiVersion": "kubernetes.external-secrets.io/v1alpha1", "kind": "PushSecretMetadata", "spec": {"secretPushFormat": "string"}}


@checked
@frozen(kw_only=True)
class GcpSecretManager:
    """Google Cloud Secret Manager, through Workload Identity Federation for GKE.

    :param project: the project's id.
    :param service_account: e-mail of a Google service account to act as; without it the ServiceAccount in the cluster is given rights itself.
    :param cluster: ``location/name`` of the GKE cluster (default: the operator asks the node's metadata server).
    :raises InvalidOption: for a project or account that cannot be one.
    """

    project: str
    service_account: str | None = None
    cluster: str | None = None

    def __attrs_post_init__(self) -> None:
        matched("project", self.project, "[a-z][a-z0-9-]{4,28}[a-z0-9]", "must be the id of a project: 6 to 30 lower-case letters, digits and '-'")
        if self.service_account is not None:
            example = "must be the e-mail of a service account, as 'sos-secrets@my-project.iam.gserviceaccount.com'"
            matched("service_account", self.service_account, r"[a-z0-9-]+@[a-z0-9.-]+\.gserviceaccount\.com", example)
        if self.cluster is not None:
            matched("cluster", self.cluster, "[a-z][a-z0-9-]*/[a-z][a-z0-9-]*", "must be 'location/name', for instance 'europe-west3/production'")

    def account(self) -> Mapping[str, str] | None:
        return {} if self.service_account is None else {"iam.gke.io/gcp-service-account": self.service_account}

    def provider(self, account: Reference) -> dict[str, Any]:
        identity: dict[str, Any] = {"serviceAccountRef": dict(account)}
        if self.cluster is not None:
            location, name = self.cluster.split("/")
            identity |= {"clusterLocation": location, "clusterName": name, "clusterProjectID": self.project}
        return {"gcpsm": {"projectID": self.project, "auth": {"workloadIdentity": identity}}}

    def remote_key(self, prefix: str, name: str) -> str:
        return checked_key(
            prefix, re.sub("[/.]", "-", f"{prefix}/{name}"), "[A-Za-z0-9_-]{1,255}", "Google Cloud: letters, digits, '_' and '-', at most 255 characters"
        )

    def version(self, pin: str) -> str:
        return matched("versions", pin, r"[1-9]\d*", "must be the number of a version, in quotes")

    def push_metadata(self) -> Mapping[str, Any]:
        return {}


_AZURE_CLOUDS = {"vault.azure.net": "PublicCloud", "vault.azure.cn": "ChinaCloud", "vault.usgovcloudapi.net": "USGovernmentCloud"}
_GUID = "[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"


@checked
@frozen(kw_only=True)
class AzureKeyVault:
    """Azure Key Vault, through Microsoft Entra Workload ID.

    :param vault_url: for instance ``https://sos-app.vault.azure.net``.
    :param client_id: client id of the managed identity or application that is federated with the ServiceAccount.
    :param tenant_id: its tenant.
    :raises InvalidOption: for a URL or an id that cannot be one.
    """

    vault_url: str
    client_id: str
    tenant_id: str

    def __attrs_post_init__(self) -> None:
        domains = "|".join(map(re.escape, _AZURE_CLOUDS))
        matched(
            "vault_url",
            self.vault_url,
            rf"https://[A-Za-z][A-Za-z0-9-]{{1,22}}[A-Za-z0-9]\.({domains})",
            "must be the vault's URI, as 'https://sos-app.vault.azure.net'",
        )
        for option, value in (("client_id", self.client_id), ("tenant_id", self.tenant_id)):
            matched(option, value, _GUID, "must be a GUID, as 'Directory (tenant) ID' and 'Application (client) ID' in the portal")

    def account(self) -> Mapping[str, str] | None:
        return {"azure.workload.identity/client-id": self.client_id, "azure.workload.identity/tenant-id": self.tenant_id}

    def provider(self, account: Reference) -> dict[str, Any]:
        cloud = _AZURE_CLOUDS[self.vault_url.split(".", 1)[1]]
        return {"azurekv": {"authType": "WorkloadIdentity", "environmentType": cloud, "serviceAccountRef": dict(account), "vaultUrl": self.vault_url}}

    def remote_key(self, prefix: str, name: str) -> str:
        return checked_key(prefix, re.sub("[/._]", "-", f"{prefix}/{name}"), "[0-9A-Za-z-]{1,127}", "Azure: letters, digits and '-', at most 127 characters")

    def version(self, pin: str) -> str:
        return matched("versions", pin, "[0-9a-f]{32}", "must be the identifier that az keyvault secret list-versions shows: 32 hexadecimal digits")

    def push_metadata(self) -> Mapping[str, Any]:
        return {}


@checked
@frozen(kw_only=True)
class Vault:
    """HashiCorp Vault, KV version 2, through Vault's Kubernetes auth method.

    :param server: for instance ``https://vault.example.org:8200``.
    :param role: role of the auth method, bound to the ServiceAccount that :class:`ExternalSecrets` emits.
    :param path: mount of the KV engine.
    :param mount: mount of the auth method.
    :param audiences: audiences of the token; Vault 1.21 and later refuses roles that do not ask for one.
    :param namespace: Vault namespace (Enterprise).
    :param ca_config_map: ConfigMap with the key ``ca.crt``, where Vault's certificate is from a private CA.
    :raises InvalidOption: for a server that is not https, or an empty name.
    """

    server: str
    role: str
    path: str = "secret"
    mount: str = "kubernetes"
    audiences: tuple[str, ...] = field(default=("vault",), converter=words)
    namespace: str | None = None
    ca_config_map: str | None = None

    def __attrs_post_init__(self) -> None:
        matched("server", self.server, r"https://[\w.-]+(:\d+)?", "must be https://host[:port]: over http every value would cross the network readable")
        for option, value in (("role", self.role), ("path", self.path), ("mount", self.mount)):
            matched(option, value, r"[\w-][\w./-]*", "must be a name in Vault: letters, digits and _.-/")
        if not self.audiences or not all(each.strip() for each in self.audiences):
            raise InvalidOption("audiences", self.audiences, "must name at least one audience, for instance ('vault',)")
        if self.ca_config_map is not None:
            names.dns_subdomain("ca_config_map", self.ca_config_map)

    def account(self) -> Mapping[str, str] | None:
        return {}

    def provider(self, account: Reference) -> dict[str, Any]:
        identity = {"mountPath": self.mount, "role": self.role, "serviceAccountRef": {**account, "audiences": list(self.audiences)}}
        vault: dict[str, Any] = {"auth": {"kubernetes": identity}, "path": self.path, "server": self.server, "version": "v2"}
        if self.namespace is not None:
            vault["namespace"] = self.namespace
        if self.ca_config_map is not None:
            vault["caProvider"] = {**account, "type": "ConfigMap", "name": self.ca_config_map, "key": "ca.crt"}
        return {"vault": vault}

    def remote_key(self, prefix: str, name: str) -> str:
        return checked_key(prefix, f"{prefix}/{name}", r"[\w-][\w./-]{0,511}", "Vault: letters, digits and _.-/, at most 512 characters")

    def version(self, pin: str) -> str:
        return matched("versions", pin, r"[1-9]\d*", "must be the number of a version, in quotes")

    def push_metadata(self) -> Mapping[str, Any]:
        return {}


def matched(option: str, value: object, pattern: str, fix: str) -> str:
    """``value``, or :class:`InvalidOption` with ``fix`` unless it is a string that is ``pattern`` in full."""
    if not isinstance(value, str) or not re.fullmatch(pattern, value, re.ASCII):
        raise InvalidOption(option, value, fix)
    return value


def checked_key(prefix: str, key: str, pattern: str, rule: str) -> str:
    """``key`` without the separator an empty prefix leaves, if the store takes it."""
    key = key if prefix else key[1:]
    if not re.fullmatch(pattern, key, re.ASCII):
        raise InvalidOption("prefix", prefix, f"gives documents a name that the store refuses, {key!r} ({rule}); choose another, such as 'sos-app'")
    return key
