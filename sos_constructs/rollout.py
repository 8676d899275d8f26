"""Checksums that make a pod template change when, and only when, something changed that a running pod cannot pick up."""

from __future__ import annotations

import hashlib
import json


def checksum(data: object) -> str:
    """SHA-256 over the canonical JSON of ``data`` (sorted keys): same data, same 64 hexadecimal characters."""
    canonical = json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()
