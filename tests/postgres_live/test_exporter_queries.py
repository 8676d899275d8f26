"""Our exporter queries on a real primary and a real standby, by psql and by the real exporter, as the role and user they have in the pod."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from sos_constructs.postgres import monitoring
from sos_constructs.postgres.monitoring import exporter_container

import pytest

from tests import programs
from tests.ports import free_port
from tests.postgres.example import queries, series
from tests.waiting import until

Row = dict[str, str]
Eventually = Callable[[Callable[[], bool]], None]


@pytest.fixture(scope="module")
def primary(postgres_factory: Any) -> Any:
    """A server with the declared users and a database with a table, as the agent would have made them."""
    # The exporter's uid may log in as monitoring, without a password, through the socket: what HaPostgres writes into pg_hba.conf.
    hba = "local all monitoring peer map=exporter" if os.getuid() == 0 else ""
    server = postgres_factory(hba=hba)
    (server.data_dir / "pg_ident.conf").write_text("exporter nobody monitoring\n")
    server.reload()
    server.psql("CREATE ROLE monitoring LOGIN IN ROLE pg_monitor; CREATE ROLE emergency LOGIN; CREATE DATABASE emergency OWNER emergency")
    server.psql("REVOKE CONNECT ON DATABASE emergency FROM PUBLIC; GRANT CONNECT ON DATABASE emergency TO monitoring")
    server.psql("CREATE TABLE alarms (id int PRIMARY KEY, note text); INSERT INTO alarms SELECT n, 'help' FROM generate_series(1, 1000) n", "emergency")
    server.psql("ANALYZE alarms", "emergency")  # in a session of its own: statistics are sent when a session ends
    return server


@pytest.fixture(scope="module")
def replica(primary: Any, postgres_factory: Any) -> Any:
    return postgres_factory(standby_of=primary, name="postgres-1")


def rows(server: Any, prefix: str, db: str = "postgres") -> list[Row]:
    """Result of one of our queries with the rights of the exporter's role; NULL as the word NULL."""
    done = server.psql(f"\\pset null NULL\n\\pset tuples_only off\n\\pset footer off\nSET ROLE monitoring;\n{queries()[prefix]['query']};", db)
    header, *lines = done.splitlines()
    return [dict(zip(header.split("|"), line.split("|"), strict=True)) for line in lines]


def only(server: Any, prefix: str, db: str = "postgres") -> Row:
    (row,) = rows(server, prefix, db)
    return row


@pytest.mark.parametrize("role", ["primary", "replica"])
@pytest.mark.parametrize("prefix", sorted(queries()))
def test_query_gives_the_declared_columns_and_only_numbers(prefix: str, role: str, request: pytest.FixtureRequest) -> None:
    server = request.getfixturevalue(role)
    request.getfixturevalue("replica")
    options = {column: option for metric in queries()[prefix]["metrics"] for column, option in metric.items()}
    for db in ("postgres", "emergency") if not queries()[prefix].get("master") else ("postgres",):
        found = rows(server, prefix, db)
        for row in found:
            assert row.keys() == options.keys(), "undeclared columns would come as series without a description, missing ones as nothing"
            for column, value in row.items():
                assert value != "NULL"
                if options[column]["usage"] != "LABEL":
                    assert re.fullmatch(r"-?\d+(\.\d+)?(e[-+]?\d+)?", value), (column, value)
        labels = [tuple(row[column] for column, option in options.items() if option["usage"] == "LABEL") for row in found]
        assert len(labels) == len(set(labels)), "two rows with the same labels fail the whole scrape"


def test_replication_is_seen_from_both_sides(primary: Any, replica: Any) -> None:
    until(lambda: [row["streaming"] for row in rows(primary, "sos_pg_stream")] == ["1"])
    assert rows(primary, "sos_pg_standby") == []
    assert rows(replica, "sos_pg_sync") == []
    assert only(primary, "sos_pg_stream")["standby"] == "postgres-1"
    assert only(primary, "sos_pg_replication") == {"lag_seconds": "0"}
    assert only(primary, "sos_pg_postmaster")["in_recovery"] == "0"
    assert only(replica, "sos_pg_postmaster")["in_recovery"] == "1"
    assert only(primary, "sos_pg_slot")["active"] == "1"
    until(lambda: only(replica, "sos_pg_replication")["lag_seconds"] == "0")


