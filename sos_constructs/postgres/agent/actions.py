"""What the agent did to its member, counted on the volume: a pod that is restarted by its agent must still tell that it was."""

from __future__ import annotations

import json
import threading
from pathlib import Path

from .files import write_whole

KINDS = ("hand_over", "reinitialize", "restart")


class Actions:
    """Totals by kind, and when each was last done (seconds since 1970)."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = threading.Lock()
        try:
            found = json.loads(file.read_text())
            self._done = {kind: (int(found[kind][0]), float(found[kind][1])) for kind in KINDS if kind in found}
        except (OSError, ValueError, TypeError, IndexError):
            self._done = {}

    def last(self, kind: str) -> float:
        """When it was last done, or 0."""
        return self._done.get(kind, (0, 0.0))[1]

    def note(self, kind: str, now: float) -> None:
        """Count one."""
        with self._lock:
            done = {**self._done, kind: (self._done.get(kind, (0, 0.0))[0] + 1, now)}
            write_whole(self._file, json.dumps(done))
            self._done = done

    def text(self) -> str:
        """Prometheus text format."""
        families = (
            ("sos_agent_actions_total", "counter", "What the agent did to its member after a failure.", 0),
            ("sos_agent_last_action_timestamp_seconds", "gauge", "When it last did so; 0 for never.", 1),
        )
        lines: list[str] = []
        for name, kind, meaning, which in families:
            lines += [f"# HELP {name} {meaning}", f"# TYPE {name} {kind}"]
            lines += [f'{name}{{action="{action}"}} {self._done.get(action, (0, 0.0))[which]}' for action in KINDS]
        return "\n".join(lines) + "\n"
