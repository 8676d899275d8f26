"""Programs that neither pip nor npm brings. A test that finds none is skipped, and its reason names the one command that brings all of them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
_CLUSTER = Path(os.environ.get("SOS_CLUSTER_HOME") or Path.home() / ".cache" / "sos-cluster")
_FOLDERS = [*os.environ.get("PATH", "").split(os.pathsep), "/usr/sbin", str(ROOT / ".tools" / "bin"), str(_CLUSTER / "bin")]
BRING = "make test-tools"


def find(name: str) -> str | None:
    """Its path: on PATH, where Debian keeps servers, brought by `make test-tools`, or built for the cluster of tests/cluster."""
    return shutil.which(name, path=os.pathsep.join(_FOLDERS))


def program(name: str) -> str:
    """The same; skips without."""
    found = find(name)
    if not found:
        pytest.skip(f"no {name} on this machine: {BRING}")
    return found
