"""A line per round, a file of records, and the table of them all."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from tests.chaos.checker import KINDS

Record = dict[str, Any]
COLUMNS = (
    *("fault", "rounds", "green", "write gap p50 / p95 / max", "all recovered after p50 / p95 / max"),
    *("fresh connections failed, writes going on / after recovery", "acknowledged", "lost", "other violations"),
)


def line(record: Record) -> str:
    """What one round says on the terminal."""
    broken = " ".join(f"{kind} {record[kind]}" for kind in KINDS if record.get(kind)) or "kept"
    parts = (
        f"seed {record['seed']}: {record['fault']} ({record['target']}, {record['lasted']} s): write gap {record['gap']:.1f} s",
        f"streaming after {record['streaming']:.0f} s",
        f"recovered after {record['recovery']:.0f} s",
        f"{record['rows']} rows",
        f"fresh connections failed {record['fresh_failed_while_writing']} while writes went on and {record['fresh_failed_after']} after recovery",
        *([f"fast failover: {', '.join(f'{step} {count}' for step, count in sorted(steps.items()))}"] if (steps := record.get("failover_steps")) else []),
        f"promises {broken}; {record['seconds']:.0f} s; {'RED: ' + ' | '.join(record['failures']) if record['failures'] else 'GREEN'}",
    )
    return ", ".join(parts)


def load(file: Path, code: str) -> list[Record]:
    """The records that this code made. A last line that was cut off by a crash is nobody's record."""
    records = []
    for text in file.read_text(encoding="utf-8").splitlines() if file.exists() else []:
        try:
            record = json.loads(text)
        except ValueError:
            continue
        if record.get("code") == code:
            records.append(record)
    return records


def append(file: Path, record: Record) -> None:
    """One more line."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a", encoding="utf-8") as out:
        out.write(json.dumps(record, sort_keys=True) + "\n")


def percentile(values: Sequence[float], share: float) -> float:
    """The nearest rank: a value that was measured. With few values p95 is the largest."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def table(records: Iterable[Record]) -> str:
    """p50, p95 and max per fault, as Markdown."""
    by_fault: dict[str, list[Record]] = {}
    for record in records:
        by_fault.setdefault(record["fault"], []).append(record)
    everything = [record for rows in by_fault.values() for record in rows]
    rows = [
        f"| {' | '.join(COLUMNS)} |",
        "|---" * len(COLUMNS) + "|",
        *(_row(fault, found) for fault, found in sorted(by_fault.items())),
    ]
    if everything:
        rows.append(_row("**all**", everything))
    return "\n".join(rows)


def _row(fault: str, records: Sequence[Record]) -> str:
    green = sum(not record["failures"] for record in records)
    others = sum(record[kind] for record in records for kind in KINDS if kind != "lost")
    late = " / ".join(str(sum(record[when] for record in records)) for when in ("fresh_failed_while_writing", "fresh_failed_after"))
    rows, lost = sum(record["rows"] for record in records), sum(record["lost"] for record in records)
    return f"| {fault} | {len(records)} | {green} | {_three(records, 'gap')} | {_three(records, 'recovery')} | {late} | {rows:,} | {lost} | {others} |"


def _three(records: Sequence[Record], what: str) -> str:
    values = [record[what] for record in records]
    return " / ".join(f"{value:.1f}" for value in (percentile(values, 0.5), percentile(values, 0.95), max(values))) + " s"
