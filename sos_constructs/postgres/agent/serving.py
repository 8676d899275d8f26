"""Whom the Services may send clients to: a label beside Patroni's, which agents alone change.

Patroni labels its pod by the view it has, and the view of a primary that was cut off is old: when the cut ends it is in the middle of asking for its
former lock, is refused, and says ``primary`` once more. Seen on a cluster: the new primary's agent took that label away within 0.1 s, kube-proxy
followed a second later, and fresh connections went to a server that turned them away. So whoever takes the role from a former primary changes a
second label that the Services ask for, and this pod's agent puts it back when its server leads, or streams and lets clients in (fence.py). Where that
agent is down and the pod leads, the others' put it back.

The label is one that every pod is born with, so that a Service that asks for it finds the pods of an older template as well.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .kube_api import Conflict, Kube
from .log import log

COMPONENT = "app.kubernetes.io/component"
SERVING, OUT = {COMPONENT: "database"}, {COMPONENT: "former-primary"}

WATCH_SECONDS = 5.0
"""Length of one watch: for so long a connection that died silently can keep a pod from coming back."""
LOOK_SECONDS, LATER = 0.5, 5.0
"""Between two looks of a pod that is out of its Services at whether it may come back; the other one when it has been out for a while."""
WHILE = 60.0


@dataclass
class Serving:
    """Of this pod, and of a leader whose own agent is not there."""

    pod: str
    leader_object: str
    role_label: str
    selector: dict[str, str]
    leads: Callable[[], bool]
    """Whether its Patroni says that its server is a running primary."""
    lets_in: Callable[[], bool]
    """Whether its server streams and lets clients in."""
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    _renewals: dict[str, str] = field(default_factory=dict)
    """By other pods that are out: the lock's renewal when that was seen first."""

    def watch(self, kube: Kube) -> None:
        """For a while: bring pods back that were taken out and may come back."""
        out = set()
        for pod in kube.watch_pods(self.selector | OUT, WATCH_SECONDS):
            out.add(pod["name"])
            if pod["name"] == self.pod:
                self._come_back(kube)
            else:
                self.bring_back(kube, pod)
        self._renewals = {name: renewed for name, renewed in self._renewals.items() if name in out}

    def _come_back(self, kube: Kube) -> None:
        since = self.clock()
        while not self.come_back(kube):
            self.sleep(LOOK_SECONDS if self.clock() - since < WHILE else LATER)

    def come_back(self, kube: Kube, *, got_lock: bool = False) -> bool:
        """Bring this pod back if it may; whether it is in its Services again, as far as this label goes.

        A pod that is labelled primary and does not hold the lock waits for its Patroni's next word. The lock alone is no sign of life: a server
        that stands still holds it, too, until it ends.

        :param got_lock: it has just become this member's.
        """
        pod = kube.metadata(f"pods/{self.pod}")
        labels = pod.get("labels") or {}
        if not is_out(pod):
            return True
        if is_ending(pod):
            return False
        leads = kube.annotations(self.leader_object).get("leader") == self.pod
        may = (got_lock or self.leads()) if leads else (labels.get(self.role_label) != "primary" and self.lets_in())
        return may and _put_back(kube, pod, leads=leads)

    def bring_back(self, kube: Kube, pod: dict[str, Any]) -> None:
        """Another pod, whose own agent may be down: if it holds the lock, and has renewed it since it was first seen to be out."""
        lock = kube.annotations(self.leader_object)
        if lock.get("leader") != pod["name"] or is_ending(pod):
            self._renewals.pop(pod["name"], None)
        elif self._renewals.setdefault(pod["name"], lock.get("renewTime", "")) != lock.get("renewTime", ""):
            _put_back(kube, pod, leads=True)


def is_out(pod: dict[str, Any]) -> bool:
    """Whether it was taken out of its Services."""
    return bool((pod.get("labels") or {}).items() >= OUT.items())


def is_ending(pod: dict[str, Any]) -> bool:
    """Whether it is being terminated. It comes back as another pod."""
    return "deletionTimestamp" in pod


def _put_back(kube: Kube, pod: dict[str, Any], *, leads: bool) -> bool:
    try:
        kube.label(pod, SERVING)
    except Conflict:
        return False  # somebody, perhaps its Patroni, has just said something else
    log("info", "serving", "the Services may send clients there again", pod=pod["name"], leads=leads)
    return True
