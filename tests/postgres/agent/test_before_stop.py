"""What Patroni runs before it stops a server: which of three things it does."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sos_constructs.postgres.agent import again, before_stop
from sos_constructs.postgres.agent.before_stop import end_patroni, main
from sos_constructs.postgres.agent.closing import STANDBY, TooLong
from sos_constructs.postgres.agent.kube_api import KubeError
from sos_constructs.postgres.agent.patroni_api import Patroni, PatroniError
from sos_constructs.postgres.agent.patroni_process import MARK
from sos_constructs.postgres.agent.psql import Psql, SqlError
from sos_constructs.postgres.agent.switchover import Request

import pytest

from tests.postgres.agent.container import FILE, PATRONI, Container


class World:
    """A Patroni that stops its server, and what somebody asked for."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "patroni.yml"
        login = {"username": "patroni", "password": "canary"}
        (folder / "run").mkdir()
        container = Container(folder / "run")
        self.data, self.recognized = container.data, True
        self.file.write_text(json.dumps(container.config | {"restapi": {"listen": "*:8008", "authentication": login}}))
        self.lock = {"leader": "pg-0", "renewTime": "r", "ttl": "20"}
        self.standby: str | Exception = "f"
        self.paused = self.refuses = False
        self.state = "stopping"
        self.asked: dict[str, str] | KubeError = {}
        self.happened: list[object] = []
        self.error: Exception | None = None

    def annotations(self, config_map: str) -> dict[str, str]:
        if isinstance(self.asked, KubeError):
            raise self.asked
        return self.asked if config_map == "pg-failover" else {"leader": "pg-0", "config": json.dumps({"pause": self.paused})}

    def annotate(self, path: str, version: str, annotations: dict[str, str | None], labels: object = None) -> None:
        assert (path, version, list(annotations), labels) == ("configmaps/pg-leader", "7", ["renewTime"], None)
        if self.refuses:
            raise KubeError("PATCH configmaps/pg-leader: HTTP 403")
        self.happened.append("renewed")

    def metadata(self, path: str) -> dict[str, Any]:
        assert path == "configmaps/pg-leader"
        return {"annotations": self.lock, "resourceVersion": "7"}

    def query(self, sql: str) -> list[list[str]]:
        assert sql == STANDBY
        if isinstance(self.standby, Exception):
            raise self.standby
        return [[self.standby]]

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
    monkeypatch.setattr(again, "is_recognized", lambda _proc, data: data == made.data and made.recognized)
    monkeypatch.setattr(before_stop, "end_patroni", lambda file: made.happened.append(f"ended {file.name}"))
    monkeypatch.setattr(Psql, "query", lambda _self, sql: made.query(sql))
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


def test_a_patroni_that_does_not_answer_stops_its_server(lived: World, capsys: pytest.CaptureFixture[str]):
    """As when it is told to end itself."""
    lived.state = ""
    assert lived.stop() == ["closed"]
    assert "URLError" in capsys.readouterr().out


def test_what_was_written_by_hand_does_not_keep_it_open(world: World, capsys: pytest.CaptureFixture[str]):
    world.asked = {"leader": "pg-0", "member": "pg-1", "scheduled_at": "tomorrow, perhaps"}
    assert world.stop() == ["closed"]
    said = capsys.readouterr().out
    assert "ValueError" in said
    assert "perhaps" not in said


# --- a stop for nothing -------------------------------------------------------------------------------------------------


@pytest.fixture
def lived(world: World) -> World:
    """A Patroni that is started again when it is killed."""
    (world.file.parent / MARK).touch()
    return world


def test_a_primary_that_still_holds_the_lock_is_not_stopped(lived: World, capsys: pytest.CaptureFixture[str]):
    assert lived.stop() == ["renewed", "ended patroni.yml"]
    assert capsys.readouterr().out == ""


def test_one_that_would_not_be_started_again_stops_its_server(world: World):
    """It has lived for a moment only, it has been told to end, or the first process is of an older template."""
    assert world.stop() == ["closed"]


@pytest.mark.parametrize("lock", [{"leader": "pg-1"}, {"ttl": "-1"}, {"sos-constructs/leaving": "r"}, {"sos-constructs/cut-pg-1": "r"}])
def test_one_that_has_lost_the_lock_or_is_about_to_stops_its_server(lived: World, lock: dict[str, str]):
    lived.lock |= lock
    assert lived.stop() == ["closed"]


@pytest.mark.parametrize("standby", ["t", SqlError("FATAL: the database system is shutting down"), TooLong("not done after 3 s")])
def test_a_server_that_is_no_primary_or_does_not_answer_is_stopped(lived: World, standby: Any):
    lived.standby = standby
    assert lived.stop() == ["closed"]


def test_a_switchover_is_never_needless(lived: World):
    lived.asked = {"leader": "pg-0", "member": "pg-1"}
    assert lived.stop() == ["closed", Request("pg-1")]


@pytest.mark.parametrize(
    "asked", [{"leader": "pg-0", "member": "pg-1"}, {"member": "pg-1"}, {"leader": "pg-0", "member": "pg-1", "scheduled_at": "2099-01-01T00:00:00+00:00"}]
)
def test_what_somebody_asked_for_is_left_to_patroni_in_pause_or_later(lived: World, asked: dict[str, str]):
    lived.paused = "scheduled_at" not in asked
    lived.asked = asked
    assert lived.stop() == ["closed"]


def test_while_patroni_is_paused_it_knows_why_it_stops(lived: World):
    lived.paused = True
    assert lived.stop() == ["closed"]


@pytest.mark.parametrize("state", ["starting", "running", "stopped"])
def test_only_what_is_stopping_is_stopped_for_nothing(lived: World, state: str):
    lived.state = state
    assert lived.stop() == ["closed"]


def test_a_server_that_a_new_patroni_would_not_recognize_is_stopped(lived: World):
    lived.recognized = False
    assert lived.stop() == ["closed"]


def test_a_lock_that_cannot_be_renewed_is_no_lock(lived: World, capsys: pytest.CaptureFixture[str]):
    lived.refuses = True
    assert lived.stop() == ["closed"]
    assert "HTTP 403" in capsys.readouterr().out


def test_a_restart_is_never_needless(lived: World):
    lived.state = "restarting"
    assert lived.stop() == []


def test_without_the_api_server_nobody_knows(lived: World):
    lived.asked = KubeError("GET configmaps/pg-failover: TimeoutError")
    assert lived.stop() == ["closed"]


def test_patroni_alone_is_killed(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    container = Container(tmp_path)
    end_patroni(FILE, container.proc, container.kill)
    assert container.happened == [(PATRONI, signal.SIGKILL)]
    assert "begins anew" in capsys.readouterr().out