@pytest.mark.parametrize(
    ("names", "required", "standbys"),
    [
        ("", "0", "0"),
        ('ANY 1 ("postgres-1","postgres-2")', "1", "1"),
        ('2 ("postgres-1", b)', "2", "1"),
        ('"postgres-1"', "1", "1"),
        ("gone", "1", "0"),
        ("*", "1", "1"),
    ],
)
def test_synchronous_standbys(names: str, required: str, standbys: str, primary: Any, replica: Any) -> None:
    try:
        # "local": the ALTER itself must not wait for standbys that do not exist
        primary.psql(f"SET synchronous_commit = local; ALTER SYSTEM SET synchronous_standby_names = '{names}'")
        primary.reload()
        until(lambda: only(primary, "sos_pg_sync") == {"streaming_standbys": "1", "standbys": standbys, "required_standbys": required})
    finally:
        primary.psql("SET synchronous_commit = local; ALTER SYSTEM RESET synchronous_standby_names")
        primary.reload()


def test_a_standby_that_is_cut_off_falls_behind_although_it_replayed_all_it_got(primary: Any, replica: Any) -> None:
    """The trap of the built-in metric: received = replayed, so it says 0."""
    until(lambda: only(replica, "sos_pg_standby")["streaming"] == "1")
    primary.psql("CREATE TABLE IF NOT EXISTS heartbeat (at timestamptz); INSERT INTO heartbeat VALUES (now())")
    source = replica.psql("SHOW primary_conninfo").replace("'", "''")
    try:
        replica.psql("ALTER SYSTEM SET primary_conninfo = ''")
        replica.reload()
        until(lambda: only(replica, "sos_pg_standby")["streaming"] == "0")
        first = float(only(replica, "sos_pg_replication")["lag_seconds"])
        until(lambda: float(only(replica, "sos_pg_replication")["lag_seconds"]) > max(first, 0.05))
        assert rows(primary, "sos_pg_slot")[0]["active"] == "0"
    finally:
        replica.psql(f"ALTER SYSTEM SET primary_conninfo = '{source}'")
        replica.reload()
    until(lambda: only(replica, "sos_pg_standby")["streaming"] == "1")


def test_paused_replay_shows(primary: Any, replica: Any) -> None:
    replica.psql("SELECT pg_wal_replay_pause()")
    try:
        primary.psql("CREATE TABLE IF NOT EXISTS heartbeat (at timestamptz); INSERT INTO heartbeat VALUES (now())")
        until(lambda: int(only(replica, "sos_pg_standby")["unreplayed_bytes"]) > 0)
        assert only(replica, "sos_pg_standby")["replay_paused"] == "1"
        until(lambda: int(only(primary, "sos_pg_stream")["replay_lag_bytes"]) > 0)
    finally:
        replica.psql("SELECT pg_wal_replay_resume()")


def test_table_statistics_come_from_every_database(primary: Any) -> None:
    row = only(primary, "sos_pg_table", "emergency")
    assert (row["datname"], row["schemaname"], row["relname"]) == ("emergency", "public", "alarms")
    assert (row["n_tup_ins"], row["n_live_tup"], row["analyze_count"]) == ("1000", "1000", "1")
    assert int(row["last_analyze_seconds"].split(".")[0]) > 0
    assert row["last_vacuum_seconds"] == "0"
    table, index = (int(primary.psql(f"SELECT pg_{what}_size('alarms')", "emergency")) for what in ("relation", "indexes"))
    assert int(row["size_estimate_bytes"]) == table + index


def test_settings_that_wait_for_a_restart(primary: Any) -> None:
    conf = primary.data_dir / "postgresql.conf"
    before = conf.read_text()
    assert only(primary, "sos_pg_settings") == {"pending_restart": "0"}
    try:
        primary.append_conf("max_connections = 60")
        primary.reload()
        until(lambda: only(primary, "sos_pg_settings") == {"pending_restart": "1"})
    finally:
        conf.write_text(before)
        primary.reload()
    until(lambda: only(primary, "sos_pg_settings")["pending_restart"] == "0")


