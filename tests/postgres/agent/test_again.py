"""Whether a Patroni that was killed may be started again beside its server, and whether it has come back: a made-up /proc and API server."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path
from typing import Any

from sos_constructs.postgres.agent import again
from sos_constructs.postgres.agent.closing import STANDBY
from sos_constructs.postgres.agent.kube_api import Conflict, KubeError
from sos_constructs.postgres.agent.patroni_api import Patroni, PatroniError, Status
from sos_constructs.postgres.agent.psql import Psql, SqlError

import pytest

from tests.postgres.agent.container import PATRONI, SERVER, STARTED, Container


class Api:
    """The lock, and what was written to it."""

    def __init__(self) -> None:
        self.notes = {"leader": "pg-0", "renewTime": "r", "ttl": "20"}
        self.version, self.conflicts = 7, 0
        self.away = False
        self.written: list[dict[str, str | None]] = []

    def metadata(self, path: str) -> dict[str, Any]:
        assert path == "configmaps/pg-leader"
        if self.away:
            raise KubeError("GET configmaps/pg-leader: TimeoutError")
        return {"annotations": dict(self.notes), "resourceVersion": str(self.version)}

    def annotate(self, path: str, version: str, annotations: dict[str, str | None], labels: object = None) -> None:
        assert (path, version, labels) == ("configmaps/pg-leader", str(self.version), None)
        if self.conflicts:
            self.conflicts -= 1
            self.version += 1
            raise Conflict("PATCH configmaps/pg-leader: HTTP 409")
        self.written.append(annotations)


class World:
    """A container whose Patroni is dead."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.api, self.container, self.folder = Api(), Container(folder), folder
        self.ends(PATRONI)
        self.container.process(os.getpid(), "1", "python3", "-m", "agent.again")
        self.standby: str | SqlError = "f"
        self.config = self.container.config | {"restapi": {"listen": "*:8008", "authentication": {"username": "patroni", "password": "canary"}}}
        (folder / "patroni.yml").write_text(json.dumps(self.config))
        self.health: Status | None = Status("primary", running=True, streaming=False)
        self.slept = 0.0

        def query(_self: Psql, sql: str) -> list[list[str]]:
            assert sql == STANDBY
            if isinstance(self.standby, SqlError):
                raise self.standby
            return [[self.standby]]

        def health(_self: Patroni, seconds: float) -> Status:
            assert seconds == 1
            if self.health is None:
                raise PatroniError("GET /health: URLError")
            return self.health

        monkeypatch.setattr(Psql, "query", query)
        monkeypatch.setattr(Patroni, "health", health)
        monkeypatch.setattr(time, "sleep", self.sleep)
        monkeypatch.setattr(time, "monotonic", lambda: self.slept)

    def ends(self, pid: int) -> None:
        shutil.rmtree(self.container.proc / str(pid))

    def sleep(self, seconds: float) -> None:
        self.slept += seconds

    def run(self, verb: str) -> int:
        kube: Any = self.api
        return again.main([str(self.folder / "patroni.yml"), verb], kube, self.container.proc)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(tmp_path, monkeypatch)


def said(capsys: pytest.CaptureFixture[str]) -> str:
    return str(json.loads(capsys.readouterr().out)["message"])


def test_the_lock_is_renewed_for_a_patroni_that_is_to_come(world: World, capsys: pytest.CaptureFixture[str]):
    assert world.run("claim") == 0
    assert [list(change) for change in world.api.written] == [["renewTime"]]
    assert (world.folder / again.CLAIMED).read_text() == world.api.written[0]["renewTime"]
    assert "starting it again" in said(capsys)


@pytest.mark.parametrize(
    "notes",
    [
        {"leader": "pg-1"},
        {"leader": ""},
        {"ttl": "-1"},
        {"sos-constructs/leaving": "r"},
        {"sos-constructs/cut-pg-1": "r"},
    ],
    ids=["another's", "nobody's", "released", "about to be given away", "a standby is cut off from it"],
)
def test_a_lock_that_is_not_this_members_to_keep(world: World, notes: dict[str, str], capsys: pytest.CaptureFixture[str]):
    world.api.notes |= notes
    assert (world.run("claim"), world.api.written) == (1, [])
    assert "not this member's to keep" in said(capsys)


def test_what_was_said_of_an_earlier_renewal_does_not_count(world: World):
    world.api.notes |= {"sos-constructs/leaving": "q", "sos-constructs/cut-pg-1": "q"}
    assert world.run("claim") == 0


