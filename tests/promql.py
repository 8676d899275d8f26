"""What an expression of ours names: enough of PromQL for the expressions of this repository, which promtool parses in full."""

from __future__ import annotations

import re

TARGET_LABELS = {"namespace", "pod", "container", "instance", "job", "endpoint", "postgres_cluster"}
"""Labels that no exporter sends: Prometheus takes them from the target, and the PodMonitor adds the last one."""

PREFIXES = ("patroni", "pg", "sos_pg", "sos_agent", "sos_pooler", "pgbouncer", "kubelet", "kube")


def series(expr: str) -> set[str]:
    """Names of series."""
    return set(re.findall(rf"\b(?:{'|'.join(PREFIXES)})_\w+", re.sub(r'"[^"]*"', '""', expr))) - {"postgres_cluster"}


def labels(expr: str, *texts: str) -> dict[str, set[str]]:
    """Labels that the series of an expression must bring themselves: by series those between its braces, under "" those that the whole
    expression or the texts of its alert use and that at least one of its series must have."""
    found: dict[str, set[str]] = {}
    for name, matchers in re.findall(r"(\w+)\{([^}]*)\}", expr):
        found.setdefault(name, set()).update(set(re.findall(r"(\w+)(?:=~|!=|!~|=)", matchers)) - TARGET_LABELS)
    grouped = {label.strip() for group in re.findall(r"\b(?:by|on|without|ignoring) ?\(([^)]*)\)", expr) for label in group.split(",")}
    told = {label for text in texts for label in re.findall(r"\$labels\.(\w+)", text)}
    found[""] = (grouped | told) - TARGET_LABELS
    return found
