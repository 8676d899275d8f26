"""The question that the pooler's agent asks, put to a real PgBouncer with our configuration in front of a real PostgreSQL."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sos_constructs.postgres.agent import pooler_probe
from sos_constructs.postgres.agent.pooler_probe import refused
from sos_constructs.postgres.pooler import Pooler, ini

import pytest
from attrs import frozen

from tests import programs
from tests.postgres.pooler.example import pooled
from tests.postgres_live.conftest import Postgres, PostgresFactory
from tests.waiting import until

PASSWORD = "canary-0123456789"
FAILING = "FATAL:  server login has been failing, try again later (server_login_retry)"
"""What every client gets once the first have waited in vain: at once, so that none is seen waiting."""
HBA = "local all pgbouncer scram-sha-256"


@frozen
class Pooled:
    """A PgBouncer, its server, and what its agent knows."""

    server: Postgres
    declared: dict[str, Any]

    def refusal(self) -> str:
        return refused(self.declared, "primary", PASSWORD)


@pytest.fixture(scope="module")
def behind(postgres_factory: PostgresFactory) -> Iterator[Pooled]:
    program = programs.program("pgbouncer")
    server = postgres_factory(hba=HBA)
    server.psql(f"CREATE ROLE pgbouncer LOGIN PASSWORD '{PASSWORD}'")
    server.psql("CREATE DATABASE auth")
    folder = server.data_dir.parent / "pooler"
    folder.mkdir()
    options = Pooler(readonly=False)
    made = pooled(options, tls=None)
    text = ini.text(made, options, "primary")
    for ours, here in (
        ("host=postgres-service", f"host={server.socket_dir}"),
        ("listen_addr = *", "listen_addr ="),
        ("unix_socket_dir = /run/sos/primary", f"unix_socket_dir = {folder}"),
        ("auth_file = /run/sos/userlist.txt", f"auth_file = {folder}/userlist.txt"),
    ):
        assert ours in text
        text = text.replace(ours, here)
    (folder / "userlist.txt").write_text(f'"pgbouncer" "{PASSWORD}"\n')
    (folder / "primary.ini").write_text(text)
    if server.as_user:
        for path in (folder, *folder.iterdir()):
            os.chown(path, server.as_user["user"], server.as_user["group"])
    declared: dict[str, Any] = ini.declared(made, options) | {"bin_dir": str(server.bin_dir)}
    declared["sides"]["primary"]["socket_dir"] = str(folder)
    with (folder / "log").open("w") as log, subprocess.Popen([program, folder / "primary.ini"], stdout=log, stderr=log, **server.as_user) as process:
        try:
            until((folder / ".s.PGSQL.6432").exists, (folder / "log").read_text)
            yield Pooled(server, declared)
        finally:
            process.kill()


def eventually(behind: Pooled, *, served: bool) -> str:
    """What a client is told once it is served, or not served, as it should come to."""
    told = [""]

    def as_it_should() -> bool:
        told.append(behind.refusal())
        return (told[-1] == "") is served

    until(as_it_should, lambda: told[-1])
    return told[-1]


def told_at_last(behind: Pooled) -> str:
    """What a client is told after the first one that was not served."""
    eventually(behind, served=False)
    return behind.refusal()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(pooler_probe, "SECONDS", 2.0)


def test_it_is_answered_over_one_connection(behind: Pooled):
    assert behind.refusal() == behind.refusal() == ""
    assert behind.server.psql("SELECT count(*) FROM pg_stat_activity WHERE usename = 'pgbouncer'") == "1"


def test_a_password_that_the_server_does_not_take(behind: Pooled):
    behind.server.psql("ALTER ROLE pgbouncer PASSWORD 'another'")
    behind.server.psql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'pgbouncer'")
    assert told_at_last(behind) == FAILING
    behind.server.psql(f"ALTER ROLE pgbouncer PASSWORD '{PASSWORD}'")
    assert eventually(behind, served=True) == ""


def test_a_server_that_is_gone_and_comes_back(behind: Pooled):
    behind.server.stop()
    assert told_at_last(behind) == FAILING
    behind.server.start()
    assert eventually(behind, served=True) == ""


def test_a_pgbouncer_that_is_not_there(behind: Pooled, tmp_path: Path):
    behind.declared["sides"]["elsewhere"] = {"port": "6432", "socket_dir": str(tmp_path)}
    assert "No such file or directory" in refused(behind.declared, "elsewhere", PASSWORD)
