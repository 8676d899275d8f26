"""What the pods may do in the API: Patroni's calls, the agent's four, and nothing else.

Patroni keeps its state in four ConfigMaps and its members' state in annotations and labels of their pods. ``create``, ``list`` and
``watch`` cannot be restricted by name; everything that changes an existing object is. Patroni needs no ``update`` and no ``delete``
(seen in an audit log over bootstrap, switchover, failover and re-join), and no cluster-wide right.
"""

from __future__ import annotations

from typing import Any

from sos_constructs.postgres import storage
from sos_constructs.postgres.spec import Spec


def service_account(spec: Spec) -> dict[str, Any]:
    """The identity of the pods. The pod itself mounts the token, into the containers of Patroni and the agent only."""
    account = _object(spec, "v1", "ServiceAccount", {"automountServiceAccountToken": False})
    if spec.pods.service_account_annotations:
        account["metadata"]["annotations"] = dict(spec.pods.service_account_annotations)
    return account


def role(spec: Spec) -> dict[str, Any]:
    """The rights, in this namespace only."""
    return _object(
        spec,
        "rbac.authorization.k8s.io/v1",
        "Role",
        {
            "rules": [
                {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["create", "list", "watch"]},
                {"apiGroups": [""], "resourceNames": spec.names.store, "resources": ["configmaps"], "verbs": ["get", "patch"]},
                {"apiGroups": [""], "resources": ["pods"], "verbs": ["list", "watch"]},
                # the agent reads and changes the entry of a leader that is silent when its lock ends
                {"apiGroups": [""], "resourceNames": spec.names.pods, "resources": ["pods"], "verbs": ["get", "patch"]},
                # The agent's: a standby that does not stream has its own pod restarted, and the primary has pods with an old template replaced,
                # within the disruption budget.
                {"apiGroups": [""], "resourceNames": spec.names.pods, "resources": ["pods/eviction"], "verbs": ["create"]},
                {"apiGroups": ["apps"], "resourceNames": [spec.name], "resources": ["statefulsets"], "verbs": ["get"]},
                *storage.rules(spec),
            ]
        },
    )


def role_binding(spec: Spec) -> dict[str, Any]:
    """Gives the rights to the pods' ServiceAccount."""
    return _object(
        spec,
        "rbac.authorization.k8s.io/v1",
        "RoleBinding",
        {
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": spec.name},
            "subjects": [{"kind": "ServiceAccount", "name": spec.name, "namespace": spec.namespace}],
        },
    )


def _object(spec: Spec, api_version: str, kind: str, body: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"labels": spec.names.labels, "name": spec.name, "namespace": spec.namespace}} | body
