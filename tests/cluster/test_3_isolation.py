"""A primary that stands still or is alone: nothing that it acknowledged is lost, and the members find together again by themselves."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import attrs
import pytest

from tests.cluster import chart, faults, kube
from tests.cluster.breakable import Breakable
from tests.cluster.client import Ledger, Outcome
from tests.cluster.faults import Fault, assert_kept, drill
from tests.cluster.installation import ASK, Installation

ARRIVES_SECONDS = 300
ALONE_SECONDS = 3
"""Less than what Patroni's maximum_lag_on_failover (1 MiB) takes to fill: behind by more, no standby would take over, and nothing be lost."""


@contextmanager
def reference_with(installation: Installation, **options: Any) -> Iterator[None]:
    """The reference chart with other options of HaPostgres, in Patroni's store; the reference again afterwards."""
    before = store(installation)
    kube.apply(chart.reference(**options))
    kube.poll("the agent has changed Patroni's store", lambda: store(installation) != before, ARRIVES_SECONDS)
    try:
        yield
    finally:
        kube.apply(chart.reference())
        kube.poll("Patroni's store is as before", lambda: store(installation) == before, ARRIVES_SECONDS)
        installation.wait_healthy(600)


def store(installation: Installation) -> str:
    """Patroni's dynamic configuration."""
    return installation.exec(installation.primary(), "python3", "-c", ASK, "config")


RARER = (faults.FREEZE_POD, faults.FREEZE_NODE, faults.LONELY, faults.FREEZE_API)


@pytest.mark.parametrize("fault", [faults.CUT, *(pytest.param(fault, marks=pytest.mark.release) for fault in RARER)], ids=lambda fault: fault.name)
def test_nothing_acknowledged_is_lost(installation: Installation, nodes_may_break: Breakable, figure: list[str], fault: Fault):
    primary, lives = installation.wait_healthy(), installation.lives()
    started = installation.server_started(primary)
    outcome = drill(installation, fault, nodes_may_break)
    figure.append(outcome.line(fault.name))
    assert_kept(outcome)
    if fault is faults.FREEZE_API:
        assert (installation.primary(), installation.server_started(primary)) == (primary, started), "the primary was stopped for nothing"
    if fault is not faults.LONELY:  # its client is on the wrong side of the cut
        assert outcome.turned_away == 0, "a fresh connection was sent to the wrong server after the first new row"
    if fault in (faults.FREEZE_POD, faults.FREEZE_NODE):
        return  # what stands still for long may be killed
    killed = {pod for pod, (_, starts) in installation.lives().items() if starts["postgres"] != lives[pod][1]["postgres"]}
    assert killed == set(), "a probe killed a member for what the network or the API server did"


def alone_then_away(installation: Installation, tool: Breakable, name: str) -> Outcome:
    """The primary's node, with the client on it, is cut from both standbys for a while, and then from the API server too, until others lead."""
    primary = installation.wait_healthy()
    node = installation.node_of(primary)
    ledger = Ledger(installation, name, node=node)
    time.sleep(5)
    mend = faults.LONELY.strike(installation, primary, tool)
    try:
        time.sleep(ALONE_SECONDS)
        tool.do("part", node, "api")
        kube.poll("another leads", lambda: installation.holder() != primary, 120)
    finally:
        mend()
    installation.wait_healthy(600)
    ledger.wait_writing()
    return ledger.stop()


@pytest.mark.release
def test_in_asynchronous_mode_the_checker_finds_what_is_lost(installation: Installation, nodes_may_break: Breakable, figure: list[str]):
    """The control: an isolated primary does lose rows where nothing waits for a standby, and the books notice."""
    with reference_with(installation, synchronous_mode="off"):
        outcome = alone_then_away(attrs.evolve(installation, sync_state="async"), nodes_may_break, "async")
    figure.append(outcome.line("asynchronous: primary cut from both standbys, then from the API server"))
    assert outcome.lost > 0
