"""Whether clients are served, asked as a client asks: through PgBouncer, which counts neither whom it refuses nor why it has no server."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from typing import Any

from .log import log
from .pooler_watch import command, environment

INTERVAL = 15.0
"""Seconds between two questions on each side; the server connection is the one by which passwords are looked up."""
FIRST_INTERVAL = 1.0
"""Until the first client of a new pod was served: the pod is not ready before."""
SECONDS = 10.0
"""For one answer. A client that is held during a failover gets none in time, and the next question tells of its end."""


class Probe:
    """One question on each side, and what is said about it."""

    def __init__(self, show: Callable[[str, bool], None]) -> None:
        self._show = show
        self._said: dict[str, str] = {}

    def look(self, declared: dict[str, Any], password: str) -> set[str]:
        """Ask on both sides; log what has changed. Returns the sides that serve."""
        serve = set()
        for side in declared["sides"]:
            refusal = refused(declared, side, password)
            self._show(side, not refusal)
            if not refusal:
                serve.add(side)
            if refusal != self._said.get(side, ""):
                log("error" if refusal else "info", "probe", refusal or "clients are served again", side=side)
            self._said[side] = refusal
        return serve


def refused(declared: dict[str, Any], side: str, password: str) -> str:
    """Why a client of this side gets no answer from a server; an empty string if it does."""
    where = {"dbname": declared["database"], "host": declared["sides"][side]["socket_dir"], "port": declared["sides"][side]["port"]}
    variables = environment(password)
    del variables["PGOPTIONS"]  # PgBouncer before 1.20 refuses a client that has any
    try:
        done = subprocess.run(
            [*command(declared, where), "-c", "SELECT 1"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            env=variables,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"no answer within {SECONDS:.0f} s"
    return "" if done.returncode == 0 else (done.stderr.strip().splitlines() or ["no message"])[0]
