"""The last resort: every condition on its own keeps the data; all together have them copied anew."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

from sos_constructs.postgres.agent.actions import Actions
from sos_constructs.postgres.agent.guard import NotStreaming
from sos_constructs.postgres.agent.reinit import EVERY, Reinit, reason_against, replication_identity

import pytest

from tests.postgres.agent.test_guard import Clock, cluster

BROKEN = cluster(pg_0="quorum_standby:running", pg_1="leader:running", pg_2="quorum_standby:streaming")


class Resort:
    """A last resort with everything in its favour."""

    def __init__(self, folder: Path) -> None:
        self.clock, self.done = Clock(), 0
        self.leader, self.ours, self.theirs = "pg-1", "7", "7"
        self.asked: list[tuple[str, int]] = []
        self.reinit = Reinit(
            pod="pg-0",
            actions=Actions(folder / "actions.json"),
            leader_now=lambda: self.leader,
            system_id=lambda: self.ours,
            leader_id=self.identity,
            act=self.act,
            wall=self.clock,
        )

    def identity(self, host: str, port: int) -> str:
        self.asked.append((host, port))
        return self.theirs

    def act(self) -> None:
        self.done += 1

    def refused(self, seen: dict[str, Any]) -> str:
        with pytest.raises(NotStreaming) as told:
            self.reinit.last_resort(seen)
        return str(told.value)


@pytest.fixture
def resort(tmp_path: Path) -> Resort:
    return Resort(tmp_path)


def test_with_everything_in_its_favour_the_member_is_copied_once_an_hour(resort: Resort):
    resort.reinit.last_resort(BROKEN)
    assert resort.done == 1
    assert resort.asked == [("10.0.0.1", 5432)]
    resort.clock.now += EVERY - 1
    assert "less than an hour" in resort.refused(BROKEN)
    resort.clock.now += 1
    resort.reinit.last_resort(BROKEN)
    assert resort.done == 2


def test_a_copy_that_cannot_be_noted_is_not_made(tmp_path: Path):
    resort = Resort(tmp_path / "full")
    with pytest.raises(OSError, match="full"):
        resort.reinit.last_resort(BROKEN)
    assert resort.done == 0


@pytest.mark.parametrize(
    ("seen", "why"),
    [
        (cluster(pg_0="leader:running", pg_1="replica:streaming", pg_2="replica:streaming"), "it leads"),
        (cluster(pg_0="replica:running", pg_1="replica:running", pg_2="replica:streaming"), "no leader"),
        (cluster(pg_0="replica:running", pg_1="leader:stopped", pg_2="replica:streaming"), "no leader"),
        (cluster(pg_1="leader:running", pg_2="replica:streaming"), "no leader"),
        (cluster(pg_0="replica:running", pg_1="leader:running"), "single member"),
        (cluster(pg_0="replica:running", pg_1="leader:running", pg_2="replica:running"), "single member"),
        (cluster(pg_0="replica:running", pg_1="leader:running", pg_2="replica:creating replica", pg_3="replica:streaming"), "pg-2 is being copied"),
        (BROKEN | {"pause": True}, "paused"),
        ({}, "no leader"),
    ],
)
def test_states_that_stand_against_it(resort: Resort, seen: dict[str, Any], why: str):
    assert why in resort.refused(seen)
    assert (resort.done, resort.asked) == (0, [])


def test_of_several_broken_members_the_first_goes_first():
    seen = cluster(pg_0="replica:running", pg_1="leader:running", pg_2="replica:start failed", pg_3="replica:streaming")
    assert reason_against(seen, "pg-0") == ""
    assert "pg-0" in reason_against(seen, "pg-2")


@pytest.mark.parametrize(("ours", "theirs"), [("7", "8"), ("", ""), ("7", "")])
def test_another_clusters_leader_is_not_copied(resort: Resort, ours: str, theirs: str):
    resort.ours, resort.theirs = ours, theirs
    assert "identifier" in resort.refused(BROKEN)
    assert resort.done == 0


def test_a_leader_that_has_just_changed_is_asked_again(resort: Resort):
    resort.leader = "pg-2"
    assert "just changed" in resort.refused(BROKEN)
    assert resort.done == 0


def fake_psql(folder: Path, script: str) -> str:
    psql = folder / "psql"
    psql.write_text(f"#!/bin/sh\n{script}\n")
    psql.chmod(psql.stat().st_mode | stat.S_IEXEC)
    return str(folder)


LOGIN = {"username": "standby", "password": "canary", "sslmode": "verify-full", "sslrootcert": "/ca.crt"}


def test_the_identity_comes_over_a_replication_connection_with_patronis_login(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PGSERVICE", "of somebody else")
    bin_dir = fake_psql(tmp_path, f'env >{tmp_path}/env; echo "$@" >{tmp_path}/arguments; echo "7|3|0/5000060|"')
    assert replication_identity(bin_dir, "10.0.0.1", 5432, LOGIN) == "7"
    seen = dict(line.split("=", 1) for line in (tmp_path / "env").read_text().splitlines() if "=" in line)
    expected = {"PGHOST": "10.0.0.1", "PGPORT": "5432", "PGUSER": "standby", "PGPASSWORD": "canary", "PGSSLMODE": "verify-full", "PGSSLROOTCERT": "/ca.crt"}
    assert expected.items() <= seen.items()
    assert "PGSERVICE" not in seen
    arguments = (tmp_path / "arguments").read_text()
    assert "replication=true" in arguments
    assert "canary" not in arguments


def test_without_a_replication_connection_there_is_no_proof(tmp_path: Path):
    bin_dir = fake_psql(tmp_path, "echo 'FATAL: too many wal senders' >&2; exit 2")
    with pytest.raises(NotStreaming, match="too many wal senders"):
        replication_identity(bin_dir, "10.0.0.1", 5432, LOGIN)
    with pytest.raises(NotStreaming, match="FileNotFoundError"):
        replication_identity(os.fspath(tmp_path / "nowhere"), "10.0.0.1", 5432, LOGIN)