def test_lock_waits_and_open_transactions(primary: Any) -> None:
    assert only(primary, "sos_pg_lock_waits") == {"sessions": "0", "oldest_seconds": "0"}
    argv = [primary.bin_dir / "psql", "-X", "-q", "-h", primary.socket_dir, "-U", "postgres", "-d", "emergency"]
    options = {
        "stdin": subprocess.PIPE,
        "stdout": subprocess.DEVNULL,
        "stderr": subprocess.DEVNULL,
        "text": True,
        "cwd": primary.data_dir.parent,
        **primary.as_user,
    }
    with subprocess.Popen(argv, **options) as holder, subprocess.Popen(argv, **options) as waiter:
        assert holder.stdin
        assert waiter.stdin
        try:
            print("BEGIN; LOCK TABLE alarms;", file=holder.stdin, flush=True)
            locked = "SELECT count(*) FROM pg_locks WHERE relation = 'alarms'::regclass AND mode = 'AccessExclusiveLock' AND granted"
            until(lambda: primary.psql(locked, "emergency").strip() == "1")
            print("SELECT * FROM alarms;", file=waiter.stdin, flush=True)
            until(lambda: only(primary, "sos_pg_lock_waits")["sessions"] == "1" and float(only(primary, "sos_pg_lock_waits")["oldest_seconds"]) > 0)
            found = only(primary, "sos_pg_transactions")
            assert float(found["oldest_seconds"]) > 0
            assert float(found["oldest_idle_seconds"]) > 0
            # Table statistics must not queue behind the lock, or one migration would blind the monitoring.
            assert only(primary, "sos_pg_table", "emergency")["relname"] == "alarms"
            assert int(only(primary, "sos_pg_connections")["used"]) >= 3
        finally:
            holder.kill()
            waiter.kill()


def test_archiving_that_fails(postgres_factory: Any) -> None:
    server = postgres_factory(archive_mode="on", archive_command="false")
    server.psql("CREATE ROLE monitoring IN ROLE pg_monitor; CREATE TABLE t AS SELECT 1; SELECT pg_switch_wal()")
    until(lambda: only(server, "sos_pg_archive") == {"enabled": "1", "failing": "1", "pending_segments": "1"})


def test_an_index_that_was_not_finished(primary: Any) -> None:
    assert only(primary, "sos_pg_index", "emergency") == {"datname": "emergency", "invalid": "0"}
    primary.psql("INSERT INTO alarms VALUES (0, 'help')", "emergency")
    primary.psql("CREATE UNIQUE INDEX CONCURRENTLY twice ON alarms (note)", "emergency", check=False)
    try:
        assert only(primary, "sos_pg_index", "emergency")["invalid"] == "1"
    finally:
        primary.psql("DROP INDEX twice", "emergency")
        primary.psql("DELETE FROM alarms WHERE id = 0", "emergency")


def test_the_exporters_sessions_cannot_write(primary: Any) -> None:
    """Whatever its role may come to be allowed: its own connection string, but as the superuser."""
    (source,) = (each["value"] for each in exporter_container(resources={})["env"] if each["name"] == "DATA_SOURCE_NAME")
    settings = dict(word.split("=") for word in source.split())
    assert primary.psql(f"SET default_transaction_read_only = {settings['default_transaction_read_only']}; SELECT 1", "emergency") == "1"
    with pytest.raises(RuntimeError, match="read-only transaction"):
        primary.psql(f"SET default_transaction_read_only = {settings['default_transaction_read_only']}; DELETE FROM alarms", "emergency")


# --- the real exporter -----------------------------------------------------------------------------------------------


