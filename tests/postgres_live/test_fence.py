"""The fence on a real server: clients out, clients in, and never the members."""

from __future__ import annotations

import contextlib
import subprocess
import threading
from pathlib import Path

from sos_constructs.postgres import access
from sos_constructs.postgres.agent import closing, fence
from sos_constructs.postgres.agent.patroni_api import Status
from sos_constructs.postgres.agent.psql import Psql

import psycopg
import pytest
from attrs import evolve

from tests.ports import free_port
from tests.postgres.example import spec
from tests.postgres_live.conftest import Postgres, PostgresFactory
from tests.waiting import PATIENCE, until

PRIMARY, ALONE = Status("primary", True, False), Status("replica", True, False)


@pytest.fixture
def guarded(postgres_factory: PostgresFactory) -> Postgres:
    """A server on TCP whose first rule is the fence's."""
    port = free_port()
    server = evolve(postgres_factory(listen_addresses="127.0.0.1", port=str(port)), port=port)
    for role, more in (("standby", "REPLICATION"), ("auth", "")):
        server.psql(f"CREATE ROLE {role} LOGIN PASSWORD '{role}' {more}")
    server.psql("CREATE DATABASE auth OWNER auth")
    folder = server.data_dir.parent
    fence.prepare(folder)
    rules = [fence.hba_line(folder), "local all all trust", *access.pg_hba(spec(), members="host", clients="host")]
    (server.data_dir / "pg_hba.conf").write_text("\n".join(rules) + "\n")
    server.restart()
    (server.socket_dir / ".s.PGSQL.5432").symlink_to(f".s.PGSQL.{port}")  # members have the usual port
    return server


@pytest.fixture(autouse=True)
def readable(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the pod the agent has the server's uid; here the server runs as another user."""

    def write(path: Path, text: str) -> None:
        path.write_text(text)
        path.chmod(0o644)

    for module in (closing, fence):
        monkeypatch.setattr(module, "write_whole", write)


def connect(server: Postgres) -> psycopg.Connection[tuple[object, ...]]:
    return psycopg.connect(host="127.0.0.1", port=server.port, user="auth", password="auth", dbname="auth", connect_timeout=10, autocommit=True)


def test_clients_are_turned_away_and_members_are_not(guarded: Postgres, tmp_path: Path):
    wall = fence.Fence(guarded.data_dir.parent)
    psql = Psql(str(guarded.bin_dir), str(guarded.socket_dir), "postgres")
    wall.round(PRIMARY, psql, lambda: True)
    connected = connect(guarded)
    for _ in range(6):
        wall.round(ALONE, psql, lambda: False)
    assert wall.closed
    with pytest.raises(psycopg.OperationalError):
        connected.execute("SELECT 1")
    with pytest.raises(psycopg.OperationalError, match=r"pg_hba\.conf rejects connection"):
        connect(guarded)
    assert guarded.psql("SELECT 1") == "1", "this pod's own processes"
    receive = [f"{guarded.bin_dir}/pg_receivewal", "--endpos=0/1", "-D", str(tmp_path), "-h", "127.0.0.1", "-p", str(guarded.port), "-U", "standby", "-wn"]
    subprocess.run(receive, env={"PGPASSWORD": "standby"}, timeout=30, check=True)
    guarded.restart()
    with pytest.raises(psycopg.OperationalError, match=r"pg_hba\.conf rejects connection"):
        connect(guarded)
    wall.round(PRIMARY, psql, lambda: True)
    connect(guarded).close()


def test_it_is_understood_open_and_closed(guarded: Postgres):
    for content in (fence.OPEN, fence.CLOSED):
        (guarded.data_dir.parent / fence.FILE).write_text(content)
        guarded.reload()
        assert guarded.psql("SELECT line_number, error FROM pg_hba_file_rules WHERE error IS NOT NULL") == ""


def waiting(server: Postgres) -> int:
    """Commits that wait for a standby."""
    return int(server.psql("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"))


def insert(server: Postgres) -> threading.Thread:
    """A row whose commit waits, by a client that is told nothing but the end of its connection."""

    def run() -> None:
        with contextlib.suppress(psycopg.OperationalError), connect(server) as connection:
            connection.execute("INSERT INTO rows VALUES (1)")

    before, thread = waiting(server), threading.Thread(target=run)
    thread.start()
    until(lambda: waiting(server) != before)
    return thread


def test_nobody_reads_what_a_server_shows_while_it_ends(guarded: Postgres):
    server = {"bin_dir": str(guarded.bin_dir), "parameters": {"unix_socket_directories": str(guarded.socket_dir)}}
    config = {"postgresql": server | {"authentication": {"superuser": {"username": "postgres"}}}}
    with connect(guarded) as reader, connect(guarded) as idle:
        reader.execute("CREATE TABLE rows (number int)")
        guarded.append_conf("synchronous_standby_names = 'nobody'")
        guarded.reload()
        first, second = insert(guarded), insert(guarded)
        count = "SELECT count(*) FROM rows"
        assert reader.execute(count).fetchone() == (0,)
        guarded.psql("SELECT pg_terminate_backend(min(pid)) FROM pg_stat_activity WHERE wait_event = 'SyncRep'")  # as a fast shutdown does
        first.join(PATIENCE)
        second.join(0.1)
        assert reader.execute(count).fetchone() == (1,), "PostgreSQL shows a row that no standby has; if it no longer does, the module closing can go"
        closing.close(guarded.data_dir.parent, config)
        for connection in (reader, idle):
            with pytest.raises(psycopg.OperationalError):
                connection.execute(count)
        with pytest.raises(psycopg.OperationalError, match=r"pg_hba\.conf rejects connection"):
            connect(guarded)
        assert waiting(guarded) == 1, "a wait goes on until the server ends: it may still end well"
    guarded.stop()
    second.join(PATIENCE)
