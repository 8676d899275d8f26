"""Whom the Services may send clients to: a label beside Patroni's, which its own agent alone puts back.

Patroni labels its pod by the view it has, and the view of a primary that was cut off is old: when the cut ends it is in the middle of asking for its
former lock, is refused, and says ``primary`` once more. Seen on a cluster: the new primary's agent took that label away within 0.1 s, kube-proxy
followed a second later, and fresh connections went to a server that turned them away. So whoever takes the role from a former primary changes a
second label that the Services ask for, and this pod's agent puts it back when its server leads, or streams and lets clients in (fence.py).

The label is one that every pod is born with, so that a Service that asks for it finds the pods of an older template as well.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from .kube_api import Conflict, Kube
from .log import log

COMPONENT = "app.kubernetes.io/component"
SERVING, OUT = {COMPONENT: "database"}, {COMPONENT: "former-primary"}

LOOK_SECONDS = 0.5
"""Between two looks of a pod that is out of its Services at whether it may come back."""


@dataclass(frozen=True)
class Serving:
    """Of this pod."""

    pod: str
    leader_object: str
    role_label: str
    selector: dict[str, str]
    lets_in: Callable[[], bool]
    """Whether its server streams and lets clients in."""
    sleep: Callable[[float], None] = time.sleep

    def watch(self, kube: Kube, seconds: float) -> None:
        """For so many seconds: bring this pod back when it was taken out and may come back."""
        for pod in kube.watch_pods(self.selector | OUT, seconds):
            if pod["name"] == self.pod:
                while not self.come_back(kube):
                    self.sleep(LOOK_SECONDS)

    def come_back(self, kube: Kube) -> bool:
        """Bring this pod back if it may; whether it is in its Services again, as far as this label goes.

        A pod that is labelled primary and does not hold the lock waits for its Patroni's next word.
        """
        pod = kube.metadata(f"pods/{self.pod}")
        labels = pod.get("labels") or {}
        if not labels.items() >= OUT.items():
            return True
        leads = kube.annotations(self.leader_object).get("leader") == self.pod
        if not leads and (labels.get(self.role_label) == "primary" or not self.lets_in()):
            return False
        try:
            kube.label(pod, SERVING)
        except Conflict:
            return False  # its Patroni has just said something else
        log("info", "serving", "the Services may send clients here again", leads=leads)
        return True
