"""Who may connect to the database, in the words of a NetworkPolicy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sos_constructs import names as rules
from sos_constructs.checked import checked_in_use
from sos_constructs.errors import InvalidOption
from sos_constructs.parts import cidr, copied, items

import attrs

if TYPE_CHECKING:
    from sos_constructs.postgres.spec import Spec


@checked_in_use
@attrs.frozen(kw_only=True)
class Clients:
    """Who may connect. ``Clients(pods={"app": "auth-service"})``; ``Clients()`` is every pod of the database's namespace.

    :param pods: labels that a pod must carry, all of them. Default: none, so every pod.
    :param namespace: where they are. Default: the database's own namespace.
    :param addresses: clients outside the cluster instead of pods, as ranges: ``Clients(addresses=("203.0.113.0/24",))``. Give the addresses that the pods
        see: with ``external_traffic_policy="Cluster"`` those of the nodes.
    """

    pods: Mapping[str, str] = attrs.field(factory=dict[str, str], converter=copied)
    namespace: str | None = None
    addresses: Sequence[str] = ()

    def check(self, option: str) -> None:
        """Raise :class:`InvalidOption` for what the API server would refuse, or what would silently select nobody."""
        if self.namespace is not None:
            rules.dns_label(f"{option}.namespace", self.namespace)
        labels: object = self.pods
        if not isinstance(labels, Mapping):
            raise InvalidOption(f"{option}.pods", labels, 'must be labels, for instance {"app": "auth-service"}')
        for key, value in self.pods.items():
            _check_label(f"{option}.pods", key, value)
        items(cidr)(f"{option}.addresses", self.addresses)
        if self.addresses and (self.pods or self.namespace is not None):
            raise InvalidOption(f"{option}.addresses", self.addresses, "must be alone; pods and namespaces stand in Clients(…) of their own")

    def peers(self) -> list[dict[str, Any]]:
        """The peers of a NetworkPolicy's rule."""
        if self.addresses:
            return [{"ipBlock": {"cidr": each}} for each in self.addresses]
        selector = {"podSelector": {"matchLabels": dict(sorted(self.pods.items()))} if self.pods else {}}
        if self.namespace is None:
            return [selector]
        return [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": self.namespace}}} | selector]


def _check_label(option: str, key: str, value: object) -> None:
    try:
        rules.label_pair(key, value)
    except InvalidOption:
        raise InvalidOption(option, f"{key}={value}", "is no label that a pod can carry") from None


EVERY_POD = (Clients(),)
"""The default: every pod of the database's namespace. A password is needed besides."""


def check(spec: Spec) -> None:
    """Raise :class:`InvalidOption` for a peer that cannot be."""
    for number, clients in enumerate(spec.allow_from):
        option = f"allow_from[{number}]"
        given: object = clients
        if not isinstance(given, Clients):
            raise InvalidOption(option, given, 'must be made with Clients(…), for instance Clients(pods={"app": "auth-service"})')
        clients.check(option)


def is_open(spec: Spec) -> bool:
    """Whether every pod of the database's namespace may connect."""
    return {"podSelector": {}} in peers(spec)


def peers(spec: Spec) -> list[dict[str, Any]]:
    """Those who may connect, as the peers of a rule; each once, in the order given."""
    found: list[dict[str, Any]] = []
    for peer in (peer for clients in spec.allow_from for peer in clients.peers()):
        if peer not in found:
            found.append(peer)
    return found


def has_addresses(spec: Spec) -> bool:
    """Whether anybody outside the cluster may connect."""
    return any(clients.addresses for clients in spec.allow_from)
