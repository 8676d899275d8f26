"""What is kept of what the API server said, with a kubectl that says it at once."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from tests.chaos import onlooker
from tests.chaos.onlooker import WATCHED, Onlooker
from tests.waiting import until

KUBECTL = """#!/bin/sh
echo "$2 first"
echo $$ >> {pids}
{then}
"""


@pytest.fixture
def kubectl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr(onlooker, "PAUSE", 0.05)

    def kubectl(then: str) -> Path:
        program = tmp_path / "kubectl"
        program.write_text(KUBECTL.format(pids=tmp_path / "pids", then=then))
        program.chmod(0o755)
        return tmp_path / "pids"

    return kubectl


def test_lines_of_a_round_have_their_time_of_day(kubectl):
    kubectl("exec sleep 60")
    began = time.time()
    watching = Onlooker("sos-app")
    try:
        until(lambda: watching.since(began).count("first") == len(WATCHED))
        assert {line.split(maxsplit=1)[1] for line in watching.since(began).splitlines()} == {f"{kind} first" for kind in WATCHED}
        assert all(re.match(r"\d\d:\d\d:\d\d\.\d{3} ", line) for line in watching.since(began).splitlines())
        assert watching.since(time.time() + 1) == ""
    finally:
        watching.close()


def test_a_watch_that_ends_begins_anew(kubectl):
    kubectl("exit 1")
    watching = Onlooker("sos-app")
    try:
        until(lambda: watching.since(0).count("pods first") > 2)
    finally:
        watching.close()


def test_nothing_runs_on_after_it_is_closed(kubectl):
    pids = kubectl("exec sleep 60")
    watching = Onlooker("sos-app")
    until(lambda: pids.exists() and len(pids.read_text().split()) == len(WATCHED))
    watching.close()
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids.read_text().split())
