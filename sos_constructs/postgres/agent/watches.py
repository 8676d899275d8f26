"""The guard and its last resorts, put together for one pod from what Patroni's configuration says."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

from .actions import Actions
from .fast_watch import cut_of
from .fence import Fence
from .files import Declared
from .guard import Guard, NotStreaming
from .kube_api import Kube
from .patroni_api import PatroniError, Status, of_member
from .reconcile import Member
from .reinit import Reinit, replication_identity
from .serving import Serving

HEALTH_SECONDS = 1.0
"""For this pod's own Patroni to answer."""


class Watches:
    """All that is looked at once a second, on this member only."""

    def __init__(self, member: Member, declared: Declared, actions: Actions) -> None:
        self._member, self._actions = member, actions
        self._scope = declared.patroni["scope"]
        self._guard = new_guard(member, declared, actions)

    def round(self, kube: Kube, cluster: dict[str, Any]) -> None:
        """Look, and act on this member.

        :raises NotStreaming: a human must look.
        """
        self._guard.keep_label(kube, cluster)
        try:
            self._guard.keep_streaming(kube, cluster)
        except NotStreaming:
            if cut_of(self._member).about() is not None:
                raise  # cut off on purpose: the fast failover reconnects it
            self._last_resort(self._member.declared(), kube).last_resort(cluster)

    def _last_resort(self, declared: Declared, kube: Kube) -> Reinit:
        # what Patroni has loaded, not what will be next
        login = json.loads(self._member.patroni_file.read_text())["postgresql"]["authentication"]["replication"]
        return Reinit(
            pod=self._member.pod.name,
            actions=self._actions,
            leader_now=lambda: self._leader_now(kube),
            system_id=lambda: kube.annotations(f"{self._scope}-config").get("initialize", ""),
            leader_id=partial(replication_identity, declared.patroni["postgresql"]["bin_dir"], login=login),
            act=self._member.patroni(declared).reinitialize,
        )

    def _leader_now(self, kube: Kube) -> str:
        return kube.annotations(self._guard.leader_object).get("leader", "")


def new_serving(member: Member, guard: Guard) -> Serving:
    """Of this pod: what the others' guards take from it, and when it gets it back."""

    def health() -> Status:
        """Of a server that nobody knows of where Patroni does not answer."""
        try:
            return of_member(json.loads(member.patroni_file.read_text()), "127.0.0.1", own=True).health(HEALTH_SECONDS)
        except PatroniError:
            return Status("unknown", running=False, streaming=False)

    return Serving(
        pod=guard.pod,
        leader_object=guard.leader_object,
        role_label=guard.role_label,
        selector=guard.selector,
        leads=lambda: health().leads,
        lets_in=lambda: health().streaming and not Fence(member.runtime_dir).closed,
    )


def new_guard(member: Member, declared: Declared, actions: Actions) -> Guard:
    """A guard for this pod; what it looks at stands in Patroni's own configuration."""
    kubernetes = declared.patroni["kubernetes"]
    scope = declared.patroni["scope"]
    return Guard(
        pod=member.pod.name,
        leader_object=f"{scope}-leader",
        role_label=kubernetes["role_label"],
        selector={**kubernetes["labels"], kubernetes["scope_label"]: scope},
        actions=actions,
        replayed=lambda: member.patroni(member.declared()).replayed(),
    )
