"""What Patroni leaves undone after a failure, once a second, on this member only.

* The label of a dead primary stays on its pod until Kubernetes notices the node, so the Service keeps a corpse. The new primary takes it
  away, and the pod out of its Services until its own agent knows better (serving.py).
* A former primary may come back running but never streaming, and nothing repairs it. After a while it has its own pod restarted, which runs
  pg_rewind. The disruption budget lets one member at a time do so. If that does not help: the module reinit.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .actions import Actions
from .kube_api import Conflict, Kube, NotFound
from .log import log
from .serving import OUT, is_ending, is_out

NOT_STREAMING = 20.0
"""Seconds a standby may be without a stream, with a leader that it can reach, before it has itself restarted."""
RESTART_EVERY = 600.0
"""Seconds between two restarts. A standby that needs one sooner needs a human: the step fails, and the alerts tell."""
SETTLED = 120.0
"""Seconds after a change of leader during which the label is looked at every second; later, every ten."""


BROKEN = frozenset({"crashed", "running", "start failed"})
"""States of a standby that does not stream and does nothing about it. A base backup, pg_rewind or a start say so; replay is looked at."""


class NotStreaming(Exception):
    """A standby that a restart does not bring back."""


@dataclass
class Guard:
    """What the two watches remember. Times are of a monotonic clock, except those in the notes, which outlive the pod."""

    pod: str
    leader_object: str
    role_label: str
    selector: dict[str, str]
    actions: Actions
    clock: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
    reachable: Callable[[str, int], bool] = field(default_factory=lambda: reachable)
    replayed: Callable[[], int] = lambda: 0
    """How far this server has replayed: one that gets on is busy, not broken."""
    _leading_since: float | None = None
    _labels_due: float = 0.0
    _alone_since: float | None = None
    _replayed: int = 0

    def keep_label(self, kube: Kube, cluster: dict[str, Any]) -> None:
        """As the holder of the lock: no other pod is labelled primary."""
        if not any(m["name"] == self.pod and m.get("role") == "leader" and m.get("state") == "running" for m in cluster.get("members", [])):
            self._leading_since = None
            return
        now = self.clock()
        if self._leading_since is None:
            self._leading_since, self._labels_due = now, now
        if now < self._labels_due:
            return
        self._labels_due = now + (1.0 if now - self._leading_since < SETTLED else 10.0)
        self.take_labels(kube)

    def take_labels(self, kube: Kube) -> None:
        """Take the label primary from every other pod, if the lock is this member's.

        The pods are read before the lock. A pod that became primary after that has changed, and the patch is refused; a pod that the lock
        names is never touched. The other order once took the label from the new primary. A pod that ends may have been taken out by itself
        (handover.py) and labelled by its Patroni since.
        """
        labelled = kube.pods(self.selector | {self.role_label: "primary"})
        others = [pod for pod in labelled if pod["name"] != self.pod and not (is_ending(pod) and is_out(pod))]
        if not others or kube.annotations(self.leader_object).get("leader") != self.pod:
            return
        for pod in others:
            try:
                kube.label(pod, {self.role_label: None, **OUT})
            except (Conflict, NotFound):
                continue  # it is alive and has just said something else, or gone
            log("warning", "guard", "took the label primary from a pod that does not hold the lock", pod=pod["name"])

    def keep_streaming(self, kube: Kube, cluster: dict[str, Any]) -> None:
        """As a standby with a reachable leader and no stream: restart this pod.

        :raises NotStreaming: when that was tried a short while ago.
        """
        members = {m["name"]: m for m in cluster.get("members", [])}
        mine = members.get(self.pod, {})
        leader = next((m for m in members.values() if m.get("role") == "leader" and m.get("state") == "running"), None)
        if mine.get("role") == "leader" or mine.get("state") not in BROKEN or leader is None or cluster.get("pause"):
            self._alone_since = None
            return
        now = self.clock()
        before, self._replayed = self._replayed, self.replayed()
        if self._alone_since is None or self._replayed != before:
            self._alone_since = now
        if not self.reachable(str(leader["host"]), int(leader["port"])):
            self._alone_since = None  # a cut that ends leaves it time to find its stream again
            return
        alone = now - self._alone_since
        if alone < NOT_STREAMING:
            return
        if self.wall() - self.actions.last("restart") < RESTART_EVERY:
            raise NotStreaming("this standby does not stream, and a restart of its pod did not help")
        kube.evict(self.pod)
        self.actions.note("restart", self.wall())
        log("warning", "guard", "not streaming: restarting this pod", seconds=round(alone))
        self._alone_since = now


def reachable(host: str, port: int) -> bool:
    """Whether a TCP connection comes about: without one, neither a restart nor a copy can help."""
    try:
        socket.create_connection((host, port), timeout=2).close()
    except OSError:
        return False
    return True