@pytest.mark.parametrize("standby", ["t", SqlError("FATAL: the database system is starting up")], ids=["a standby", "no answer"])
def test_a_server_that_is_no_primary_ends_with_its_patroni(world: World, standby: str | SqlError):
    world.standby = standby
    assert (world.run("claim"), world.api.written) == (1, [])


def test_beside_a_base_backup_or_a_rewind_nothing_is_started(world: World, capsys: pytest.CaptureFixture[str]):
    world.container.process(40, "1", "pg_rewind")
    assert (world.run("claim"), world.api.written) == (1, [])
    assert "more than the server" in said(capsys)
    assert world.slept == pytest.approx(again.ORPHAN_SECONDS, abs=2 * again.LOOK_SECONDS)


def test_what_patroni_was_just_running_may_end(world: World, monkeypatch: pytest.MonkeyPatch):
    world.container.process(40, "1", "sh", "-c", "before_stop")

    def sleep(seconds: float) -> None:
        world.sleep(seconds)
        world.ends(40)

    monkeypatch.setattr(time, "sleep", sleep)
    assert world.run("claim") == 0


def test_zombies_and_what_kubectl_exec_started_do_not_count(world: World):
    world.container.process(41, "1", "python3")
    (world.container.proc / "41" / "stat").write_text("41 (python3) Z 1 1 1 0")
    world.container.process(42, "0", "bash")
    assert world.run("claim") == 0


@pytest.mark.parametrize("seconds", [-3, 3])
def test_a_server_that_a_new_patroni_would_not_recognize_ends(world: World, seconds: int, capsys: pytest.CaptureFixture[str]):
    """The clock was set since it was started: Patroni would take it for dead, and start another."""
    (world.container.proc / "stat").write_text(f"btime {STARTED - 60 + seconds}\n")
    assert (world.run("claim"), world.api.written) == (1, [])
    assert "would not recognize" in said(capsys)


@pytest.mark.parametrize("seconds", [-1, 1])
def test_a_second_more_or_less_does_not_matter(world: World, seconds: int):
    (world.container.proc / "stat").write_text(f"btime {STARTED - 60 + seconds}\n")
    assert world.run("claim") == 0


@pytest.mark.parametrize("content", ["20\n/data\n", "20\n/data\nsoon\n", ""])
def test_what_cannot_be_told_is_not_assumed(world: World, content: str):
    (world.container.data / "postmaster.pid").write_text(content)
    assert world.run("claim") == 1


def test_without_a_server_nothing_is_started(world: World):
    world.ends(SERVER)
    assert (world.run("claim"), world.api.written) == (1, [])


def test_a_lock_that_was_touched_meanwhile_is_read_again(world: World):
    world.api.conflicts = 2
    assert (world.run("claim"), len(world.api.written)) == (0, 1)
    world.api.conflicts = 3
    assert world.run("claim") == 1


@pytest.mark.parametrize("verb", ["claim", "confirm"])
def test_without_the_api_server_it_ends(world: World, verb: str, capsys: pytest.CaptureFixture[str]):
    (world.folder / again.CLAIMED).write_text("r")
    world.api.away = True
    assert world.run(verb) == 1
    assert "the server ends with it" in said(capsys)


def test_it_is_back_when_it_has_renewed_and_says_so(world: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    (world.folder / again.CLAIMED).write_text("r")
    world.health = None

    def sleep(seconds: float) -> None:
        world.sleep(seconds)
        world.api.away = world.slept < 1
        if world.slept > 2:
            world.api.notes["renewTime"] = "s"
        if world.slept > 3:
            world.health = Status("primary", running=world.slept > 4, streaming=False)

    monkeypatch.setattr(time, "sleep", sleep)
    assert world.run("confirm") == 0
    assert world.slept == pytest.approx(4, abs=0.5)
    assert "is back" in said(capsys)


@pytest.mark.parametrize(
    ("renewed", "health"),
    [("r", Status("primary", True, False)), ("s", None), ("s", Status("replica", True, False)), ("s", Status("primary", False, False))],
    ids=["no renewal", "no answer", "takes it for a standby", "takes it for dead"],
)
def test_it_is_not_back_in_time(world: World, renewed: str, health: Status | None, capsys: pytest.CaptureFixture[str]):
    (world.folder / again.CLAIMED).write_text("r")
    world.api.notes["renewTime"], world.health = renewed, health
    assert world.run("confirm") == 1
    assert "not back" in said(capsys)
    assert world.slept == pytest.approx(again.CONFIRM_SECONDS, abs=0.5)


def test_a_successor_was_faster(world: World):
    (world.folder / again.CLAIMED).write_text("r")
    world.api.notes |= {"leader": "pg-1", "renewTime": "s"}
    assert (world.run("confirm"), world.slept) == (1, 0)
