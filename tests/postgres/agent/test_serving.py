"""The label by which a former primary stays out of its Services, against a made-up API server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sos_constructs.postgres.agent.kube_api import Conflict
from sos_constructs.postgres.agent.serving import LATER, LOOK_SECONDS, OUT, SERVING, WATCH_SECONDS, Serving

import pytest


class Api:
    """One pod, the lock, and what happens between two looks."""

    def __init__(self, **labels: str) -> None:
        self.labels: dict[str, str | None] = {**OUT, **labels}
        self.leader, self.version, self.looks = "pg-1", 1, 0
        self.conflicts, self.now = 0, 0.0
        self.lets_in, self.leads = False, False
        self.renewed = "r"
        self.put_back: list[str] = []
        self.watched: list[tuple[dict[str, str], float]] = []
        self.seen = ["pg-1", "pg-0"]
        self.ending: set[str] = set()

    def metadata(self, path: str) -> dict[str, Any]:
        assert path == "pods/pg-0"
        self.looks += 1
        return self.pod("pg-0", {key: value for key, value in self.labels.items() if value})

    def pod(self, name: str, labels: dict[str, str]) -> dict[str, Any]:
        return {"name": name, "labels": labels, "resourceVersion": str(self.version), **({"deletionTimestamp": "now"} if name in self.ending else {})}

    def annotations(self, config_map: str) -> dict[str, str]:
        assert config_map == "pg-leader"
        return {"leader": self.leader, "renewTime": self.renewed}

    def label(self, pod: dict[str, Any], labels: dict[str, str | None]) -> None:
        assert pod["resourceVersion"] == str(self.version)
        if self.conflicts:
            self.conflicts -= 1
            raise Conflict("PATCH pods/pg-0: HTTP 409")
        self.put_back.append(pod["name"])
        if pod["name"] == "pg-0":
            self.labels |= labels

    def watch_pods(self, labels: dict[str, str], seconds: float) -> Iterator[dict[str, Any]]:
        self.watched.append((labels, seconds))
        return iter([self.pod(name, dict(OUT)) for name in self.seen])

    @property
    def serves(self) -> bool:
        return self.labels.items() >= SERVING.items()

    def of_this_pod(self, sleep: Any = None) -> Serving:
        return Serving("pg-0", "pg-leader", "role", {"app": "pg"}, lambda: self.leads, lambda: self.lets_in, lambda: self.now, sleep or (lambda _: None))


def look(api: Api) -> bool:
    kube: Any = api
    return api.of_this_pod().come_back(kube)


def test_a_standby_comes_back_when_clients_may_connect():
    api = Api(role="replica")
    assert (look(api), api.serves) == (False, False)
    api.lets_in = True
    assert (look(api), api.serves) == (True, True)


def test_one_that_is_still_labelled_primary_does_not_come_back():
    """Patroni's stale word at the end of a cut, while the server may have a stream already."""
    api = Api(role="primary")
    api.lets_in = True
    assert (look(api), api.serves) == (False, False)


@pytest.mark.parametrize("role", ["primary", "replica", ""])
def test_who_gets_the_lock_comes_back_at_once(role: str):
    """Before its server is a primary: the Service must have it when Patroni labels it."""
    api = Api(role=role)
    api.leader = "pg-0"
    kube: Any = api
    assert (api.of_this_pod().come_back(kube, got_lock=True), api.serves) == (True, True)


def test_who_has_the_lock_comes_back_when_its_server_leads():
    """One that stands still has the lock, too, until it ends."""
    api = Api(role="primary")
    api.leader, api.lets_in = "pg-0", True
    assert (look(api), api.serves) == (False, False)
    api.leads = True
    assert (look(api), api.serves) == (True, True)


@pytest.mark.parametrize("leader", ["pg-0", "pg-1"])
def test_a_pod_that_ends_stays_out(leader: str):
    """It took itself out, for its successor, while its server still led."""
    api = Api(role="replica")
    api.leader, api.leads, api.lets_in, api.ending = leader, True, True, {"pg-0"}
    assert (look(api), api.serves) == (False, False)


def test_a_lock_that_was_taken_meanwhile_brings_nobody_back():
    api = Api(role="primary")
    api.leads = True
    kube: Any = api
    assert (api.of_this_pod().come_back(kube, got_lock=True), api.serves) == (False, False)


@pytest.mark.parametrize("labels", [SERVING, {}], ids=["never taken out", "the label is gone"])
def test_who_is_not_out_is_left_alone(labels: dict[str, str]):
    api = Api()
    api.labels = {"role": "replica", **labels}
    api.lets_in = True
    assert look(api)
    assert api.labels == {"role": "replica", **labels}


def test_what_has_changed_meanwhile_is_looked_at_again():
    api = Api(role="replica")
    api.lets_in, api.conflicts = True, 1
    assert (look(api), api.serves) == (False, False)
    assert (look(api), api.serves) == (True, True)


def test_its_own_pod_is_watched_until_it_is_back():
    api, slept = Api(role="primary"), list[float]()

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        api.now += 30
        if len(slept) == 4:
            api.labels["role"], api.lets_in = "replica", True

    kube: Any = api
    api.of_this_pod(sleep).watch(kube)
    assert api.watched == [({"app": "pg", **OUT}, WATCH_SECONDS)]
    assert (slept, api.serves) == ([LOOK_SECONDS, LOOK_SECONDS, LATER, LATER], True)


def test_a_leader_whose_own_agent_is_down_is_brought_back_when_it_has_renewed():
    api = Api()
    api.seen = ["pg-1", "pg-2"]
    kube: Any = api
    serving = api.of_this_pod()
    serving.watch(kube)
    serving.watch(kube)
    assert api.put_back == [], "it may be dead, and its lock not ended yet"
    api.renewed = "s"
    serving.watch(kube)
    assert api.put_back == ["pg-1"]
    assert api.looks == 0, "nothing is asked of this pod"


def test_a_leader_that_ends_is_not_brought_back():
    api = Api()
    api.seen, api.ending = ["pg-1"], {"pg-1"}
    kube: Any = api
    serving = api.of_this_pod()
    for api.renewed in ("r", "s", "t"):
        serving.watch(kube)
    assert api.put_back == []


def test_of_a_leader_that_is_taken_out_again_nothing_is_remembered():
    api = Api()
    api.seen = ["pg-1"]
    kube: Any = api
    serving = api.of_this_pod()
    serving.watch(kube)
    api.seen = []
    serving.watch(kube)
    api.seen, api.renewed = ["pg-1"], "s"
    serving.watch(kube)
    assert api.put_back == []
    api.leader = "pg-2"
    serving.watch(kube)
    api.leader, api.renewed = "pg-1", "t"
    serving.watch(kube)
    assert api.put_back == []
