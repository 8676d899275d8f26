"""Where each kind of workload keeps its pod."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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


def check_pod(manifest: Mapping[str, Any]) -> None:
    """Judge the shape of what a plain manifest says of its pods, as far as this library reads it.

    :raises InvalidOption: for a list or a mapping that is something else, with the field's path.
    """
    kind, metadata = manifest.get("kind"), manifest.get("metadata")
    name = metadata.get("name") if isinstance(metadata, Mapping) else None
    fields = POD.get(kind, ()) if isinstance(kind, str) else ()
    where = f"{kind}/{name}" if name else str(kind)
    _must_be(Mapping, metadata, where, "metadata")
    found: Any = manifest
    for depth, field in enumerate(fields, 1):
        if 1 < depth == len(fields):
            _must_be(Mapping, found.get("metadata"), where, ".".join((*fields[: depth - 1], "metadata")))
        found = found.get(field)
        _must_be(Mapping, found, where, ".".join(fields[:depth]))
        if found is None:
            return
    _check_fields(found, where, ".".join(fields), _POD_FIELDS)


#: Field of a pod → what it must be; a list's items are mappings with these fields.
_CONTAINER_FIELDS: Mapping[str, Any] = {
    "env": {},
    "envFrom": {},
    "volumeMounts": {},
    "securityContext": Mapping,
}
_POD_FIELDS: Mapping[str, Any] = {
    "containers": _CONTAINER_FIELDS,
    "initContainers": _CONTAINER_FIELDS,
    "ephemeralContainers": _CONTAINER_FIELDS,
    "volumes": {},
    "securityContext": Mapping,
}


def _check_fields(owner: Mapping[str, Any], where: str, path: str, fields: Mapping[str, Any]) -> None:
    for field, of_items in fields.items():
        found, place = owner.get(field), f"{path}.{field}"
        if of_items is Mapping:
            _must_be(Mapping, found, where, place)
            continue
        _must_be(Sequence, found, where, place)
        for index, item in enumerate(found or ()):
            _must_be(Mapping, item, where, f"{place}[{index}]", required=True)
            _check_fields(item, where, f"{place}[{index}]", of_items)
            context = f"{place}[{index}].securityContext"
            capabilities = (item.get("securityContext") or {}).get("capabilities") if "securityContext" in of_items else None
            _must_be(Mapping, capabilities, where, f"{context}.capabilities")
            for each in ("add", "drop"):
                _must_be(Sequence, (capabilities or {}).get(each), where, f"{context}.capabilities.{each}")


def _must_be(kind: type, found: object, where: str, path: str, *, required: bool = False) -> None:
    """``None`` is taken as a field that is not there, as Kubernetes takes it; ``required`` refuses it."""
    if (required or found is not None) and (not isinstance(found, kind) or isinstance(found, str | bytes)):
        word = "a mapping" if kind is Mapping else "a list"
        raise InvalidOption("workload", where, f"must have {word} at {path}, not {type(found).__name__}")


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
