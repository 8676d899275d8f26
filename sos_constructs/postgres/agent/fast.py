"""The early release of a dead leader's lock: one agent's part in it, step by step as in the model that the tests walk.

Safety rests on four things. A commit needs a standby's confirmation (strict mode), so a leader whose voters are all cut off acknowledges
nothing new. A flag counts for one renewal only, and every change of the lock is a compare-and-set on the object that the leader renews. The
voters cannot change between their reading and the release, because their object was sealed before. And a standby that was cut off listens
again only to a leader that has renewed, or to a new one that Patroni has pointed it at.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from . import fast_cut
from .evidence import ANSWER, Renewals
from .fast_cut import About, Cut
from .kube_api import Conflict, KubeError
from .lock_store import Lock, Store
from .log import log
from .psql import Psql

WATCHING, ACTING = 0.5, 0.1
"""Seconds between two looks at the lock, normally and while this standby is cut off."""
STEPS = ("cuts", "flags", "reconnects", "releases", "seals", "withdraws")
"""What is counted and logged."""
TURN = 0.5
"""Seconds by which each further voter waits for the one before it to release."""
HEARD_WITHIN = 2.0
"""Seconds within which a message on the stream says that the leader lives."""
FRESH, GLANCE = 1.0, 0.6
"""Of a leader that renews: seconds since its renewal, and for its answer. All that follows must fit between two renewals."""


@dataclass(frozen=True)
class Surroundings:
    """How a round asks about its own server, its Patroni and the leader."""

    own_host: str
    psql: Psql
    paused: Callable[[], bool]
    host: Callable[[str], str]
    """A member's address; an empty string where there is none."""
    silent: Callable[[str, float], bool]
    """Whether neither Patroni nor PostgreSQL answers at this host within so many seconds."""
    unfed: Callable[[str], bool]
    """Whether the Patroni at this host says that its server is a running standby without a stream."""


