"""What Patroni runs before it stops a server: which of three things it does."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sos_constructs.postgres.agent import before_stop
from sos_constructs.postgres.agent.before_stop import main
from sos_constructs.postgres.agent.closing import TooLong
from sos_constructs.postgres.agent.kube_api import KubeError
from sos_constructs.postgres.agent.patroni_api import Patroni, PatroniError
from sos_constructs.postgres.agent.switchover import Request

import pytest


class World:
    """A Patroni that stops its server, and what somebody asked for."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "patroni.yml"
        login = {"username": "patroni", "password": "canary"}
        self.file.write_text(json.dumps({"name": "pg-0", "restapi": {"listen": "*:8008", "authentication": login}, "scope": "pg"}))
        self.state = "stopping"
        self.asked: dict[str, str] | KubeError = {}
        self.happened: list[object] = []
        self.error: Exception | None = None

    def annotations(self, config_map: str) -> dict[str, str]:
        if isinstance(self.asked, KubeError):
            raise self.asked
        return self.asked if config_map == "pg-failover" else {"leader": "pg-0", "config": "{}"}

    def says(self, patroni: Patroni) -> str:
        assert patroni.url == "http://127.0.0.1:8008"
        if not self.state:
            raise PatroniError("GET /health: URLError")
        return self.state

    def close(self, folder: Path, _config: object) -> None:
        assert folder == self.file.parent
        self.happened.append("closed")

    def switch_over(self, _kube: object, _config: object, patroni_file: Path, request: Request, close: Callable[[], None]) -> None:
        assert patroni_file == self.file
        close()
        self.happened.append(request)
        if self.error:
            raise self.error

    def stop(self) -> list[object]:
        kube: Any = self
        main([str(self.file)], kube)
        return self.happened


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    made = World(tmp_path)

    def state(patroni: Patroni) -> str:
        return made.says(patroni)

    monkeypatch.setattr(Patroni, "state", state)
    for name in ("close", "close_in_time"):
        monkeypatch.setattr(before_stop, name, made.close)
    monkeypatch.setattr(before_stop, "switch_over", made.switch_over)
    return made


def test_before_a_stop_it_is_closed(world: World):
    assert world.stop() == ["closed"]


def test_before_a_restart_nothing_is_done(world: World):
    world.state = "restarting"
    world.asked = {"leader": "pg-0", "member": "pg-1"}
    assert world.stop() == []


def test_a_switchover_is_carried_out(world: World):
    world.asked = {"leader": "pg-0", "member": "pg-1"}
    assert world.stop() == ["closed", Request("pg-1")]


def test_a_switchover_that_takes_too_long_is_left_to_patroni(world: World, capsys: pytest.CaptureFixture[str]):
    world.asked, world.error = {"leader": "pg-0", "member": "pg-1"}, TooLong("not done after 8 s")
    world.stop()
    assert "not done after 8 s" in capsys.readouterr().out


def test_without_the_api_server_it_is_closed_too(world: World, capsys: pytest.CaptureFixture[str]):
    world.asked = KubeError("GET configmaps/pg-failover: TimeoutError")
    assert world.stop() == ["closed"]
    assert "TimeoutError" in capsys.readouterr().out


def test_a_patroni_that_does_not_answer_stops_its_server(world: World, capsys: pytest.CaptureFixture[str]):
    world.state = ""
    assert world.stop() == ["closed"]
    assert "URLError" in capsys.readouterr().out


def test_what_was_written_by_hand_does_not_keep_it_open(world: World, capsys: pytest.CaptureFixture[str]):
    world.asked = {"leader": "pg-0", "member": "pg-1", "scheduled_at": "tomorrow, perhaps"}
    assert world.stop() == ["closed"]
    said = capsys.readouterr().out
    assert "ValueError" in said
    assert "perhaps" not in said
