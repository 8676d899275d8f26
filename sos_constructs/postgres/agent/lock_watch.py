"""The moment this member gets the lock: every other pod loses the label primary, before this one can be in the Service.

Patroni labels its pod when it has seen its own lock, some tenths of a second later. The guard's own look, once a second and through
Patroni, came after that: seen on a cluster, the Service held the new primary and a dead one for 0.1 to 10 s, and every second fresh
connection waited for the corpse.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .guard import Guard
from .kube_api import Kube

WATCH_SECONDS = 20.0
"""Length of one watch of the lock. A connection that died silently is noticed a few seconds later; until then the guard's look helps."""


@dataclass
class LockWatch:
    """Whose lock it was when last seen, what to do when it becomes ours, and who else wants to know of every change."""

    pod: str
    leader_object: str
    on_lock: Callable[[Kube], None]
    on_change: Callable[[dict[str, str]], None] = lambda _: None
    _holder: str = ""

    def round(self, kube: Kube) -> None:
        """Watch the lock for a while. What fails is done again at the next round's first sight of the lock."""
        for seen in kube.watch_annotations(self.leader_object, WATCH_SECONDS):
            self.on_change(seen)
            holder = seen.get("leader") or ""
            if holder == self.pod and holder != self._holder:
                self.on_lock(kube)
            self._holder = holder


def watch_rivals(guard: Guard, kube: Kube) -> None:
    """Watch the pods that are labelled primary for a while, and take the label from one that is not ours to have it, if the lock is ours.

    Patroni labels its pod by the view it has, and the view of one that was cut off is old when the cut ends.
    """
    for pod in kube.watch_pods(guard.selector | {guard.role_label: "primary"}, WATCH_SECONDS):
        if pod["name"] != guard.pod:
            guard.take_labels(kube)
