"""Was a promise broken? Pure functions over a history and what stands in the tables afterwards.

* A row that was acknowledged and is missing on any member is lost.
* A timeline belongs to one member: when two acknowledge in the same one, there were two primaries in one term (rivals). And who has been
  followed acknowledges no more: a write that began after one of a later timeline was acknowledged must not be acknowledged in an earlier
  one (relapses).
* A read sees all that was acknowledged, or seen by another read, before it began. When it does not, it went back in time. Three kinds are
  told apart, since they have different causes: `back`, on the server that leads; `stale`, on one that leads no more or not yet (a former
  primary within its lock's life, a standby that the Service still names); `phantom`, where what was seen before had never been
  acknowledged and was lost with the server that showed it. PostgreSQL shows a commit locally when its wait for a standby is broken off or
  the server starts again, so the last kind does not need a mistake of ours; Jepsen's tests of Patroni report it as a read of uncommitted data.

Times only order things that did not overlap: an answer counts from when it arrived, a question from when it was sent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Generic, TypeVar

import attrs

from tests.chaos.history import NO_TIMELINE, History, Read, Write

Tables = Mapping[str, Mapping[int, AbstractSet[int]]]
"""By member: by writer, the numbers in its table."""
T = TypeVar("T")
EXAMPLES = 3


@attrs.frozen(kw_only=True)
class Verdict:
    """Complaints by kind; none means that every promise was kept."""

    lost: list[str]
    rivals: list[str]
    relapses: list[str]
    back: list[str]
    stale: list[str]
    phantom: list[str]

    def counts(self) -> dict[str, int]:
        """How many of each kind."""
        return {name: len(getattr(self, name)) for name in KINDS}

    def failures(self, tolerated: Iterable[str] = ()) -> list[str]:
        """A sentence per kind that counts, with a few examples."""
        found = ((name, getattr(self, name)) for name in KINDS if name not in set(tolerated))
        return [f"{len(complaints)} {name}: {'; '.join(complaints[:EXAMPLES])}" for name, complaints in found if complaints]


KINDS = tuple(field.name for field in attrs.fields(Verdict))


def check(history: History, tables: Tables, member_of: Callable[[str], str]) -> Verdict:
    """Everything above. ``member_of`` names the member that had an address: a member keeps its term when its pod, and so its address, is a new one."""
    reads = reads_going_back(history.writes, history.reads)
    return Verdict(
        lost=lost(history.writes, tables),
        rivals=rivals(history.writes, member_of),
        relapses=relapses(history.writes),
        back=reads["back"],
        stale=reads["stale"],
        phantom=reads["phantom"],
    )


def lost(writes: Sequence[Write], tables: Tables) -> list[str]:
    """Acknowledged rows that a member does not have."""
    missing: dict[tuple[int, int], list[str]] = {}
    for member, table in sorted(tables.items()):
        for write in writes:
            if write.seq not in table.get(write.writer, frozenset()):
                missing.setdefault((write.writer, write.seq), []).append(member)
    return [f"row {seq} of writer {writer} is missing on {', '.join(members)}" for (writer, seq), members in sorted(missing.items())]


def rivals(writes: Sequence[Write], member_of: Callable[[str], str]) -> list[str]:
    """Timelines in which more than one member acknowledged."""
    members: dict[int, set[str]] = {}
    for write in writes:
        members.setdefault(write.timeline, set()).add(member_of(write.server))
    return [f"timeline {timeline}: {', '.join(sorted(found))}" for timeline, found in sorted(members.items()) if len(found) > 1]


def relapses(writes: Sequence[Write]) -> list[str]:
    """Writes that were acknowledged in an earlier timeline than one which was acknowledged before they began."""
    found = []
    latest, done = NO_TIMELINE, _Passed(writes, lambda write: write.ended)
    for write in sorted(writes, key=lambda each: each.began):
        latest = max([latest, *(each.timeline for each in done.before(write.began))])
        if write.timeline < latest:
            found.append(
                f"row {write.seq} of writer {write.writer} in timeline {write.timeline} on {write.server} at {write.began:.3f}, after timeline {latest}"
            )
    return found


def reads_going_back(writes: Sequence[Write], reads: Sequence[Read]) -> dict[str, list[str]]:
    """Reads that saw less than was known before they began, by kind."""
    found: dict[str, list[str]] = {"back": [], "stale": [], "phantom": []}
    done_writes, done_reads = _Passed(writes, lambda write: write.ended), _Passed(reads, lambda read: read.ended)
    acknowledged: dict[int, int] = {}
    shown: dict[int, int] = {}
    latest = NO_TIMELINE
    for read in sorted(reads, key=lambda each: each.began):
        for write in done_writes.before(read.began):
            acknowledged[write.writer] = max(acknowledged.get(write.writer, 0), write.seq)
            latest = max(latest, write.timeline)
        for earlier in done_reads.before(read.began):
            shown.update({writer: max(shown.get(writer, 0), seq) for writer, seq in enumerate(earlier.seen)})
            latest = max(latest, earlier.timeline)
        for writer, seq in enumerate(read.seen):
            promised, known = acknowledged.get(writer, 0), max(acknowledged.get(writer, 0), shown.get(writer, 0))
            if seq < known:
                kind = "stale" if read.timeline < latest else "back" if seq < promised else "phantom"
                place = f"timeline {read.timeline}" if read.timeline != NO_TIMELINE else "a standby"
                found[kind].append(f"{seq} instead of {known} of writer {writer} at {read.began:.3f} from {read.server}, {place}; latest timeline {latest}")
    return found


class _Passed(Generic[T]):
    """Hands out each event once, when a moment lies after it. Moments must not decrease."""

    def __init__(self, events: Iterable[T], when: Callable[[T], float]) -> None:
        self._events = sorted(events, key=when)
        self._when = when
        self._next = 0

    def before(self, moment: float) -> Sequence[T]:
        first = self._next
        while self._next < len(self._events) and self._when(self._events[self._next]) < moment:
            self._next += 1
        return self._events[first : self._next]
