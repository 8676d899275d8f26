"""Everything the library emits, to hold the same rules against: dist/ and the reviewed YAML."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent.parent
DIST = sorted((ROOT / "dist").glob("*.yaml"))
REVIEWED = sorted(path for path in (ROOT / "tests" / "snapshots").rglob("*.yaml") if "examples" not in path.parts)  # those are other applications

Manifest = dict[str, Any]


@cache
def objects(path: Path) -> list[Manifest]:
    return [document for document in yaml.load_all(path.read_text("utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)) if document]


@cache
def distinct() -> list[tuple[str, Manifest]]:
    """Each object once, with a name for messages, whatever the number of files it stands in."""
    found: dict[str, tuple[str, Manifest]] = {}
    for path in (*DIST, *REVIEWED):
        for manifest in objects(path):
            found.setdefault(repr(manifest), (f"{path.relative_to(ROOT)}: {manifest['kind']}/{manifest['metadata']['name']}", manifest))
    return list(found.values())


def pod_of(manifest: Manifest) -> Manifest | None:
    """The pod or pod template of a workload, with metadata and spec; None for other objects."""
    spec = manifest.get("spec", {})
    if manifest["kind"] == "Pod":
        return manifest
    if manifest["kind"] == "CronJob":
        spec = spec["jobTemplate"]["spec"]
    template: Manifest | None = spec.get("template") if manifest["kind"] in ("CronJob", "DaemonSet", "Deployment", "Job", "ReplicaSet", "StatefulSet") else None
    return template


def pods() -> Iterator[tuple[str, Manifest]]:
    for name, manifest in distinct():
        if pod := pod_of(manifest):
            yield name, pod


def containers(pod: Manifest) -> Iterator[Manifest]:
    """Of every kind: init, ordinary, ephemeral."""
    for field in ("initContainers", "containers", "ephemeralContainers"):
        yield from pod["spec"].get(field, ())
