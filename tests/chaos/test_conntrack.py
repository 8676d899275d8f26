"""What is forgotten of dead connections, and where."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cluster import conntrack


def test_dead_connections_to_the_service_are_forgotten_where_that_can_be_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    program, said = tmp_path / "conntrack", tmp_path / "said"
    monkeypatch.setenv("PATH", str(tmp_path))
    conntrack.forget("10.96.0.7")
    program.write_text(f"#!/bin/sh\necho $* >> {said}\nexit 1\n")
    program.chmod(0o755)
    conntrack.forget("10.96.0.7")
    assert said.read_text() == "-D -p tcp --dst 10.96.0.7 --dport 5432\n"
    conntrack.forget("10.96.0.7", conntrack.UNANSWERED[:2])
    assert said.read_text().splitlines()[1:] == [f"-D -p tcp --dst 10.96.0.7 --dport 5432 --state {state}" for state in ("SYN_SENT", "FIN_WAIT")]


def test_on_another_node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for program in ("conntrack", "there"):
        (tmp_path / program).write_text(f'#!/bin/sh\necho {program} "$@" >> {tmp_path}/said\n')
        (tmp_path / program).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    conntrack.forget("10.96.0.7", inside=["there"])
    assert (tmp_path / "said").read_text() == "there conntrack -D -p tcp --dst 10.96.0.7 --dport 5432\n"
