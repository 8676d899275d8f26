"""Cutting a standby off, on real servers: nothing that Patroni or PostgreSQL do brings the stream back before the agent allows it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from sos_constructs.postgres.agent.fast_cut import About, Cut, NotCut, receives
from sos_constructs.postgres.agent.psql import Psql

import pytest
from attrs import frozen

from tests.postgres_live.conftest import Postgres, PostgresFactory
from tests.waiting import until


@frozen
class Pair:
    primary: Postgres
    standby: Postgres
    cut: Cut

    @property
    def psql(self) -> Psql:
        return Psql(str(self.standby.bin_dir), str(self.standby.socket_dir), "postgres")

    def streams(self) -> bool:
        return self.primary.psql("SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'") == "1"

    def received(self) -> str:
        return self.standby.psql("SELECT pg_last_wal_receive_lsn()")

    def stays_cut(self) -> None:
        """Longer than PostgreSQL's pause between two attempts, while the primary writes."""
        before = self.received()
        for _ in range(4):
            self.primary.psql("SELECT pg_logical_emit_message(true, 'test', 'x')")
            time.sleep(0.2)
            assert not self.streams()
        assert self.received() == before


@pytest.fixture
def pair(postgres_factory: PostgresFactory, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    primary = postgres_factory()
    folder = primary.data_dir.parent / "cut"
    standby = postgres_factory(standby_of=primary, name="cut", dynamic_library_path=f"{folder}:$libdir", wal_retrieve_retry_interval="100ms")
    made = Pair(primary, standby, Cut(folder))
    until(made.streams)
    yield made
    standby.stop("immediate")
    primary.stop("immediate")


def test_a_cut_outlives_reload_another_source_and_restart_and_ends_at_once(pair: Pair):
    assert receives(pair.psql, 60)
    pair.cut.begin(About("pg-0", "r1"))
    pair.cut.complete(pair.psql)
    pair.stays_cut()
    source = f"host={pair.primary.socket_dir} user=postgres application_name=cut"
    pair.standby.psql(f"ALTER SYSTEM SET primary_conninfo = '{source} connect_timeout=5'")  # what Patroni does to bring a stream back
    pair.standby.reload()
    pair.stays_cut()
    pair.standby.restart()
    pair.stays_cut()
    assert not receives(pair.psql, 60)
    assert pair.cut.about() == About("pg-0", "r1")
    pair.cut.end(pair.psql)
    until(pair.streams)
    assert pair.cut.about() is None


def test_a_cut_standby_promotes(pair: Pair):
    pair.cut.begin(About("pg-0", "r1"))
    pair.cut.complete(pair.psql)
    pair.standby.psql("SELECT pg_promote()")
    assert pair.cut.points_at(pair.psql, "anywhere"), "a primary receives nothing"
    pair.standby.psql("CREATE TABLE after_the_cut (x int)")


def test_postgresql_has_heard_of_a_new_source_before_the_cut_may_end(pair: Pair):
    pair.cut.begin(About("pg-0", "r1"))
    pair.cut.complete(pair.psql)
    assert not pair.cut.points_at(pair.psql, "10.0.0.9")
    pair.standby.psql("ALTER SYSTEM SET primary_conninfo = 'user=postgres host=10.0.0.9 port=5432'")
    pair.standby.reload()
    until(lambda: pair.cut.points_at(pair.psql, "10.0.0.9"))
    assert not pair.cut.points_at(pair.psql, "10.0.0.90")
    assert pair.standby.psql("SELECT pg_get_wal_replay_pause_state()") == "not paused"
    pair.stays_cut()


def test_a_server_without_the_setting_is_not_called_cut(postgres_factory: PostgresFactory, tmp_path: Path):
    server = postgres_factory()
    with pytest.raises(NotCut):
        Cut(tmp_path).complete(Psql(str(server.bin_dir), str(server.socket_dir), "postgres"))
    server.stop("immediate")
