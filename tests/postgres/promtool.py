"""Prometheus' own tool for rules and queries."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from attrs import frozen


@frozen
class Promtool:
    """Called with its arguments it runs in ``folder`` and must succeed."""

    program: str
    folder: Path

    def __call__(self, *arguments: str) -> None:
        done = subprocess.run([self.program, *arguments], cwd=self.folder, capture_output=True, text=True, timeout=400)
        assert done.returncode == 0, done.stdout + done.stderr


def find(folder: Path) -> Promtool:
    """The tool, on PATH or among those of the cluster for tests; skips where there is none."""
    home = Path(os.environ.get("SOS_CLUSTER_HOME") or Path.home() / ".cache" / "sos-cluster")
    program = shutil.which("promtool") or shutil.which(home / "bin" / "promtool")
    if not program:
        pytest.skip(f"no promtool on PATH or in {home}/bin")
    return Promtool(program, folder)
