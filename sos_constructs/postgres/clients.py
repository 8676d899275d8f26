"""Who may connect to the database, in the words of a NetworkPolicy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sos_constructs import names as rules
from sos_constructs.errors import InvalidOption

import attrs

if TYPE_CHECKING:
    from sos_constructs.postgres.spec import Spec


@attrs.frozen(kw_only=True)
class Clients:
    """Pods that may connect. ``Clients(pods={"app": "auth-service"})``; ``Clients()`` is every pod of the database's namespace.

    :param pods: labels that a pod must carry, all of them. Default: none, so every pod.
    :param namespace: where they are. Default: the database's own namespace.
    """

    pods: Mapping[str, str] = attrs.field(factory=dict)
    namespace: str | None = None

    def check(self, option: str) -> None:
        """Raise :class:`InvalidOption` for what the API server would refuse, or what would silently select nobody."""
        if self.namespace is not None:
            rules.dns_label(f"{option}.namespace", self.namespace)
        labels: object = self.pods
        if not isinstance(labels, Mapping):
            raise InvalidOption(f"{option}.pods", labels, 'must be labels, for instance {"app": "auth-service"}')
        for key, value in self.pods.items():
            _check_label(f"{option}.pods", key, value)

    def peer(self) -> dict[str, Any]:
        """The peer of a NetworkPolicy's rule."""
        selector = {"podSelector": {"matchLabels": dict(sorted(self.pods.items()))} if self.pods else {}}
        if self.namespace is None:
            return selector
        return {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": self.namespace}}} | selector


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
    for clients in spec.allow_from:
        if (peer := clients.peer()) not in found:
            found.append(peer)
    return found
