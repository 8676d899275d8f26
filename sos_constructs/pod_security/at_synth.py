"""Refuses, at synth, workloads that a namespace of the same app would not admit.

The API server accepts such a Deployment and refuses its pods, so that only an event of its ReplicaSet tells why nothing runs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sos_constructs.pod_security.standard import LEVELS, Version, parse_version, violations
from sos_constructs.synth_checks import at_synth
from sos_constructs.workloads import POD

import cdk8s
from constructs import IConstruct

LABEL = "pod-security.kubernetes.io/enforce"
_TEMPLATES = {
    "PodTemplate": ("template", "spec"),
    "ReplicationController": ("spec", "template", "spec"),
    "Rollout": ("spec", "template", "spec"),
    **POD,
}
"""Where each kind has its pod's specification; the metadata stand beside it."""


def check_admission(construct: IConstruct) -> None:
    """Have the app that the construct belongs to checked at synth, once, however many constructs ask for it."""
    at_synth(construct, "pod security", _problems)


def refused(namespaces: Mapping[str, tuple[str, Version]], manifest: Mapping[str, Any]) -> Iterator[str]:
    """One sentence for each thing that keeps the pods of a workload out of its namespace.

    :param namespaces: level and version of the standards, by name.
    :param manifest: any object; only workloads count.
    """
    metadata = manifest.get("metadata") or {}
    level, version = namespaces.get(str(metadata.get("namespace")), ("privileged", (1, 0)))
    path = _TEMPLATES.get(str(manifest.get("kind")))
    if path is None or level == "privileged":
        return
    owner: Any = manifest
    for field in path[:-1]:
        owner = (owner.get(field) or {}) if isinstance(owner, Mapping) else {}
    spec = owner.get(path[-1]) if isinstance(owner, Mapping) else None
    if not isinstance(spec, Mapping):
        return
    where = f"{manifest['kind']} {metadata.get('name')!r}"
    for violation in violations(owner.get("metadata") or {}, spec, level, version):
        yield f"{where}, {violation} (Pod Security {level} of namespace {metadata['namespace']!r})"


def enforced(manifest: Mapping[str, Any]) -> tuple[str, Version] | None:
    """Level and version that a Namespace enforces, if it does."""
    labels = (manifest.get("metadata") or {}).get("labels") or {}
    level = labels.get(LABEL)
    return (level, parse_version(str(labels.get(f"{LABEL}-version", "latest")))) if level in LEVELS else None


def _problems(nodes: Sequence[IConstruct]) -> Iterator[str]:
    objects = [(node, node.kind) for node in nodes if isinstance(node, cdk8s.ApiObject)]
    levels = {str(node.name): level for node, kind in objects if kind == "Namespace" and (level := enforced(node.to_json()))}
    if not levels:
        return
    for node, kind in objects:
        if kind in _TEMPLATES:
            path = str(node.node.path).removesuffix("/Resource")  # cdk8s-plus's own child
            yield from (f"{path}: {problem}" for problem in refused(levels, node.to_json()))
