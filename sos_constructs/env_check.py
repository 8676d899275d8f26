"""Refuses, at synth, containers that get one environment variable from two places.

``envFrom`` of two ConfigMaps or Secrets with a common key, or the same name twice in ``env``: the last one wins, and neither the API server nor
kubectl says so. Checked on what is about to be written, so that it holds for every workload of the app, in whatever way it was made.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from sos_constructs.synth_checks import at_synth

import cdk8s
from attrs import frozen
from constructs import IConstruct

Manifest = Mapping[str, Any]

_WORKLOADS = ("Pod", "PodTemplate", "Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController", "Job", "CronJob", "Rollout")
_PROVIDERS = ("ConfigMap", "Secret", "SealedSecret", "ExternalSecret")
_REFERENCE = re.compile(r"(?<!\$)\$\(([A-Za-z_][A-Za-z0-9_.-]*)\)")
_SHOWN = 3
"""Variables named in a message before "and so many more"."""


@frozen
class Source:
    """Where a variable comes from. Two sources are the same when the value is: ``how`` is not compared.

    :param kind: ``ConfigMap``, ``Secret``, or ``env`` for an entry that refers to neither.
    :param name: of the object, or of the entry.
    :param key: in the object.
    """

    kind: str
    name: str
    key: str


def check_variables(construct: IConstruct) -> None:
    """Have the app that the construct belongs to checked at synth, once, however many constructs ask for it."""
    at_synth(construct, "environment variables", lambda nodes: _located([node for node in nodes if isinstance(node, cdk8s.ApiObject)]))


def _located(objects: list[cdk8s.ApiObject]) -> Iterator[str]:
    """The clashes among the objects that matter, as they will be written, each after the path of its workload."""
    kinds = [found.kind for found in objects]
    made = [(found, found.to_json()) for found, kind in zip(objects, kinds, strict=True) if kind in _WORKLOADS]
    if any(container.get("envFrom") for _, workload in made for container in _containers(workload)):
        made += [(found, found.to_json()) for found, kind in zip(objects, kinds, strict=True) if kind in _PROVIDERS]
    makers = {id(manifest): found for found, manifest in made}
    for manifest, problem in _clashes([manifest for _, manifest in made]):
        yield f"{makers[id(manifest)].node.path}: {problem}"


def clashes(manifests: Iterable[Manifest]) -> Iterator[str]:
    """One sentence for each container and pair of sources that have a variable in common, and for each name that stands twice in ``env``.

    Of ConfigMaps and Secrets that are not among the manifests the keys are not known, nor are those that ``env`` does not name.
    """
    return (problem for _, problem in _clashes(list(manifests)))


def _clashes(manifests: Collection[Manifest]) -> Iterator[tuple[Manifest, str]]:
    keys = {(_namespace(manifest), *found): names for manifest in manifests for found, names in _provided(manifest)}
    for manifest in manifests:
        for container in _containers(manifest):
            where = f"{manifest['kind']} {manifest['metadata']['name']!r}, container {container.get('name')!r}"
            yield from ((manifest, f"{where}: {problem}") for problem in _problems(container, keys, _namespace(manifest)))


def _problems(container: Manifest, keys: Mapping[tuple[str, str, str], Iterable[str]], namespace: str) -> Iterator[str]:
    found: dict[str, Source] = {}
    pairs: dict[tuple[str, str], list[str]] = {}
    for entry in container.get("envFrom") or ():
        for field, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
            name = str((entry.get(field) or {}).get("name", ""))
            for key in keys.get((namespace, kind, name), ()):
                _add(found, pairs, f"{entry.get('prefix', '')}{key}", Source(kind, name, key))
    own = [entry["name"] for entry in container.get("env") or ()]
    for entry in container.get("env") or ():
        source = _reference(entry)
        if source and own.count(entry["name"]) == 1:
            _add(found, pairs, entry["name"], source)
    for (first, second), names in pairs.items():
        variables = ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
        yield (
            f"{variables} would come from {first} and from {second}, and the last one wins without a word; "
            "leave one out, give one of them a prefix, or take single keys under another name"
        )
    for place, entry in enumerate(container.get("env") or ()):
        for name in _REFERENCE.findall(str(entry.get("value", ""))):
            if name in own[place + 1 :] and name not in own[:place]:
                yield f"{entry['name']} refers to $({name}), which stands after it, so that Kubernetes does not expand it; put {name} before it"
    for name in dict.fromkeys(name for name in own if own.count(name) > 1):
        yield f"{name} stands twice in env, and the last one wins without a word; leave one out"


def _add(found: dict[str, Source], pairs: dict[tuple[str, str], list[str]], variable: str, source: Source) -> None:
    other = found.setdefault(variable, source)
    if other != source:
        pairs.setdefault((f"{other.kind} {other.name!r}", f"{source.kind} {source.name!r}"), []).append(variable)


def _reference(entry: Manifest) -> Source | None:
    """What an entry of ``env`` takes from a ConfigMap or Secret. A literal over a key of ``envFrom`` is meant: its author has the name before their eyes."""
    for field, kind in (("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret")):
        if reference := (entry.get("valueFrom") or {}).get(field):
            return Source(kind, reference["name"], reference["key"])
    return None


def _provided(manifest: Manifest) -> Iterator[tuple[tuple[str, str], list[str]]]:
    """Kind, name and keys of the ConfigMap or Secret that a manifest is or brings about."""
    kind, name, spec = manifest.get("kind"), manifest["metadata"]["name"], manifest.get("spec") or {}
    if kind in ("ConfigMap", "Secret"):
        yield (kind, name), sorted({key for field in ("data", "stringData", "binaryData") for key in manifest.get(field) or {}})
    elif kind == "SealedSecret":
        yield ("Secret", name), sorted(spec.get("encryptedData") or {})
    elif kind == "ExternalSecret":
        target = spec.get("target") or {}
        templated = (target.get("template") or {}).get("data") or {}
        yield ("Secret", target.get("name", name)), sorted({*templated, *(entry["secretKey"] for entry in spec.get("data") or ())})


def _containers(value: object) -> Iterator[Manifest]:
    """Every container in a manifest, however deep its pod template stands."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            if key in ("containers", "initContainers", "ephemeralContainers") and isinstance(item, list):
                yield from (container for container in item if isinstance(container, Mapping))
            else:
                yield from _containers(item)
    elif isinstance(value, list):
        for item in value:
            yield from _containers(item)


def _namespace(manifest: Manifest) -> str:
    return str(manifest["metadata"].get("namespace", ""))
