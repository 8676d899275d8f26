"""One JSON line per event on standard output. Callers pass names and counts, never values of the Secret."""

from __future__ import annotations

import json
import os
import sys
from contextlib import suppress
from datetime import datetime, timezone

_of_all: dict[str, str] = {}
"""Fields of every event of this process."""


def log(level: str, step: str, message: str, **fields: object) -> None:
    """Print one event; ``fields`` must not hold secret material."""
    now = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
    print(json.dumps({"time": now, "level": level, **_of_all, "step": step, "message": message, **fields}), file=sys.stdout, flush=True)


def say_as_first_process(output: str = "/proc/1/fd/1") -> None:
    """Have what is logged appear among the container's own lines, and say of each that it is the agent's, as the others there say whose they are.

    What a hook prints goes nowhere, and what a child of Patroni prints is taken for text.
    """
    _of_all["source"] = "agent"
    with suppress(OSError):
        os.dup2(os.open(output, os.O_WRONLY), sys.stdout.fileno())
