"""One round: a workload, a fault, recovery, and the check."""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections import Counter
from random import Random
from typing import Any

import attrs

from tests.chaos import checker
from tests.chaos.access import Addresses
from tests.chaos.faults import Fault
from tests.chaos.history import History, Write, largest_gap
from tests.chaos.scene import Scene
from tests.chaos.workload import PROBE, Workload
from tests.cluster import conntrack, kube
from tests.cluster.breakable import Breakable
from tests.cluster.installation import Installation

PATIENCE = 300.0
"""Seconds after which a cluster that has not recovered never will."""
QUIET_PROBES = 6
"""Fresh connections that are watched once all is well again."""
ISLANDS = """SELECT run, writer, min(seq), max(seq) FROM (
    SELECT run, writer, seq, seq - row_number() OVER (PARTITION BY run, writer ORDER BY seq) AS island FROM chaos WHERE {which}
) AS rows GROUP BY run, writer, island"""
METRICS = "import urllib.request; print(urllib.request.urlopen('http://localhost:8009/metrics', timeout=5).read().decode())"


@attrs.frozen(kw_only=True)
class Stage:
    """What all rounds share."""

    installation: Installation
    tool: Breakable
    addresses: Addresses
    environment: dict[str, str]
    database: str
    budget: float
    tolerated: tuple[str, ...] = ()


def play(stage: Stage, seed: int, fault: Fault) -> tuple[dict[str, Any], History]:
    """The record of a round, with `failures` in words, and its history."""
    began = time.time()
    primary = stage.installation.wait_healthy(PATIENCE)
    conntrack.forget(stage.environment["PGHOSTADDR"])
    workload = Workload(f"r{seed}-{int(began)}", stage.environment)
    trouble: list[str] = []
    before = failover_steps(stage.installation)
    took = {"streaming": PATIENCE, "all": PATIENCE}
    try:
        _writes(workload, PATIENCE)
        scene = Scene(installation=stage.installation, tool=stage.tool, workload=workload, random=Random(seed), primary=primary)
        time.sleep(Random(f"{seed} start").uniform(0.5, 2))
        struck = workload.now()
        try:
            with scene.undo:
                fault.strike(scene)
        except (AssertionError, subprocess.SubprocessError, OSError) as error:
            trouble.append(f"the fault itself failed: {str(error)[:400]}")
        ended = workload.now()
        took = recovery(stage, workload, trouble)
    finally:
        history = workload.stop()
    tables = {} if took["all"] == PATIENCE else {pod: _caught_up(stage, pod, workload.run, history) for pod in stage.installation.pod_names}
    verdict = checker.check(history, tables, stage.addresses.member)
    measured = figures(history, struck, ended, took)
    slow = [f"recovery took {took['all']:.0f} s of {stage.budget:.0f}"] if stage.budget < took["all"] < PATIENCE else []
    refused = [f"{why}: {count} fresh connections after recovery" for why, count in measured["fresh_reasons_after"].items()]
    record = {
        "seed": seed,
        "fault": fault.name,
        "target": scene.target,
        "run": workload.run,
        "began": round(began),
        "seconds": round(time.time() - began, 1),
        "lasted": round(ended - struck, 1),
        "load": round(os.getloadavg()[0], 1),
        **measured,
        "timelines": sorted({write.timeline for write in history.writes}),
        "errors": dict(workload.errors),
        "failover_steps": dict(failover_steps(stage.installation) - before) if took["all"] < PATIENCE else {},
        **verdict.counts(),
        "failures": [*trouble, *slow, *refused, *verdict.failures(stage.tolerated)],
    }
    return record, history


