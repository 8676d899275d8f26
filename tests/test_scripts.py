"""The shell scripts of this repository. The library itself brings none: what runs in pods is Python, and tested as such."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    return [ROOT / name for name in listed if (ROOT / name).is_file()]


def is_shell(path: Path) -> bool:
    with path.open("rb") as file:
        first = file.readline(200)
    return path.suffix == ".sh" or (first.startswith(b"#!") and b"sh" in first.rpartition(b"/")[2])


SCRIPTS = [path for path in tracked() if is_shell(path)]


def test_there_is_one():
    assert ROOT / ".ci" / "run" in SCRIPTS


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_shellcheck_has_nothing_to_say(script: Path):
    program = Path(sys.executable).parent / "shellcheck"
    done = subprocess.run([program, str(script)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_shellcheck_would_find_a_fault(tmp_path: Path):
    script = tmp_path / "faulty.sh"
    script.write_text("#!/bin/sh\nrm -rf $1/*\n")
    assert subprocess.run([Path(sys.executable).parent / "shellcheck", script], capture_output=True).returncode == 1


def test_no_shell_runs_in_a_pod():
    for path in (ROOT / "sos_constructs").rglob("*"):
        assert not (path.is_file() and path.suffix == ".sh"), path
