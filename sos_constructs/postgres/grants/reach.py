"""Whether policies of the app keep a workload from what it was granted: egress that is restricted is cut without a word."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from sos_constructs.postgres.grants.network import Client, Server
from sos_constructs.review.graph.policies import selects
from sos_constructs.review.usage import get, mapping, mappings, words

import cdk8s
from constructs import IConstruct


def problems(nodes: Sequence[IConstruct], namespace: str, granted: Iterable[tuple[Client, Server]]) -> Iterator[str]:
    """One sentence for each granted workload whose egress is restricted so that it cannot call what it was granted."""
    objects = [node for node in nodes if isinstance(node, cdk8s.ApiObject) and node.kind == "NetworkPolicy"]
    policies = [manifest for manifest in (node.to_json() for node in objects) if get(manifest, "metadata", "namespace") in (None, namespace)]
    for client, server in granted:
        found = [policy for policy in policies if _restricts(policy, client.labels)]
        if found and not any(_allows(policy, server) for policy in found):
            names = ", ".join(str(get(policy, "metadata", "name")) for policy in found)
            yield (
                f"workload={client.title!r} is kept from {server.name} by the NetworkPolicies {names}, which restrict what its pods call; "
                "grant it with egress=True, after it has its labels"
            )


def _restricts(policy: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    types = words(get(policy, "spec", "policyTypes")) or (["Egress"] if get(policy, "spec", "egress") else [])
    return "Egress" in types and selects(mapping(get(policy, "spec", "podSelector")), labels)


def _allows(policy: Mapping[str, Any], server: Server) -> bool:
    """Whether it lets pods call the server. Where only the cluster knows (addresses, other namespaces' labels, names of ports), yes."""
    return any(
        (not (peers := mappings(rule.get("to"))) or any(_is_of(peer, server) for peer in peers))
        and (not (ports := mappings(rule.get("ports"))) or any(_has(port, server) for port in ports))
        for rule in mappings(get(policy, "spec", "egress"))
    )


def _is_of(peer: Mapping[str, Any], server: Server) -> bool:
    return "ipBlock" in peer or selects(mapping(peer.get("podSelector")), server.labels)


def _has(port: Mapping[str, Any], server: Server) -> bool:
    first = port.get("port")
    if port.get("protocol", "TCP") != "TCP":
        return False
    return not isinstance(first, int) or any(first <= number <= int(port.get("endPort", first)) for number in server.ports)
