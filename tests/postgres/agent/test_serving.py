"""The label by which a former primary stays out of its Services, against a made-up API server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sos_constructs.postgres.agent.kube_api import Conflict
from sos_constructs.postgres.agent.serving import LOOK_SECONDS, OUT, SERVING, Serving

import pytest


class Api:
    """One pod, the lock, and what happens between two looks."""

    def __init__(self, **labels: str) -> None:
        self.labels: dict[str, str | None] = {**OUT, **labels}
        self.leader, self.version, self.looks = "pg-1", 1, 0
        self.conflicts = 0
        self.lets_in = False
        self.watched: list[tuple[dict[str, str], float]] = []
        self.seen = ["pg-1", "pg-0"]

    def metadata(self, path: str) -> dict[str, Any]:
        assert path == "pods/pg-0"
        self.looks += 1
        return {"name": "pg-0", "labels": {key: value for key, value in self.labels.items() if value}, "resourceVersion": str(self.version)}

    def annotations(self, config_map: str) -> dict[str, str]:
        assert config_map == "pg-leader"
        return {"leader": self.leader}

    def label(self, pod: dict[str, Any], labels: dict[str, str | None]) -> None:
        assert pod["resourceVersion"] == str(self.version)
        if self.conflicts:
            self.conflicts -= 1
            raise Conflict("PATCH pods/pg-0: HTTP 409")
        self.labels |= labels

    def watch_pods(self, labels: dict[str, str], seconds: float) -> Iterator[dict[str, Any]]:
        self.watched.append((labels, seconds))
        return iter([{"name": name} for name in self.seen])

    @property
    def serves(self) -> bool:
        return self.labels.items() >= SERVING.items()

    def of_this_pod(self, sleep: Any = None) -> Serving:
        return Serving("pg-0", "pg-leader", "role", {"app": "pg"}, lambda: self.lets_in, sleep or (lambda _: None))


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
def test_the_holder_of_the_lock_comes_back_at_once(role: str):
    api = Api(role=role)
    api.leader = "pg-0"
    assert (look(api), api.serves) == (True, True)


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


def test_its_own_pod_alone_is_watched_until_it_is_back():
    api, slept = Api(role="primary"), list[float]()

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 2:
            api.labels["role"], api.lets_in = "replica", True

    kube: Any = api
    api.of_this_pod(sleep).watch(kube, 20.0)
    assert api.watched == [({"app": "pg", **OUT}, 20.0)]
    assert (slept, api.serves) == ([LOOK_SECONDS] * 2, True)


def test_of_others_nothing_is_asked():
    api = Api(role="replica")
    api.seen = ["pg-1", "pg-2"]
    kube: Any = api
    api.of_this_pod().watch(kube, 20.0)
    assert api.looks == 0
