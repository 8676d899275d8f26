"""Walking the model: every world that can be reached, and the shortest way to one in which a write is lost.

python -m tests.postgres.fast.search [--deep]
"""

from __future__ import annotations

import sys
import time
from collections import deque

from attrs import evolve

from tests.postgres.fast.model import Member, Model, World, as_bits, bits, lost


def check(model: Model, at_most: int = 20_000_000) -> tuple[int, list[str] | None]:
    """Walk every state, shortest paths first: how many there are, and the first path to a loss."""
    start = model.start()
    before: dict[World, World | None] = {start: None}
    queue = deque([start])
    while queue:
        world = queue.popleft()
        if lost(world):
            return len(before), path(model, before, world)
        for _, after in model.steps(world):
            same = canonical(after)
            if same not in before:
                before[same] = world
                queue.append(same)
        if len(before) > at_most:
            raise MemoryError(f"more than {at_most:,} states")
    return len(before), None


def labels(model: Model) -> set[str]:
    """Every step that is taken in any world."""
    seen, labels, queue = {model.start()}, set(), deque([model.start()])
    while queue:
        for label, after in model.steps(queue.popleft()):
            labels.add(label)
            if (same := canonical(after)) not in seen:
                seen.add(same)
                queue.append(same)
    return labels


def path(model: Model, before: dict[World, World | None], last: World) -> list[str]:
    """The steps that lead there, every member under one name from the beginning to the end."""
    worlds = [last]
    while (world := before[worlds[-1]]) is not None:
        worlds.append(world)
    labels, world = [], worlds.pop()
    while worlds:
        following = worlds.pop()
        same_names = (step for step in model.steps(world) if canonical(step[1]) == following)
        # where standbys are alike the order is not unique: then the names change here
        label, world = next(same_names, None) or next(step for step in model.steps(canonical(world)) if canonical(step[1]) == following)
        labels.append(label)
    return labels


def canonical(w: World) -> World:
    """The same world with its standbys in a fixed order: which of them is which makes no difference."""
    marks = [(x, j == w.holder, w.voters >> j & 1, j == w.sync_leader) for j, x in enumerate(w.members)]
    order = [0, *sorted(range(1, len(marks)), key=marks.__getitem__)]
    if order == list(range(len(order))):
        return w
    place = [order.index(j) for j in range(len(order))]

    def moved(mask: int) -> int:
        return as_bits(place[j] for j in bits(mask))

    def member(x: Member) -> Member:
        log = tuple(entry if entry >= 0 else -1 - place[-1 - entry] for entry in x.log)
        return x._replace(log=log, source=place[x.source], about=place[x.about], sealed=moved(x.sealed), confirmers=moved(x.confirmers))

    members = tuple(member(w.members[j]) for j in order)
    return w._replace(holder=place[w.holder], sync_leader=place[w.sync_leader], voters=moved(w.voters), members=members)


FIVE = Model(members=5, voters_change=False, falls=False)

DESIGNED = {
    "three members": Model(),
    "three members, one of which becomes a voter later": Model(late=1),
    "five members": FIVE,
}
"""What must lose none; `make test` walks the smallest, `make test-deep` and `make model` all of them.

A new leader that dies, before it promotes or before the others follow, is in all: any process may stall for good.
"""

CONTROLS = {
    "one flag is enough": Model(one_flag_is_enough=True),
    "flags outlive a renewal": Model(flags_outlive_a_renewal=True),
    "asynchronous fallback": Model(asynchronous_fallback=True),
    "the sync object is not sealed": Model(late=1, sync_object_not_sealed=True),
    "reconnects while pointed at the old leader": Model(reconnects_to_the_old_leader=True),
    "a restart forgets the cut": Model(cut_is_forgotten=True),
    "one flag of five members is enough": evolve(FIVE, one_flag_is_enough=True),
}
"""What must lose a write."""

DEEPER = {
    "three members, two writes": Model(writes=2),
    "five members, leaders fall": evolve(FIVE, falls=True),
    "four members": Model(members=4),
}
"""Minutes: `make model`."""


def main(arguments: list[str]) -> int:
    """Check all, print one line each."""
    wrong = 0
    for name, model in (DESIGNED | CONTROLS | (DEEPER if "--deep" in arguments else {})).items():
        began = time.monotonic()
        states, path = check(model)
        wrong += (path is None) == (name in CONTROLS)
        verdict = "no loss" if path is None else "LOSES A WRITE: " + " · ".join(path)
        print(f"{name:50} {states:11,} states {time.monotonic() - began:7.1f} s  {verdict}", flush=True)
    return wrong


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
