"""What a primary waits for before it stops, against a made-up API server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sos_constructs.postgres import names
from sos_constructs.postgres.agent.farewell import LONGEST, SERVICE_AGAIN_SECONDS, leave
from sos_constructs.postgres.agent.kube_api import KubeError, NotFound
from sos_constructs.postgres.agent.patroni_process import ENDING, MARK

import pytest


class Api:
    """The lock, the voters, and who is being terminated; `after` says what Patroni does in its next round."""

    def __init__(self, leader: str, voters: str, **pods: str) -> None:
        self.leader, self.voters, self.states = leader, voters, {name.replace("_", "-"): state for name, state in pods.items()}
        self.pause = False
        self.known: dict[str, dict[str, Any]] = {"pods/pg-4": {"deletionTimestamp": "now"}}
        self.rounds, self.after = 0, dict[int, str]()

    def annotations(self, config_map: str) -> dict[str, str]:
        if config_map == "pg-leader":
            return {"leader": self.leader}
        if config_map == "pg-config":
            return {"config": json.dumps({"ttl": 20, "pause": self.pause})}
        assert config_map == "pg-sync"
        self.rounds += 1
        self.voters = self.after.get(self.rounds, self.voters)
        return {"leader": self.leader, "sync_standby": self.voters}

    def metadata(self, path: str) -> dict[str, Any]:
        if path not in self.known:
            raise NotFound(f"GET {path}: HTTP 404")
        return self.known[path]

    def pods(self, labels: dict[str, str]) -> list[dict[str, Any]]:
        assert labels == {"app": "pg"}
        return [{"name": name, **({"deletionTimestamp": "now"} if state == "going" else {})} for name, state in self.states.items()]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "patroni.yml"
    path.write_text(json.dumps({"name": "pg-4", "scope": "pg", "kubernetes": {"labels": {"app": "pg"}}}))
    return path


def waited(api: Any, file: Path, stopped: list[str] | None = None) -> float:
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    def stop(_kube: Any, config: dict[str, Any], _file: Path, _close: Any, not_before: float) -> None:
        assert not_before == SERVICE_AGAIN_SECONDS, "since its own start"
        (stopped if stopped is not None else []).append(config["name"])

    leave(api, file, clock=lambda: now[0], sleep=sleep, stop=stop)
    return now[0]


STAY = {"pg_0": "stays", "pg_1": "stays", "pg_2": "stays"}


@pytest.mark.parametrize(
    "api",
    [
        Api("pg-0", "pg-1,pg-2,pg-3,pg-4", **STAY, pg_3="going", pg_4="going"),
        Api("pg-4", "pg-0,pg-1,pg-2,pg-3", **STAY, pg_3="stays", pg_4="going"),
        Api("pg-4", "pg-0,pg-1", pg_0="going", pg_1="going", pg_4="going"),
        Api("pg-4", "", **STAY, pg_3="going", pg_4="going"),
    ],
    ids=["a standby", "the only one to go", "everybody goes", "no synchronous mode"],
)
def test_who_may_go_at_once(api: Api, file: Path):
    assert waited(api, file) == 0


def test_a_primary_waits_until_those_that_go_too_have_left_the_quorum(file: Path, capsys: pytest.CaptureFixture[str]):
    api = Api("pg-4", "pg-0,pg-1,pg-2,pg-3", **STAY, pg_3="going", pg_4="going")
    api.after = {7: "pg-0,pg-1,pg-2"}
    assert waited(api, file) == 3.0
    assert [json.loads(line)["members"] for line in capsys.readouterr().out.splitlines()] == [["pg-3"]]


def test_a_voter_without_a_pod_is_waited_for_too(file: Path):
    api = Api("pg-4", "pg-0,pg-1,pg-2,pg-3", **STAY, pg_4="going")
    api.after = {2: "pg-0,pg-1,pg-2"}
    assert waited(api, file) == 0.5


def test_it_does_not_wait_for_ever(file: Path):
    assert waited(Api("pg-4", "pg-0,pg-3", pg_0="stays", pg_3="going", pg_4="going"), file) == LONGEST


def test_without_the_api_server_it_goes(file: Path):
    class Down(Api):
        def annotations(self, config_map: str) -> dict[str, str]:
            raise KubeError("away")

    assert waited(Down("pg-4", ""), file) == 0


def test_the_holder_of_the_lock_has_its_server_stopped_when_the_others_have_left(file: Path):
    stopped: list[str] = []
    api = Api("pg-4", "pg-0,pg-3", pg_0="stays", pg_3="going", pg_4="going")
    api.after = {3: "pg-0"}
    assert (waited(api, file, stopped), stopped) == (1.0, ["pg-4"])


def test_a_server_that_another_has_taken_over_from_meanwhile_is_patronis_alone(file: Path):
    class Taken(Api):
        def pods(self, labels: dict[str, str]) -> list[dict[str, Any]]:
            self.leader = "pg-0"
            return super().pods(labels)

    stopped: list[str] = []
    assert (waited(Taken("pg-4", "pg-0,pg-3", pg_0="stays", pg_3="going", pg_4="going"), file, stopped), stopped) == (0.5, [])


def test_a_standby_is_patronis_alone(file: Path):
    stopped: list[str] = []
    assert (waited(Api("pg-0", "pg-4", **STAY, pg_4="going"), file, stopped), stopped) == (0, [])


def test_while_patroni_is_paused_it_keeps_the_lock_and_its_way_of_stopping(file: Path):
    stopped: list[str] = []
    api = Api("pg-4", "pg-0", **STAY, pg_4="going")
    api.pause = True
    assert (waited(api, file, stopped), stopped) == (0, [])


@pytest.mark.parametrize("known", [{}, {"pods/pg-4": {"uid": "of its successor"}}], ids=["gone", "there is another"])
def test_a_pod_that_was_deleted_by_force_has_no_time_for_it(known: dict[str, dict[str, Any]], file: Path):
    stopped: list[str] = []
    api = Api("pg-4", "pg-0", **STAY)
    api.known = known
    assert (waited(api, file, stopped), stopped) == (0, [])
    assert (file.parent / Path(names.HURRY).name).exists(), "and Patroni stops its server without our script"


def test_who_has_time_is_not_in_a_hurry(file: Path):
    waited(Api("pg-4", "pg-0", **STAY, pg_4="going"), file)
    assert not (file.parent / Path(names.HURRY).name).exists()


def test_a_patroni_that_is_killed_from_here_on_is_not_started_again(file: Path):
    (file.parent / MARK).touch()
    waited(Api("pg-0", "pg-4", **STAY, pg_4="going"), file)
    assert not (file.parent / MARK).exists()
    assert (file.parent / ENDING).exists(), "whatever the first process thought meanwhile"
