"""The workload of `make chaos` on a real server: what it notes is what the server did."""

from __future__ import annotations

import os

from tests.chaos.checker import KINDS, check
from tests.chaos.workload import PROBE, Workload
from tests.postgres_live.conftest import Postgres, PostgresFactory
from tests.waiting import until


def rows(server: Postgres, run: str) -> dict[int, set[int]]:
    found: dict[int, set[int]] = {}
    for line in server.psql(f"SELECT writer, seq FROM chaos WHERE run = '{run}'").splitlines():
        writer, seq = line.split("|")
        found.setdefault(int(writer), set()).add(int(seq))
    return found


def test_a_history_of_a_server_that_crashed(postgres_factory: PostgresFactory):
    server = postgres_factory(fsync="on")
    environment = {**os.environ, "PGHOST": str(server.socket_dir), "PGPORT": str(server.port), "PGUSER": "postgres", "PGDATABASE": "postgres"}
    workload = Workload("test", {**environment, "LEDGER_PSQL": str(server.bin_dir / "psql"), "PGTARGETSESSIONATTRS": "read-write"})
    try:
        until(lambda: workload.writing(0))
        server.stop("immediate")
        stopped = workload.now()
        until(lambda: any(attempt.reason for attempt in workload.history.attempts))
        server.start()
        until(lambda: workload.writing(stopped))
        until(lambda: any(read.fresh and read.began > stopped for read in workload.history.reads))
    finally:
        history = workload.stop()
    assert {write.writer for write in history.writes} == {0, 1, 2, 3}
    assert {write.timeline for write in history.writes} == {read.timeline for read in history.reads} == {1}, "a crash alone begins no new timeline"
    assert sum(workload.errors.values()) > 0
    assert workload.term() == 1
    table = rows(server, "test")
    assert check(history, {"server": table}, lambda address: address).counts() == dict.fromkeys(KINDS, 0)

    gone = next(write for write in history.writes if write.writer != PROBE)
    server.psql(f"DELETE FROM chaos WHERE writer = {gone.writer} AND seq = {gone.seq}")
    found = check(history, {"server": rows(server, "test")}, lambda address: address)
    assert found.lost == [f"row {gone.seq} of writer {gone.writer} is missing on server"]
