"""The recommended Kubernetes labels, and the part of them that may stand in an (immutable) selector."""

from __future__ import annotations

PART_OF = "sos-app"
"""Value of ``app.kubernetes.io/part-of`` on everything the library emits."""


def selector(name: str, instance: str) -> dict[str, str]:
    """The labels by which pods of one installation are found. Never contains a version: selectors cannot be changed."""
    return {"app.kubernetes.io/instance": instance, "app.kubernetes.io/name": name}


def labels(name: str, instance: str, component: str) -> dict[str, str]:
    """All labels of an object: the selector's, plus component and part-of.

    There is no ``app.kubernetes.io/managed-by``: who applies the YAML (kubectl, Argo CD, Flux) is not known at synth.
    """
    return selector(name, instance) | {"app.kubernetes.io/component": component, "app.kubernetes.io/part-of": PART_OF}
