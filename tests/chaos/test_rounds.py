"""What a round's record says of its gap and of fresh connections."""

from __future__ import annotations

from tests.chaos.history import Attempt, History, Write
from tests.chaos.rounds import figures


def history(*attempts: tuple[float, str]) -> History:
    """Rows until the fault at 10 s and again from 18 s on, and fresh connections at these moments."""
    moments = [*(each / 10 for each in range(100)), *(18 + each / 10 for each in range(200))]
    writes = [Write(1, seq, at, at, "10.0.0.1", 1) for seq, at in enumerate(moments)]
    return History(writes=writes, attempts=[Attempt(began, began + 0.1, reason) for began, reason in attempts])


def test_fresh_connections_are_counted_by_when_they_began():
    """While nobody could write; from the first new row on; after all have recovered, which is 15 s after the fault's end at 12 s."""
    made = history((12, "refused"), (17.9, "timeout"), (18.5, "refused"), (20, ""), (26.9, "read-only"), (27.1, "read-only"), (30, "timeout"))
    found = figures(made, 10.0, 12.0, {"streaming": 14.0, "all": 15.0})
    assert (found["gap"], found["fresh"]) == (8.0, 7)
    assert (found["fresh_failed_while_writing"], found["fresh_reasons"]) == (2, {"refused": 1, "read-only": 1})
    assert (found["fresh_failed_after"], found["fresh_reasons_after"]) == (2, {"read-only": 1, "timeout": 1})


def test_a_round_that_nobody_noticed_has_no_late_failures():
    made = History(writes=[Write(1, seq, seq / 10, seq / 10, "10.0.0.1", 1) for seq in range(300)], attempts=[Attempt(15, 15.1, "refused")])
    found = figures(made, 10.0, 12.0, {"streaming": 14.0, "all": 15.0})
    assert (found["gap"], found["fresh_failed_while_writing"], found["fresh_failed_after"]) == (0.1, 0, 0)
