"""What is said when the API server refuses: its own words, since a number alone has many reasons."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from sos_constructs.postgres.agent.kube_api import LONGEST_REASON, Conflict, Kube, KubeError, NotFound, Throttled, _pauses

import pytest

RESIZE = "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize"


@contextmanager
def answering(status: int, body: bytes, folder: Path) -> Iterator[Kube]:
    """An API server that says this to everything."""

    class Handler(BaseHTTPRequestHandler):
        def do_PATCH(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    (folder / "token").write_text("of-the-pod")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield Kube(f"http://127.0.0.1:{server.server_port}", "sos-app", folder)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.parametrize(("status", "kind"), [(403, KubeError), (404, NotFound), (409, Conflict), (429, Throttled)])
def test_the_api_servers_words_are_passed_on(tmp_path: Path, status: int, kind: type[KubeError]):
    body = json.dumps({"kind": "Status", "message": RESIZE, "code": status}).encode()
    with answering(status, body, tmp_path) as kube, pytest.raises(kind) as told:
        kube.enlarge("data-postgres-0", "60Gi")
    _pauses.clear()
    assert type(told.value) is kind
    assert str(told.value) == f"PATCH persistentvolumeclaims/data-postgres-0: HTTP {status}, {RESIZE}"


@pytest.mark.parametrize("body", [b"", b"<html>Bad Gateway</html>", b"[]", b"{}", b'{"message": "' + b"x" * LONGEST_REASON + b'"}'])
def test_an_answer_without_words(tmp_path: Path, body: bytes):
    with answering(502, body, tmp_path) as kube, pytest.raises(KubeError) as told:
        kube.enlarge("data-postgres-0", "60Gi")
    assert str(told.value) == "PATCH persistentvolumeclaims/data-postgres-0: HTTP 502"
