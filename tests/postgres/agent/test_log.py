"""Whose lines they are, in the agent's own container and among those of another."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from sos_constructs.postgres.agent import log

import pytest


@pytest.mark.parametrize("there", [True, False])
def test_in_another_container_each_line_says_that_it_is_the_agents(tmp_path: Path, there: bool):
    output = tmp_path / "output"
    if there:
        output.touch()
    program = f"from {log.__name__} import log, say_as_first_process; say_as_first_process({str(output)!r}); log('info', 'closing', 'done', count=2)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    event = json.loads(output.read_text() if there else done.stdout)
    assert event.pop("time")
    assert event == {"level": "info", "source": "agent", "step": "closing", "message": "done", "count": 2}


def test_in_its_own_container_nobody_else_speaks(capsys: pytest.CaptureFixture[str]):
    log.log("info", "agent", "started")
    assert "source" not in json.loads(capsys.readouterr().out)
