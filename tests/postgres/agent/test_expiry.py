"""The end of a lock that nobody renews, against a made-up API server."""

from __future__ import annotations

import json
from pathlib import Path

from sos_constructs.postgres.agent.expiry import AGAIN, EARLY, FLUX, INTERVAL, LATE, TOUCHES, Expiry
from sos_constructs.postgres.agent.kube_api import KubeError
from sos_constructs.postgres.agent.serving import OUT

import pytest

from tests.postgres.fast.world import World

TTL = 20


class Scene:
    """pg-0 holds the lock; the agents beside the others watch it."""

    def __init__(self, folder: Path) -> None:
        self.world = World(folder)
        self.watching = {pod: Expiry(pod, self.world.clock) for pod in ("pg-1", "pg-2")}
        self.tell()

    def tell(self) -> None:
        for expiry in self.watching.values():
            expiry.saw(self.world.lock)

    def run(self, seconds: float, *, deaf: bool = False) -> None:
        """Rounds of both, a change of the lock being told by the watch, unless that is deaf."""
        until = self.world.now + seconds
        while self.world.now < until:
            for pod, expiry in self.watching.items():
                if expiry.is_near():
                    expiry.round(self.world.agents[pod].store, self.world.around(pod))
            if not deaf:
                self.tell()
            self.world.now += INTERVAL

    @property
    def touches(self) -> int:
        return sum("sos-constructs/touched" in notes for _, notes in self.world.api.changes)

    @property
    def address(self) -> str | None:
        status: dict[str, str] = json.loads(self.world.api.notes["pods/pg-0"]["status"])
        return status.get("api_url")

    @property
    def labels(self) -> dict[str, dict[str, str]]:
        return {path.removeprefix("pods/"): labels for path, labels in self.world.api.labels.items()}


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def test_a_lock_that_has_ended_is_touched_by_one_of_them(scene: Scene):
    scene.run(TTL + LATE)
    assert scene.touches == 0
    before = dict(scene.world.lock)
    scene.run(2 * INTERVAL)
    assert scene.touches == 1
    assert {key: value for key, value in scene.world.lock.items() if key in before} == before, "nothing that Patroni reads"


def test_a_lock_that_nobody_takes_is_touched_a_few_times(scene: Scene):
    scene.run(TTL + 60)
    assert scene.touches == TOUCHES
    assert not any(expiry.is_near() for expiry in scene.watching.values())


def test_a_lock_that_was_taken_is_left_alone(scene: Scene):
    scene.run(TTL + LATE + 2 * INTERVAL)
    scene.world.renew("pg-1")
    scene.run(AGAIN * TOUCHES)
    assert scene.touches == 1


def test_a_renewal_that_the_watch_missed_stops_it(scene: Scene):
    scene.run(TTL - EARLY, deaf=True)
    scene.world.renew()
    scene.run(EARLY + LATE + AGAIN * TOUCHES, deaf=True)
    assert scene.touches == 0


def test_an_api_server_that_was_away_gives_the_leader_time_to_renew(scene: Scene):
    scene.run(TTL - EARLY)
    scene.world.api.away = True
    for _ in range(18):
        scene.world.now += INTERVAL
        for pod, expiry in scene.watching.items():
            with pytest.raises(KubeError):
                expiry.round(scene.world.agents[pod].store, scene.world.around(pod))
    scene.world.api.away = False
    scene.run(2)
    assert scene.touches == 0
    scene.world.renew()
    scene.run(10)
    assert scene.touches == 0


def test_a_silent_leader_is_struck_off_before_the_end(scene: Scene):
    """Its address, for which the others would wait, and its role, by which it is in the Service."""
    scene.world.silent = True
    scene.run(TTL - EARLY - INTERVAL)
    assert (bool(scene.address), scene.labels["pg-0"]) == (True, {"app": "pg", "role": "primary"})
    scene.run(2)
    assert (scene.address, scene.labels["pg-0"]) == (None, {"app": "pg", **OUT})
    assert scene.labels["pg-1"] == {"app": "pg", "role": "replica"}


def test_a_leader_that_answers_is_not(scene: Scene):
    scene.run(TTL + 10)
    assert (bool(scene.address), scene.labels["pg-0"]) == (True, {"app": "pg", "role": "primary"})


@pytest.mark.parametrize(
    "notes", [{}, {"leader": "pg-1", "renewTime": "r", "ttl": "20"}, {"leader": "pg-0", "renewTime": "r"}, {"leader": "pg-0", "renewTime": "r", "ttl": "-1"}]
)
def test_nothing_is_near_without_a_lock_of_somebody_else_that_ends(tmp_path: Path, notes: dict[str, str]):
    world = World(tmp_path)
    expiry = Expiry("pg-1", world.clock)
    expiry.saw(notes)
    for _ in range(100):
        assert not expiry.is_near()
        world.now += INTERVAL


def test_patroni_is_left_alone_while_the_lock_changes_hands(scene: Scene):
    expiry = scene.watching["pg-1"]

    def held(holder: str, ttl: str = "20") -> bool:
        scene.world.renew(holder)
        expiry.saw(scene.world.lock | {"ttl": ttl})
        return not expiry.is_in_flux()

    assert not held("pg-0"), "just taken, as far as it knows"
    scene.world.now += FLUX
    assert held("pg-0")
    assert not held("pg-0", ttl="-1"), "released"
    scene.world.now += FLUX
    assert held("pg-0")
    assert not held("pg-2")
    scene.world.now += FLUX
    assert held("pg-2")
    scene.world.now += TTL
    assert expiry.is_in_flux(), "ended"
    scene.world.now += 60
    assert not expiry.is_in_flux(), "nobody takes it: an outage, in which the other steps go on"


def test_patroni_is_left_alone_once_the_holder_says_that_it_is_about_to_stop(scene: Scene):
    expiry, leader = scene.watching["pg-1"], scene.world.agents["pg-0"].store
    scene.world.now += FLUX
    assert not expiry.is_in_flux()
    leader.announce()
    scene.tell()
    assert expiry.is_in_flux()
    scene.world.now += FLUX
    assert not expiry.is_in_flux(), "it has not stopped after all"
    scene.world.renew()
    scene.tell()
    assert not expiry.is_in_flux(), "what was said about an earlier renewal counts no more"
