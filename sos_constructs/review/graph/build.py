"""From manifests to boxes and lines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from sos_constructs.review.graph import policies
from sos_constructs.review.graph.model import Edge, Graph, Kind, Node
from sos_constructs.review.model import Key, Manifest, Manifests
from sos_constructs.review.usage import containers, get, mapping, mappings, pod_spec, words
from sos_constructs.workloads import POD

#: Kubernetes puts it into every namespace.
_GIVEN = {"kube-root-ca.crt"}
_SHOWN = 4
"""Keys or names that a box lists before it counts the rest."""


def build(manifests: Manifests, *, rights: bool = False) -> Graph:
    """The picture of ``manifests``.

    :param rights: whether to draw ServiceAccounts and what they may do.
    """
    nodes: dict[str, Node] = {}
    edges: list[Edge] = []
    ordered = dict(sorted(manifests.items()))
    workloads = {key: manifest for key, manifest in ordered.items() if pod_spec(key, manifest) and not _owned(manifest)}
    for key, manifest in workloads.items():
        _add(nodes, edges, [_workload(key, manifest, ordered)], _consumed(key, manifest, ordered))
        if rights:
            _add(nodes, edges, _account(key, manifest, ordered))
    for key, manifest in ordered.items():
        if (key.group, key.kind) == ("", "Service"):
            _add(nodes, edges, [_service(key, manifest)], _selected(key, manifest, workloads))
    found, idle = policies.traffic(ordered, {key: labels(manifest, key) for key, manifest in workloads.items()})
    _add(nodes, edges, found)
    _add(nodes, edges, _elsewhere(ordered, nodes, idle))
    namespaces = sorted({key.namespace for key in ordered if key.namespace})
    return Graph(", ".join(namespaces) or "manifests", tuple(nodes.values()), tuple(edges))


def labels(manifest: Manifest, key: Key) -> Mapping[str, str]:
    """The labels of the pods that an object makes."""
    return mapping(get(manifest, *POD[key.kind][:-1], "metadata", "labels"))


def _add(nodes: dict[str, Node], edges: list[Edge], *parts: Iterable[Node | Edge]) -> None:
    for part in parts:
        for item in part:
            if isinstance(item, Node):
                nodes.setdefault(item.id, item)
            elif item not in edges:
                edges.append(item)


def _owned(manifest: Manifest) -> bool:
    """Made by another object that is drawn, as a ReplicaSet by its Deployment."""
    return bool(get(manifest, "metadata", "ownerReferences"))


def _workload(key: Key, manifest: Manifest, manifests: Manifests) -> Node:
    spec = pod_spec(key, manifest)
    replicas = get(manifest, "spec", "replicas")
    facts = []
    if key.kind in ("Deployment", "StatefulSet", "ReplicaSet"):
        facts.append(_count(1 if replicas is None else replicas, "pod"))
    elif key.kind == "DaemonSet":
        facts.append("a pod on every node")
    elif key.kind == "CronJob":
        facts.append(f"at {get(manifest, 'spec', 'schedule')}")
    facts += [f"at most {down} down" for down in _budgets(key, labels(manifest, key), manifests)]
    if isinstance(priority := spec.get("priorityClassName"), str):
        facts.append(f"priority {priority}")
    images = [f"{container.get('name')}: {_image(container.get('image'))}" for container in mappings(spec.get("containers"))]
    first = [f"init: {container.get('name')}" for container in mappings(spec.get("initContainers"))]
    return Node(str(key), Kind.WORKLOAD, key.name, (*facts, *first, *images), caption=key.kind)


def _budgets(key: Key, pod_labels: Mapping[str, str], manifests: Manifests) -> Iterator[str]:
    for other, manifest in manifests.items():
        if (other.group, other.kind, other.namespace) == ("policy", "PodDisruptionBudget", key.namespace):
            selector, down = get(manifest, "spec", "selector"), get(manifest, "spec", "maxUnavailable")
            if down is not None and isinstance(selector, Mapping) and policies.selects(selector, pod_labels):
                yield str(down)


def _image(image: Any) -> str:
    """Without registry and folder: those are long and seldom the question."""
    return str(image).rpartition("/")[2].partition("@")[0]


def _service(key: Key, manifest: Manifest) -> Node:
    ports = [f"{port.get('port')}{_target(port)}" for port in mappings(get(manifest, "spec", "ports"))]
    headless = get(manifest, "spec", "clusterIP") == "None"
    kind = get(manifest, "spec", "type")
    caption = "headless Service" if headless else f"{kind} Service" if kind not in (None, "ClusterIP") else ""
    return Node(str(key), Kind.SERVICE, key.name, tuple(ports), caption=caption)


def _target(port: Mapping[str, Any]) -> str:
    target = port.get("targetPort")
    protocol = port.get("protocol", "TCP")
    return ("" if protocol == "TCP" else f"/{protocol}") + ("" if target in (None, port.get("port")) else f" → {target}")


def _selected(key: Key, manifest: Manifest, workloads: Manifests) -> Iterator[Edge]:
    """The pods behind a Service. Labels that no template has are set while pods run, as Patroni does with ``role``."""
    selector = get(manifest, "spec", "selector")
    if not isinstance(selector, Mapping) or not selector:
        return
    for other, workload in workloads.items():
        have = labels(workload, other)
        common = [name for name in selector if name in have]
        if other.namespace == key.namespace and common and all(have[name] == selector[name] for name in common):
            yield Edge(str(key), str(other), ", ".join(f"{name}={value}" for name, value in sorted(selector.items()) if name not in have))


def _consumed(key: Key, manifest: Manifest, manifests: Manifests) -> Iterator[Node | Edge]:
    spec = pod_spec(key, manifest)
    mounts: dict[str, list[str]] = {}
    for container in containers(spec):
        for mount in mappings(container.get("volumeMounts")):
            mounts.setdefault(str(mount.get("name")), []).append(str(mount.get("mountPath")))
    reads: dict[tuple[Kind, str], list[str]] = {}
    scratch = []
    for volume in mappings(spec.get("volumes")):
        paths = sorted({*mounts.get(str(volume.get("name")), [])})
        for source in (volume, *mappings(get(volume, "projected", "sources"))):
            for kind, name in _sources(source):
                reads.setdefault((kind, name), []).extend(paths)
        if isinstance(empty := volume.get("emptyDir"), Mapping):
            scratch.append(" ".join(filter(None, (str(volume.get("name")), str(empty.get("sizeLimit") or ""), "in memory" if empty.get("medium") else ""))))
        if isinstance(claim := get(volume, "persistentVolumeClaim", "claimName"), str):
            yield from _claim(key, claim, paths, manifests)
    for container in containers(spec):
        for kind, name in _environment(container):
            reads.setdefault((kind, name), []).append("environment")
    for template in mappings(get(manifest, "spec", "volumeClaimTemplates")):
        name = str(get(template, "metadata", "name"))
        size = get(template, "spec", "resources", "requests", "storage")
        yield Node(f"{key}/{name}", Kind.VOLUME, name, (f"{size}, one for each pod",))
        yield Edge(str(key), f"{key}/{name}", _listed(sorted({*mounts.get(name, [])}), 2))
    if scratch:
        yield Node(f"{key}/scratch", Kind.VOLUME, "scratch", tuple(scratch), caption="gone with the pod")
        yield Edge(str(key), f"{key}/scratch")
    for (kind, name), ways in reads.items():
        if name not in _GIVEN:
            yield _read(kind, key.namespace, name, manifests)
            yield Edge(str(key), f"{kind.word} {name} ({key.namespace})", _listed(sorted({*ways}), 2))


def _sources(source: Mapping[str, Any]) -> Iterator[tuple[Kind, str]]:
    for kind, name in (
        (Kind.CONFIG_MAP, get(source, "configMap", "name")),
        (Kind.SECRET, get(source, "secret", "secretName") or get(source, "secret", "name")),
    ):
        if isinstance(name, str):
            yield kind, name


def _environment(container: Mapping[str, Any]) -> Iterator[tuple[Kind, str]]:
    for entry in mappings(container.get("envFrom")):
        for kind, field in ((Kind.CONFIG_MAP, "configMapRef"), (Kind.SECRET, "secretRef")):
            if isinstance(name := get(entry, field, "name"), str):
                yield kind, name
    for entry in mappings(container.get("env")):
        for kind, field in ((Kind.CONFIG_MAP, "configMapKeyRef"), (Kind.SECRET, "secretKeyRef")):
            if isinstance(name := get(entry, "valueFrom", field, "name"), str):
                yield kind, name


def _read(kind: Kind, namespace: str, name: str, manifests: Manifests) -> Node:
    manifest = manifests.get(Key("", kind.word, namespace, name))
    if manifest is None:
        return Node(f"{kind.word} {name} ({namespace})", kind, name, ("not in these manifests",), known=False)
    keys = sorted({str(name) for field in ("data", "binaryData", "stringData") for name in mapping(manifest.get(field))})
    shown = keys if len(keys) <= _SHOWN else [*keys[: _SHOWN - 1], f"and {len(keys) - _SHOWN + 1} more"]
    return Node(f"{kind.word} {name} ({namespace})", kind, name, tuple(shown))


def _claim(key: Key, name: str, paths: list[str], manifests: Manifests) -> Iterator[Node | Edge]:
    manifest = manifests.get(Key("", "PersistentVolumeClaim", key.namespace, name))
    size = get(manifest, "spec", "resources", "requests", "storage")
    details = (str(size),) if size else ("not in these manifests",)
    node = f"PersistentVolumeClaim {name} ({key.namespace})"
    yield Node(node, Kind.VOLUME, name, details, caption="PersistentVolumeClaim", known=manifest is not None)
    yield Edge(str(key), node, _listed(paths, 2))


def _account(key: Key, manifest: Manifest, manifests: Manifests) -> Iterator[Node | Edge]:
    name = pod_spec(key, manifest).get("serviceAccountName") or "default"
    account = Key("", "ServiceAccount", key.namespace, str(name))
    rules = []
    for binding, content in manifests.items():
        subjects = [(get(s, "kind"), get(s, "namespace") or binding.namespace, get(s, "name")) for s in mappings(content.get("subjects"))]
        if binding.kind in ("RoleBinding", "ClusterRoleBinding") and ("ServiceAccount", account.namespace, account.name) in subjects:
            kind, role = str(get(content, "roleRef", "kind")), str(get(content, "roleRef", "name"))
            rules += mappings(get(manifests.get(Key(binding.group, kind, binding.namespace if kind == "Role" else "", role)), "rules"))
    details = tuple(
        f"{_listed(words(rule.get('verbs')), 9)} {_listed(words(rule.get('resources')), 3)}" + (" by name" if rule.get("resourceNames") else "")
        for rule in rules
    )
    yield Node(str(account), Kind.ACCOUNT, account.name, details or ("no rights in these manifests",), known=account in manifests)
    yield Edge(str(key), str(account))


def _elsewhere(manifests: Manifests, nodes: Mapping[str, Node], idle: list[str]) -> Iterator[Node]:
    """What stands in the manifests for pods that do not."""
    unread = [key for key in manifests if key.group == "" and key.kind in ("ConfigMap", "Secret") and str(key) not in nodes]
    for kind in ("ConfigMap", "Secret"):
        names = [key.name for key in unread if key.kind == kind]
        if names:
            yield Node(f"elsewhere {kind}", Kind.ELSEWHERE, _count(len(names), kind), tuple(names))
    if idle:
        yield Node("elsewhere policies", Kind.ELSEWHERE, _count(len(idle), "NetworkPolic", "y", "ies"), tuple(idle))


def _count(number: Any, word: str, one: str = "", many: str = "s") -> str:
    return f"{number} {word}{one if number == 1 else many}"


def _listed(words: list[str], most: int) -> str:
    return ", ".join(words if len(words) <= most else [*words[:most], "…"])
