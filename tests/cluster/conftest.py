"""One deployment for all tests of this folder, on the cluster of the current kubeconfig."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.cluster import breakable, chart, deploy, kube
from tests.cluster.breakable import Breakable
from tests.cluster.installation import Installation

FIGURES = pytest.StashKey[list[str]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--reuse", action="store_true", help="test the deployment that an earlier run with --keep left")
    parser.addoption("--keep", action="store_true", help="leave the deployment running afterwards")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[FIGURES] = []
    if (breakable.HOME / "bin").is_dir():  # its kubectl, where the machine has none
        os.environ["PATH"] += os.pathsep + str(breakable.HOME / "bin")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if config.stash[FIGURES]:
        terminalreporter.section("figures of the drills")
        for line in config.stash[FIGURES]:
            terminalreporter.line(line)


@pytest.hookimpl(trylast=True)
def pytest_exception_interact(node: pytest.Item, report: pytest.TestReport | pytest.CollectReport) -> None:
    """What the cluster looks like when something failed."""
    if not isinstance(report, pytest.TestReport):
        return
    namespace = chart.NAMESPACE
    for title, arguments in {
        "pods": ("get", "pods", "-n", namespace, "-o", "wide", "-L", "role"),
        "members": ("exec", "-n", namespace, "postgres-0", "-c", "postgres", "--", "patronictl", "list"),
        "agents": ("logs", "-n", namespace, "-l", "app.kubernetes.io/instance=postgres", "-c", "agent", "--prefix", "--tail=10"),
        "events": ("get", "events", "-n", namespace, "--field-selector=type!=Normal", "--sort-by=.lastTimestamp"),
    }.items():
        done = kube.run(*arguments, seconds=15)
        report.sections.append((f"cluster: {title}", (done.stdout + done.stderr)[-4000:]))


@pytest.fixture(scope="session")
def version() -> str:
    """The cluster answers; without one there is nothing to test."""
    done = kube.run("version", "-o", "json", seconds=15)
    if done.returncode:
        pytest.exit(f"no cluster answers: {done.stderr.strip()}", returncode=1)
    return done.stdout


@pytest.fixture(scope="session")
def tool(version: str) -> Breakable | None:
    """The breakable cluster's tool, or None."""
    found = breakable.find()
    return None if isinstance(found, str) else found


@pytest.fixture
def nodes_may_break(tool: Breakable | None) -> Breakable:
    """Skips where they may not."""
    if tool is None:
        pytest.skip(str(breakable.find()))
    return tool


@pytest.fixture(scope="session")
def audit_offset(tool: Breakable | None) -> int:
    """Where the audit log ends before we begin."""
    return tool.audit_log.stat().st_size if tool and tool.audit_log.exists() else 0


@pytest.fixture(scope="session")
def installation(request: pytest.FixtureRequest, tool: Breakable | None, audit_offset: int) -> Iterator[Installation]:
    """The reference app, applied as a user would."""
    if request.config.getoption("--reuse"):
        yield deploy.installed()
        return
    deploy.remove(chart.NAMESPACE, tool, by_force=tool is not None)
    if tool:
        tool.recycle_volumes()
    yield deploy.deploy()
    if not request.config.getoption("--keep"):
        deploy.remove(chart.NAMESPACE, tool)


@pytest.fixture
def figure(request: pytest.FixtureRequest) -> Iterator[list[str]]:
    """Lines for the report's last section."""
    lines: list[str] = []
    yield lines
    request.config.stash[FIGURES].extend(lines)
