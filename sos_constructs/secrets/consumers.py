"""Which workloads use a key of a Secret, read from their manifests, and whether they see a new value without a restart."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from attrs import frozen

KINDS = ("Deployment", "StatefulSet", "DaemonSet", "CronJob")


@frozen(order=True)
class Use:
    """One workload that uses a key.

    :param workload: ``deployment/auth``.
    :param restart: whether its pods must restart to see a new value: environments are read once, files from ``subPath`` mounts are never updated.
    """

    workload: str
    restart: bool


def uses(workloads: Iterable[Mapping[str, Any]], secret: str, key: str) -> list[Use]:
    """The workloads among the manifests that use ``key`` of ``secret``."""
    found = []
    for workload in workloads:
        if workload.get("kind") not in KINDS:
            continue
        periodic = workload["kind"] == "CronJob"  # its next pod starts with the new value
        spec = workload["spec"]["jobTemplate"]["spec"] if periodic else workload["spec"]
        ways = list(_ways(spec["template"]["spec"], secret, key))
        if ways:
            found.append(Use(f"{workload['kind'].lower()}/{workload['metadata']['name']}", any(ways) and not periodic))
    return sorted(found)


def _ways(pod: Mapping[str, Any], secret: str, key: str) -> Iterator[bool]:
    """For every place that uses the key, whether it needs a restart."""
    volumes = {volume["name"] for volume in pod.get("volumes") or [] if _is_of(volume, secret, key)}
    for container in [*(pod.get("initContainers") or []), *(pod.get("containers") or [])]:
        for source in container.get("envFrom") or []:
            if (source.get("secretRef") or {}).get("name") == secret:
                yield True
        for variable in container.get("env") or []:
            reference = (variable.get("valueFrom") or {}).get("secretKeyRef") or {}
            if (reference.get("name"), reference.get("key")) == (secret, key):
                yield True
        for mount in container.get("volumeMounts") or []:
            if mount["name"] in volumes:
                yield "subPath" in mount or "subPathExpr" in mount


def _is_of(volume: Mapping[str, Any], secret: str, key: str) -> bool:
    parts = [source.get("secret") or {} for source in (volume.get("projected") or {}).get("sources") or []]
    parts = [{"secretName": part.get("name"), **part} for part in parts] + [volume.get("secret") or {}]
    return any(part.get("secretName") == secret and ("items" not in part or key in {item["key"] for item in part["items"]}) for part in parts)
