"""What all tests share: reviewed YAML (the ``golden`` fixture, and ``--update-golden`` that rewrites it), time limits, generated examples."""

from __future__ import annotations

import difflib
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import sos_constructs  # noqa: F401  # first: it chooses the Node that jsii runs on

import pytest
from hypothesis import settings

# cdk8s.Testing makes a folder for every app and never removes one: they go where the run ends with them.
SCRATCH = tempfile.TemporaryDirectory(prefix="sos-tests-")
with pytest.MonkeyPatch.context() as _patch:
    _patch.setenv("TMPDIR", SCRATCH.name)
    import cdk8s  # starts Node

SNAPSHOTS = Path(__file__).parent / "snapshots"

# The same examples in every run: what is red once is red again. Another run looks further: `make test-deep`.
settings.register_profile("same", derandomize=True, deadline=None, database=None)
settings.register_profile("deep", derandomize=False, deadline=None, max_examples=2000)
settings.load_profile("same")

LIMIT = 300
CLUSTER_LIMIT = 1500
"""Seconds after which a test counts as hanging; none needs a tenth of them, so that a busy machine makes nothing fail."""

Golden = Callable[[str, Iterable[Mapping[str, Any]]], None]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="rewrite tests/snapshots/ instead of comparing with it")


def pytest_unconfigure() -> None:
    SCRATCH.cleanup()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """No test waits for ever. With --update-golden, run the tests that compare with snapshots and no other."""
    if config.pluginmanager.hasplugin("timeout"):
        for item in items:
            in_folder = item.path.relative_to(Path(__file__).parent).as_posix().startswith
            # The agent sets alarms of its own; a thread needs none, but its only way is to end the whole process.
            method = "thread" if in_folder("postgres/agent/") else "signal"
            item.add_marker(pytest.mark.timeout(CLUSTER_LIMIT if in_folder("cluster/") else LIMIT, method=method))
    if config.getoption("--update-golden"):
        others = [item for item in items if "golden" not in getattr(item, "fixturenames", ())]
        config.hook.pytest_deselected(items=others)
        items[:] = [item for item in items if item not in others]


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Golden:
    """``golden(name, manifests)``: the manifests, as YAML, are what stands in ``tests/snapshots/<name>.yaml``."""

    def compare(name: str, manifests: Iterable[Mapping[str, Any]]) -> None:
        actual = cdk8s.Yaml.stringify(*manifests)
        path = SNAPSHOTS / f"{name}.yaml"
        if request.config.getoption("--update-golden"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(actual, encoding="utf-8", newline="\n")
            return
        expected = path.read_text(encoding="utf-8") if path.exists() else ""
        if actual != expected:
            diff = difflib.unified_diff(expected.splitlines(), actual.splitlines(), f"snapshots/{name}.yaml", "now", lineterm="", n=5)
            pytest.fail("\n".join([*diff, "", "if this is what you meant: make golden, then review the diff"]), pytrace=False)

    return compare
