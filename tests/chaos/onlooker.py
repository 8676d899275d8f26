"""What the API server said during a round, moment by moment: who carried which label, and which addresses the Services had.

The state after a round does not tell what led a client to a server that should not have had it.
"""

from __future__ import annotations

import subprocess
import threading
import time
from collections import deque

NOTES = "{{.metadata.name}}{{with .metadata.annotations}} leader={{.leader}} renewed={{.renewTime}} ttl={{.ttl}} voters={{.sync_standby}}{{end}}"
LABELS = "{{.metadata.name}} role={{.metadata.labels.role}} ip={{.status.podIP}} going={{.metadata.deletionTimestamp}}"
READY = '{{range .status.conditions}}{{if eq .type "Ready"}} ready={{.status}}{{end}}{{end}}'
ENDPOINTS = "{{.metadata.name}}{{range .endpoints}} {{.targetRef.name}} ({{range .addresses}}{{.}} {{end}}ready={{.conditions.ready}}){{end}}"
WATCHED = {"configmaps": NOTES, "endpointslices": ENDPOINTS, "pods": LABELS + READY}
"""By resource: what is kept of each version of each object. Not as jsonpath: kubectl forgets its ranges after the first object of a watch."""
KEPT = 20_000
"""Lines; an hour of rest has half as many."""
PAUSE = 1.0
"""Before a watch that has ended begins anew: without an API server it ends at once."""


class Onlooker:
    """Watches until it is closed."""

    def __init__(self, namespace: str) -> None:
        self._lines = deque[tuple[float, str]](maxlen=KEPT)
        self._closed = threading.Event()
        self._processes: dict[str, subprocess.Popen[str]] = {}
        self._threads = [threading.Thread(target=self._watch, args=(kind, namespace), daemon=True) for kind in WATCHED]
        for thread in self._threads:
            thread.start()

    def since(self, moment: float) -> str:
        """Lines from a moment (seconds of the epoch) on, each with its time of day."""
        return "".join(f"{time.strftime('%H:%M:%S', time.gmtime(at))}.{int(at % 1 * 1000):03d} {line}\n" for at, line in sorted(self._lines) if at >= moment)

    def close(self) -> None:
        """End the watches."""
        self._closed.set()
        for thread in self._threads:
            while thread.is_alive():  # one may just be about to begin
                for process in list(self._processes.values()):
                    process.kill()
                thread.join(0.1)

    def _watch(self, kind: str, namespace: str) -> None:
        template = f"go-template={kind} {WATCHED[kind]}\n"
        while not self._closed.is_set():
            command = ["kubectl", "get", kind, "-n", namespace, "--watch", "-o", template]
            with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
                self._processes[kind] = process
                for line in process.stdout or ():
                    self._lines.append((time.time(), line.rstrip()))
            self._closed.wait(PAUSE)
