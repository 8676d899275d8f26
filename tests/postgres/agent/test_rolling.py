"""Who is replaced next in a rollout, against a made-up API server, and what is said while nobody may be."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any, cast

from sos_constructs.postgres.agent import rolling
from sos_constructs.postgres.agent.kube_api import Conflict, Kube
from sos_constructs.postgres.agent.patroni_api import Status
from sos_constructs.postgres.agent.reconcile import NotYet
from sos_constructs.postgres.agent.rolling import PATIENCE, Act, Rolling, next_act
from sos_constructs.postgres.agent.rolling import Pod as Seen
from sos_constructs.postgres.agent.standbys import NEAR, Standby, lacking

import pytest

from tests.postgres.agent.conftest import Pod

OLD, NEW = "pg-old", "pg-new"
NAMES = ["pg-0", "pg-1", "pg-2"]
GOOD = Standby(streaming=True, counted=True, behind=0)
PRIMARY, STANDBY = Status("primary", running=True, streaming=False), Status("replica", running=True, streaming=True)


def pods(**states: str) -> list[Seen]:
    """`pg_0="old"`, `pg_1="new unready"`, `pg_2="new going"`."""
    return [
        Seen(name.replace("_", "-"), OLD if "old" in state else NEW, ready="unready" not in state, going="going" in state) for name, state in states.items()
    ]


def decide(own: str, states: dict[str, str], *, lost: tuple[str, ...] = (), found: dict[str, Standby] | None = None, mode: object = "quorum") -> Act | None:
    there = pods(**states)
    names = NAMES[: len(states) + len(lost)]
    everybody = {name: GOOD for name in names if name != own and "unready" not in states.get(name.replace("-", "_"), "")}
    return next_act(own, names, NEW, there, everybody if found is None else found, mode)


@pytest.mark.parametrize(
    ("own", "states", "expected"),
    [
        ("pg-2", {"pg_0": "new", "pg_1": "new", "pg_2": "new"}, None),
        ("pg-2", {"pg_0": "old", "pg_1": "old", "pg_2": "old"}, "pg-1"),
        ("pg-2", {"pg_0": "old", "pg_1": "new", "pg_2": "old"}, "pg-0"),
        ("pg-2", {"pg_0": "new", "pg_1": "new", "pg_2": "old"}, "pg-2"),
        ("pg-0", {"pg_0": "old", "pg_1": "old", "pg_2": "old"}, "pg-2"),
        ("pg-0", {"pg_0": "new", "pg_1": "old", "pg_2": "new"}, "pg-1"),
        # one away at most
        ("pg-2", {"pg_0": "old", "pg_1": "new unready", "pg_2": "old"}, ""),
        ("pg-2", {"pg_0": "old", "pg_1": "new going", "pg_2": "old"}, ""),
        ("pg-2", {"pg_0": "old", "pg_1": "old going", "pg_2": "old"}, ""),
        ("pg-2", {"pg_0": "new", "pg_1": "new unready", "pg_2": "old"}, ""),
        # a broken pod serves nobody: it goes first, also where another one is away
        ("pg-2", {"pg_0": "old", "pg_1": "old unready", "pg_2": "old"}, "pg-1"),
        ("pg-2", {"pg_0": "old unready", "pg_1": "new unready", "pg_2": "old"}, "pg-0"),
        ("pg-2", {"pg_0": "old unready going", "pg_1": "new", "pg_2": "old"}, ""),
        # two members, one member
        ("pg-0", {"pg_0": "old", "pg_1": "old"}, "pg-1"),
        ("pg-0", {"pg_0": "old", "pg_1": "new"}, "pg-0"),
        ("pg-0", {"pg_0": "old"}, "pg-0"),
    ],
)
def test_who_is_next(own: str, states: dict[str, str], expected: str | None):
    act = decide(own, states)
    assert (act.pod if act else None) == expected


def test_a_member_that_is_not_there_holds_everybody_up():
    act = decide("pg-0", {"pg_0": "old", "pg_1": "old"}, lost=("pg-2",))
    assert act == Act("", "pg-2 has no pod")


def test_a_pod_of_an_ordinal_that_is_scaled_away_is_nobody():
    there = pods(pg_0="new", pg_1="old", pg_2="new", pg_3="old unready")
    act = next_act("pg-0", NAMES, NEW, there, {"pg-1": GOOD, "pg-2": GOOD}, "quorum")
    assert act is not None
    assert act.pod == "pg-1"


@pytest.mark.parametrize(
    ("found", "mode", "why"),
    [
        ({"pg-1": GOOD}, "quorum", "pg-2 does not stream"),
        ({"pg-1": GOOD, "pg-2": Standby(False, True, 0)}, "quorum", "pg-2 does not stream"),
        ({"pg-1": GOOD, "pg-2": Standby(True, False, 0)}, "quorum", "pg-2 is not in the quorum yet"),
        ({"pg-1": GOOD, "pg-2": Standby(True, True, 2 * NEAR)}, "quorum", "pg-2 is 32 MiB behind"),
        ({"pg-1": GOOD, "pg-2": Standby(True, False, 0)}, True, ""),
        ({"pg-1": Standby(True, False, 0), "pg-2": Standby(True, False, 0)}, True, "no standby acknowledges commits yet"),
        ({"pg-1": Standby(True, False, 0), "pg-2": Standby(True, False, NEAR)}, False, ""),
        ({"pg-1": GOOD, "pg-2": GOOD}, "quorum", ""),
    ],
)
def test_nobody_goes_while_a_standby_is_not_up_to_it(found: dict[str, Standby], mode: object, why: str):
    assert lacking(found, {"pg-1", "pg-2"}, mode) == why
    act = decide("pg-0", {"pg_0": "old", "pg_1": "new", "pg_2": "new"}, found=found, mode=mode)
    assert act is not None
    assert (act.pod, bool(act.reason)) == ("" if why else "pg-0", True)


def test_a_lonely_member_waits_for_nobody():
    assert lacking({}, set(), "quorum") == ""


# ---------------------------------------------------------------- the step


class Api:
    """A StatefulSet whose controller replaces what is evicted at once."""

    def __init__(self, leader: str) -> None:
        self.leader, self.revisions, self.evicted = leader, {"postgres-0": OLD, "postgres-1": OLD, "postgres-2": OLD}, list[str]()
        self.strategy, self.generation, self.refuse, self.asked = "OnDelete", 7, False, 0

    def stateful_set(self, name: str) -> dict[str, Any]:
        assert name == "postgres"
        updated = sum(revision == NEW for revision in self.revisions.values())
        status = {"observedGeneration": 7, "replicas": 3, "updateRevision": NEW, **({"updatedReplicas": updated} if updated else {})}
        return {"metadata": {"generation": self.generation}, "spec": {"replicas": 3, "updateStrategy": {"type": self.strategy}}, "status": status}

    def pod_objects(self, labels: dict[str, str]) -> list[dict[str, Any]]:
        self.asked += 1
        assert labels["app.kubernetes.io/instance"] == "postgres"
        ready = {"conditions": [{"type": "Ready", "status": "True"}]}
        return [{"metadata": {"name": name, "labels": {rolling.REVISION: revision}}, "status": ready} for name, revision in self.revisions.items()]

    def annotations(self, config_map: str) -> dict[str, str]:
        assert config_map == "postgres-patroni-leader"
        return {"leader": self.leader}

    def evict(self, pod: str) -> None:
        if self.refuse:
            raise Conflict
        self.evicted.append(pod)
        self.revisions[pod] = NEW


@pytest.fixture
def api(pod: Pod) -> Api:
    pod.patroni.answers["GET /cluster"] = (200, {"members": []})
    own = pod.member.pod.name
    pod.psql.answer("pg_stat_replication", *((name, "streaming", "quorum", "0") for name in ("postgres-0", "postgres-1", "postgres-2") if name != own))
    return Api(own)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def step(api: Api, clock: Clock | None = None) -> Rolling:
    return Rolling(lambda _member: cast("Kube", api), clock or Clock())


def test_a_whole_rollout(pod: Pod, api: Api, capsys: pytest.CaptureFixture[str]):
    step_, own = step(api), pod.member.pod.name
    capsys.readouterr()
    for _ in range(6):
        step_(pod.member, PRIMARY)
    assert api.evicted == [*sorted({"postgres-0", "postgres-1", "postgres-2"} - {own}, reverse=True), own], "the primary last, and everybody once"
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["step"], line["message"], line.get("pod")) for line in lines] == [
        *(("rolling", "replacing a pod", name) for name in api.evicted),
        ("rolling", "every member has the newest template", None),
    ]
    assert all(line["reason"] for line in lines[:-1])
    asked = api.asked
    step_(pod.member, PRIMARY)
    assert api.asked == asked, "with nothing to do it reads one object"


@pytest.mark.parametrize(
    "changes",
    [{"strategy": "RollingUpdate"}, {"generation": 8}],
    ids=["the controller does it", "the controller has not seen the newest template yet"],
)
def test_whose_turn_it_is_not(changes: dict[str, Any], pod: Pod, api: Api):
    for name, value in changes.items():
        setattr(api, name, value)
    step(api)(pod.member, PRIMARY)
    assert api.evicted == []


def test_standbys_touch_nothing(pod: Pod):
    step(cast("Api", SimpleNamespace()))(pod.member, STANDBY)


def test_a_primary_that_has_lost_the_lock_touches_nothing(pod: Pod, api: Api):
    api.leader = "somebody-else"
    step(api)(pod.member, PRIMARY)
    assert api.evicted == []


def test_patronis_pause_holds_a_rollout_up(pod: Pod, api: Api, capsys: pytest.CaptureFixture[str]):
    pod.patroni.answers["GET /cluster"] = (200, {"members": [], "pause": True})
    capsys.readouterr()
    step(api)(pod.member, PRIMARY)
    assert api.evicted == []
    assert json.loads(capsys.readouterr().out)["reason"] == "Patroni is paused"


def test_a_reason_is_told_once_and_standing_still_is_a_failure(pod: Pod, api: Api, capsys: pytest.CaptureFixture[str]):
    clock = Clock()
    step_, api.refuse = step(api, clock), True
    capsys.readouterr()
    for _ in range(3):
        step_(pod.member, PRIMARY)
        clock.now += PATIENCE / 3
    assert len(capsys.readouterr().out.splitlines()) == 1
    clock.now += 1
    with pytest.raises(NotYet, match="stands still: the disruption budget"):
        step_(pod.member, PRIMARY)
    api.refuse = False
    step_(pod.member, PRIMARY)
    assert len(api.evicted) == 1


def test_standbys_that_stream_but_are_not_ready_go_one_by_one():
    """Since Patroni 4.1 a standby that has much to replay is not ready, and it still acknowledges commits."""
    streaming = {"pg-0": GOOD, "pg-1": GOOD}
    both = {"pg_0": "old unready", "pg_1": "old unready", "pg_2": "old"}
    act = decide("pg-2", both, found=streaming)
    assert act
    assert not act.pod
    one = decide("pg-2", {**both, "pg_0": "new"}, found=streaming)
    assert one
    assert one.pod == "pg-1", "the rollout may be what mends it"
    going = decide("pg-2", {**both, "pg_0": "new going"}, found=streaming)
    assert going
    assert not going.pod
    broken = decide("pg-2", both, found={"pg-0": GOOD})
    assert broken
    assert broken.pod == "pg-1", "nobody misses the one that does not stream"
