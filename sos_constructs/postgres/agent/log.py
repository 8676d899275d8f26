"""One JSON line per event on standard output. Callers pass names and counts, never values of the Secret."""

from __future__ import annotations

import datetime
import json
import sys


def log(level: str, step: str, message: str, **fields: object) -> None:
    """Print one event; ``fields`` must not hold secret material."""
    now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds")
    print(json.dumps({"time": now, "level": level, "step": step, "message": message, **fields}), file=sys.stdout, flush=True)
