"""Prometheus' own tool for rules and queries."""

from __future__ import annotations

import subprocess
from pathlib import Path

from attrs import frozen

from tests.programs import program


@frozen
class Promtool:
    """Called with its arguments it runs in ``folder`` and must succeed."""

    program: str
    folder: Path

    def __call__(self, *arguments: str) -> None:
        done = subprocess.run([self.program, *arguments], cwd=self.folder, capture_output=True, text=True, timeout=200)
        assert done.returncode == 0, done.stdout + done.stderr


def find(folder: Path) -> Promtool:
    """The tool; skips where there is none."""
    return Promtool(program("promtool"), folder)
