"""Which pods read which ConfigMap or Secret, and how a change of it reaches them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sos_constructs.review.model import Key, Manifest, Manifests
from sos_constructs.workloads import POD

from attrs import frozen

_POD_GROUPS = ("", "apps", "batch")


@frozen
class Use:
    """One way in which a pod reads a ConfigMap or Secret.

    :param by: the object that has the pod.
    :param kind: ``ConfigMap`` or ``Secret``.
    :param name: name of what is read.
    :param live: whether a running pod gets to see a change: files do, environment variables and ``subPath`` mounts never.
    :param key: the key that is read, ``None`` for all.
    """

    by: Key
    kind: str
    name: str
    live: bool
    key: str | None = None


def get(value: Any, *names: str) -> Any:
    """The value at the end of a path of fields, ``None`` where there is none."""
    for name in names:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def mappings(value: Any) -> list[Mapping[str, Any]]:
    """The mappings of a list, whatever else may be in its place."""
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def mapping(value: Any) -> Mapping[str, Any]:
    """The value where it is a mapping, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def words(value: Any) -> list[str]:
    """The elements of a list as texts, none where it is no list."""
    return [str(item) for item in value] if isinstance(value, list) else []


def pod_spec(key: Key, manifest: Manifest) -> Mapping[str, Any]:
    """The pod's specification in an object of a built-in kind that has one, or an empty one."""
    spec = get(manifest, *POD[key.kind]) if key.kind in POD and key.group in _POD_GROUPS else None
    return spec if isinstance(spec, Mapping) else {}


def containers(spec: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Init containers and containers."""
    return [*mappings(spec.get("initContainers")), *mappings(spec.get("containers"))]


def uses(manifests: Manifests) -> dict[tuple[str, str, str], list[Use]]:
    """All uses by kind, namespace and name of what is read."""
    found: dict[tuple[str, str, str], list[Use]] = {}
    for key, manifest in manifests.items():
        for use in _uses(key, pod_spec(key, manifest)):
            found.setdefault((use.kind, key.namespace, use.name), []).append(use)
    return found


def _uses(by: Key, spec: Mapping[str, Any]) -> Iterator[Use]:
    for container in containers(spec):
        for entry in mappings(container.get("envFrom")):
            yield from _reference(by, "ConfigMap", get(entry, "configMapRef", "name"))
            yield from _reference(by, "Secret", get(entry, "secretRef", "name"))
        for entry in mappings(container.get("env")):
            for kind, field in (("ConfigMap", "configMapKeyRef"), ("Secret", "secretKeyRef")):
                reference = get(entry, "valueFrom", field)
                yield from _reference(by, kind, get(reference, "name"), get(reference, "key"))
    for volume in mappings(spec.get("volumes")):
        mounts = [mount for container in containers(spec) for mount in mappings(container.get("volumeMounts")) if mount.get("name") == volume.get("name")]
        for source in (volume, *mappings(get(volume, "projected", "sources"))):
            for kind, name, items in (
                ("ConfigMap", get(source, "configMap", "name"), get(source, "configMap", "items")),
                ("Secret", get(source, "secret", "secretName") or get(source, "secret", "name"), get(source, "secret", "items")),
            ):
                if isinstance(name, str):
                    paths = {str(item.get("path")): str(item.get("key")) for item in mappings(items)}
                    yield from (_mount(by, kind, name, mount, paths) for mount in mounts if _reaches(mount, paths))


def _reference(by: Key, kind: str, name: Any, key: Any = None) -> Iterator[Use]:
    if isinstance(name, str):
        yield Use(by, kind, name, live=False, key=key if isinstance(key, str) else None)


def _reaches(mount: Mapping[str, Any], paths: Mapping[str, str]) -> bool:
    sub_path = mount.get("subPath")
    return not sub_path or not paths or any(path == sub_path or path.startswith(f"{sub_path}/") for path in paths)


def _mount(by: Key, kind: str, name: str, mount: Mapping[str, Any], paths: Mapping[str, str]) -> Use:
    sub_path = mount.get("subPath")
    if sub_path:
        return Use(by, kind, name, live=False, key=paths.get(str(sub_path)) if paths else str(sub_path))
    return Use(by, kind, name, live=True, key=next(iter(paths.values())) if len(paths) == 1 else None)
