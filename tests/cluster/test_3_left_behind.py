"""A standby whose place in the log its primary no longer has: restarted, then copied anew, without a human."""

from __future__ import annotations

import re
import time

import pytest

from tests.cluster import kube
from tests.cluster.breakable import Breakable
from tests.cluster.client import Ledger, compare
from tests.cluster.installation import Installation

pytestmark = pytest.mark.release

ASK_AGENT = "import urllib.request; print(urllib.request.urlopen('http://localhost:8009/metrics', timeout=5).read().decode())"
SEGMENTS = 45
"""Of 16 MB: more than wal_keep_size (512 MB) keeps."""


def actions(installation: Installation, pod: str) -> dict[str, int]:
    """What the agent of a pod says it did."""
    text = installation.exec(pod, "python3", "-c", ASK_AGENT, container="agent")
    return {kind: int(count) for kind, count in re.findall(r'^sos_agent_actions_total\{action="(\w+)"\} (\d+)$', text, re.MULTILINE)}


def forget(installation: Installation, primary: str, standby: str) -> None:
    """Have the primary drop the slot of a standby that does not move, and remove the log that it would need.

    Patroni makes the slot anew in its next round, and reserves what there is: so the log is filled first, then the slot dropped, then the
    old log removed.
    """

    def run(statement: str) -> str:
        return installation.exec(
            primary, f"{installation.image.bin_dir}/psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-d", "postgres", "-c", statement, seconds=300
        )

    run(f"DO $$BEGIN FOR i IN 1..{SEGMENTS} LOOP PERFORM pg_logical_emit_message(false, 'drill', 'x'); PERFORM pg_switch_wal(); END LOOP; END$$")
    run("CHECKPOINT")
    slot = standby.replace("-", "_")
    kube.poll(f"{slot} let go", lambda: run(f"SELECT active FROM pg_replication_slots WHERE slot_name = '{slot}'").strip() == "f", 30, pause=0.2)
    run(f"SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = '{slot}' AND NOT active")
    run("CHECKPOINT")


def test_a_standby_left_behind_is_copied_anew(installation: Installation, nodes_may_break: Breakable, figure: list[str]):
    primary = installation.wait_healthy()
    standby, other = sorted(set(installation.pod_names) - {primary})
    before, lives = actions(installation, standby), installation.lives()
    ledger = Ledger(installation, "behind")
    ledger.wait("has written", lambda status: status["rows"] > 200)
    nodes_may_break.do("freeze", f"{installation.namespace}/{standby}")
    try:
        forget(installation, primary, standby)
    finally:
        nodes_may_break.do("thaw", f"{installation.namespace}/{standby}")
    over = time.monotonic()
    kube.poll(f"{standby} is copied anew", lambda: actions(installation, standby)["reinitialize"] == before["reinitialize"] + 1, 300)
    installation.wait_healthy(300)
    took = time.monotonic() - over
    outcome = ledger.stop()
    assert outcome.lost == 0
    kube.poll(f"every acknowledged row on {standby}", lambda: compare(outcome.summary, ledger.table(standby)).lost == 0, 60)
    now = installation.lives()
    assert {pod: now[pod] for pod in (primary, other)} == {pod: lives[pod] for pod in (primary, other)}, "others were touched"
    assert actions(installation, standby)["restart"] == before["restart"] + 1
    figure.append(f"a standby whose log is gone: restarted, copied anew and streaming after {took:.0f} s; {outcome.summary['rows']} rows acknowledged, 0 lost")
