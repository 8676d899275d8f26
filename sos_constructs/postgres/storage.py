"""The claim of each member's volume, and growing it."""

from __future__ import annotations

from typing import Any

from sos_constructs.errors import InvalidOption
from sos_constructs.postgres.spec import Spec
from sos_constructs.quantities import MiB, parse_bytes


def template_size(spec: Spec) -> str:
    """What stands in the claim template, for the life of the StatefulSet."""
    return spec.storage_template or spec.storage


def grows(spec: Spec) -> bool:
    """Whether members want more than the template gives them."""
    return parse_bytes("storage", spec.storage) > parse_bytes("storage_template", template_size(spec))


def check_storage(spec: Spec) -> None:
    """Raise :class:`InvalidOption` for a volume that would have to shrink."""
    if parse_bytes("storage_template", template_size(spec)) < MiB * 1024:
        fix = "must be at least 1Gi: it is the size that the StatefulSet was made with"
        raise InvalidOption("storage_template", spec.storage_template, fix)
    if parse_bytes("storage", spec.storage) < parse_bytes("storage_template", template_size(spec)):
        raise InvalidOption("storage_template", spec.storage_template, f"must be at most storage={spec.storage!r}: Kubernetes lets no claim shrink")


def claim(spec: Spec) -> dict[str, Any]:
    """The claim template."""
    body: dict[str, Any] = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": template_size(spec)}}}
    if spec.storage_class is not None:
        body["storageClassName"] = spec.storage_class
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"labels": spec.names.selector, "name": "data"}, "spec": body}


def rules(spec: Spec) -> list[dict[str, Any]]:
    """What the agent needs in order to enlarge its members' claims; nothing where none grows."""
    claims = [f"data-{pod}" for pod in spec.names.pods]
    return [{"apiGroups": [""], "resourceNames": claims, "resources": ["persistentvolumeclaims"], "verbs": ["get", "patch"]}] if grows(spec) else []


def declared(spec: Spec) -> dict[str, str]:
    """The part of the agent's input about volumes."""
    return {"storage": spec.storage} if grows(spec) else {}
