"""A switchover that was asked for: made-up processes, a made-up API server, a Patroni that answers what a test says."""

from __future__ import annotations

import signal
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sos_constructs.postgres.agent import handover, switchover
from sos_constructs.postgres.agent.kube_api import Conflict, NotFound
from sos_constructs.postgres.agent.patroni_api import Patroni, PatroniError
from sos_constructs.postgres.agent.switchover import Request, requested, switch_over

import pytest

from tests.postgres.agent.container import ANNOUNCED, CLOSED, FILE, GOES_ON, PATRONI, SERVER, TIMELINE, VACATED, Container

NOW = datetime(2026, 11, 29, 20, tzinfo=UTC)
STRUCK_OFF: object = ("pods/pg-0", "8", {"status": '{"role":"primary"}'}, {"role": None})
BEGINS = [(PATRONI, signal.SIGSTOP), ANNOUNCED, STRUCK_OFF, handover.SERVICE_AHEAD_SECONDS, CLOSED, (SERVER, signal.SIGINT)]
PLACE = (1 << 32) + 0x5A69978
EVERYTHING = (TIMELINE, PLACE + 1)
FORGOTTEN: object = ("configmaps/pg-failover", "5", {"leader": None, "member": None, "scheduled_at": None}, {})


class Members:
    """What the candidate's REST API says, answer by answer; the last one stays."""

    def __init__(self) -> None:
        self.received: list[tuple[int, int] | PatroniError] = [EVERYTHING]
        self.urls: list[str] = []

    def answer(self, patroni: Patroni) -> tuple[int, int]:
        self.urls.append(patroni.url)
        answer = self.received.pop(0) if len(self.received) > 1 else self.received[0]
        if isinstance(answer, PatroniError):
            raise answer
        return answer


@pytest.fixture
def members(monkeypatch: pytest.MonkeyPatch) -> Members:
    made = Members()

    def received(patroni: Patroni) -> tuple[int, int]:
        return made.answer(patroni)

    monkeypatch.setattr(Patroni, "received", received)
    return made


@pytest.fixture
def container(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Container:
    made = Container(tmp_path)
    monkeypatch.setattr(time, "sleep", made.sleep)
    monkeypatch.setattr(time, "monotonic", lambda: made.now)
    return made


def config(container: Container) -> dict[str, Any]:
    return container.config | {"restapi": {"listen": "*:8008", "authentication": {"username": "patroni", "password": "canary"}}}


def asks(container: Container, **annotations: str) -> Request | None:
    container.asked = annotations
    kube: Any = container
    return requested(kube, config(container), lambda: NOW)


def run(container: Container, candidate: str) -> None:
    kube: Any = container
    switch_over(kube, config(container), FILE, Request(candidate), container.close, container.proc, container.kill)


def changes(container: Container) -> dict[str, str | None]:
    """What was last written to the lock."""
    written: Any = container.happened[-2]
    path, version, annotations, _labels = written
    assert (path, version) == ("configmaps/pg-leader", "7")
    found: dict[str, str | None] = annotations
    return found


# --- why Patroni stops its server ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "asked", [{"leader": "pg-0", "member": "pg-1"}, {"member": "pg-1"}, {"leader": "pg-0", "member": "pg-1", "scheduled_at": "2026-11-29T20:00:01+00:00"}]
)
def test_a_candidate_by_name(container: Container, asked: dict[str, str]):
    assert asks(container, **asked) == Request("pg-1")


def test_patronis_choice(container: Container):
    assert asks(container, leader="pg-0") == Request("")


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"leader": "pg-1", "member": "pg-2"},
        {"leader": "pg-0", "member": "pg-0"},
        {"leader": "pg-0", "member": "pg-1", "scheduled_at": "2026-11-29T21:00:00+00:00"},
    ],
    ids=["nobody asked", "of another leader", "to itself", "for later"],
)
def test_it_is_something_else(container: Container, asked: dict[str, str]):
    assert asks(container, **asked) is None


def test_nobody_ever_asked(container: Container, monkeypatch: pytest.MonkeyPatch):
    def missing(_config_map: str) -> dict[str, str]:
        raise NotFound("GET configmaps/pg-failover: HTTP 404")

    monkeypatch.setattr(container, "annotations", missing)
    assert asks(container) is None


def test_who_does_not_hold_the_lock_gives_none_away(container: Container):
    container.leader = "pg-1"
    assert asks(container, leader="pg-0") is None


