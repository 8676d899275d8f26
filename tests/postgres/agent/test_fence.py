"""When clients are turned away from a former primary, and when they may come back."""

from __future__ import annotations

import json
from pathlib import Path

from sos_constructs.postgres.agent.fence import END, GRACE, Fence, prepare
from sos_constructs.postgres.agent.patroni_api import Status
from sos_constructs.postgres.agent.psql import Psql, SqlError

import pytest

from tests.postgres.agent.fakes import FakePsql

PRIMARY, STREAMING, ALONE = Status("primary", True, False), Status("replica", True, True), Status("replica", True, False)
STARTING, DOWN = Status("primary", False, False), Status("replica", False, False)


class Server:
    """A fence on a fake server, and its clock."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.psql, self.now = folder, FakePsql(folder), 100.0
        self.store_answers = True
        prepare(folder)
        self.begin()

    def begin(self) -> None:
        """As a new process of the agent."""
        self.fence = Fence(self.folder, clock=lambda: self.now)

    def see(self, *statuses: Status, seconds: float = 1.0) -> bool:
        """Whether it is closed after rounds a while apart."""
        for status in statuses:
            self.now += seconds
            self.fence.round(status, Psql(str(self.psql.bin_dir), str(self.folder), "postgres"), lambda: self.store_answers)
        return self.fence.closed

    def reloads(self) -> int:
        return sum("pg_reload_conf" in sql for sql in self.psql.asked())


@pytest.fixture
def server(tmp_path: Path) -> Server:
    return Server(tmp_path)


def test_a_former_primary_without_a_leader_is_closed_until_it_streams(server: Server, capsys: pytest.CaptureFixture[str]):
    assert not server.see(PRIMARY, ALONE, ALONE, ALONE)
    assert server.see(ALONE)
    assert server.see(DOWN, ALONE, ALONE)
    assert not server.see(STREAMING)
    assert not server.see(ALONE, ALONE, ALONE, ALONE, ALONE, ALONE), "it is a standby like any other now"
    assert [json.loads(line)["level"] for line in capsys.readouterr().out.splitlines()] == ["warning", "info"]


def test_where_the_store_is_silent_nothing_is_waited_for(server: Server):
    assert not server.see(PRIMARY)
    server.store_answers = False
    assert not server.see(PRIMARY), "the failsafe mode decides for how long"
    before = server.reloads()
    assert server.see(STARTING), "or stopping: Patroni says so as long as it has not stopped it"
    assert server.see(DOWN), "before it comes back as a standby"
    assert server.reloads() == before, "it reads the file when it starts"
    assert server.see(ALONE)
    assert server.psql.asked()[-2:] == ["SELECT pg_catalog.pg_reload_conf()", END]
    assert not server.see(STREAMING)


def test_clients_that_got_in_are_disconnected_in_every_round(server: Server):
    server.see(PRIMARY)
    assert END not in "".join(server.psql.asked())
    server.see(ALONE, ALONE, ALONE, ALONE, ALONE)
    assert server.psql.asked().count(END) == 2


def test_one_that_leads_again_is_open_at_once(server: Server):
    assert server.see(PRIMARY, ALONE, ALONE, ALONE, ALONE)
    assert server.see(STARTING), "it does not lead yet"
    assert not server.see(PRIMARY)


@pytest.mark.parametrize("status", [ALONE, DOWN])
def test_a_standby_that_never_led_stays_open(server: Server, status: Status):
    assert not server.see(STREAMING, *[status] * 20)


def test_a_patroni_that_does_not_know_changes_nothing(server: Server):
    server.store_answers = False
    assert not server.see(PRIMARY, *[Status("unknown", False, False)] * 20)
    assert server.see(Status("demoted", False, False))
    assert server.see(*[Status("unknown", False, False)] * 20)
    assert not server.see(Status("promoted", True, False)), "it leads, and will say so in a moment"


def test_a_primary_that_restarts_in_place_is_open_when_it_is_back(server: Server):
    assert not server.see(PRIMARY, STARTING, STARTING, STARTING, STARTING, STARTING)
    server.store_answers = False
    assert server.see(STARTING)
    assert not server.see(PRIMARY)
    assert server.psql.asked()[-1] == "SELECT pg_catalog.pg_reload_conf()"


def test_a_handover_that_takes_less_is_none_of_its_business(server: Server):
    assert not server.see(PRIMARY, ALONE, seconds=GRACE - 0.1)
    assert not server.see(STREAMING)
    assert not server.see(STREAMING, *[ALONE] * 20)


def test_a_new_process_of_the_agent_goes_on(server: Server):
    server.see(PRIMARY, ALONE, ALONE, ALONE, ALONE)
    before = server.reloads()
    server.begin()
    assert server.see(ALONE)
    assert server.reloads() == before + 1, "whether the last one came to tell the server, it cannot know"
    assert not server.see(STREAMING)


def test_a_server_that_was_not_told_is_told_again(server: Server):
    server.see(PRIMARY, ALONE)
    server.psql.answer("pg_reload_conf", error="psql: error: no")
    with pytest.raises(SqlError):
        server.see(ALONE, ALONE, ALONE, ALONE)
    server.psql.answer("pg_reload_conf", ("t",))
    assert server.see(ALONE)
    assert server.psql.asked()[-2:] == ["SELECT pg_catalog.pg_reload_conf()", END]
