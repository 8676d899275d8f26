"""Another namespace as the store: no cloud, no further server."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from sos_constructs import names
from sos_constructs.checked import checked
from sos_constructs.errors import InvalidOption
from sos_constructs.labels import labels
from sos_constructs.secrets.external import manifests as m
from sos_constructs.secrets.external.bootstrap import Making, template
from sos_constructs.secrets.external.stores import Reference, checked_key

from attrs import frozen


@checked
@frozen(kw_only=True)
class KubernetesStore:
    """A namespace of the same cluster that holds one Secret per document. Who may read it decides who knows the values; nothing runs in it.

    It must exist, and is not part of the chart: pruning it would delete every credential.

    :param namespace: its name.
    :raises InvalidOption: when that is no name of a namespace.
    """

    namespace: str

    def __attrs_post_init__(self) -> None:
        names.dns_label("namespace", self.namespace)

    def account(self) -> Mapping[str, str] | None:
        return {}

    def provider(self, account: Reference) -> dict[str, Any]:
        ca = {**account, "type": "ConfigMap", "name": "kube-root-ca.crt", "key": "ca.crt"}  # in every namespace since Kubernetes 1.20
        server = {"caProvider": ca, "url": "https://kubernetes.default.svc"}
        return {"kubernetes": {"auth": {"serviceAccount": dict(account)}, "remoteNamespace": self.namespace, "server": server}}

    def remote_key(self, prefix: str, name: str) -> str:
        pattern = r"[a-z0-9]([a-z0-9-]{0,251}[a-z0-9])?"
        return checked_key(prefix, re.sub("[/._]", "-", f"{prefix}/{name}"), pattern, "Kubernetes: lower-case letters, digits and '-', at most 253 characters")

    def version(self, pin: str) -> str:
        raise InvalidOption(
            "versions", pin, "must be a number for a KubernetesStore: a Secret has no versions, so each document is one of its own, NAME-v1, NAME-v2 …"
        )

    def push_metadata(self) -> Mapping[str, Any]:
        return {}


def rights(name: str, store_namespace: str, readers: Iterable[tuple[str, str]], documents: Iterable[str]) -> list[dict[str, Any]]:
    """Role and RoleBinding in the store's namespace: the ``readers``, as ``(namespace, ServiceAccount)``, may read these documents and nothing else."""
    group = "rbac.authorization.k8s.io"
    rules = [{"apiGroups": [""], "resourceNames": sorted(documents), "resources": ["secrets"], "verbs": ["get"]}]
    subjects = [{"kind": "ServiceAccount", "name": account, "namespace": namespace} for namespace, account in readers]
    head = m.metadata(name, store_namespace, m.WAVE_STORE)
    return [
        {"apiVersion": f"{group}/v1", "kind": "Role", "metadata": head, "rules": rules},
        {
            "apiVersion": f"{group}/v1",
            "kind": "RoleBinding",
            "metadata": head,
            "roleRef": {"apiGroup": group, "kind": "Role", "name": name},
            "subjects": subjects,
        },
    ]


def completed_document(making: Making, store_namespace: str, *, store: Mapping[str, str]) -> dict[str, Any]:
    """An ExternalSecret in the store's own namespace that reads the document it writes, and adds what is missing.

    Not PushSecret: the operator answers ``IfNotExists`` for this store with "not implemented" (0.20), and ``Replace`` would make new values.
    Nothing that exists can be lost: the document is read after the copy that is updated, so that a change in between is refused as a conflict.
    ``OnChange``: it acts when it is created and when the catalogue changes, never by the clock and not where somebody has deleted the document.
    """
    # labels: sosctl tells documents, which it may rotate, from copies; and where there are no metadata the operator adds an empty mapping
    completed = {**template(making.text), "metadata": {"labels": labels("secrets", "sos-app", "secret-document")}}
    return {
        "apiVersion": m.API,
        "kind": "ExternalSecret",
        "metadata": m.metadata(f"{making.remote_key}-bootstrap", store_namespace, m.WAVE_BOOTSTRAP),
        "spec": {
            "dataFrom": m.extract(making.remote_key),
            "refreshInterval": "1h0m0s",
            "refreshPolicy": "OnChange",
            "secretStoreRef": dict(store),
            # Merge: that there is no document yet is no error
            "target": {"creationPolicy": "Orphan", "deletionPolicy": "Merge", "name": making.remote_key, "template": completed},
        },
    }
