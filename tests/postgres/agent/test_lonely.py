"""A primary that no standby hears, against a made-up API server, network and clock: all members of a cluster in one process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sos_constructs.postgres.agent.actions import Actions
from sos_constructs.postgres.agent.lonely import ANNOTATION, EVERY, FRESH, Primary, Standby

import pytest

from tests.postgres.agent.test_guard import Clock

SELECTOR = {"app": "pg"}


class Api:
    """Annotations of pods; one instance is what everybody reaches."""

    def __init__(self) -> None:
        self.words: dict[str, dict[str, str]] = {}
        self.patches = 0
        self.evicted: list[str] = []

    def annotate_pod(self, pod: str, annotations: dict[str, str | None]) -> None:
        self.patches += 1
        for key, value in annotations.items():
            if value is None:
                self.words.get(pod, {}).pop(key, None)
            else:
                self.words.setdefault(pod, {})[key] = value

    def pods(self, labels: dict[str, str]) -> list[dict[str, Any]]:
        assert labels == SELECTOR
        return [{"name": name, "annotations": dict(words)} for name, words in self.words.items()] + [{"name": "pg-9"}]

    def evict(self, pod: str) -> None:
        self.evicted.append(pod)


class Cluster:
    """``pg-0`` leads; ``cut`` holds the pairs that do not hear each other."""

    def __init__(self, folder: Path, size: int = 3) -> None:
        self.api, self.clock = Api(), Clock()
        self.names = [f"pg-{number}" for number in range(size)]
        self.cut: set[frozenset[str]] = set()
        self.pause = False
        self.leader_now = "pg-0"
        self.streams: int | None = None
        self.asked = 0
        self.standbys = [Standby(name, clock=self.clock, reachable=self.reaches(name)) for name in self.names[1:]]
        self.primary = Primary(
            pod="pg-0",
            selector=SELECTOR,
            actions=Actions(folder / "actions.json"),
            streams=self.count,
            leader_now=lambda: self.leader_now,
            clock=self.clock,
            wall=self.clock,
        )

    def reaches(self, name: str) -> Any:
        return lambda host, port: frozenset((name, host)) not in self.cut

    def count(self) -> int:
        self.asked += 1
        return len([name for name in self.names[1:] if self.hears(name)]) if self.streams is None else self.streams

    def hears(self, name: str) -> bool:
        return frozenset((name, "pg-0")) not in self.cut

    def isolate(self, *names: str) -> None:
        self.cut |= {frozenset(("pg-0", name)) for name in names}

    def seen(self) -> dict[str, Any]:
        states = {name: "streaming" if self.hears(name) else "running" for name in self.names} | {"pg-0": "running"}
        members = [
            {"name": name, "role": "leader" if name == "pg-0" else "quorum_standby", "state": state, "host": name, "port": 5432}
            for name, state in states.items()
        ]
        return {"members": members} | ({"pause": True} if self.pause else {})

    def run(self, seconds: int, *, standbys: list[Standby] | None = None) -> None:
        for _ in range(seconds):
            kube: Any = self.api
            for standby in self.standbys if standbys is None else standbys:
                standby.round(kube, self.seen())
            self.primary.round(kube, self.seen())
            self.clock.now += 1


@pytest.fixture
def three(tmp_path: Path) -> Cluster:
    return Cluster(tmp_path)


def test_cut_from_both_standbys_it_hands_over_once(three: Cluster):
    three.run(10)
    assert three.api.evicted == []
    three.isolate("pg-1", "pg-2")
    three.run(15)
    assert three.api.evicted == ["pg-0"]
    three.run(300)
    assert three.api.evicted == ["pg-0"], "a network that changes its mind must not have the primary go round"
    three.run(int(EVERY))
    assert three.api.evicted == ["pg-0"] * 2


def test_while_all_is_well_nothing_is_written(three: Cluster):
    three.run(1)
    before = three.api.patches
    three.run(300)
    assert three.api.patches == before
    assert three.asked == 0


def test_a_standby_takes_its_word_back(three: Cluster):
    three.isolate("pg-1")
    three.run(10)
    assert set(three.api.words["pg-1"]) == {ANNOTATION}
    three.cut.clear()
    three.run(2)
    assert three.api.words["pg-1"] == {}
    assert three.api.evicted == []


def test_one_standby_that_hears_it_is_enough_to_stay(three: Cluster):
    three.isolate("pg-1")
    three.run(120)
    assert three.api.evicted == []


def test_standbys_that_do_not_hear_each_other_cannot_elect(three: Cluster):
    three.isolate("pg-1", "pg-2")
    three.cut.add(frozenset(("pg-1", "pg-2")))
    three.run(120)
    assert three.api.evicted == []


def test_a_standby_that_is_silent_itself_has_no_voice(three: Cluster):
    three.isolate("pg-1", "pg-2")
    three.run(120, standbys=three.standbys[:1])
    assert three.api.evicted == []


def test_words_left_behind_mean_nothing(three: Cluster, tmp_path: Path):
    three.isolate("pg-1", "pg-2")
    three.run(9)  # they have spoken
    fresh = Cluster(tmp_path / "another")
    fresh.api.words = {name: dict(words) for name, words in three.api.words.items()}
    fresh.isolate("pg-1", "pg-2")
    fresh.run(int(2 * FRESH), standbys=[])
    assert fresh.api.evicted == []


@pytest.mark.parametrize("what", ["pause", "lock", "streams"])
def test_nothing_else_may_stand_against_it(three: Cluster, what: str):
    three.isolate("pg-1", "pg-2")
    if what == "pause":
        three.pause = True
    if what == "lock":
        three.leader_now = "pg-1"
    if what == "streams":
        three.streams = 1
    three.run(60)
    assert three.api.evicted == []


def test_with_one_standby_there_is_nobody_to_hear_each_other(tmp_path: Path):
    two = Cluster(tmp_path, 2)
    two.isolate("pg-1")
    two.run(60)
    assert two.api.evicted == []


def test_of_five_all_four_must_say_so(tmp_path: Path):
    five = Cluster(tmp_path, 5)
    five.isolate("pg-1", "pg-2", "pg-3")
    five.run(60)
    assert five.api.evicted == []
    five.isolate("pg-4")
    five.run(20)
    assert five.api.evicted == ["pg-0"]
