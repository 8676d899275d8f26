"""The early release of a dead leader's lock, as a model: every interleaving of its steps, any process stalled anywhere for as long as it likes.

A crash is a process that takes no further step, so safety against crashes needs none of them; `falls` adds what Patroni does once a holder
has stopped. There are no clocks: an agent may suspect a living leader at any moment, and a leader may renew as often as it likes.
What must hold: the primary with the lock has every write that any primary ever acknowledged.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from attrs import frozen

STANDBY, PRIMARY, OUT = "standby", "primary", "out"
WATCHING, CUT, FLAGGED, SEALED, LATE, RECONNECTS = "watching", "cut", "flagged", "sealed", "late", "reconnects"
NONE, COMPARED, WON = "none", "compared", "won"
TOP, LOADED, RENEWED = "top", "loaded", "renewed"


class Member(NamedTuple):
    """One member: its server, its Patroni, its agent."""

    log: tuple[int, ...] = ()
    """Writes by number; a promotion leaves a negative mark."""
    role: str = STANDBY
    source: int = 0
    """From whom Patroni has it stream."""
    cut: bool = False
    agent: str = WATCHING
    about: int = 0
    """The leader that its agent cut it from."""
    flag: bool = False
    """On the leader object stands its flag with the current renewal."""
    sealed: int = 0
    """Voters (bits) of the sync object when its agent sealed that."""
    election: str = NONE
    loop: str = TOP
    fresh: bool = False
    """As a primary: the sync object is still the one with which this round of Patroni's loop began."""
    confirmers: int = 0
    """As a primary: who may confirm a commit (bits): synchronous_standby_names."""
    enough: int = 0
    """As a primary: how many of them must."""


class World(NamedTuple):
    """The leader object, the sync object, what clients did and heard, and the members."""

    holder: int
    expired: bool
    sync_leader: int
    voters: int
    writes: int
    acknowledged: int
    members: tuple[Member, ...]


Step = tuple[str, World]


