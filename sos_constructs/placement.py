"""Where every object of an app goes, checked at synth: no object is made twice, and no chart scatters its objects over namespaces.

Two objects of one API group, kind, namespace and name are one object on a cluster: the last one applied wins, and the API server says nothing.
What :func:`sos_constructs.emit.emit` makes is noted in Python; what cdk8s-plus, ``ApiObject`` and ``Include`` make is read at synth.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from sos_constructs.synth_checks import at_synth, reference

import cdk8s
from attrs import frozen
from constructs import Construct, IConstruct

Manifest = Mapping[str, Any]

#: Kinds without a namespace, by API group: those of Kubernetes itself and of the custom resources this library speaks of.
CLUSTER_SCOPED: Mapping[str, frozenset[str]] = {
    "": frozenset({"Namespace", "Node", "PersistentVolume"}),
    "admissionregistration.k8s.io": frozenset(
        {
            "MutatingAdmissionPolicy",
            "MutatingAdmissionPolicyBinding",
            "MutatingWebhookConfiguration",
            "ValidatingAdmissionPolicy",
            "ValidatingAdmissionPolicyBinding",
            "ValidatingWebhookConfiguration",
        }
    ),
    "apiextensions.k8s.io": frozenset({"CustomResourceDefinition"}),
    "apiregistration.k8s.io": frozenset({"APIService"}),
    "certificates.k8s.io": frozenset({"CertificateSigningRequest", "ClusterTrustBundle"}),
    "cert-manager.io": frozenset({"ClusterIssuer"}),
    "external-secrets.io": frozenset({"ClusterExternalSecret", "ClusterPushSecret", "ClusterSecretStore"}),
    "flowcontrol.apiserver.k8s.io": frozenset({"FlowSchema", "PriorityLevelConfiguration"}),
    "generators.external-secrets.io": frozenset({"ClusterGenerator"}),
    "networking.k8s.io": frozenset({"IngressClass", "IPAddress", "ServiceCIDR"}),
    "node.k8s.io": frozenset({"RuntimeClass"}),
    "rbac.authorization.k8s.io": frozenset({"ClusterRole", "ClusterRoleBinding"}),
    "scheduling.k8s.io": frozenset({"PriorityClass"}),
    "snapshot.storage.k8s.io": frozenset({"VolumeSnapshotClass", "VolumeSnapshotContent"}),
    "storage.k8s.io": frozenset({"CSIDriver", "CSINode", "StorageClass", "VolumeAttachment", "VolumeAttributesClass"}),
}

#: Groups all of whose kinds have a namespace but those above. Of another group's kind without a namespace it is not known whether it should have one.
_KNOWN_GROUPS = CLUSTER_SCOPED.keys() | {"apps", "autoscaling", "batch", "coordination.k8s.io", "discovery.k8s.io", "policy"}

ASSUMED = "sos-app"
"""The namespace of a construct whose chart has none and that is given none."""

_FIXES = {"PriorityClass": "create them once in a cluster: SosNamespace(…, create_priority_classes=False) leaves them out"}
_FIX = "give one of them another name, or leave one out"


def is_cluster_scoped(manifest: Manifest) -> bool:
    """Whether the kind lives outside namespaces. Unknown kinds count as namespaced, as most are."""
    return manifest["kind"] in CLUSTER_SCOPED.get(_group(manifest), ())


@frozen
class Place:
    """The chart that a construct's objects go to.

    :param chart: reference of the chart.
    :param namespace: of the chart, or ``None``.
    :param labels: of the chart: every object gets them.
    :param assumed: the construct's objects name a namespace that nobody chose.
    """

    chart: str
    namespace: str | None
    labels: Mapping[str, str]
    assumed: bool = False


@frozen
class _Object:
    """One object on a cluster. ``namespace`` is empty for a kind without one, and where kubectl would choose it."""

    group: str
    kind: str
    namespace: str
    name: str


def place(scope: Construct, *, assumed: bool = False) -> Place:
    """The place of what a construct emits, asked of jsii once for each construct. The app is checked at its synth from now on.

    :param assumed: the construct has taken a default as its namespace because its chart has none.
    """
    known = _PLACES.get(reference(scope))
    if known is None:
        chart = cdk8s.Chart.of(scope)
        known = _PLACES[reference(scope)] = Place(reference(chart), chart.namespace, dict(chart.labels), assumed)
        at_synth(scope, "placement", _problems)
    return known


def note(made: cdk8s.ApiObject, manifest: Manifest, where: Place) -> None:
    """Remember what an object is, so that synth need not ask."""
    _NOTED[reference(made)] = (_object(manifest, where.namespace), where)


def _problems(nodes: Sequence[IConstruct]) -> Iterator[str]:
    objects: list[tuple[cdk8s.ApiObject, _Object, Place | None]] = []
    for node in nodes:
        if not isinstance(node, cdk8s.ApiObject):
            continue
        if noted := _NOTED.get(reference(node)):
            objects.append((node, *noted))
        else:
            objects += [(node, _object(manifest), None) for manifest in _flat(node.to_json())]
    yield from _twice(objects)
    yield from _scattered(objects, [node for node in nodes if isinstance(node, cdk8s.Chart)])


def _twice(objects: Iterable[tuple[cdk8s.ApiObject, _Object, Place | None]]) -> Iterator[str]:
    makers: dict[_Object, list[cdk8s.ApiObject]] = {}
    for node, made, _ in objects:
        makers.setdefault(made, []).append(node)
    pairs: dict[tuple[str, str], list[tuple[_Object, str, str]]] = {}
    for made, nodes in makers.items():
        if len(nodes) == 1:
            continue
        # a user's patch may have given one of them another name
        paths = [node.node.path for node in nodes if made in map(_object, _flat(node.to_json()))]
        for path in paths[1:]:
            pairs.setdefault((_parent(paths[0]), _parent(path)), []).append((made, paths[0], path))
    for (_, second), same in pairs.items():
        made, one, other = same[0]
        where = f" in namespace {made.namespace!r}" if made.namespace else ""
        more = f" The same holds for {len(same) - 1} more of the objects in {second}." if len(same) > 1 else ""
        yield (
            f"{other}: name={made.name!r} is also the name of the {made.kind} that {one} makes{where}. On a cluster they are one object, and the last one "
            f"applied wins: {_FIXES.get(made.kind, _FIX)}. Charts for another cluster go into an App of their own.{more}"
        )


def _scattered(objects: Iterable[tuple[cdk8s.ApiObject, _Object, Place | None]], charts: Iterable[cdk8s.Chart]) -> Iterator[str]:
    bare: dict[str, cdk8s.ApiObject] = {}
    assumed: dict[str, cdk8s.ApiObject] = {}
    named: dict[str, dict[str, cdk8s.ApiObject]] = {}
    for node, made, where in objects:
        if (where and where.namespace) or made.group not in _KNOWN_GROUPS or made.kind in CLUSTER_SCOPED.get(made.group, ()):
            continue
        if not made.namespace:
            bare.setdefault(where.chart if where else reference(cdk8s.Chart.of(node)), node)
        elif where and where.assumed:
            assumed.setdefault(where.chart, node)
        elif where:
            named.setdefault(where.chart, {}).setdefault(made.namespace, node)
    for chart in charts:
        key = reference(chart)
        apart = {name: node for name, node in named.get(key, {}).items() if name != ASSUMED} if key in assumed else {}
        if not apart and not (key in bare and (key in assumed or key in named)):
            continue
        goes = [(node, f"namespace {name!r}") for name, node in named.get(key, {}).items()]
        goes += [(assumed[key], f"namespace {ASSUMED!r}, the default")] if key in assumed else []
        goes += [(bare[key], "the namespace that kubectl is set to")] if key in bare else []
        places = ", ".join(f"{_parent(node.node.path)} to {to}" for node, to in goes)
        fix = f"cdk8s.Chart(…, {chart.node.id!r}, namespace={next(iter(named.get(key, {})), ASSUMED)!r})"
        yield f"{chart.node.path}: namespace=None lets the objects of this chart go to different namespaces: {places}. Give the chart one: {fix}"


def _flat(manifest: Manifest) -> Iterator[Manifest]:
    """The manifest, or what it lists."""
    if str(manifest.get("kind", "")).endswith("List") and isinstance(manifest.get("items"), list):
        for item in manifest["items"]:
            yield from _flat(item)
    elif "kind" in manifest and "apiVersion" in manifest:
        yield manifest


def _object(manifest: Manifest, namespace: str | None = None) -> _Object:
    metadata = manifest.get("metadata") or {}
    where = "" if is_cluster_scoped(manifest) else str(metadata.get("namespace") or namespace or "")
    return _Object(_group(manifest), str(manifest["kind"]), where, str(metadata.get("name", "")))


def _group(manifest: Manifest) -> str:
    return str(manifest["apiVersion"]).rpartition("/")[0]


def _parent(path: str) -> str:
    return path.rpartition("/")[0] or path


_PLACES: dict[str, Place] = {}
_NOTED: dict[str, tuple[_Object, Place]] = {}
