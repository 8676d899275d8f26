"""Calls to a server that hangs, trickles, cuts off or answers something else: each has ended in time, with the error that callers expect."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sos_constructs.postgres.agent import kube_api
from sos_constructs.postgres.agent.kube_api import Conflict, Kube, KubeError, Throttled
from sos_constructs.postgres.agent.patroni_api import Patroni, PatroniError

import pytest

OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


def hang(peer: socket.socket, over: threading.Event) -> None:
    del peer
    over.wait(30)


def trickle(start: bytes) -> Callable[[socket.socket, threading.Event], None]:
    def answer(peer: socket.socket, over: threading.Event) -> None:
        peer.sendall(start)
        while not over.wait(0.05):
            peer.sendall(b" ")

    return answer


def say(*parts: bytes) -> Callable[[socket.socket, threading.Event], None]:
    def answer(peer: socket.socket, _over: threading.Event) -> None:
        for part in parts:
            peer.sendall(part)

    return answer


@contextmanager
def listening(answer: Callable[[socket.socket, threading.Event], None]) -> Iterator[tuple[str, list[bytes]]]:
    """An address, and the requests that came."""
    over, came = threading.Event(), list[bytes]()
    server = socket.create_server(("127.0.0.1", 0))
    server.settimeout(0.05)

    def serve() -> None:
        while not over.is_set():
            with suppress(OSError):
                peer, _ = server.accept()
                with peer, suppress(OSError):
                    peer.settimeout(10)
                    came.append(peer.recv(1 << 16))
                    answer(peer, over)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.getsockname()[1]}", came
    finally:
        over.set()
        thread.join(20)
        server.close()


HOSTILE = {
    "hangs": hang,
    "closes": say(b""),
    "trickles headers": trickle(OK),
    "trickles a body": trickle(OK + b"Content-Length: 100000\r\n\r\n{"),
    "trickles without an end": trickle(OK + b"\r\n{"),
    "trickles chunks": trickle(OK + b"Transfer-Encoding: chunked\r\n\r\n100000\r\n{"),
    "is cut off": say(OK + b"Content-Length: 100\r\n\r\n{}"),
    "is cut off in a chunk": say(OK + b"Transfer-Encoding: chunked\r\n\r\n64\r\n{}"),
    "speaks something else": say(b"220 mail.example ESMTP\r\n"),
    "has too many headers": say(OK + b"X: y\r\n" * 200 + b"\r\n{}"),
    "has a bad chunk": say(OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}"),
    "answers no JSON": say(OK + b"Content-Length: 2\r\n\r\n\xff\xfe"),
    "answers a list": say(OK + b"Content-Length: 2\r\n\r\n[]"),
    "fails": say(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"),
}


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "token").write_text("of-the-pod")
    yield tmp_path
    kube_api._pauses.clear()


@pytest.mark.parametrize("kind", HOSTILE)
def test_the_api_server(kind: str, folder: Path):
    with listening(HOSTILE[kind]) as (url, _):
        kube, began = Kube(url, "sos-app", folder, timeout=0.5), time.monotonic()
        with pytest.raises(KubeError) as told:
            kube.annotations("pg-leader")
        assert type(told.value) is KubeError
        assert time.monotonic() - began < 5, "each part of the answer came in time, and all together did not"


@pytest.mark.parametrize("kind", sorted(HOSTILE.keys() - {"answers a list"}))
def test_a_watch(kind: str, folder: Path):
    with listening(HOSTILE[kind]) as (url, _):
        kube, began = Kube(url, "sos-app", folder, timeout=0.5), time.monotonic()
        with suppress(KubeError):  # an end is none
            list(kube.watch_annotations("pg-leader", 0.2))
        assert time.monotonic() - began < 5


@pytest.mark.parametrize("kind", sorted(HOSTILE.keys() - {"answers a list", "fails"}))
def test_patroni(kind: str):
    with listening(HOSTILE[kind]) as (url, _):
        began = time.monotonic()
        if kind == "answers no JSON":
            with pytest.raises(PatroniError, match="UnicodeDecodeError"):
                Patroni(url, "u", "p")._call("GET", "/config", seconds=0.5)
            return
        with pytest.raises(PatroniError):
            Patroni(url, "u", "p")._call("GET", "/config", seconds=0.5)
        assert time.monotonic() - began < 5


def test_a_throttled_call_is_no_conflict_and_the_next_waits(folder: Path):
    busy = say(b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n")
    with listening(busy) as (url, came):
        kube = Kube(url, "sos-app", folder, timeout=2.0)
        for _ in range(5):
            with pytest.raises(Throttled):
                kube.annotations("pg-leader")
        assert len(came) == 1, "the others were not sent"
        assert not issubclass(Throttled, Conflict)


def test_an_eviction_that_the_budget_refuses_is_a_conflict(folder: Path):
    with listening(say(b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 10\r\nContent-Length: 0\r\n\r\n")) as (url, came):
        kube = Kube(url, "sos-app", folder, timeout=2.0)
        for _ in range(2):
            with pytest.raises(Conflict):
                kube.evict("pg-1")
        assert len(came) == 2
