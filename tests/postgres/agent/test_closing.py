"""Turning clients out of a primary that ends; on a real server: tests/postgres_live/test_fence.py."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path
from typing import Any

from sos_constructs.postgres.agent import closing, fence
from sos_constructs.postgres.agent.closing import STANDBY, TURN_OUT, TooLong, close, close_in_time, limit

import pytest

from tests.postgres.agent.fakes import FakePsql


@pytest.fixture
def psql(tmp_path: Path) -> FakePsql:
    fence.prepare(tmp_path)
    return FakePsql(tmp_path)


def config(psql: FakePsql) -> dict[str, Any]:
    postgresql = {"bin_dir": str(psql.bin_dir), "parameters": {"unix_socket_directories": "/socket"}}
    return {"postgresql": postgresql | {"authentication": {"superuser": {"username": "postgres"}}}}


def said(capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    event: dict[str, object] = json.loads(capsys.readouterr().out)
    return event


def content(folder: Path) -> str:
    return (folder / fence.FILE).read_text()


def answers_then(psql: FakePsql, first: str, then: str = "") -> None:
    """A shell command before the first answer, which is a row, and one before the second, which is none."""
    program = psql.bin_dir / "psql"
    rest = program.read_text().partition("\n")[2]
    count = psql.folder / "count"
    program.write_text(
        f"#!/bin/sh\nif grep -q terminate; then echo x >> {count}; else exit 0; fi\n"
        f"case $(wc -l < {count}) in 1) {first};; 2) {then or ':'};; esac\nexit 0\n{rest}"
    )


def test_it_is_closed_before_anybody_is_disconnected(tmp_path: Path, psql: FakePsql, capsys: pytest.CaptureFixture[str]):
    close(tmp_path, config(psql))
    assert content(tmp_path) == fence.CLOSED
    assert psql.asked() == [STANDBY, TURN_OUT]
    assert said(capsys)["level"] == "info"
    reload, readers, rest = TURN_OUT.split("\n")
    assert "pg_reload_conf" in reload
    assert "backend_xid IS NULL" in readers
    assert rest == closing.LEAVE_WAITS


def test_it_looks_until_nobody_is_left(tmp_path: Path, psql: FakePsql):
    answers_then(psql, "echo t")
    close(tmp_path, config(psql))
    assert (psql.folder / "count").read_text() == "x\nx\n"


def test_it_is_closed_again_where_the_agent_has_opened_it(tmp_path: Path, psql: FakePsql):
    """Which it does twice a second as long as the lock is ours: the server may have read either."""
    answers_then(psql, f": > {tmp_path / fence.FILE}")
    close(tmp_path, config(psql))
    assert (psql.folder / "count").read_text() == "x\nx\n"
    assert content(tmp_path) == fence.CLOSED


def test_a_standby_stays_open(tmp_path: Path, psql: FakePsql):
    """Whoever reads there may go on until it ends, and again when it is back, with or without a primary."""
    psql.answer("pg_is_in_recovery", ("t",))
    close(tmp_path, config(psql))
    assert psql.asked() == [STANDBY]
    assert content(tmp_path) == fence.OPEN


def test_a_server_that_refuses_holds_nobody_up(tmp_path: Path, psql: FakePsql, capsys: pytest.CaptureFixture[str]):
    psql.answer("pg_reload_conf", error="psql: error: no")
    close(tmp_path, config(psql))
    assert content(tmp_path) == fence.CLOSED, "it comes back closed"
    assert said(capsys)["level"] == "warning"


def test_a_server_that_does_not_answer_holds_nobody_up_for_long(
    tmp_path: Path, psql: FakePsql, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    (psql.bin_dir / "psql").write_text("#!/bin/sh\nexec sleep 300\n")
    monkeypatch.setattr(closing, "SECONDS", 1)
    close_in_time(tmp_path, config(psql))
    assert said(capsys)["message"] == "not done after 1 s"


def test_what_was_done_in_time_is_not_broken_off_later():
    with limit(1):
        pass
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)
    with pytest.raises(TooLong), limit(1):
        time.sleep(300)
