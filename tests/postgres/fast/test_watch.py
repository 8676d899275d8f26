"""What surrounds the protocol: probes over the network, the API server's compare-and-set, and what a new pod owes to its predecessor."""

from __future__ import annotations

import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from sos_constructs.postgres.agent import evidence, fast, fast_watch
from sos_constructs.postgres.agent.evidence import GAP, Renewals, patroni_answers, postgres_answers, silent
from sos_constructs.postgres.agent.fast import STEPS
from sos_constructs.postgres.agent.fast_cut import UNKNOWN, About
from sos_constructs.postgres.agent.kube_api import Conflict
from sos_constructs.postgres.agent.lock_store import Lock, Store
from sos_constructs.postgres.agent.metrics import Metrics
from sos_constructs.postgres.agent.reconcile import Member
from sos_constructs.postgres.alerts.fast_failover import FAST_FAILOVER
from sos_constructs.postgres.failover import FastFailover

import pytest

from tests import promql
from tests.postgres.example import spec
from tests.postgres.mounted import mount

LEADER = "configmaps/postgres-patroni-leader"


class FakeApi:
    """Two ConfigMaps behind HTTP, with the API server's rule about resourceVersion."""

    def __init__(self) -> None:
        self.objects: dict[str, dict[str, Any]] = {}
        self.status = 0
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                name = self.path.partition("/sos-app/")[2]
                found = fake.objects.get(name)
                self.answer(fake.status or (200 if found else 404), {"metadata": found})

            def do_PATCH(self) -> None:
                name = self.path.partition("/sos-app/")[2]
                change = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["metadata"]
                found = fake.objects[name]
                if change["resourceVersion"] != found["resourceVersion"]:
                    self.answer(409, {})
                    return
                found["resourceVersion"] += "1"
                found["annotations"] = {key: value for key, value in (found["annotations"] | change["annotations"]).items() if value is not None}
                self.answer(200, {"metadata": found})

            def answer(self, status: int, body: Any) -> None:
                self.send_response(status)
                self.end_headers()
                self.wfile.write(json.dumps(body).encode())

            def log_message(self, format: str, *arguments: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def lock(self, **annotations: str) -> None:
        self.objects[LEADER] = {"annotations": {"leader": "postgres-1", "renewTime": "r1", "ttl": "20"} | annotations, "resourceVersion": "7"}


@pytest.fixture
def api() -> Iterator[FakeApi]:
    made = FakeApi()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def member(tmp_path: Path, api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> Member:
    (tmp_path / "token").write_text("t")
    monkeypatch.setattr(fast_watch, "in_cluster_url", lambda _environment: f"http://127.0.0.1:{api.server.server_port}")
    return mount(tmp_path, spec(failover=FastFailover(), synchronous_mode_strict=True))


def store(member: Member) -> Store:
    return fast_watch.store_of(member, member.declared(), member.config_dir.parent, {})


def test_a_change_of_the_lock_is_refused_once_it_is_another(member: Member, api: FakeApi):
    api.lock()
    lock = store(member).lock()
    store(member).flag(lock, "postgres-0")
    assert store(member).lock().flagged == {"postgres-0"}
    with pytest.raises(Conflict):
        store(member).release(lock)
    assert not store(member).lock().released
    store(member).release(store(member).lock())
    assert store(member).lock().released
    store(member).withdraw(store(member).lock(), "postgres-0")
    assert store(member).lock().flags == {}


@pytest.mark.parametrize(
    ("flag", "status", "about"),
    [
        ("r1", 0, About("postgres-1", "r1")),
        ("r0", 0, None),
        (None, 0, None),
        ("r1", 503, UNKNOWN),
        ("r1", 404, None),
    ],
    ids=["its flag counts", "its flag is old", "no flag", "nobody says", "a new cluster"],
)
def test_a_new_pod_begins_as_its_flag_says(member: Member, api: FakeApi, flag: str | None, status: int, about: About | None):
    api.lock(**({"sos-constructs/cut-postgres-0": flag} if flag else {}))
    api.status = status
    fast_watch.keep_promise(member, member.config_dir.parent)
    assert fast_watch.cut_of(member).about() == about


def test_without_the_option_a_new_pod_asks_nobody(member: Member, api: FakeApi):
    (member.config_dir / "failover.json").unlink()
    api.lock(**{"sos-constructs/cut-postgres-0": "r1"})
    fast_watch.keep_promise(member, member.config_dir.parent)
    assert fast_watch.cut_of(member).about() is None


def test_what_alerts_look_at_is_sent_while_the_option_is_on(member: Member, api: FakeApi, monkeypatch: pytest.MonkeyPatch):
    """A cut is told also while the API server answers nothing, which is when it lasts."""
    metrics, told, rounds = Metrics(), list[str](), iter(("cut", "off", "end"))
    api.lock()
    api.status = 503

    def sleep(_seconds: float) -> None:
        told.append(metrics.text())
        match next(rounds):
            case "cut":
                fast_watch.cut_of(member).begin(About("postgres-1", "r1"))
            case "off":
                fast_watch.cut_of(member).folder.joinpath("libpqwalreceiver").unlink()
                (member.config_dir / "failover.json").unlink()
            case _:
                raise SystemExit

    monkeypatch.setattr(time, "sleep", sleep)
    with pytest.raises(SystemExit):
        fast_watch.watch_leader(member, metrics, member.config_dir.parent)
    assert [re.findall(r"^sos_agent_cut_off (.*)$", text, re.MULTILINE) for text in told] == [["0"], ["1"], []]
    assert 'sos_agent_reconcile_success{step="failover"} 0' in told[1]
    wanted = {series for alert in FAST_FAILOVER for series in promql.series(alert.expr) if series.startswith("sos_agent_")}
    assert wanted <= set(re.findall(r"^(\w+)", told[0], re.MULTILINE))
    assert set(re.findall(r'_tell\("(\w+)"', Path(fast.__file__).read_text())) == set(STEPS)
    assert {step for alert in FAST_FAILOVER for step in re.findall(r'step="(\w+)"', alert.expr)} <= set(STEPS)
    assert set(re.findall(r'sos_agent_failover_steps_total\{step="(\w+)"\} 0', told[0])) == set(STEPS)


def test_steps_are_counted(member: Member):
    metrics = Metrics()
    agent = fast_watch.new_agent(member, member.declared(), metrics, member.config_dir.parent, {})
    agent.count("flags")
    agent.count("flags")
    assert 'sos_agent_failover_steps_total{step="flags"} 2' in metrics.text()


# ---------------------------------------------------------------- evidence


def test_a_gap_in_watching_begins_the_count_anew():
    now = [100.0]
    renewals, lock = Renewals(lambda: now[0]), Lock("a", "r1", released=False, flags={}, version="1")
    age = renewals.age(lock)
    assert age == 0
    for _ in range(4):
        now[0] += GAP
        age = renewals.age(lock)
    assert age == 4 * GAP
    now[0] += GAP + 0.1
    assert renewals.age(lock) == 0
    now[0] += 1
    assert renewals.age(Lock("a", "r2", released=False, flags={}, version="2")) == 0


@pytest.fixture
def mute() -> Iterator[int]:
    """A frozen process: the kernel takes the connection, nobody answers."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        yield server.getsockname()[1]


def test_a_frozen_process_does_not_answer(mute: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(evidence, "ANSWER", 0.1)
    assert not patroni_answers("127.0.0.1", mute, tls=False)
    assert not patroni_answers("127.0.0.1", mute, tls=True)
    assert not postgres_answers("127.0.0.1", mute)
    assert silent("127.0.0.1", mute, mute, tls=False)


def test_any_answer_is_a_sign_of_life(api: FakeApi, mute: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(evidence, "ANSWER", 0.5)
    port = api.server.server_port
    assert patroni_answers("127.0.0.1", port, tls=False), "404 is an answer"
    assert patroni_answers("127.0.0.1", port, tls=True), "somebody is there, though not one we understand"
    assert not silent("127.0.0.1", port, mute, tls=False)


def test_a_server_that_says_no_to_tls_is_alive():
    with closing(socket.create_server(("127.0.0.1", 0))) as server:

        def answer() -> None:
            connection, _ = server.accept()
            assert connection.recv(8) == evidence.SSL_REQUEST
            connection.sendall(b"N")
            connection.close()

        thread = threading.Thread(target=answer)
        thread.start()
        assert postgres_answers("127.0.0.1", server.getsockname()[1])
        thread.join()
