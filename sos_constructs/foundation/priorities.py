"""The four priority classes of the platform: which pods the scheduler may evict for which.

A class is cluster-wide and its value cannot be changed once it exists, so names and values are a contract. User classes may use
values up to 1,000,000,000; above that are Kubernetes' own (system-cluster-critical, 2,000,000,000). Steps of a factor of ten leave room
for classes in between. Pods without a class have priority 0, because none of these classes is the global default: a default would silently
re-rank every other team's pods in a shared cluster.
"""

from __future__ import annotations

from typing import Any

from sos_constructs.labels import PART_OF, labels

from attrs import frozen

PRIORITY_CRITICAL = "sos-app-critical"
PRIORITY_HIGH = "sos-app-high"
PRIORITY_NORMAL = "sos-app-normal"
PRIORITY_LOW = "sos-app-low"


@frozen(kw_only=True)
class Priority:
    """One row: a higher ``value`` is scheduled first and may evict lower ones; ``meaning`` says which pods belong here."""

    name: str
    value: int
    meaning: str


PRIORITIES = (
    Priority(name=PRIORITY_CRITICAL, value=1_000_000, meaning="Taking in and dispatching an emergency: must run when little else can."),
    Priority(name=PRIORITY_HIGH, value=100_000, meaning="What the emergency path stands on: databases, caches, message brokers."),
    Priority(name=PRIORITY_NORMAL, value=10_000, meaning="User-facing services that people can wait a minute for."),
    # Below 0, so that a report never evicts another team's pod that has no class; not below -10, where the cluster autoscaler
    # (expendable-pods-priority-cutoff, default -10) would neither add a node for it nor spare it when removing one.
    Priority(name=PRIORITY_LOW, value=-5, meaning="Batch work, reports, clean-up: the first to go when nodes are full."),
)


def priority_class(priority: Priority) -> dict[str, Any]:
    """The PriorityClass of one row. The labels name no installation, so that several may apply the same object."""
    return {
        "apiVersion": "scheduling.k8s.io/v1",
        "kind": "PriorityClass",
        "metadata": {"name": priority.name, "labels": labels("sos-foundation", PART_OF, "scheduling")},
        "value": priority.value,
        "globalDefault": False,
        "description": priority.meaning,
    }
