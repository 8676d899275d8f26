"""Who may read which Secret through the API: exactly those that are named, and nothing but ``get``.

Kubernetes gives a pod its environment and its volumes whatever its ServiceAccount may do. These rights are for processes that read the API
themselves, and for people: a right to *create pods* in the namespace is a right to read all its Secrets, which no Role can prevent.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from sos_constructs import names
from sos_constructs.checked import checked
from sos_constructs.emit import Objects
from sos_constructs.errors import InvalidOption, did_you_mean, located
from sos_constructs.labels import labels
from sos_constructs.secrets.handles import SecretHandle

import cdk8s
from attrs import frozen
from constructs import Construct


@frozen(kw_only=True)
class AccessSpec:
    """The validated options of :class:`SecretAccess`: ServiceAccount → names of the Secrets it reads."""

    readers: Mapping[str, tuple[str, ...]]
    namespace: str
    create_service_accounts: bool


def service_account(name: str) -> dict[str, Any]:
    """The identity of a service. Its token is in no pod that does not ask for it."""
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": _metadata(name, name), "automountServiceAccountToken": False}


def role(secret: str) -> dict[str, Any]:
    """The right to read one Secret. ``list`` and ``watch`` would show the values of all, so they are in no Role."""
    rule = {"apiGroups": [""], "resourceNames": [secret], "resources": ["secrets"], "verbs": ["get"]}
    return {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": _metadata(_role_name(secret), "sos-app"), "rules": [rule]}


def role_binding(secret: str, readers: Collection[str], namespace: str) -> dict[str, Any]:
    """Gives the right to the ServiceAccounts."""
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": _metadata(_role_name(secret), "sos-app"),
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": _role_name(secret)},
        "subjects": [{"kind": "ServiceAccount", "name": reader, "namespace": namespace} for reader in sorted(readers)],
    }


def manifests(spec: AccessSpec) -> list[dict[str, Any]]:
    """ServiceAccounts, then a Role with its binding for each Secret that somebody reads."""
    accounts = [service_account(name) for name in sorted(spec.readers)] if spec.create_service_accounts else []
    by_secret: dict[str, list[str]] = {}
    for reader, secrets in spec.readers.items():
        for secret in secrets:
            by_secret.setdefault(secret, []).append(reader)
    rights = [each for secret, readers in sorted(by_secret.items()) for each in (role(secret), role_binding(secret, readers, spec.namespace))]
    return [*accounts, *rights]


def _role_name(secret: str) -> str:
    return f"read-{secret}"


def _metadata(name: str, instance: str) -> dict[str, Any]:
    return {"labels": labels("secrets-access", instance, "secrets"), "name": name}


class SecretAccess(Construct):
    """A ServiceAccount for each service, and for each Secret a Role that lets exactly the services that are named read it.

    :param scope: the chart; it must have a namespace, which is that of the Secrets and the services.
    :param id: id of the construct in it.
    :param readers: name of a service, which becomes that of its ServiceAccount → the secrets it reads.
    :param create_service_accounts: ``False`` where something else makes them.
    :raises ValueError: for a name that the API server refuses, something that is no secret, or a chart without a namespace.
    """

    @checked
    def __init__(self, scope: Construct, id: str, *, readers: Mapping[str, Collection[SecretHandle]], create_service_accounts: bool = True) -> None:
        with located(scope, id):
            namespace = cdk8s.Chart.of(scope).namespace
            if namespace is None:
                raise InvalidOption("namespace", None, "must be given to the chart: rights name the namespace of whom they are given")
            spec = AccessSpec(readers=_readers(readers), namespace=namespace, create_service_accounts=create_service_accounts)
        super().__init__(scope, id)
        self._readers = spec.readers
        self.objects = Objects(self, manifests(spec))
        """The emitted objects by kind and name."""

    @checked
    def service_account(self, service: str) -> str:
        """``serviceAccountName`` for the pods of a service.

        :raises InvalidOption: when it is not one of ``readers``, with the nearest that is.
        """
        if service not in self._readers:
            raise InvalidOption("service", service, f"is not one of the readers{did_you_mean(service, self._readers)}; there are {', '.join(self._readers)}")
        return service


def _readers(readers: Mapping[str, Collection[SecretHandle]]) -> dict[str, tuple[str, ...]]:
    checked: dict[str, tuple[str, ...]] = {}
    for service, secrets in readers.items():
        names.dns_subdomain("readers", service)
        if service == "default":
            raise InvalidOption("readers", service, "is what every pod runs as that names no ServiceAccount; give the service one of its own")
        for secret in secrets:
            given: object = secret
            if not isinstance(given, SecretHandle):
                raise InvalidOption(f"readers[{service!r}]", given, "must be a secret, for instance secrets.redis")
        checked[service] = tuple(sorted({secret.name for secret in secrets}))
    return checked
