"""What a client saw: acknowledged writes, reads, and fresh connections. Times are seconds of one clock, the client's."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import attrs

NO_TIMELINE = 0
"""Of an answer that came from a server in recovery: it is nobody's term."""


@attrs.frozen
class Write:
    """A row whose commit was acknowledged."""

    writer: int
    seq: int
    began: float
    ended: float
    server: str
    """Address of the server that acknowledged."""
    timeline: int
    """PostgreSQL's timeline there: every promotion begins a new one, so it is the term of the primary."""


@attrs.frozen
class Read:
    """The highest number of every writer, as one query saw it."""

    began: float
    ended: float
    seen: tuple[int, ...]
    """By writer, 0 where there was no row."""
    server: str
    timeline: int
    fresh: bool
    """Over a connection made for it."""


@attrs.frozen
class Attempt:
    """A fresh connection that wrote, or did not."""

    began: float
    ended: float
    reason: str
    """Empty when it wrote."""


@attrs.define
class History:
    """All of it, in no particular order."""

    writes: list[Write] = attrs.field(factory=list)
    reads: list[Read] = attrs.field(factory=list)
    attempts: list[Attempt] = attrs.field(factory=list)

    def as_json(self) -> dict[str, Any]:
        """For the folder of a round that failed; `from_json` reads it again."""
        return {name: [list(attrs.astuple(each)) for each in getattr(self, name)] for name in ("writes", "reads", "attempts")}

    @staticmethod
    def from_json(value: dict[str, Any]) -> History:
        """What `as_json` wrote."""
        return History(
            writes=[Write(*row) for row in value["writes"]],
            reads=[Read(row[0], row[1], tuple(row[2]), *row[3:]) for row in value["reads"]],
            attempts=[Attempt(*row) for row in value["attempts"]],
        )


def largest_gap(writes: Sequence[Write], probes: frozenset[int], began: float, ended: float) -> tuple[float, float]:
    """When the longest time without an acknowledged row began, and how long it was. Writers in ``probes`` do not count."""
    moments = [began, *sorted(write.ended for write in writes if write.writer not in probes and began <= write.ended <= ended), ended]
    gaps = ((before, after - before) for before, after in pairwise(moments))
    return max(gaps, key=lambda gap: gap[1], default=(began, 0.0))
