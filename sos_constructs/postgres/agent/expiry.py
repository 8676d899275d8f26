"""The end of a lock that nobody renews, seen from a standby: Patroni gets to know it a second or three sooner.

Patroni looks at the lock once a round, and a standby's rounds are counted from the last renewal: with a ttl of 20 s and rounds of 3.5 s it
notices after 21 s. Before it stands for election it asks every member for its state, and waits two seconds for the dead one. So shortly
before the end a silent leader's REST address is taken out of its own entry, and the role from its labels (``Store.strike_off`` says what for); at
the end the lock's object is touched, which wakes every Patroni. Whether the lock has ended, and who may have it, Patroni alone decides: a touch too
early or too many changes nothing.

While the lock changes hands this agent must not ask Patroni for the cluster. A Patroni that lost the race for the lock reads its view anew, and
wakes *one* of the threads that wait for it (``dcs/kubernetes.py``, ``ObjectCache._build_cache``: ``notify``). Seen on a cluster: it was the thread of
our request, and Patroni's own loop slept on until its retry_timeout of 5 s, as the only standby that could have confirmed a commit. A holder that
is about to stop says so on the lock before it gives it away.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from .evidence import ANSWER, Renewals
from .fast import Surroundings
from .kube_api import Conflict
from .lock_store import LEAVING, RELEASED, Store
from .log import log

EARLY = 4.0
"""Seconds before the end from which this module reads the lock itself."""
WATCHED = 2.5
"""Seconds for which it must have been read without a gap before it is touched: when the API server was away, a living leader renews as soon as it is
back, and a Patroni that is woken before that could take its lock for ended."""
LATE = 0.3
"""Seconds after the end at which it is touched first: Patroni counts from the round in which it saw the renewal."""
AGAIN = 1.5
"""Seconds until it is touched again, if nobody has taken it."""
TOUCHES = 3
"""Then Patroni has a reason not to take it."""
STRIKE_OFF_BEFORE = 1.5
"""Seconds before the end until which a silent leader is struck off; the look itself takes one."""
INTERVAL = 0.25
"""Seconds between two looks at the clock."""
FLUX = 3.0
"""Seconds after a change of hands, or its announcement, in which Patroni may still read its view anew."""


@dataclass(frozen=True)
class Seen:
    """A renewal, and when this member learned of it."""

    leader: str = ""
    renewed: str = ""
    ttl: float = 0.0
    since: float = 0.0


@dataclass
class Expiry:
    """What is known of the present renewal, and whether the leader was struck off for it."""

    pod: str
    clock: Callable[[], float] = time.monotonic
    _seen: Seen = field(default_factory=Seen)
    _struck_off: str = ""
    _changed: float = float("-inf")
    _renewals: Renewals = field(init=False)

    def __post_init__(self) -> None:
        self._renewals = Renewals(self.clock)

    def saw(self, notes: dict[str, str]) -> None:
        """Take note of the lock as the watch brings it."""
        leader, renewed, ttl = (notes.get(key) or "" for key in ("leader", "renewTime", "ttl"))
        if leader != self._seen.leader or ttl == RELEASED or notes.get(LEAVING, "") == renewed != "":
            self._changed = self.clock()
        if (leader, renewed) != (self._seen.leader, self._seen.renewed):
            self._seen = Seen(leader, renewed, float(ttl) if ttl.isdigit() else 0.0, self.clock())

    def is_near(self) -> bool:
        """Whether somebody else's lock ends about now."""
        left = self._left(self._seen)
        return self._seen.leader not in ("", self.pod) and self._seen.ttl > 0 and -LATE - AGAIN * TOUCHES < left < EARLY

    def is_in_flux(self) -> bool:
        """Whether the lock may be changing hands; never true for long."""
        return self.is_near() or self.clock() - self._changed < FLUX

    def round(self, store: Store, around: Surroundings) -> None:
        """One look at a lock whose end is near."""
        seen, lock = self._seen, store.lock()
        watched = self._renewals.age(lock)
        if (lock.holder, lock.renewed, lock.released) != (seen.leader, seen.renewed, False):
            return
        host = around.host(seen.leader) if self._left(seen) > STRIKE_OFF_BEFORE and self._struck_off != seen.renewed else ""
        if host and around.silent(host, ANSWER):
            self._struck_off = seen.renewed
            store.strike_off(seen.leader)
        if lock.touches < TOUCHES and watched >= WATCHED and self._left(seen) < -LATE - AGAIN * lock.touches:
            try:
                store.touch(lock)
            except Conflict:
                return  # another agent did, or the lock has been taken
            log("warning", "expiry", "the lock has ended: waking every Patroni", leader=lock.holder, renewed=lock.renewed, touches=lock.touches + 1)

    def _left(self, seen: Seen) -> float:
        return seen.since + seen.ttl - self.clock()
