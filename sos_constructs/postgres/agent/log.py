"""One JSON line per event on standard output. Callers pass names and counts, never values of the Secret."""

from __future__ import annotations

import json
import sys
from datetime import datetime, timezone


def log(level: str, step: str, message: str, **fields: object) -> None:
    """Print one event; ``fields`` must not hold secret material."""
    now = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
    print(json.dumps({"time": now, "level": level, "step": step, "message": message, **fields}), file=sys.stdout, flush=True)
