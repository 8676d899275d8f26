"""The fast failover, switched on while the database runs: the agents release a lost primary's lock before its ttl ends, and leave nothing cut."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sos_constructs import FastFailover

import attrs
import pytest

from tests.chaos.rounds import failover_steps
from tests.cluster import chart, faults, kube
from tests.cluster.breakable import Breakable
from tests.cluster.faults import Fault, assert_kept, drill, wait_rollout
from tests.cluster.installation import Installation

pytestmark = pytest.mark.release

UNHEARD = attrs.evolve(faults.LONELY, client_beside=False)
"""With its client on a standby's side: only there writes go on."""


def apply(installation: Installation, **options: Any) -> None:
    kube.apply(chart.reference(**options))
    wait_rollout(installation)
    installation.wait_healthy(600)


@pytest.fixture(scope="module")
def fast(installation: Installation, tool: Breakable | None) -> Iterator[Installation]:
    """The reference app with the option; the reference again afterwards."""
    if tool is None:
        pytest.skip("nodes may not break here")
    installation.wait_healthy()
    apply(installation, synchronous_mode_strict=True, failover=FastFailover())
    yield installation
    apply(installation)


@pytest.mark.parametrize("fault", [faults.CRASH, faults.CUT, faults.FREEZE_POD, UNHEARD], ids=lambda fault: fault.name)
def test_the_agents_release_the_lock(fast: Installation, nodes_may_break: Breakable, figure: list[str], fault: Fault):
    before = failover_steps(fast)
    outcome = drill(fast, fault, nodes_may_break)
    figure.append(outcome.line(f"{fault.name}, fast failover"))
    assert_kept(outcome)
    # the pod that was lost counts anew, so only what grew is looked at
    grown = failover_steps(fast) - before
    assert grown["releases"] >= 1, f"Patroni's ttl decided: {grown}"


def test_nothing_is_left_cut(fast: Installation):
    for pod in fast.pod_names:
        assert fast.try_exec(pod, "test", "-e", "/run/sos/cut/libpqwalreceiver", container="agent").returncode == 1, pod
