"""Before a primary stops: let those that leave together with it leave the quorum first.

Five members become three, and the primary and another voter go in the same moment. A successor needs the votes of all voters but as many
as acknowledged each commit: with four voters and one acknowledgement all four, and one of them does not come back. Nothing would be
lost and nobody could become primary until the members are five again; seen on a cluster. So the primary's container waits, before its
SIGTERM, until Patroni has taken the others that go out of the quorum, which it does in one of its next rounds. Where nobody else goes,
nothing is waited for. Then it hands over: handover.py.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from .closing import close_in_time
from .handover import hand_over
from .kube_api import Kube, KubeError, NotFound
from .log import log
from .patroni_process import ENDING, HURRY, MARK

LONGEST = 30.0
"""Seconds after which it stops all the same: ten rounds of Patroni's loop at its default."""
SERVICE_AGAIN_SECONDS = 0.8
"""From this program's start, a quarter of a second or more after the pod's end was asked for, until kube-proxy may change a Service once more."""


def leave(
    kube: Kube,
    patroni_file: Path,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
    stop: Callable[[Kube, dict[str, Any], Path, Callable[[], None], float], None] = hand_over,
) -> None:
    """Return when this member may stop; the holder of the lock has its server stopped then."""
    config, not_before = json.loads(patroni_file.read_text()), clock() + SERVICE_AGAIN_SECONDS
    (patroni_file.parent / ENDING).touch()  # whatever happens to Patroni from here on, its server ends
    (patroni_file.parent / MARK).unlink(missing_ok=True)
    try:
        if not has_time(kube, config["name"]):
            (patroni_file.parent / HURRY).touch()
            return
        wait_for_voters(kube, config, clock, sleep)
        if not holds_lock(kube, config["name"], config["scope"]) or is_paused(kube, config["scope"]):
            return
    except KubeError as error:
        log("warning", "farewell", str(error))
        return
    stop(kube, config, patroni_file, partial(close_in_time, patroni_file.parent, config), not_before)


def wait_for_voters(kube: Kube, config: dict[str, Any], clock: Callable[[], float], sleep: Callable[[float], None]) -> None:
    """Until those that go too have left the quorum, or for so long.

    :raises KubeError: when the API server does not answer.
    """
    until, told = clock() + LONGEST, False
    while clock() < until:
        waits_for = leaving_voters(kube, config["name"], config["scope"], config["kubernetes"]["labels"])
        if not waits_for:
            return
        if not told:
            log("info", "farewell", "waiting until those that go too have left the quorum", members=waits_for)
            told = True
        sleep(0.5)
    log("warning", "farewell", "not waiting any longer")


def leaving_voters(kube: Kube, own: str, scope: str, labels: dict[str, str]) -> list[str]:
    """Voters that are going or gone while others stay; empty where this member does not hold the lock."""
    if not holds_lock(kube, own, scope):
        return []
    listed = kube.annotations(f"{scope}-sync").get("sync_standby") or ""
    voters = {name for name in listed.split(",") if name}
    staying = {pod["name"] for pod in kube.pods(labels) if "deletionTimestamp" not in pod} - {own}
    return sorted(voters - staying) if staying else []


def holds_lock(kube: Kube, own: str, scope: str) -> bool:
    """Whether this member is the primary, as the store has it now."""
    return kube.annotations(f"{scope}-leader").get("leader") == own


def is_paused(kube: Kube, scope: str) -> bool:
    """Whether somebody told Patroni to leave everything as it is; then it keeps the lock when it stops."""
    return bool(json.loads(kube.annotations(f"{scope}-config").get("config") or "{}").get("pause"))


def has_time(kube: Kube, own: str) -> bool:
    """Whether the pod is being terminated in an orderly way. One that was deleted by force is gone or another already, and gets two seconds."""
    try:
        return "deletionTimestamp" in kube.metadata(f"pods/{own}")
    except NotFound:
        return False
