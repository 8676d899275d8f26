"""In strict mode: a primary that no standby hears, while all the standbys hear each other, hands over.

It still reaches the API server and renews its lock, so Patroni sees nothing wrong; but no standby confirms, so no write is acknowledged,
for as long as the cut lasts. It cannot hand over by Patroni's switchover either, which asks the candidates over the network that is cut.
So each standby says in an annotation of its own pod that it does not hear the leader, and whom it hears; the API server carries the word.
When every other member says so, the primary has its own pod evicted: Patroni stops PostgreSQL in order, then gives the lock away, and the
standbys elect. Nothing is lost: what no standby had was never acknowledged. Without strict mode Patroni drops to asynchronous instead.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .actions import Actions
from .guard import reachable
from .kube_api import Kube
from .log import log

ANNOTATION = "sos-constructs/hears-no-leader"
SILENT = 3.0
"""Seconds without an answer of the leader's port until a standby says so; its stream has been dead for wal_receiver_timeout (5 s) by then."""
REPEAT = 3.0
"""Seconds between two repetitions. The primary believes only a word that it has seen change: one left behind means nothing."""
FRESH = 10.0
"""Seconds for which the primary believes a word."""
LONELY = 5.0
"""Seconds without any streaming standby until the primary asks what the others say."""
EVERY = 600.0
"""Seconds between two hand-overs by this member: a network that changes its mind must not have the primary go round."""


@dataclass
class Standby:
    """What this member says while it is a standby."""

    pod: str
    clock: Callable[[], float] = time.monotonic
    reachable: Callable[[str, int], bool] = field(default_factory=lambda: reachable)
    _said: bool = True  # perhaps by the agent before this one
    _count: int = 0
    _silent_since: float | None = None
    _due: float = 0.0

    def round(self, kube: Kube, cluster: dict[str, Any]) -> None:
        """Say that the leader is silent, or take it back."""
        members = {str(m["name"]): m for m in cluster.get("members", [])}
        leader = next((m for m in members.values() if m.get("role") == "leader"), None)
        mine = members.get(self.pod, {})
        if leader is None or leader is mine or mine.get("state") == "streaming" or self._hears(leader):
            self._silent_since = None
            if self._said:
                kube.annotate_pod(self.pod, {ANNOTATION: None})
                self._said = False
            return
        now = self.clock()
        if self._silent_since is None:
            self._silent_since = now
        if now - self._silent_since < SILENT or now < self._due:
            return
        hears = sorted(name for name, m in members.items() if m is not leader and m is not mine and self._hears(m))
        self._count += 1
        kube.annotate_pod(self.pod, {ANNOTATION: json.dumps({"count": self._count, "hears": hears, "leader": leader["name"]}, sort_keys=True)})
        self._said, self._due = True, now + REPEAT

    def _hears(self, member: dict[str, Any]) -> bool:
        return self.reachable(str(member["host"]), int(member["port"]))


@dataclass
class Primary:
    """What this member does while it is the primary, in strict mode.

    :param streams: how many standbys stream from this server, by its own account.
    :param leader_now: who has the lock, read now.
    """

    pod: str
    selector: dict[str, str]
    actions: Actions
    streams: Callable[[], int]
    leader_now: Callable[[], str]
    clock: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
    _alone_since: float | None = None
    _words: dict[str, tuple[str, float]] = field(default_factory=dict)
    """By pod: what it says, and when that last changed before our eyes (never, at first sight)."""

    def round(self, kube: Kube, cluster: dict[str, Any]) -> None:
        """Hand over if everybody else says so."""
        members = {str(m["name"]): m for m in cluster.get("members", [])}
        others = sorted(members.keys() - {self.pod})
        mine = members.get(self.pod, {})
        leads = mine.get("role") == "leader" and mine.get("state") == "running"
        if not leads or cluster.get("pause") or len(others) < 2 or any(members[name].get("state") == "streaming" for name in others):
            self._alone_since = None
            self._words.clear()
            return
        now = self.clock()
        if self._alone_since is None:
            self._alone_since = now
        self._listen(kube, now)
        if now - self._alone_since < LONELY or not all(self._says(name, others, now) for name in others):
            return
        if self.wall() - self.actions.last("hand_over") < EVERY or self.streams() or self.leader_now() != self.pod:
            return
        kube.evict(self.pod)
        self.actions.note("hand_over", self.wall())
        log("warning", "guard", "no standby hears this primary, and they hear each other: handing over", standbys=others)

    def _listen(self, kube: Kube, now: float) -> None:
        for pod in kube.pods(self.selector):
            word = (pod.get("annotations") or {}).get(ANNOTATION, "")
            before = self._words.get(pod["name"])
            if before is None:
                self._words[pod["name"]] = word, float("-inf")
            elif before[0] != word:
                self._words[pod["name"]] = word, now

    def _says(self, name: str, others: list[str], now: float) -> bool:
        text, changed = self._words.get(name, ("", float("-inf")))
        if not text or now - changed > FRESH:
            return False
        try:
            word = json.loads(text)
            return word["leader"] == self.pod and set(word["hears"]) >= set(others) - {name}
        except (ValueError, KeyError, TypeError):
            return False