def figures(history: History, struck: float, ended: float, took: dict[str, float]) -> dict[str, Any]:
    """Gap and fresh connections."""
    end = max((write.ended for write in history.writes), default=0.0)
    gap_began, gap = largest_gap(history.writes, frozenset({PROBE}), struck, max(end, struck))
    again, recovered = gap_began + gap, ended + took["all"]
    failed = [attempt for attempt in history.attempts if attempt.reason]
    late = [attempt for attempt in failed if attempt.began > again and attempt.began <= recovered]
    after = [attempt for attempt in failed if attempt.began > recovered]
    return {
        "rows": len(history.writes),
        "reads": len(history.reads),
        "gap": round(gap, 2),
        "fresh": len(history.attempts),
        "fresh_failed_while_writing": len(late) if gap > 1 else 0,
        "fresh_reasons": dict(Counter(attempt.reason for attempt in late)),
        "fresh_failed_after": len(after),
        "fresh_reasons_after": dict(Counter(attempt.reason for attempt in after)),
        "streaming": round(took["streaming"], 1),
        "recovery": round(took["all"], 1),
    }


def recovery(stage: Stage, workload: Workload, trouble: list[str]) -> dict[str, float]:
    """Seconds from the fault's end until all members stream, and until besides writers write, fresh connections work and every agent is content."""
    began = workload.now()
    took = {"streaming": PATIENCE, "all": PATIENCE}
    try:
        stage.installation.wait_healthy(PATIENCE)
        took["streaming"] = workload.now() - began
        _writes(workload, PATIENCE)
        kube.poll("every agent content", lambda: not discontent(stage.installation), PATIENCE, pause=1.0)
        workload.forget_dead()
        took["all"] = workload.now() - began
        recovered = workload.now()
        kube.poll("fresh connections", lambda: workload.attempts_since(recovered) >= QUIET_PROBES, 60, pause=0.3)
    except AssertionError as error:
        trouble.append(f"no recovery: {str(error)[:400]}")
    return took


def discontent(installation: Installation) -> str:
    """Steps of agents that failed last time, or an empty string."""
    for pod in installation.pod_names:
        text = installation.exec(pod, "python3", "-c", METRICS)
        failing = [line for line in text.splitlines() if line.startswith("sos_agent_reconcile_success{") and not line.endswith(" 1")]
        if failing or "sos_agent_reconcile_success{" not in text:
            raise AssertionError(f"{pod}: {failing or 'no step has run'}")
    return ""


def failover_steps(installation: Installation) -> Counter[str]:
    """Steps of the fast failover that agents took since they came up; none where the option is not on."""
    found = Counter[str]()
    for pod in installation.pod_names:
        text = installation.exec(pod, "python3", "-c", METRICS)
        for step, count in re.findall(r'^sos_agent_failover_steps_total\{step="(\w+)"\} (\d+)$', text, re.MULTILINE):
            found[step] += int(count)
    return found


def tables_of(stage: Stage, pod: str, which: str = "true") -> dict[str, dict[int, set[int]]]:
    """Rows by run and writer."""
    found: dict[str, dict[int, set[int]]] = {}
    for run, writer, first, last in stage.installation.sql(pod, ISLANDS.format(which=which), stage.database):
        found.setdefault(run, {}).setdefault(int(writer), set()).update(range(int(first), int(last) + 1))
    return found


def audit(stage: Stage, promised: dict[str, list[Write]]) -> list[str]:
    """Rows of earlier rounds that a member does not have now."""
    stage.installation.wait_healthy(PATIENCE)
    found = []
    for pod in stage.installation.pod_names:
        tables = tables_of(stage, pod)
        for run, writes in promised.items():
            found += [f"{run}: {complaint}" for complaint in checker.lost(writes, {pod: tables.get(run, {})})]
    return found


def _caught_up(stage: Stage, pod: str, run: str, history: History) -> dict[int, set[int]]:
    """A member's rows of one run. A standby may be a moment behind: ask again while something is missing, for up to ten seconds."""
    until = time.monotonic() + 10
    while True:
        there = tables_of(stage, pod, f"run = '{run}'").get(run, {})
        if not checker.lost(history.writes, {pod: there}) or time.monotonic() > until:
            return there
        time.sleep(0.5)


def _writes(workload: Workload, seconds: float) -> None:
    """Until lasting and fresh connections write."""
    since = workload.now()
    kube.poll("writes", lambda: workload.writing(since), seconds, pause=0.2)
