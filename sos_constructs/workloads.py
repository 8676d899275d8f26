"""Where each kind of workload keeps its pod."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sos_constructs.errors import InvalidOption

POD = {
    "CronJob": ("spec", "jobTemplate", "spec", "template", "spec"),
    "DaemonSet": ("spec", "template", "spec"),
    "Deployment": ("spec", "template", "spec"),
    "Job": ("spec", "template", "spec"),
    "Pod": ("spec",),
    "ReplicaSet": ("spec", "template", "spec"),
    "StatefulSet": ("spec", "template", "spec"),
}
"""Kind to the fields that lead to the pod's specification; its metadata stands beside that."""

#: Labels that change with every release: a policy that asked for them would shut out the pods that a rollout has yet to replace.
_FLEETING = {"app.kubernetes.io/version", "helm.sh/chart"}


def pod_selector(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """The label selector that finds the pods of a workload, for a NetworkPolicy.

    :raises InvalidOption: when the workload's pods have no label.
    """
    kind, metadata = str(manifest["kind"]), mapping_at(manifest, (*POD[manifest["kind"]][:-1], "metadata"))
    # what the workload itself finds its pods by never changes; a Job, a CronJob and a Pod have no such selector
    selector = dict(manifest["spec"].get("selector") or {}) if kind in ("Deployment", "StatefulSet", "DaemonSet") else {}
    selector = selector or {"matchLabels": {key: value for key, value in sorted((metadata.get("labels") or {}).items()) if key not in _FLEETING}}
    if not any(selector.values()):
        where = f"{kind}/{manifest['metadata']['name']}"
        raise InvalidOption("workload", where, "must have a label on its pods, such as app.kubernetes.io/name: a NetworkPolicy finds them by it")
    return selector


def mapping_at(manifest: Mapping[str, Any], path: tuple[str, ...]) -> Mapping[str, Any]:
    """The mapping at the end of a path of fields; an empty one where there is none."""
    found: Any = manifest
    for name in path:
        found = (found.get(name) or {}) if isinstance(found, Mapping) else {}
    return found if isinstance(found, Mapping) else {}