@dataclass
class Agent:
    """What one agent remembers between two rounds; everything that must outlive it lies in the cut and on the lock."""

    pod: str
    detect: float
    store: Store
    cut: Cut
    renewals: Renewals
    count: Callable[[str], None]
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    _probe_due: float = field(default=0.0)
    _complete_since: float | None = field(default=None)
    _asked_about: str = field(default="")

    def round(self, around: Surroundings) -> float:
        """One look at the lock and what follows from it; returns the seconds until the next."""
        lock = self.store.lock()
        age, about = self.renewals.age(lock), self.cut.about()
        try:
            if about is None:
                self._watch(lock, age, around)
            elif about != About(lock.holder, lock.renewed):
                self._sees_renewal(lock, about, around)
            elif not lock.released:
                self._proceed(lock, around)
        except Conflict:
            return ACTING  # somebody changed the object meanwhile: look again
        return WATCHING if self.cut.about() is None else ACTING

    def _watch(self, lock: Lock, age: float, around: Surroundings) -> None:
        if not lock.holder or lock.holder == self.pod or lock.released:
            return
        if age < FRESH and lock.renewed != self._asked_about and self._is_lonely(lock, around):
            self._cuts(lock, "it renews, but neither this standby nor any other voter hears it")
            self._proceed(lock, around)
        if age < self.detect - ANSWER or not self._evidence(lock.holder, around):
            return
        self.sleep(max(0.0, self.detect - self.renewals.age(lock)))
        now = self.store.lock()
        if (now.holder, now.renewed, now.released) == (lock.holder, lock.renewed, False) and self.renewals.age(now) >= self.detect:
            self._cuts(now, f"no renewal for {self.detect:.0f} s, and neither Patroni nor PostgreSQL answers")
            self._proceed(now, around)

    def _is_lonely(self, lock: Lock, around: Surroundings) -> bool:
        """Whether a leader that has just renewed is heard by none of several voters, all of them well: it can acknowledge nothing, and another one could.

        Asked once per renewal, because flags about it are worthless after the next.
        """
        self._asked_about = lock.renewed
        if not around.unfed(around.own_host):
            return False
        voters, host = self.store.voters(), around.host(lock.holder)
        if voters.leader != lock.holder or self.pod not in voters.names or len(voters.names) == 1 or around.paused() or not host:
            return False
        return around.silent(host, GLANCE) and all(around.unfed(around.host(name)) for name in voters.names - {self.pod})

    def _evidence(self, leader: str, around: Surroundings) -> bool:
        host = around.host(leader)
        return bool(host) and not around.paused() and not fast_cut.receives(around.psql, HEARD_WITHIN) and around.silent(host, ANSWER)

    def _cuts(self, lock: Lock, why: str) -> None:
        self._complete_since = None
        self._probe_due = self.clock() + ANSWER
        self.cut.begin(About(lock.holder, lock.renewed))
        self._tell("cuts", why, lock)

    def _proceed(self, lock: Lock, around: Surroundings) -> None:
        """Cut off, and nothing has happened to the lock."""
        if self.clock() >= self._probe_due:
            self._probe_due = self.clock() + ANSWER
            host = around.host(lock.holder)
            if around.paused() or (host and not around.silent(host, ANSWER)):
                self._withdraws(lock, around)
                return
        if self.pod not in lock.flagged:
            self._flags(lock, around)
        else:
            self._releases(lock)

    def _flags(self, lock: Lock, around: Surroundings) -> None:
        self.cut.complete(around.psql)
        self.store.flag(lock, self.pod)
        self._tell("flags", "its WAL receiver is gone and cannot come back", lock)
        try:
            self.store.strike_off(lock.holder)
        except KubeError:
            return  # it would only have saved seconds

    def _releases(self, lock: Lock) -> None:
        voters = self.store.voters()
        if voters.leader != lock.holder or self.pod not in voters.names or not voters.names <= lock.flagged:
            self._complete_since = None
            return
        if self._complete_since is None:
            self._complete_since = self.clock()
        if self.clock() - self._complete_since < TURN * sorted(voters.names).index(self.pod):
            return
        self.store.seal(voters, lock.renewed)
        self._tell("seals", "every voter has flagged", lock, voters=sorted(voters.names))
        self.store.release(lock)
        self._tell("releases", "nobody is left who could confirm a write to it", lock)

    def _sees_renewal(self, lock: Lock, about: About, around: Surroundings) -> None:
        """The lock is another than the one that this cut is about."""
        if self.pod in lock.flagged:  # the pod was replaced, and its flag still counts: so must its cut
            self.cut.begin(About(lock.holder, lock.renewed))
        elif not lock.holder:
            return
        elif lock.holder == about.leader:
            self._reconnects("the leader has renewed", lock, around)
        elif lock.holder == self.pod:
            if fast_cut.promoted(around.psql):
                self._reconnects("promoted", lock, around)
        elif (host := around.host(lock.holder)) and self.cut.points_at(around.psql, host):
            self._reconnects("a new leader is in place", lock, around)

    def _withdraws(self, lock: Lock, around: Surroundings) -> None:
        if self.pod in lock.flags:
            self.store.withdraw(lock, self.pod)
        self._tell("withdraws", "the leader answers after all, or Patroni is paused", lock)
        self._reconnects("withdrawn", lock, around)

    def _reconnects(self, why: str, lock: Lock, around: Surroundings) -> None:
        self.cut.end(around.psql)
        self._tell("reconnects", why, lock)

    def stop(self, around: Surroundings) -> None:
        """The option is gone: leave nothing behind."""
        if self.cut.about() is not None:
            lock = self.store.lock()
            if not lock.released or lock.holder == self.pod:
                self._withdraws(lock, around)

    def _tell(self, step: str, reason: str, lock: Lock, **fields: object) -> None:
        self.count(step)
        log("warning", "failover", step, reason=reason, leader=lock.holder, renewed=lock.renewed, **fields)