def test_while_paused_it_is_left_to_patroni(container: Container):
    container.config_value = '{"pause": true}'
    assert asks(container, leader="pg-0", member="pg-1") is None


# --- doing it -----------------------------------------------------------------------------------------------------------


def test_the_candidate_gets_the_lock(container: Container, members: Members):
    run(container, "pg-1")
    assert container.happened[:-2] == BEGINS
    written = changes(container)
    assert written.keys() == {"acquireTime", "leader", "renewTime"}
    assert written["leader"] == "pg-1"
    assert written["acquireTime"] == written["renewTime"] != "r"
    assert datetime.fromisoformat(str(written["renewTime"])).tzinfo
    assert container.happened[-1] == GOES_ON
    assert members.urls == ["http://10.1.2.3:8008"], "where the candidate's entry says that it is"
    assert container.now == pytest.approx(handover.SERVICE_AHEAD_SECONDS + 3 * handover.LOOK_SECONDS), "nobody is waited for"


def test_a_candidate_that_is_a_moment_behind_is_waited_for(container: Container, members: Members):
    members.received = [(TIMELINE, PLACE), EVERYTHING]
    run(container, "pg-1")
    assert changes(container)["leader"] == "pg-1"


@pytest.mark.parametrize(
    "received",
    [(TIMELINE, PLACE), (TIMELINE - 1, PLACE + 1000), (0, 0), PatroniError("GET /patroni: URLError")],
    ids=["it stays behind", "it has a log of its own", "it does not run as a standby", "it does not answer"],
)
def test_to_a_candidate_that_lacks_something_patroni_elects(
    container: Container, members: Members, received: tuple[int, int] | PatroniError, capsys: pytest.CaptureFixture[str]
):
    """By who has what: with the request in the store the candidate would take a free lock whatever it has, and nobody else would."""
    members.received = [received]
    run(container, "pg-1")
    assert container.happened == [*BEGINS, FORGOTTEN, VACATED, GOES_ON]
    assert container.now < handover.SERVICE_AHEAD_SECONDS + 3 * handover.LOOK_SECONDS + switchover.CANDIDATE_SECONDS + 0.2
    assert "warning" in capsys.readouterr().out


@pytest.mark.parametrize("voters", [{"leader": "pg-0", "sync_standby": "pg-2"}, {"leader": "pg-0"}, {"leader": "pg-2", "sync_standby": "pg-0,pg-1"}])
def test_to_a_candidate_that_is_no_voter_patroni_elects(container: Container, members: Members, voters: dict[str, str]):
    container.voters = voters
    run(container, "pg-1")
    assert container.happened == [*BEGINS, FORGOTTEN, VACATED, GOES_ON]
    assert members.urls == []


def test_without_a_candidate_patroni_elects(container: Container, members: Members):
    run(container, "")
    assert container.happened == [*BEGINS, VACATED, GOES_ON]
    assert members.urls == []


@pytest.mark.parametrize("state", ["in production", "shutting down"])
def test_a_server_that_has_not_ended_well_is_left_to_patroni(container: Container, state: str):
    container.says(state)
    run(container, "pg-1")
    assert container.happened == [*BEGINS, GOES_ON]


def test_a_server_that_does_not_end_is_left_to_patroni(container: Container):
    container.ends_after = 100_000
    run(container, "pg-1")
    assert container.happened == [*BEGINS, GOES_ON]


def test_a_lock_that_went_to_somebody_else_is_not_touched(container: Container):
    container.leader = "pg-2"
    run(container, "pg-1")
    assert container.happened == [*BEGINS, GOES_ON]


def test_without_the_api_server_patroni_goes_on(container: Container, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    def refuse(*_arguments: object) -> None:
        raise Conflict("PATCH configmaps/pg-leader: HTTP 409")

    monkeypatch.setattr(container, "annotate", refuse)
    run(container, "pg-1")
    assert container.happened == [each for each in BEGINS if each not in (ANNOUNCED, STRUCK_OFF, handover.SERVICE_AHEAD_SECONDS)] + [GOES_ON]
    assert "HTTP 409" in capsys.readouterr().out


def test_where_there_is_no_server_clients_are_turned_out_all_the_same(container: Container):
    (container.data / "postmaster.pid").unlink()
    run(container, "pg-1")
    assert container.happened == [CLOSED]