class Exporter:
    """The real exporter with the arguments of our container, as uid 65534 where that is possible."""

    def __init__(self, server: Any, folder: Path) -> None:
        container = exporter_container(resources={})
        self.url = f"http://127.0.0.1:{free_port()}"
        # A copy, because the home of the user who runs the tests is closed to uid 65534.
        program = shutil.copy(programs.program("postgres_exporter"), folder / "exporter")
        (folder / "queries.yaml").write_text(monitoring.queries())
        arguments = [argument.replace("/etc/postgres-exporter", str(folder)) for argument in container["args"]]
        arguments = [f"--web.listen-address={self.url.removeprefix('http://')}" if "listen-address" in argument else argument for argument in arguments]
        source = container["env"][0]["value"].replace("/var/run/postgresql", str(server.socket_dir))
        as_root = os.getuid() == 0
        user: dict[str, Any] = {"user": monitoring.EXPORTER_UID, "group": monitoring.EXPORTER_UID, "extra_groups": []} if as_root else {}
        self.log = folder / "log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen([program, *arguments], env={"DATA_SOURCE_NAME": source}, stdout=log, stderr=log, cwd=folder, **user)

    def get(self, path: str) -> str:
        with urllib.request.urlopen(self.url + path, timeout=30) as answer:
            return str(answer.read().decode())

    def ready(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        try:
            return bool(self.get("/"))
        except urllib.error.URLError:
            return False


@pytest.fixture
def exporter(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Callable[[Any], Exporter]]:
    running: list[Exporter] = []

    def start(server: Any) -> Exporter:
        folder = tmp_path_factory.mktemp("exporter")
        for parent in (folder, *folder.parents):  # pytest's own are closed to other users
            if parent == Path(tempfile.gettempdir()):
                break
            parent.chmod(0o755)
        running.append(Exporter(server, folder))
        until(running[-1].ready)
        return running[-1]

    yield start
    for one in running:
        one.process.terminate()
        one.process.wait(timeout=10)


def metrics_of(text: str) -> dict[str, float]:
    """Series with labels → value, of the text format."""
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in text.splitlines() if line and not line.startswith("#"))}


#: Rows exist only in a state the two servers are not in.
PRIMARY_ONLY, STANDBY_ONLY = ("sos_pg_sync", "sos_pg_stream", "sos_pg_slot"), ("sos_pg_standby",)


@pytest.mark.parametrize(("role", "absent"), [("primary", STANDBY_ONLY), ("replica", PRIMARY_ONLY)])
def test_the_real_exporter(role: str, absent: tuple[str, ...], exporter: Any, request: pytest.FixtureRequest) -> None:
    server, _ = request.getfixturevalue(role), request.getfixturevalue("replica")
    running = exporter(server)
    running.get("/metrics")
    # HTTP 500 and an exception here is what two series of one name and labels would give
    metrics = metrics_of(running.get("/metrics"))
    assert metrics["pg_up"] == 1
    assert metrics["pg_exporter_last_scrape_error"] == 0
    (loaded,) = [value for name, value in metrics.items() if name.startswith("pg_exporter_user_queries_load_error{")]
    assert loaded == 0
    log = running.log.read_text()
    assert '"level":"error"' not in log.lower(), log
    assert "error querying namespace" not in log, log
    names = {name.partition("{")[0] for name in metrics}
    assert names >= {name for name in series() if not name.startswith(absent)}
    assert {name for name in names if name.startswith("sos_pg_")} <= series().keys()
    assert not any(value != value for name, value in metrics.items() if name.startswith("sos_pg_")), "NaN: a NULL came through"
    tables = {match[1] for name in metrics if (match := re.match(r'sos_pg_table_seq_scan\{datname="(\w+)"', name))}
    assert "emergency" in tables, "statistics of other databases than the one it connects to"


def test_the_exporter_outlives_the_database(exporter: Any, postgres_factory: Any) -> None:
    server = postgres_factory()
    server.psql("CREATE ROLE monitoring LOGIN IN ROLE pg_monitor")
    running = exporter(server)
    assert metrics_of(running.get("/metrics"))["pg_up"] == 1
    server.stop()
    assert metrics_of(running.get("/metrics"))["pg_up"] == 0
    assert "Postgres Exporter" in running.get("/"), "the page the liveness probe asks for"
    server.start()
    until(lambda: metrics_of(running.get("/metrics"))["pg_up"] == 1)
