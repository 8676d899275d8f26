"""When clients are turned away from a former primary, and when they may come back."""

from __future__ import annotations

import json
from pathlib import Path

from sos_constructs.postgres.agent.fence import END, ON_NEWEST_TIMELINE, Fence, prepare
from sos_constructs.postgres.agent.patroni_api import Status
from sos_constructs.postgres.agent.psql import Psql, SqlError

import pytest

from tests.postgres.agent.fakes import FakePsql

PRIMARY, STREAMING, ALONE = Status("primary", True, False), Status("replica", True, True), Status("replica", True, False)
STOPPING, DOWN = Status("primary", False, False), Status("replica", False, False)
RELOAD = "SELECT pg_catalog.pg_reload_conf()"


class Server:
    """A fence on a fake server."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.psql, self.lock_is_ours = folder, FakePsql(folder), True
        self.on_newest_timeline(answer="t")
        prepare(folder)
        self.begin()

    def on_newest_timeline(self, answer: str) -> None:
        self.psql.answer("received_tli", (answer,))

    def begin(self) -> None:
        """As a new process of the agent."""
        self.fence = Fence(self.folder)

    def see(self, *statuses: Status) -> bool:
        """Whether it is closed after these rounds."""
        for status in statuses:
            self.fence.round(status, Psql(str(self.psql.bin_dir), str(self.folder), "postgres"), lambda: self.lock_is_ours)
        return self.fence.closed

    def reloads(self) -> int:
        return self.psql.asked().count(RELOAD)


@pytest.fixture
def server(tmp_path: Path) -> Server:
    return Server(tmp_path)


def test_a_former_primary_is_closed_until_it_streams(server: Server, capsys: pytest.CaptureFixture[str]):
    assert not server.see(PRIMARY)
    server.lock_is_ours = False
    assert not server.see(PRIMARY), "Patroni decides for how long"
    assert server.see(ALONE)
    assert server.see(DOWN, ALONE, ALONE)
    assert not server.see(STREAMING)
    assert server.psql.asked()[-1] == RELOAD
    assert not server.see(ALONE, ALONE, ALONE), "it is a standby like any other now"
    assert [json.loads(line)["level"] for line in capsys.readouterr().out.splitlines()] == ["warning", "info"]


@pytest.mark.parametrize("new_process", [False, True])
def test_a_stream_of_the_time_before_does_not_open_it(server: Server, new_process: bool):
    server.see(PRIMARY)
    server.lock_is_ours = False
    server.on_newest_timeline(answer="f")
    assert server.see(STREAMING), "it was open until then"
    assert server.see(ALONE, STREAMING, ALONE, STREAMING)
    if new_process:
        server.begin()
        assert server.see(STREAMING)
    server.on_newest_timeline(answer="t")
    assert not server.see(STREAMING)
    before = server.psql.asked().count(ON_NEWEST_TIMELINE)
    assert not server.see(STREAMING, ALONE, STREAMING)
    assert server.psql.asked().count(ON_NEWEST_TIMELINE) == before, "of a former primary only"


def test_clients_that_got_in_are_disconnected_in_every_round(server: Server):
    server.see(PRIMARY)
    server.lock_is_ours = False
    assert END not in server.psql.asked()
    server.see(ALONE, ALONE)
    assert server.psql.asked().count(END) == 2


def test_it_is_closed_before_it_comes_back_as_a_standby(server: Server):
    server.see(PRIMARY)
    server.lock_is_ours = False
    before = server.reloads()
    assert server.see(STOPPING), "Patroni calls it primary as long as it has not stopped it"
    assert server.see(DOWN)
    assert server.reloads() == before, "it reads the file when it starts"
    assert server.see(ALONE)
    assert server.psql.asked()[-2:] == [RELOAD, END]


def test_one_that_leads_again_is_open_at_once(server: Server):
    server.see(PRIMARY)
    server.lock_is_ours = False
    assert server.see(ALONE)
    server.lock_is_ours = True
    assert not server.see(ALONE), "nobody else leads"
    assert not server.see(PRIMARY)


@pytest.mark.parametrize("status", [ALONE, DOWN])
def test_a_standby_that_never_led_stays_open(server: Server, status: Status):
    server.lock_is_ours = False
    assert not server.see(STREAMING, *[status] * 20)


def test_a_primary_that_restarts_in_place_is_open_when_it_is_back(server: Server):
    assert not server.see(PRIMARY, STOPPING, STOPPING)
    server.lock_is_ours = False
    assert server.see(STOPPING)
    assert not server.see(PRIMARY)
    assert server.psql.asked()[-1] == RELOAD


def test_a_patroni_that_does_not_know_changes_nothing(server: Server):
    server.see(PRIMARY)
    server.lock_is_ours = False
    assert not server.see(Status("unknown", False, False))
    assert server.see(Status("demoted", False, False))
    assert server.see(Status("unknown", False, False))
    assert not server.see(Status("promoted", True, False)), "it leads, and will say so in a moment"


def test_a_new_process_of_the_agent_goes_on(server: Server):
    server.see(PRIMARY)
    server.lock_is_ours = False
    server.see(ALONE)
    before = server.reloads()
    server.begin()
    assert server.see(ALONE)
    assert server.reloads() == before + 1, "whether the last one came to tell the server, it cannot know"
    assert not server.see(STREAMING)


def test_a_server_that_was_not_told_is_told_again(server: Server):
    server.see(PRIMARY)
    server.lock_is_ours = False
    server.psql.answer("pg_reload_conf", error="psql: error: no")
    with pytest.raises(SqlError):
        server.see(ALONE)
    server.psql.answer("pg_reload_conf", ("t",))
    assert server.see(ALONE)
    assert server.psql.asked()[-2:] == [RELOAD, END]


def test_one_that_was_closed_by_somebody_else_and_goes_on_is_opened(server: Server):
    """Patroni runs before_stop.py, and then the stop fails."""
    server.see(PRIMARY)
    before = server.reloads()
    (server.folder / "fenced").write_text("all\n")
    assert not server.see(PRIMARY)
    assert server.reloads() == before + 1
