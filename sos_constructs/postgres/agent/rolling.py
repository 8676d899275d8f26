"""New pods for a new template: standbys first, one at a time, the primary last and once.

The StatefulSet's strategy is OnDelete, because a rolling update goes by ordinal and not by role: it may move the primary twice, and it
waits for ever behind a pod that does not come up, also when the template is put right (Kubernetes issue 67250). The agent beside the
holder of the lock does it instead, through the eviction API, so that the disruption budget holds.

The primary hands over by its own shutdown: the lock is given away only when the connected standbys have the last record, and only a standby with
every acknowledged commit may take it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .farewell import holds_lock
from .files import Declared
from .kube_api import Conflict, Kube
from .log import log
from .patroni_api import Status
from .reconcile import Member, NotYet
from .standbys import Standby, lacking, standbys

PATIENCE = 600.0
"""Seconds for which a rollout may stand still before the step counts as failed, and the alerts tell."""

REVISION = "controller-revision-hash"


@dataclass(frozen=True)
class Pod:
    """What of a pod decides."""

    name: str
    revision: str
    ready: bool
    going: bool
    """It is being terminated."""

    @classmethod
    def read(cls, item: dict[str, Any]) -> Pod:
        """From the API's object."""
        metadata, conditions = item["metadata"], item.get("status", {}).get("conditions", [])
        ready = any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)
        return cls(metadata["name"], metadata.get("labels", {}).get(REVISION, ""), ready, "deletionTimestamp" in metadata)


@dataclass(frozen=True)
class Act:
    """What comes next: the pod to evict, or none, and why."""

    pod: str
    reason: str


def next_act(own: str, wanted: list[str], revision: str, pods: list[Pod], found: Mapping[str, Standby], mode: object) -> Act | None:
    """One step towards pods that all have the revision; None when they do.

    :param own: this pod, the primary's.
    :param wanted: every member that there should be, by ordinal.
    """
    there = {pod.name: pod for pod in pods if pod.name in wanted}
    outdated = [there[name] for name in reversed(wanted) if name in there and there[name].revision != revision]
    if not outdated:
        return None
    for pod in outdated:
        if pod.name != own and not pod.ready and not pod.going:
            # One that streams may acknowledge commits: since Patroni 4.1 it is not ready while it has much to replay. It goes as the only one.
            rest = set(wanted) - {own, pod.name}
            if pod.name not in found or not found[pod.name].streaming:
                return Act(pod.name, "has an old template and is not ready")
            if all(name in there and there[name].ready and not there[name].going for name in rest) and not lacking(found, rest, mode):
                return Act(pod.name, "has an old template and is not ready; everybody else streams")
    for name in wanted:
        if name not in there:
            return Act("", f"{name} has no pod")
        if there[name].going or not there[name].ready:
            return Act("", f"{name} is {'being terminated' if there[name].going else 'not ready'}, with the {_which(there[name], revision)} template")
    if why := lacking(found, set(wanted) - {own}, mode):
        return Act("", why)
    for pod in outdated:
        if pod.name != own:
            return Act(pod.name, "a standby with an old template; everybody else streams")
    others = "every standby has the new one and has caught up, so one of them takes over" if len(wanted) > 1 else "there is no other member"
    return Act(own, f"the primary has an old template; {others}")


def _which(pod: Pod, revision: str) -> str:
    return "new" if pod.revision == revision else "old"


class Rolling:
    """The step; it remembers what it said last, and since when nothing moved."""

    def __init__(self, connect: Callable[[Member], Kube], clock: Callable[[], float] = time.monotonic) -> None:
        self._connect, self._clock = connect, clock
        self._held: tuple[str, float] = ("", 0.0)
        self._under_way = False

    def __call__(self, member: Member, status: Status) -> None:
        """As the primary: the next step of a rollout, if there is one and it may be done now.

        :raises NotYet: when nothing has moved for long.
        """
        if status.role != "primary" or not status.running:
            self._held, self._under_way = ("", 0.0), False
            return
        kube, own = self._connect(member), member.pod.name
        name = own.rpartition("-")[0]
        stateful_set = kube.stateful_set(name)
        spec, state = stateful_set["spec"], stateful_set.get("status", {})
        if spec.get("updateStrategy", {}).get("type") != "OnDelete" or state.get("observedGeneration") != stateful_set["metadata"]["generation"]:
            return
        if state.get("updatedReplicas") == spec["replicas"] and state.get("replicas") == spec["replicas"]:
            if self._under_way:
                log("info", "rolling", "every member has the newest template")
            self._held, self._under_way = ("", 0.0), False
            return
        declared = member.declared()
        act = self._decide(member, declared, kube, [f"{name}-{ordinal}" for ordinal in range(spec["replicas"])], state["updateRevision"])
        if act is None:
            return
        self._under_way = True
        if act.pod and not holds_lock(kube, own, declared.patroni["scope"]):
            act = Act("", "this member no longer holds the lock")
        if not act.pod:
            self._wait(act.reason)
            return
        try:
            kube.evict(act.pod)
        except Conflict:
            self._wait("the disruption budget lets nobody go now")
            return
        log("info", "rolling", "replacing a pod", pod=act.pod, reason=act.reason)
        self._held = ("", 0.0)

    def _decide(self, member: Member, declared: Declared, kube: Kube, wanted: list[str], revision: str) -> Act | None:
        if member.patroni(declared).cluster().get("pause"):
            return Act("", "Patroni is paused")
        pods = [Pod.read(item) for item in kube.pod_objects(declared.patroni["kubernetes"]["labels"])]
        mode = declared.patroni["bootstrap"]["dcs"]["synchronous_mode"]
        return next_act(member.pod.name, wanted, revision, pods, standbys(member.psql(declared)), mode)

    def _wait(self, reason: str) -> None:
        """Tell a new reason once; complain when nothing moves."""
        said, since = self._held
        if not said:
            since = self._clock()
        if reason != said:
            log("info", "rolling", "waiting", reason=reason)
        self._held = (reason, since)
        if self._clock() - since > PATIENCE:
            raise NotYet(f"the rollout stands still: {reason}")
