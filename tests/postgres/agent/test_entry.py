"""The postgres container's first process, run for real with other programs in Patroni's place."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.waiting import PATIENCE, until

ROOT = Path(__file__).resolve().parent.parent.parent.parent
# A shell cannot trap what was ignored when it began, as SIGHUP is under nohup and SIGINT in the background of a script.
START = """
import pathlib, signal, sys
from agent import entry
for number in entry.HANDED_ON:
    signal.signal(number, signal.SIG_DFL)
sys.exit(entry.run(sys.argv[2:], pathlib.Path(sys.argv[1])))
"""
Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(tmp_path: Path) -> Start:
    """``start(script)`` runs the entry with a shell script as its child; ``$PIPES`` is the folder of the pipes."""

    def run(script: str) -> subprocess.Popen[str]:
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "sos_constructs" / "postgres"), "PIPES": str(tmp_path / "log")}
        command = [sys.executable, "-c", START, str(tmp_path / "log"), "sh", "-c", script]
        return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)

    return run


def outcome(process: subprocess.Popen[str]) -> tuple[int, list[dict[str, Any]]]:
    text, _ = process.communicate(timeout=PATIENCE)
    return process.returncode, [json.loads(line) for line in text.splitlines()]


def messages(events: list[dict[str, Any]]) -> list[str]:
    return [event["message"] for event in events]


def test_both_streams_and_both_pipes_come_out_as_events(start: Start) -> None:
    script = """
        echo 'one on standard output'
        echo 'one on standard error' >&2
        echo '{"timestamp": "2026-11-23 21:17:39.494 UTC", "error_severity": "LOG", "message": "by PostgreSQL"}' > $PIPES/postgres.json
        echo 'by a child of PostgreSQL' > $PIPES/postgres.log
        printf 'no line break'
    """
    code, events = outcome(start(script))
    assert code == 0
    assert sorted(messages(events)) == ["by PostgreSQL", "by a child of PostgreSQL", "no line break", "one on standard error", "one on standard output"]
    assert {"2026-11-23T21:17:39.494+00:00"} == {event["time"] for event in events if event["source"] == "postgres"}


def test_a_traceback_is_one_event(start: Start) -> None:
    script = "printf '2026-11-23 21:17:24,481 ERROR: x\\nTraceback (most recent call last):\\n  File y\\nOSError: z\\n2026-11-23 21:17:24,482 INFO: on\\n'"
    _, events = outcome(start(script))
    assert messages(events) == ["x\nTraceback (most recent call last):\n  File y\nOSError: z", "on"]


@pytest.mark.parametrize(("script", "code"), [("exit 3", 3), ("kill -9 $$", 137)])
def test_its_exit_code_is_the_childs(start: Start, script: str, code: int) -> None:
    assert outcome(start(script))[0] == code


def test_signals_are_handed_on(start: Start) -> None:
    process = start("trap 'echo stopping; exit 7' TERM; trap 'echo reload' HUP; echo ready; while :; do sleep 0.05; done")
    assert process.stdout
    assert json.loads(process.stdout.readline())["message"] == "ready"
    process.send_signal(signal.SIGHUP)
    assert json.loads(process.stdout.readline())["message"] == "reload"
    process.send_signal(signal.SIGTERM)
    code, events = outcome(process)
    assert (code, messages(events)) == (7, ["stopping"])


def test_a_child_that_was_held_still_hears_that_it_is_to_end(start: Start) -> None:
    """The hooks hold Patroni still for moments; one that was killed meanwhile leaves it so."""
    process = start("trap 'exit 7' TERM; echo $$; kill -STOP $$; while :; do sleep 0.05; done")
    assert process.stdout
    child = json.loads(process.stdout.readline())["message"]
    until(lambda: subprocess.run(["ps", "-o", "state=", "-p", child], capture_output=True, text=True).stdout.startswith("T"))
    process.send_signal(signal.SIGTERM)
    assert outcome(process)[0] == 7


def test_a_collector_that_starts_anew_is_heard_again(start: Start) -> None:
    line = '{\\"message\\": \\"%s\\"}'
    _, events = outcome(start(f'for i in 1 2 3; do printf "{line}\\n" $i > $PIPES/postgres.json; done'))
    assert messages(events) == ["1", "2", "3"]


def test_much_at_once_is_whole_and_in_order(start: Start) -> None:
    _, events = outcome(start('i=0; while [ $i -lt 20000 ]; do echo "line $i"; i=$((i+1)); done'))
    assert messages(events) == [f"line {number}" for number in range(20000)]


def test_patroni_does_not_get_the_agents_path(start: Start) -> None:
    assert messages(outcome(start('echo "path: $PYTHONPATH"'))[1]) == ["path: "]


def test_leftovers_in_place_of_the_pipes_are_replaced(start: Start, tmp_path: Path) -> None:
    """A pod of the time before had plain files there."""
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / "postgres.json").write_text("old")
    _, events = outcome(start("test -p $PIPES/postgres.json && echo pipe"))
    assert messages(events) == ["pipe"]
