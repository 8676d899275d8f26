"""The ledger client from outside: start it, wait for it, read its summary, and compare that with the table."""

from __future__ import annotations

import json
import time
from typing import Any

import attrs

from tests.cluster import chart, kube
from tests.cluster.installation import Installation

Ranges = dict[int, list[tuple[int, int]]]

ISLANDS = """SELECT writer, min(seq), max(seq) FROM (
    SELECT writer, seq, seq - row_number() OVER (PARTITION BY writer ORDER BY seq) AS island FROM ledger WHERE run = '{run}'
) AS rows GROUP BY writer, island ORDER BY 1, 2"""


@attrs.frozen(kw_only=True)
class Outcome:
    """What the client saw, and what is in the table."""

    summary: dict[str, Any]
    lost: int
    """Rows that were acknowledged and are not there. Must be 0."""
    extra: int
    """Rows that are there and were never acknowledged: allowed, since a connection can break between commit and answer."""
    streaming_after: float | None = None
    """Seconds from the end of the fault until every member streamed again."""

    @property
    def late(self) -> int:
        """Fresh connections that began after the first acknowledged row that ended the longest gap, and failed all the same. Must be 0."""
        return sum(self.summary["fresh"]["late"].values())

    @property
    def turned_away(self) -> int:
        """Those of them that got an answer, and so had been sent to the wrong server. A time-out can be the machine's: its tests run side by side."""
        return self.late - int(self.summary["fresh"]["late"].get("timeout", 0))

    @property
    def servers(self) -> list[str]:
        """Which server acknowledged, in the order in which they took over."""
        return [server for server, _ in self.summary["servers"]]

    def line(self, what: str) -> str:
        """One line to quote."""
        fresh = self.summary["fresh"]
        reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(fresh["reasons"].items()))
        when = f" from {fresh['first']:+.1f} s to {fresh['last']:+.1f} s after the first new row: {reasons}" if fresh["failed"] else ""
        gaps = " + ".join(f"{length:.1f}" for _, length in self.summary["gaps"]) or f"{self.summary['write_gap']:.2f}"
        return (
            f"{what}: write gap {gaps} s, {self.summary['rows']} rows acknowledged, {self.lost} lost, {self.extra} extra, "
            f"{len(self.servers)} server(s), fresh connections {fresh['failed']} of {fresh['tried']} failed{when}"
            + (f", all streaming after {self.streaming_after:.0f} s" if self.streaming_after is not None else "")
        )


class Ledger:
    """One run of the client in a pod of its own."""

    def __init__(
        self,
        installation: Installation,
        name: str,
        *,
        writers: int = 4,
        database: str = chart.LEDGER_DATABASE,
        pooled: bool = False,
        plain: bool = False,
        node: str | None = None,
    ) -> None:
        stale = ("delete", "pods,configmaps", "-n", installation.namespace, "-l", chart.LEDGER_SELECTOR, "--now", "--wait=false")
        kube.kubectl(*stale)  # of a run that failed: it would go on writing
        self.installation, self.name, self.database = installation, f"ledger-{name}-{int(time.time())}", database
        options: dict[str, Any] = {"writers": writers, "database": database, "pooled": pooled, "plain": plain, "node": node}
        kube.apply(chart.ledger(self.name, installation.namespace, installation.image, **options))
        self.wait("has written", lambda status: status["rows"] >= 20 and status["fresh"] > 1)

    @property
    def node(self) -> str:
        return self.installation.node_of(self.name)

    def status(self) -> dict[str, Any]:
        """Rows so far, seconds of silence, seconds since a fresh connection failed."""
        value: dict[str, Any] = json.loads(self.installation.exec(self.name, "cat", "/tmp/status.json", container="ledger"))
        return value

    def wait(self, what: str, condition: Any, seconds: float = 180) -> None:
        """Until the condition holds for the client's status."""
        kube.poll(f"{self.name} {what}", lambda: condition(self.status()), seconds, pause=0.5)

    def wait_writing(self, seconds: float = 300) -> None:
        """Until writers write and fresh connections have worked for five seconds."""
        self.wait("writes", lambda status: status["silent"] < 1 and status["fresh"] > 5, seconds)

    def stop(self) -> Outcome:
        """End the run, read its summary, compare it with the table on the primary, and remove the pod."""
        namespace = self.installation.namespace
        # killed with its container, where that is faster than it: whether the run has ended is asked next
        self.installation.try_exec(self.name, "python3", "-c", "import os; os.kill(1, 15)", container="ledger")
        kube.poll(f"{self.name} ends", lambda: kube.get("pod", self.name, "-n", namespace)["status"]["phase"] in ("Succeeded", "Failed"), 30, pause=0.5)
        log = kube.kubectl("logs", "-n", namespace, self.name)
        summary = json.loads(log.splitlines()[-1])
        kube.kubectl("delete", "pod,configmap", self.name, "-n", namespace, "--wait=false")
        primary = kube.poll("a primary", self.installation.primary)
        return compare(summary, self.table(primary))

    def table(self, pod: str) -> Ranges:
        """What stands in the table of one member."""
        ranges: Ranges = {}
        for writer, first, last in self.installation.sql(pod, ISLANDS.format(run=self.name), self.database):
            ranges.setdefault(int(writer), []).append((int(first), int(last)))
        return ranges


def compare(summary: dict[str, Any], there: Ranges) -> Outcome:
    """Acknowledged against present."""
    acknowledged = {int(writer): ranges for writer, ranges in summary["acknowledged"].items()}
    lost = extra = 0
    for writer in acknowledged.keys() | there.keys():
        promised, present = _numbers(acknowledged.get(writer, [])), _numbers(there.get(writer, []))
        lost += len(promised - present)
        extra += len(present - promised)
    return Outcome(summary=summary, lost=lost, extra=extra)


def _numbers(ranges: Any) -> set[int]:
    return {number for first, last in ranges for number in range(first, last + 1)}
