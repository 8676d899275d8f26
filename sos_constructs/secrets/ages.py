"""When each value was made: one annotation per Secret, written where values are made and never at synth."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

ANNOTATION = "sos-app/rotated-at"
"""Key → time of its last change, as a JSON object. Without an entry the age of a value is not known."""


DOCUMENT_KEY = "rotated-at"
"""Where a document in a store says the same, so that it goes wherever the values go."""


def read(metadata: Mapping[str, Any]) -> dict[str, datetime]:
    """The times in an object's metadata. What is not a time is not known."""
    annotations = metadata.get("annotations")
    text = annotations.get(ANNOTATION) if isinstance(annotations, dict) else None
    try:
        entries = json.loads(text) if isinstance(text, str) else {}
    except ValueError:
        return {}
    times = {str(key): time(value) for key, value in entries.items()} if isinstance(entries, dict) else {}
    return {key: value for key, value in times.items() if value}


def annotation(times: Mapping[str, datetime]) -> dict[str, str]:
    """The annotation that says ``times``; empty when there are none."""
    entries = {key: f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" for key, value in sorted(times.items())}
    return {ANNOTATION: json.dumps(entries, separators=(",", ":"))} if entries else {}


def time(text: object) -> datetime | None:
    """A time as Kubernetes writes it."""
    try:
        return datetime.strptime(str(text), "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError:
        return None


def stamped(metadata: Mapping[str, Any], times: Mapping[str, datetime]) -> dict[str, Any]:
    """``metadata`` saying ``times`` and no others."""
    annotations = {key: value for key, value in (metadata.get("annotations") or {}).items() if key != ANNOTATION} | annotation(times)
    rest = {key: value for key, value in metadata.items() if key != "annotations"}
    return rest | ({"annotations": dict(sorted(annotations.items()))} if annotations else {})
