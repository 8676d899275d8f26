"""What ``kubectl apply`` can take: it writes the whole object into an annotation, and the API server limits annotations to 256 KiB.

Sources: kubectl's ``GetModifiedConfiguration`` (pkg/util/apply.go), apimachinery's ``TotalAnnotationSizeLimitB``. With ``--server-side`` nothing is
written into annotations, and the API server's limit for the data of one ConfigMap or Secret remains.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

LIMIT = 256 * 1024
"""Bytes that the keys and values of all annotations of one object may have together."""

SERVER_SIDE_LIMIT = 1024 * 1024
"""Bytes that one object may have as JSON: the API server's limit for the data of a ConfigMap or Secret (etcd's own is 1.5 MiB)."""

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def annotation_bytes(manifest: Mapping[str, Any]) -> int:
    """Bytes of the object's annotations after ``kubectl apply``, counted as the API server counts them.

    kubectl writes the object as Go's JSON encoder does: ``<``, ``>`` and ``&`` become six characters, and a line end closes it.
    """
    annotations = dict(manifest["metadata"].get("annotations") or {})
    applied = _json(manifest | {"metadata": manifest["metadata"] | {"annotations": annotations}})  # type: ignore[operator]
    escaped = sum(applied.count(character) for character in "<>&") * 5
    own = sum(len(key.encode()) + len(value.encode()) for key, value in annotations.items())
    return own + len(LAST_APPLIED) + len(applied.encode()) + escaped + len("\n")


def object_bytes(manifest: Mapping[str, Any]) -> int:
    """Bytes of the object as JSON."""
    return len(_json(manifest).encode())


def largest_part(manifest: Mapping[str, Any]) -> str:
    """The entry of ``data`` or the top-level field that has most of the bytes, for a message."""
    parts = {key: len(_json(value)) for key, value in manifest.items()}
    for field in ("data", "stringData", "binaryData"):
        parts |= {f"{field}[{key!r}]": len(_json(value)) for key, value in (manifest.get(field) or {}).items()}
        parts.pop(field, None)
    return max(parts, key=lambda part: parts[part])


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