@frozen(kw_only=True)
class Model:
    """How much may happen, and which rule is left out: without any one of them a write must get lost."""

    members: int = 3
    late: int = 0
    """Standbys that stream but are not voters at the start."""
    writes: int = 1
    falls: bool = True
    """A holder may die or give up; then its lock ends by its ttl."""
    voters_change: bool = True
    """The primary adds and removes voters; without it, its round is one step, for more members in the same time."""
    one_flag_is_enough: bool = False
    flags_outlive_a_renewal: bool = False
    asynchronous_fallback: bool = False
    sync_object_not_sealed: bool = False
    reconnects_to_the_old_leader: bool = False
    cut_is_forgotten: bool = False

    def start(self) -> World:
        voters = (1 << (self.members - self.late)) - 2
        return World(0, False, 0, voters, 0, 0, (Member(role=PRIMARY, confirmers=voters, enough=1), *[Member()] * (self.members - 1)))

    def steps(self, w: World) -> Iterator[Step]:
        for i, member in enumerate(w.members):
            if member.role == PRIMARY:
                yield from self.server_writes(w, i)
                yield from self.primary_loop(w, i)
            elif member.role == STANDBY:
                yield from self.server_receives(w, i)
                yield from self.election(w, i)
                if w.holder != i:
                    yield from self.agent(w, i)
        if self.falls:
            yield from self.holder_falls(w)

    # ------------------------------------------------------------ servers

    def server_writes(self, w: World, i: int) -> Iterator[Step]:
        me = w.members[i]
        if w.writes < self.writes:
            yield f"{i} writes", put(w._replace(writes=w.writes + 1), i, log=(*me.log, w.writes))
        own = me.log.index(-1 - i) if -1 - i in me.log else 0
        confirmed = [len(me.log), *sorted((shared(me.log, w.members[j].log) for j in bits(me.confirmers)), reverse=True), 0, 0][me.enough]
        acknowledged = w.acknowledged | as_bits(entry for entry in me.log[own:confirmed] if entry >= 0)
        if acknowledged != w.acknowledged:
            yield f"{i} acknowledges", w._replace(acknowledged=acknowledged)

    def server_receives(self, w: World, i: int) -> Iterator[Step]:
        me = w.members[i]
        source = w.members[me.source]
        if not me.cut and source.role != OUT and shared(me.log, source.log) == len(me.log) < len(source.log):
            yield f"{i} receives from {me.source}", put(w, i, log=source.log[: len(me.log) + 1])
        if self.cut_is_forgotten and me.cut:
            yield f"{i} restarts and streams again", put(w, i, cut=False)

    # ------------------------------------------------------------ Patroni

    def primary_loop(self, w: World, i: int) -> Iterator[Step]:
        me = w.members[i]
        if not self.voters_change:
            yield f"{i} renews" if w.holder == i else f"{i} demotes itself", self.renewed(w, i) if w.holder == i else put(w, i, **NOTHING)
        elif me.loop == TOP:
            yield f"{i} begins a round", put(w, i, loop=LOADED, fresh=True)
        elif me.loop == LOADED and w.holder == i:
            yield f"{i} renews", put(self.renewed(w, i), i, loop=RENEWED)
        elif me.loop == LOADED:
            yield f"{i} demotes itself", put(w, i, **NOTHING)
        else:
            yield f"{i} ends its round", put(w, i, loop=TOP, fresh=False)
            streaming = as_bits(j for j, x in enumerate(w.members) if x.role == STANDBY and not x.cut and x.source == i)
            # Patroni counts a standby only once it has what the primary had; with one confirmation per commit, one of them must.
            if me.fresh and (w.voters, w.sync_leader) != (streaming, i) and any(w.members[j].log == me.log for j in bits(streaming)):
                changed = sealed(w._replace(sync_leader=i, voters=streaming))
                yield f"{i} makes {bits(streaming)} its voters", put(changed, i, loop=TOP, confirmers=streaming, enough=1)
            if self.asynchronous_fallback and not streaming:
                yield f"{i} goes on alone", put(w, i, loop=TOP, fresh=False, enough=0)

    def election(self, w: World, i: int) -> Iterator[Step]:
        me = w.members[i]
        if w.holder not in (i, me.source):
            yield f"{i} is pointed at {w.holder}", put(w, i, source=w.holder)
        if (
            me.election == NONE and w.expired and all(x.role == STANDBY and len(x.log) <= len(me.log) for x in (w.members[j] for j in bits(w.voters) if j != i))
        ):  # Patroni's rule for quorum commit: every other voter answers as a standby, and none is ahead
            yield f"{i} compares logs", put(w, i, election=COMPARED)
        elif me.election == COMPARED:
            yield f"{i} acquires the lock", put(self.renewed(w, i), i, election=WON)
        elif me.election == WON:
            known = w.voters | 1 << w.sync_leader  # Patroni: any one of those that the sync object names; as an outsider, any two
            first = {"confirmers": known & ~(1 << i), "enough": 1 if known >> i & 1 else 2}
            yield f"{i} promotes", put(w, i, **NOTHING | {"role": PRIMARY, "log": (*me.log, -1 - i)} | first)

    def renewed(self, w: World, holder: int) -> World:
        """The leader object with another renewal: whoever meant to change the one before no longer can."""
        return w._replace(holder=holder, expired=False, members=tuple(self.outdated(x) for x in w.members))

    def outdated(self, x: Member) -> Member:
        """A member after a renewal that it had no part in."""
        late = x.agent in (CUT, FLAGGED, SEALED)
        return x._replace(
            election=NONE if x.election == COMPARED else x.election,
            flag=x.flag and self.flags_outlive_a_renewal,
            agent=LATE if late else x.agent,
            sealed=0 if late else x.sealed,
        )

    def holder_falls(self, w: World) -> Iterator[Step]:
        if w.members[w.holder].role != OUT:
            yield f"{w.holder} falls", put(w, w.holder, **NOTHING)
        elif not w.expired:
            yield f"the lock of {w.holder} ends by its ttl", w._replace(expired=True)

    # ------------------------------------------------------------ the agent beside a standby

    def agent(self, w: World, i: int) -> Iterator[Step]:
        me = w.members[i]
        if me.agent == LATE:
            if w.holder in (me.about, me.source) or self.reconnects_to_the_old_leader:
                yield f"{i} sees a renewal", put(w, i, agent=RECONNECTS)
        elif me.agent == RECONNECTS:
            yield f"{i} reconnects", put(w, i, agent=WATCHING, about=0, cut=False)
        elif w.expired:
            return
        elif me.agent == WATCHING:
            yield f"{i} has evidence and cuts", put(w, i, agent=CUT, about=w.holder, cut=True)
        elif me.agent == CUT:
            yield f"{i} flags", put(w, i, agent=FLAGGED, flag=True)
        elif me.agent == FLAGGED and w.sync_leader == w.holder and self.all_flagged(w, i, w.voters):
            yield f"{i} seals", put(w if self.sync_object_not_sealed else sealed(w), i, agent=SEALED, sealed=w.voters)
        elif me.agent == SEALED and self.all_flagged(w, i, me.sealed):
            yield f"{i} releases", put(w._replace(expired=True), i, agent=FLAGGED, sealed=0)
        if me.agent in (CUT, FLAGGED):
            yield f"{i} finds the leader alive and withdraws", put(w, i, agent=RECONNECTS, flag=False)

    def all_flagged(self, w: World, i: int, voters: int) -> bool:
        return voters != 0 and (self.one_flag_is_enough or all(w.members[j].flag for j in bits(voters)))


NOTHING: dict[str, Any] = {field: value for field, value in Member(role=OUT)._asdict().items() if field != "log"}
"""What is left of a member that fell; its log stays."""


def put(w: World, i: int, **changes: Any) -> World:
    return w._replace(members=(*w.members[:i], w.members[i]._replace(**changes), *w.members[i + 1 :]))


def sealed(w: World) -> World:
    """The sync object has changed: whoever read it before cannot write it."""
    return w._replace(members=tuple(x._replace(fresh=False) if x.fresh else x for x in w.members))


def lost(w: World) -> bool:
    """Whether the primary with the lock lacks a write that somebody was promised."""
    holder = w.members[w.holder]
    return holder.role == PRIMARY and bool(w.acknowledged & ~as_bits(entry for entry in holder.log if entry >= 0))


def bits(number: int) -> list[int]:
    return [j for j in range(number.bit_length()) if number >> j & 1]


def as_bits(entries: Iterable[int]) -> int:
    return sum(1 << entry for entry in entries)


def shared(one: tuple[int, ...], other: tuple[int, ...]) -> int:
    """Length of the history that both have."""
    return next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
