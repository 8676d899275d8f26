"""The NetworkPolicies of one grant: policies only add up, so each workload brings its own."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from sos_constructs.foundation.network import EGRESS_LABEL, EGRESS_RESTRICTED
from sos_constructs.postgres import names as n
from sos_constructs.postgres.pooler.ini import sides
from sos_constructs.postgres.pooler.names import PORTS, PoolerNames
from sos_constructs.postgres.spec import Spec

from attrs import frozen


@frozen(kw_only=True)
class Client:
    """The pods of a workload.

    :param namespace: ``None`` where the workload does not say; it is then taken for the database's.
    :param selector: finds them, and no others.
    :param labels: all they carry.
    """

    kind: str
    name: str
    namespace: str | None
    selector: Mapping[str, Any]
    labels: Mapping[str, str]

    @property
    def title(self) -> str:
        return f"{self.kind}/{self.name}"

    @property
    def restricted(self) -> bool:
        """Whether ``SosNamespace`` lets them call nothing but DNS."""
        return self.labels.get(EGRESS_LABEL) == EGRESS_RESTRICTED


@frozen(kw_only=True)
class Server:
    """The pods that answer: the members, or the pooler's."""

    name: str
    selector: dict[str, str]
    labels: dict[str, str]
    ports: tuple[int, ...]


def server(spec: Spec, *, pooled: bool, readonly: bool) -> Server:
    """Whom a client of this kind calls. A pooler without a read-only side leaves those clients to the members."""
    if spec.pooler is None or not pooled or (readonly and not spec.pooler.readonly):
        return Server(name=spec.name, selector=spec.names.selector, labels=spec.names.labels, ports=(n.PORT,))
    names = PoolerNames(spec.name)
    # both sides in either case, as in the pooler's own policy: a workload that uses both needs no second one
    return Server(name=names.pooler, selector=names.selector, labels=names.labels, ports=tuple(PORTS[side] for side in sides(spec.pooler)))


def ingress(spec: Spec, to: Server, client: Client) -> dict[str, Any]:
    """Lets the client in."""
    rule = {"from": [{"podSelector": dict(client.selector)}], "ports": _ports(to)}
    return _policy(spec, to, client, "ingress", {"ingress": [rule], "podSelector": {"matchLabels": to.selector}, "policyTypes": ["Ingress"]})


def egress(spec: Spec, to: Server, client: Client) -> dict[str, Any]:
    """Lets the client out to it. Only for pods whose egress is restricted anyhow: to all others this policy would be the restriction."""
    rule = {"ports": _ports(to), "to": [{"podSelector": {"matchLabels": to.selector}}]}
    return _policy(spec, to, client, "egress", {"egress": [rule], "podSelector": dict(client.selector), "policyTypes": ["Egress"]})


def policy_name(to: Server, direction: str, client: Client) -> str:
    """``postgres.ingress.deployment.auth-service``. No installation's own object has a dot in its name, so none can meet it."""
    name = f"{to.name}.{direction}.{client.kind.lower()}.{client.name}"
    if len(name) <= 253:
        return name
    return f"{name[:240].rstrip('.-')}-{hashlib.sha256(name.encode()).hexdigest()[:10]}"


def _policy(spec: Spec, to: Server, client: Client, direction: str, body: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"labels": to.labels, "name": policy_name(to, direction, client), "namespace": spec.namespace},
        "spec": body,
    }


def _ports(to: Server) -> list[dict[str, Any]]:
    return [{"port": port, "protocol": "TCP"} for port in to.ports]
