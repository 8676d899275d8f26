"""What Patroni runs before it stops a server; on a real one: tests/postgres_live/test_fence.py."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

from sos_constructs.postgres.agent import before_stop, fence
from sos_constructs.postgres.agent.before_stop import READERS, main, turn_out
from sos_constructs.postgres.agent.psql import Psql

import pytest

from tests.postgres.agent.fakes import FakePsql


@pytest.fixture
def psql(tmp_path: Path) -> FakePsql:
    return FakePsql(tmp_path)


@pytest.fixture
def file(tmp_path: Path, psql: FakePsql) -> Path:
    """Patroni's, beside the fence's."""
    postgresql = {
        "authentication": {"superuser": {"username": "postgres"}},
        "bin_dir": str(psql.bin_dir),
        "parameters": {"unix_socket_directories": str(tmp_path)},
    }
    path = tmp_path / "patroni.yml"
    path.write_text(json.dumps({"postgresql": postgresql}))
    fence.prepare(tmp_path)
    return path


def said(capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    event: dict[str, object] = json.loads(capsys.readouterr().out)
    return event


def test_it_is_closed_before_anybody_is_disconnected(file: Path, psql: FakePsql, capsys: pytest.CaptureFixture[str]):
    main([str(file)])
    assert (file.parent / fence.FILE).read_text() == fence.CLOSED
    assert psql.asked() == [fence.RELOAD, READERS]
    assert said(capsys)["disconnected"] == 0


def test_it_looks_until_nobody_is_left(file: Path, psql: FakePsql):
    psql.answer("pg_terminate_backend", ("t",), ("t",))
    server = Psql(str(psql.bin_dir), str(file.parent), "postgres")
    assert turn_out(file.parent, server, lambda _seconds: psql.answer("pg_terminate_backend")) == 2
    assert psql.asked() == [fence.RELOAD, READERS, READERS]


def test_a_server_that_refuses_holds_nobody_up(file: Path, psql: FakePsql, capsys: pytest.CaptureFixture[str]):
    psql.answer("pg_reload_conf", error="psql: error: no")
    main([str(file)])
    assert (file.parent / fence.FILE).read_text() == fence.CLOSED, "it comes back closed"
    assert said(capsys)["level"] == "warning"


def test_a_server_that_does_not_answer_holds_nobody_up_for_long(file: Path, psql: FakePsql):
    program = psql.bin_dir / "psql"
    program.write_text("#!/bin/sh\nexec sleep 20 >/dev/null 2>&1\n")
    command = [sys.executable, "-m", before_stop.__name__, str(file)]
    assert subprocess.run(command, timeout=15, check=False).returncode == -signal.SIGALRM
