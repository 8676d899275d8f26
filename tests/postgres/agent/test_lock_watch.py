"""The watches of the lock and of the label primary, against a made-up API server that speaks HTTP."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from sos_constructs.postgres.agent.kube_api import Kube, KubeError
from sos_constructs.postgres.agent.lock_watch import LockWatch, watch_rivals

import pytest


class Api:
    """Answers one watch with the lines it was given."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.status = 200
        self.asked: list[str] = []

    def leader(self, *names: str | None) -> None:
        self.events = [{"type": "MODIFIED", "object": {"metadata": {"annotations": {"leader": name} if name else {}}}} for name in names]


@pytest.fixture
def api() -> Api:
    return Api()


@pytest.fixture
def kube(api: Api, tmp_path: Path) -> Iterator[Kube]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            api.asked.append(self.path)
            self.send_response(api.status)
            self.end_headers()
            for event in api.events:
                self.wfile.write(json.dumps(event).encode() + b"\n")

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    (tmp_path / "token").write_text("t")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield Kube(f"http://127.0.0.1:{server.server_port}", "ns", tmp_path)
    server.shutdown()
    server.server_close()
    thread.join()


def test_the_lock_acts_once_when_it_becomes_ours(api: Api, kube: Kube):
    acted: list[Kube] = []
    watch = LockWatch("pg-0", "pg-leader", acted.append)
    api.leader("pg-1", None, "pg-0", "pg-0")
    watch.round(kube)
    assert len(acted) == 1
    watch.round(kube)
    assert len(acted) == 2, "it was another's in between"
    api.leader("pg-0", "pg-0")
    watch.round(kube)
    assert len(acted) == 2, "a new watch of the same lock"
    assert "fieldSelector=metadata.name%3Dpg-leader" in api.asked[0]


def test_what_failed_is_done_again(api: Api, kube: Kube):
    calls: list[Kube] = []

    def fail_once(kube: Kube) -> None:
        calls.append(kube)
        if len(calls) == 1:
            raise KubeError("no")

    watch = LockWatch("pg-0", "pg-leader", fail_once)
    api.leader("pg-0")
    with pytest.raises(KubeError):
        watch.round(kube)
    watch.round(kube)
    watch.round(kube)
    assert len(calls) == 2


@pytest.mark.parametrize("status", [403, 500])
def test_a_refused_watch_is_an_error(api: Api, kube: Kube, status: int):
    api.status = status
    with pytest.raises(KubeError, match=str(status)):
        LockWatch("pg-0", "pg-leader", lambda _: None).round(kube)


def test_an_expired_watch_is_an_error(api: Api, kube: Kube):
    api.events = [{"type": "ERROR", "object": {"code": 410}}]
    with pytest.raises(KubeError, match="410"):
        LockWatch("pg-0", "pg-leader", lambda _: None).round(kube)


def test_another_pod_that_is_labelled_primary_is_looked_at_at_once(api: Api, kube: Kube):
    looks: list[Kube] = []
    guard: Any = SimpleNamespace(pod="pg-0", selector={"app": "pg"}, role_label="role", take_labels=looks.append)
    api.events = [{"type": kind, "object": {"metadata": {"name": name}}} for kind, name in (("ADDED", "pg-0"), ("ADDED", "pg-1"), ("DELETED", "pg-1"))]
    watch_rivals(guard, kube)
    assert len(looks) == 1
    assert "/pods?watch=1" in api.asked[0]
    assert api.asked[0].endswith("labelSelector=app%3Dpg%2Crole%3Dprimary")


def test_whoever_wants_to_know_hears_of_every_change_of_the_lock(api: Api, kube: Kube):
    heard: list[dict[str, str]] = []
    api.leader("pg-1", "pg-1", None)
    LockWatch("pg-0", "pg-leader", lambda _: None, heard.append).round(kube)
    assert heard == [{"leader": "pg-1"}, {"leader": "pg-1"}, {}]
