"""What Pod Security ``restricted`` asks for, filled in where the author of a workload said nothing."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from sos_constructs.errors import InvalidOption, located_at
from sos_constructs.pod_security.at_synth import check_admission
from sos_constructs.pod_security.standard import CONTAINERS, Pod, must_escalate
from sos_constructs.synth_checks import before_checks
from sos_constructs.workloads import POD, check_pod

import cdk8s
from constructs import Construct

if TYPE_CHECKING:
    import cdk8s_plus_27 as kplus

Workload = TypeVar("Workload", bound="Mapping[str, Any] | kplus.AbstractPod | cdk8s.ApiObject")
Path = tuple[str | int, ...]


def restricted(workload: Workload) -> Workload:
    """Fill in what Pod Security ``restricted`` asks for, where the workload says nothing.

    For the pod: ``runAsNonRoot: true`` and ``seccompProfile: RuntimeDefault``. For each container, init containers included:
    ``allowPrivilegeEscalation: false`` and ``capabilities: {drop: [ALL]}``. What the workload says itself stays as it is. A pod or container with
    ``runAsUser: 0`` therefore gets no ``runAsNonRoot``.

    With ``runAsNonRoot`` the kubelet starts no image that runs as root. For such an image set ``runAsUser`` to a user that can run it.

    :param workload: a Deployment, StatefulSet, DaemonSet, Job, CronJob, Pod or ReplicaSet. A construct of cdk8s-plus, or any ``cdk8s.ApiObject``, is
        completed at synth, so that containers added later are completed too; it is returned. Of a plain manifest a completed copy is returned.
    :raises ValueError: when it is no workload.
    """
    if isinstance(workload, Mapping):
        return _completed(workload)  # type: ignore[return-value]
    if not isinstance(workload, Construct):
        raise _no_workload(workload)
    with located_at(workload):
        api_object = _api_object(workload)
        if api_object is None or api_object.kind not in POD:
            raise _no_workload(workload if api_object is None else api_object.kind)
    before_checks(workload, ("restricted", api_object.node.path), lambda: _complete(api_object))
    check_admission(workload)
    return workload


def missing(spec: Mapping[str, Any]) -> Iterator[tuple[Path, Any]]:
    """Fields to add to a pod's specification: where, and with what value."""
    pod = Pod({}, spec)
    contexts: dict[Path, Mapping[str, Any]] = {
        (field, index): container.get("securityContext") or {} for field in CONTAINERS for index, container in enumerate(spec.get(field) or ())
    }
    as_root = {place for place, context in contexts.items() if context.get("runAsUser", pod.context.get("runAsUser")) == 0}
    additions = {place: _of_container(context, windows=pod.is_windows) for place, context in contexts.items()}
    additions[()] = {} if pod.is_windows or pod.context.get("seccompProfile") is not None else {"seccompProfile": {"type": "RuntimeDefault"}}
    if pod.context.get("runAsNonRoot") is None:
        for place in contexts if as_root or pod.context.get("runAsUser") == 0 else [()]:
            if place not in as_root and contexts.get(place, {}).get("runAsNonRoot") is None:
                additions[place]["runAsNonRoot"] = True
    for place, fields in additions.items():
        context = contexts.get(place, pod.context)
        if fields and not context:
            yield (*place, "securityContext"), fields
        else:
            yield from (((*place, "securityContext", *name.split(".")), value) for name, value in _flat(context, fields))


def _of_container(context: Mapping[str, Any], *, windows: bool) -> dict[str, Any]:
    if windows:  # the API server refuses a Windows pod that has these fields
        return {}
    capabilities = context.get("capabilities") or {}
    fields: dict[str, Any] = {}
    if context.get("allowPrivilegeEscalation") is None and not must_escalate({"securityContext": context}):
        fields["allowPrivilegeEscalation"] = False
    if "ALL" not in (capabilities.get("drop") or ()):
        fields["capabilities"] = {"drop": [*(capabilities.get("drop") or ()), "ALL"]}
    return fields


def _flat(context: Mapping[str, Any], fields: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The fields, with the list to drop by itself where there are capabilities already."""
    for name, value in fields.items():
        if name == "capabilities" and context.get(name):
            yield "capabilities.drop", value["drop"]
        else:
            yield name, value


def _completed(manifest: Mapping[str, Any]) -> dict[str, Any]:
    kind = manifest.get("kind")
    if kind not in POD:
        raise _no_workload(kind)
    check_pod(manifest)
    made = copy.deepcopy(dict(manifest))
    pod: Any = made
    for field in POD[kind]:
        pod = pod.get(field) if isinstance(pod, dict) else None
    if not isinstance(pod, dict):
        raise InvalidOption("workload", kind, f"must have a pod at {'.'.join(POD[kind])}")
    for path, value in missing(pod):
        owner: Any = pod
        for step in path[:-1]:
            owner = owner[step]
        owner[path[-1]] = value
    return made


def _complete(api_object: cdk8s.ApiObject) -> None:
    """The same as JSON patches. Each adds one field that Kubernetes 1.27 knows, so that cdk8s-plus loses none."""
    manifest = api_object.to_json()
    pod = manifest
    for field in POD[manifest["kind"]]:
        pod = pod[field]
    base = POD[manifest["kind"]]
    patches = [cdk8s.JsonPatch.add("/" + "/".join(map(str, (*base, *path))), value) for path, value in missing(pod)]
    if patches:
        api_object.add_json_patch(*patches)


def _api_object(construct: Construct) -> cdk8s.ApiObject | None:
    if isinstance(construct, cdk8s.ApiObject):
        return construct
    child = construct.node.default_child or construct.node.try_find_child("Resource")
    return child if isinstance(child, cdk8s.ApiObject) else None


def _no_workload(given: object) -> InvalidOption:
    kinds = ", ".join(POD)
    return InvalidOption("workload", given, f"must be a workload ({kinds}): a manifest (a dict), a construct of cdk8s-plus or a cdk8s.ApiObject")
