"""The guard's two watches, against a made-up API server and clock."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sos_constructs.postgres.agent.actions import Actions
from sos_constructs.postgres.agent.guard import NOT_STREAMING, RESTART_EVERY, SETTLED, Guard, NotStreaming
from sos_constructs.postgres.agent.kube_api import Conflict, NotFound
from sos_constructs.postgres.agent.serving import OUT

import pytest


class FakeKube:
    """Pods with labels and versions, the leader object, and what was asked of them."""

    def __init__(self, *primaries: str, leader: str = "pg-0") -> None:
        self.labelled = dict.fromkeys(primaries, "1")
        self.leader = leader
        self.reads: list[str] = []
        self.evicted: list[str] = []
        self.refuse: type[Exception] | None = None
        self.on_leader_read = lambda: None
        self.going: set[str] = set()

        self.out: set[str] = set()

    def pods(self, labels: dict[str, str]) -> list[dict[str, Any]]:
        assert labels == {"app": "pg", "role": "primary"}
        self.reads.append("pods")
        pods = [{"name": name, "labels": OUT if name in self.out else {}, "resourceVersion": version} for name, version in self.labelled.items()]
        return [pod | ({"deletionTimestamp": "now"} if pod["name"] in self.going else {}) for pod in pods]

    def annotations(self, config_map: str) -> dict[str, str]:
        assert config_map == "pg-leader"
        self.reads.append("leader")
        self.on_leader_read()
        return {"leader": self.leader}

    def label(self, pod: dict[str, Any], labels: dict[str, str | None]) -> None:
        assert labels == {"role": None, "app.kubernetes.io/component": "former-primary"}
        if pod["name"] not in self.labelled:
            raise NotFound
        if self.labelled[pod["name"]] != pod["resourceVersion"]:
            raise Conflict
        del self.labelled[pod["name"]]

    def evict(self, pod: str) -> None:
        if self.refuse:
            raise self.refuse
        self.evicted.append(pod)


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def make(tmp_path: Path, clock: Clock):
    def make(pod: str = "pg-0", *, reachable: bool = True) -> Guard:
        return Guard(
            pod=pod,
            leader_object="pg-leader",
            role_label="role",
            selector={"app": "pg"},
            actions=Actions(tmp_path / "actions.json"),
            clock=clock,
            wall=clock,
            reachable=lambda host, port: reachable,
        )

    return make


def cluster(**states: str) -> dict[str, Any]:
    """`pg_0="leader:running"` and so on."""
    members = []
    for name, text in states.items():
        role, _, state = text.partition(":")
        members.append({"name": name.replace("_", "-"), "role": role, "state": state, "host": "10.0.0.1", "port": 5432})
    return {"members": members}


LEADING = cluster(pg_0="leader:running", pg_1="replica:streaming")
FOLLOWING = cluster(pg_0="quorum_standby:running", pg_1="leader:running")
STREAMING = cluster(pg_0="quorum_standby:streaming", pg_1="leader:running")


# ---------------------------------------------------------------- the label


def test_the_leader_takes_the_label_from_everybody_else(make):
    kube = FakeKube("pg-0", "pg-1", "pg-2")
    make().keep_label(kube, LEADING)
    assert set(kube.labelled) == {"pg-0"}


@pytest.mark.parametrize(
    ("going", "out", "kept"), [({"pg-1"}, {"pg-1"}, ["pg-1"]), ({"pg-1"}, set(), []), (set(), {"pg-1"}, [])], ids=["by itself", "ends", "a stale label"]
)
def test_a_pod_that_ends_and_took_itself_out_keeps_its_label(make, going: set[str], out: set[str], kept: list[str]):
    """The Service would keep one that has not: it asks nobody whether he is ready, or ends."""
    guard, kube = make(), FakeKube("pg-1", "pg-2")
    kube.going, kube.out = going, out
    guard.take_labels(kube)
    assert list(kube.labelled) == kept


def test_pods_are_read_before_the_lock(make):
    kube = FakeKube("pg-0", "pg-1")
    make().keep_label(kube, LEADING)
    assert kube.reads == ["pods", "leader"]


def test_a_member_that_does_not_lead_touches_nothing(make):
    kube = FakeKube("pg-1", "pg-2")
    make().keep_label(kube, FOLLOWING)
    assert kube.reads == []


def test_a_stale_belief_to_lead_touches_nothing(make):
    kube = FakeKube("pg-0", "pg-1", leader="pg-1")
    make().keep_label(kube, LEADING)
    assert set(kube.labelled) == {"pg-0", "pg-1"}


def test_a_pod_that_changed_since_it_was_read_keeps_its_label(make):
    kube = FakeKube("pg-0", "pg-1")
    kube.on_leader_read = lambda: kube.labelled.update({"pg-1": "2"})
    make().keep_label(kube, LEADING)
    assert set(kube.labelled) == {"pg-0", "pg-1"}


def test_a_pod_that_is_gone_by_now_keeps_no_other_in_the_service(make):
    kube = FakeKube("pg-0", "pg-1", "pg-2")
    kube.on_leader_read = lambda: kube.labelled.__delitem__("pg-1")
    make().keep_label(kube, LEADING)
    assert set(kube.labelled) == {"pg-0"}


def test_labels_are_looked_at_every_second_after_a_change_and_less_often_later(make, clock: Clock):
    kube, guard = FakeKube("pg-0"), make()
    for _ in range(10):
        guard.keep_label(kube, LEADING)
        clock.now += 1
    assert kube.reads == ["pods"] * 10
    clock.now += SETTLED
    kube.reads.clear()
    for _ in range(30):
        guard.keep_label(kube, LEADING)
        clock.now += 1
    assert kube.reads == ["pods"] * 3


# ---------------------------------------------------------------- the stream


def watch(guard: Guard, kube: FakeKube, seen: dict[str, Any], clock: Clock, seconds: float) -> int:
    """How many of the rounds said that only a human can help."""
    complaints = 0
    for _ in range(int(seconds)):
        try:
            guard.keep_streaming(kube, seen)  # type: ignore[arg-type]  # a fake
        except NotStreaming:
            complaints += 1
        except Conflict:
            pass  # the disruption budget
        clock.now += 1
    return complaints


def test_a_standby_without_a_stream_restarts_itself_once_and_then_asks_for_help(make, clock: Clock):
    kube, guard = FakeKube(), make()
    assert watch(guard, kube, FOLLOWING, clock, NOT_STREAMING) == 0
    assert kube.evicted == []
    assert watch(guard, kube, FOLLOWING, clock, 2) == 0
    assert kube.evicted == ["pg-0"]
    again = make()  # the pod was restarted: only the note is left
    assert watch(again, kube, FOLLOWING, clock, NOT_STREAMING) == 0
    assert watch(again, kube, FOLLOWING, clock, 60) == 60
    assert kube.evicted == ["pg-0"]
    assert watch(again, kube, STREAMING, clock, 5) == 0
    assert watch(again, kube, FOLLOWING, clock, 5) == 0


def test_restarts_are_limited(make, clock: Clock):
    kube, guard = FakeKube(), make()
    watch(guard, kube, FOLLOWING, clock, 10 * RESTART_EVERY)
    assert 1 < len(kube.evicted) <= 10


@pytest.mark.parametrize(
    "seen",
    [
        STREAMING,
        LEADING,
        cluster(pg_0="replica:running", pg_1="replica:running"),  # nobody to follow
        cluster(pg_0="replica:creating replica", pg_1="leader:running"),
        cluster(pg_0="replica:in archive recovery", pg_1="leader:running"),
        FOLLOWING | {"pause": True},  # a human is at work
        {},
    ],
)
def test_nothing_is_done_to_a_member_that_streams_leads_or_cannot_follow(make, clock: Clock, seen: dict[str, Any]):
    kube = FakeKube()
    assert watch(make(), kube, seen, clock, 300) == 0
    assert kube.evicted == []


def test_a_member_that_cannot_reach_the_leader_waits(make, clock: Clock):
    kube = FakeKube()
    assert watch(make(reachable=False), kube, FOLLOWING, clock, 3 * RESTART_EVERY) == 0
    assert kube.evicted == []


def test_an_interruption_starts_the_count_anew(make, clock: Clock):
    kube, guard = FakeKube(), make()
    for _ in range(5):
        watch(guard, kube, FOLLOWING, clock, NOT_STREAMING - 1)
        watch(guard, kube, STREAMING, clock, 1)
    assert kube.evicted == []


def test_while_another_member_is_down_the_budget_refuses_and_nothing_is_noted(make, clock: Clock):
    kube, guard = FakeKube(), make()
    kube.refuse = Conflict
    watch(guard, kube, FOLLOWING, clock, 2 * NOT_STREAMING)
    assert kube.evicted == []
    kube.refuse = None
    watch(guard, kube, FOLLOWING, clock, 2)
    assert kube.evicted == ["pg-0"]


def test_a_member_that_cannot_start_is_restarted_too(make, clock: Clock):
    kube = FakeKube()
    watch(make(), kube, cluster(pg_0="replica:start failed", pg_1="leader:running"), clock, NOT_STREAMING + 2)
    assert kube.evicted == ["pg-0"]


def test_a_member_that_still_replays_is_busy_and_not_broken(make, clock: Clock):
    kube, guard = FakeKube(), make()
    guard.replayed = lambda: int(clock.now) // 10  # in steps: a long record
    assert watch(guard, kube, FOLLOWING, clock, 300) == 0
    assert kube.evicted == []
    guard.replayed = lambda: 7
    watch(guard, kube, FOLLOWING, clock, NOT_STREAMING + 2)
    assert kube.evicted == ["pg-0"]


def test_after_a_cut_a_standby_has_its_time_to_find_the_stream(make, clock: Clock):
    kube, guard = FakeKube(), make(reachable=False)
    watch(guard, kube, FOLLOWING, clock, 300)
    guard.reachable = lambda _host, _port: True
    watch(guard, kube, FOLLOWING, clock, NOT_STREAMING)
    assert kube.evicted == []
    watch(guard, kube, FOLLOWING, clock, 2)
    assert kube.evicted == ["pg-0"]
