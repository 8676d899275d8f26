"""A Patroni and a psql that answer what a test says and remember what they were asked."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from sos_constructs.postgres.agent.psql import FIELD, RECORD
from sos_constructs.postgres.agent.reconcile import Member
from sos_constructs.postgres.spec import Spec

from attrs import define, field


@define
class FakePatroni:
    """The REST API of one member: a role, a store, and failures on demand."""

    answers: dict[str, tuple[int, Any]] = field(factory=lambda: {"GET /patroni": (200, {"role": "primary", "state": "running"}), "GET /config": (200, {})})
    """By method and path: status and body. Unknown unsafe calls succeed."""
    calls: list[tuple[str, Any, str]] = field(factory=list)
    """Method and path, body, login."""
    url: str = ""

    def role(self, role: str, state: str = "running", **more: str) -> None:
        self.answers["GET /patroni"] = (200 if state == "running" else 503, {"role": role, "state": state, **more})

    def changes(self) -> list[tuple[str, Any]]:
        return [(what, body) for what, body, _ in self.calls if not what.startswith("GET")]

    @contextmanager
    def listening(self) -> Iterator[FakePatroni]:
        server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()
            thread.join()

    def port_for(self, made: Spec, member: Member) -> None:
        """Let the mounted configuration name this server's port instead of 8008."""
        path = member.config_dir / "patroni.json"
        config = json.loads(path.read_text())
        config["restapi"]["listen"] = f"*:{self.url.rpartition(':')[2]}"
        path.write_text(json.dumps(config))

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                what = f"{self.command} {self.path}"
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                login = base64.b64decode(self.headers.get("Authorization", "").removeprefix("Basic ")).decode()
                fake.calls.append((what, json.loads(body) if body else None, login))
                status, value = fake.answers.get("GET /patroni" if what == "GET /health" else what, (200, "done"))
                payload = value.encode() if isinstance(value, str) else json.dumps(value).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(payload)))
                self.end_headers()
                self.wfile.write(payload)

            def do_GET(self) -> None:
                self.answer()

            def do_POST(self) -> None:
                self.answer()

            def do_PATCH(self) -> None:
                self.answer()

            def log_message(self, format: str, *arguments: object) -> None:
                pass

        return Handler


SCRIPT = """#!/bin/sh
cd {folder}
sql=$(cat)
printf '%s\\n' "$*" >> arguments
env >> environment
printf '%s\\n--\\n' "$sql" >> asked
for pattern in patterns/*; do
  [ -e "$pattern" ] || continue
  if printf '%s' "$sql" | grep -qFf "$pattern"; then
    answer=answers/$(basename "$pattern")
    [ -e "$answer.err" ] && {{ cat "$answer.err" >&2; exit 3; }}
    cat "$answer"
    exit 0
  fi
done
"""


class FakePsql:
    """``bin_dir/psql``: the first pattern that the SQL contains decides the answer; SQL without one succeeds with no rows."""

    def __init__(self, folder: Path) -> None:
        self.bin_dir, self.folder, self._count = folder / "bin", folder / "psql", 0
        for path in (self.bin_dir, self.folder, self.folder / "patterns", self.folder / "answers"):
            path.mkdir()
        program = self.bin_dir / "psql"
        program.write_text(SCRIPT.format(folder=self.folder))
        program.chmod(0o755)

    def answer(self, pattern: str, *rows: tuple[str, ...], error: str = "") -> None:
        """Later answers to a pattern win over earlier ones."""
        self._count += 1
        name = f"{999 - self._count}"
        (self.folder / "patterns" / name).write_text(pattern)
        (self.folder / "answers" / name).write_text(RECORD.join(FIELD.join(row) for row in rows) + ("\n" if rows else ""))
        if error:
            (self.folder / "answers" / f"{name}.err").write_text(error)

    def asked(self) -> list[str]:
        path = self.folder / "asked"
        return path.read_text().split("\n--\n")[:-1] if path.exists() else []

    def changes(self) -> list[str]:
        return [sql for sql in self.asked() if not sql.lstrip().startswith("SELECT")]

    def arguments(self) -> str:
        return (self.folder / "arguments").read_text()

    def environment(self) -> str:
        return (self.folder / "environment").read_text()
