"""Things happen to the primary while a client writes: writes resume, nothing acknowledged is missing, and all members stream again."""

from __future__ import annotations

import pytest

from tests.cluster import faults
from tests.cluster.breakable import Breakable
from tests.cluster.client import Ledger
from tests.cluster.faults import Fault, assert_kept, drill
from tests.cluster.installation import Installation


@pytest.mark.parametrize("fault", [faults.DELETE, faults.KILL, pytest.param(faults.FORCE_DELETE, marks=pytest.mark.release)], ids=lambda fault: fault.name)
def test_writes_resume_and_nothing_is_lost(installation: Installation, tool: Breakable | None, figure: list[str], fault: Fault):
    lives = installation.lives()
    outcome = drill(installation, fault, tool)
    figure.append(outcome.line(fault.name))
    assert_kept(outcome)
    assert outcome.late == 0, "a fresh connection failed after the first new row"
    changed = {pod for pod, life in installation.lives().items() if life != lives[pod]}
    assert len(changed) <= 1, f"more than the primary restarted: {changed}"


def test_a_patroni_that_is_killed_does_not_cost_its_server(installation: Installation, tool: Breakable | None, figure: list[str]):
    primary, lives = installation.wait_healthy(), installation.lives()
    started = installation.server_started(primary)
    outcome = drill(installation, faults.PATRONI_KILLED, tool)
    figure.append(outcome.line(faults.PATRONI_KILLED.name))
    assert_kept(outcome)
    assert outcome.summary["fresh"]["failed"] == 0
    assert (installation.primary(), installation.server_started(primary), installation.lives()) == (primary, started, lives)


@pytest.mark.release
@pytest.mark.parametrize("fault", [faults.AGENT_ENDED, faults.NOT_READY_ANY_MORE], ids=lambda fault: fault.name)
def test_a_primary_that_is_not_ready_is_reached_all_the_same(installation: Installation, tool: Breakable | None, figure: list[str], fault: Fault):
    """A pod is as ready as its least container, and when the API server has hung for long, no pod is for a moment; its server never stopped."""
    primary, started = installation.wait_healthy(), {pod: life["postgres"] for pod, (_, life) in installation.lives().items()}
    outcome = drill(installation, fault, tool)
    figure.append(outcome.line(fault.name))
    assert_kept(outcome)
    assert outcome.summary["fresh"]["failed"] == 0
    assert (installation.primary(), {pod: life["postgres"] for pod, (_, life) in installation.lives().items()}) == (primary, started)


@pytest.mark.parametrize("fault", [faults.CRASH, pytest.param(faults.CRASH_REPLICA, marks=pytest.mark.release)], ids=lambda fault: fault.name)
def test_a_node_may_crash(installation: Installation, nodes_may_break: Breakable, figure: list[str], fault: Fault):
    outcome = drill(installation, fault, nodes_may_break)
    figure.append(outcome.line(fault.name))
    assert_kept(outcome)
    assert outcome.late == 0, "a fresh connection failed after the first new row"


def test_the_books_notice_a_missing_row(installation: Installation):
    """The control: without it, "0 lost" could mean that nobody looked."""
    ledger = Ledger(installation, "control", writers=2)
    ledger.wait("has written", lambda status: status["rows"] > 100)
    primary = installation.primary()
    installation.sql(primary, f"DELETE FROM ledger WHERE run = '{ledger.name}' AND writer = 1 AND seq BETWEEN 10 AND 12", ledger.database)
    assert ledger.stop().lost == 3
