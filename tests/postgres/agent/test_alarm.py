"""A server that has died: Patroni is woken once, against a made-up Patroni."""

from __future__ import annotations

from collections.abc import Iterator

from sos_constructs.postgres.agent.alarm import QUIET, Alarm
from sos_constructs.postgres.agent.patroni_api import Patroni, Status

import pytest

from tests.postgres.agent.fakes import FakePatroni

RUNS, LOST, STOPS = Status("primary", True, False), Status("primary", False, False, lost=True), Status("primary", False, False)


class Scene:
    def __init__(self, fake: FakePatroni) -> None:
        self.now, self.fake = 100.0, fake
        self.alarm = Alarm(lambda: self.now)

    def look(self, *seen: Status) -> list[str]:
        """What was asked of Patroni meanwhile."""
        before = len(self.fake.calls)
        for status in seen:
            self.alarm.look(status, Patroni(self.fake.url, "admin", "secret"))
            self.now += 0.5
        return [what for what, _, _ in self.fake.calls[before:]]


@pytest.fixture
def scene() -> Iterator[Scene]:
    with FakePatroni().listening() as fake:
        yield Scene(fake)


def test_a_server_that_dies_is_told_once(scene: Scene):
    assert scene.look(RUNS, LOST, LOST, LOST) == ["PATCH /config"]
    assert [key for key, value in scene.fake.calls[-1][1].items() if value is not None] == [], "nothing of the configuration changes"


@pytest.mark.parametrize("seen", [(LOST, LOST), (RUNS, STOPS, STOPS), (RUNS, STOPS, LOST), (RUNS, RUNS)])
def test_one_that_is_stopped_or_never_ran_is_not(scene: Scene, seen: tuple[Status, ...]):
    assert scene.look(*seen) == []


def test_one_that_dies_again_and_again_has_its_quiet(scene: Scene):
    assert scene.look(RUNS, LOST, RUNS, LOST) == ["PATCH /config"]
    scene.now += QUIET
    assert scene.look(RUNS, LOST) == ["PATCH /config"]


def test_a_patroni_that_refuses_does_not_matter(scene: Scene):
    scene.fake.answers["PATCH /config"] = (503, "no")
    assert scene.look(RUNS, LOST) == ["PATCH /config"]
