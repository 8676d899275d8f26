"""Patroni's own tables, to compare ours with."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tests.postgres.promtool import Promtool
from tests.postgres.promtool import find as find_promtool


@pytest.fixture(scope="session")
def patroni_options() -> dict[str, Any]:
    """By setting that Patroni passes on the command line: its default, its validator, the version."""
    umask = os.umask(0o022)  # importing Patroni changes it for the whole process
    try:
        from patroni.postgresql.config import ConfigHandler

        return dict(ConfigHandler.CMDLINE_OPTIONS)
    finally:
        os.umask(umask)


@pytest.fixture(scope="session")
def patroni_store_names() -> set[str]:
    """The ends of the names of the ConfigMaps that Patroni keeps its state in."""
    umask = os.umask(0o022)
    try:
        from patroni.dcs import AbstractDCS

        return {getattr(AbstractDCS, f"_{name}") for name in ("CONFIG", "FAILOVER", "LEADER", "SYNC")}
    finally:
        os.umask(umask)


@pytest.fixture
def promtool(tmp_path: Path) -> Promtool:
    """The tool in a folder of its own."""
    return find_promtool(tmp_path)
