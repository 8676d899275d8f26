"""Who may talk to whom, by the NetworkPolicies of the manifests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sos_constructs.review.graph.model import Edge, Kind, Node
from sos_constructs.review.model import Key, Manifest, Manifests
from sos_constructs.review.usage import get, mapping, mappings, words

Labels = Mapping[Key, Mapping[str, str]]


def selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Whether a label selector finds pods with these labels. An operator that is unknown finds nothing."""
    wanted = mapping(selector.get("matchLabels"))
    return all(labels.get(name) == value for name, value in wanted.items()) and all(
        _expression(expression, labels) for expression in mappings(selector.get("matchExpressions"))
    )


def _expression(expression: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    name, values = str(expression.get("key")), words(expression.get("values"))
    answers = {"In": labels.get(name) in values, "NotIn": labels.get(name) not in values, "Exists": name in labels, "DoesNotExist": name not in labels}
    return answers.get(str(expression.get("operator")), False)


def traffic(manifests: Manifests, workloads: Labels) -> tuple[list[Node | Edge], list[str]]:
    """Boxes and lines for the traffic that policies allow to and from the workloads, and the policies that find none of them."""
    found: list[Node | Edge] = []
    idle: list[str] = []
    ports: dict[tuple[str, str], set[str]] = {}
    for key, manifest in manifests.items():
        if (key.group, key.kind) != ("networking.k8s.io", "NetworkPolicy"):
            continue
        selector = mapping(get(manifest, "spec", "podSelector"))
        chosen = [other for other, labels in workloads.items() if other.namespace == key.namespace and selects(selector, labels)]
        if not chosen and (selector or mappings(get(manifest, "spec", "ingress")) or mappings(get(manifest, "spec", "egress"))):
            idle.append(key.name)
        for workload in chosen:
            for node, line, allowed in _lines(key, manifest, workload, workloads):
                found += [node] if node else []
                ports.setdefault(line, set()).update(allowed)
    return [*found, *(Edge(source, target, _ports(allowed), traffic=True) for (source, target), allowed in ports.items())], idle


def _lines(key: Key, manifest: Manifest, workload: Key, workloads: Labels) -> Iterator[tuple[Node | None, tuple[str, str], list[str]]]:
    for direction, field, kind in (("ingress", "from", Kind.PEER), ("egress", "to", Kind.TARGET)):
        for rule in mappings(get(manifest, "spec", direction)):
            allowed = [_port(port) for port in mappings(rule.get("ports"))] or ["every port"]
            for title in _peers(rule.get(field), key.namespace, workloads, direction):
                node = Node(f"{direction} {title}", kind, title, caption="may connect" if kind is Kind.PEER else "may be reached")
                yield node, ((node.id, str(workload)) if kind is Kind.PEER else (str(workload), node.id)), allowed


def _peers(peers: Any, namespace: str, workloads: Labels, direction: str) -> Iterator[str]:
    """The other ends, in words."""
    if not mappings(peers):
        yield "anyone" if direction == "ingress" else "any address"
    for peer in mappings(peers):
        if isinstance(block := peer.get("ipBlock"), Mapping):
            yield str(block.get("cidr")) + (" with exceptions" if block.get("except") else "")
            continue
        spaces, pods = peer.get("namespaceSelector"), mapping(peer.get("podSelector"))
        where = namespace if spaces is None else _spaces(mapping(spaces))
        if not pods:
            yield f"every pod in {where}"
            continue
        same = [other for other, labels in workloads.items() if spaces is None and other.namespace == namespace and selects(pods, labels)]
        yield from (f"pods of {other.kind} {other.name}" for other in same)
        if not same:
            yield f"pods {_words(pods)} in {where}"


def _spaces(selector: Mapping[str, Any]) -> str:
    if not selector:
        return "every namespace"
    name = get(selector, "matchLabels", "kubernetes.io/metadata.name")
    return str(name) if name and selector == {"matchLabels": {"kubernetes.io/metadata.name": name}} else f"namespaces {_words(selector)}"


def _words(selector: Mapping[str, Any]) -> str:
    found = [f"{name.rpartition('/')[2]}={value}" for name, value in sorted(mapping(selector.get("matchLabels")).items())]
    found += [f"{e.get('key')} {e.get('operator')} {'|'.join(words(e.get('values')))}".strip() for e in mappings(selector.get("matchExpressions"))]
    return ", ".join(found)


def _port(port: Mapping[str, Any]) -> str:
    number, end, protocol = port.get("port", "every port"), port.get("endPort"), port.get("protocol", "TCP")
    return f"{number}{f'–{end}' if end else ''}" + ("" if protocol == "TCP" else f"/{protocol}")


def _ports(allowed: set[str]) -> str:
    """Sorted by number; a port allowed for TCP and UDP is named once."""
    once = {port for port in allowed if not (port.endswith("/UDP") and port.removesuffix("/UDP") in allowed)}
    return ", ".join(sorted(once, key=lambda port: (int(digits) if (digits := port.partition("/")[0].partition("–")[0]).isdigit() else 0, port)))
