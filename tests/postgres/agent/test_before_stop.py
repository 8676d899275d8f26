"""What Patroni runs before it stops a server; on a real one: tests/postgres_live/test_fence.py."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sos_constructs.postgres.agent import before_stop, fence
from sos_constructs.postgres.agent.before_stop import READERS, main, turn_out
from sos_constructs.postgres.agent.kube_api import KubeError
from sos_constructs.postgres.agent.patroni_api import Patroni
from sos_constructs.postgres.agent.psql import Psql
from sos_constructs.postgres.agent.switchover import Request

import pytest

from tests.postgres.agent.fakes import FakePsql


class Api:
    """Kubernetes; nobody asked for a switchover, unless a test says so."""

    def __init__(self, asked: dict[str, str] | KubeError | None = None) -> None:
        self.asked = asked or {}

    def annotations(self, config_map: str) -> dict[str, str]:
        if isinstance(self.asked, KubeError):
            raise self.asked
        return self.asked if config_map == "pg-failover" else {"leader": "pg-0", "config": "{}"}


def stop(file: Path, api: Api | None = None) -> None:
    kube: Any = api or Api()
    main([str(file)], kube)


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
    path.write_text(json.dumps({"name": "pg-0", "postgresql": postgresql, "restapi": {"listen": "*:8008"}, "scope": "pg"}))
    fence.prepare(tmp_path)
    return path


def said(capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    event: dict[str, object] = json.loads(capsys.readouterr().out)
    return event


def test_it_is_closed_before_anybody_is_disconnected(file: Path, psql: FakePsql, capsys: pytest.CaptureFixture[str]):
    stop(file)
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
    stop(file)
    assert (file.parent / fence.FILE).read_text() == fence.CLOSED, "it comes back closed"
    assert said(capsys)["level"] == "warning"


def test_without_the_api_server_it_is_closed_too(file: Path, psql: FakePsql, capsys: pytest.CaptureFixture[str]):
    stop(file, Api(KubeError("GET configmaps/pg-failover: TimeoutError")))
    assert psql.asked() == [fence.RELOAD, READERS]
    assert "TimeoutError" in capsys.readouterr().out


def test_a_switchover_is_carried_out(file: Path, psql: FakePsql, monkeypatch: pytest.MonkeyPatch):
    seen: list[Request] = []

    def switch_over(_kube: object, _config: object, patroni_file: Path, request: Request, close: Callable[[], None]) -> None:
        assert patroni_file == file
        seen.append(request)
        assert psql.asked() == []
        close()

    monkeypatch.setattr(before_stop, "switch_over", switch_over)
    monkeypatch.setattr(Patroni, "state", lambda _patroni: "stopping")
    stop(file, Api({"leader": "pg-0", "member": "pg-1"}))
    assert seen == [Request("pg-1")]
    assert psql.asked() == [fence.RELOAD, READERS]


def test_a_server_that_does_not_answer_holds_nobody_up_for_long(
    file: Path, psql: FakePsql, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    (psql.bin_dir / "psql").write_text("#!/bin/sh\nexec sleep 20\n")
    monkeypatch.setattr(before_stop, "LONGEST", 1)
    began = time.monotonic()
    stop(file)
    assert time.monotonic() - began < 15
    assert said(capsys)["level"] == "warning"
