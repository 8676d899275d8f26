"""The alerts of HaPostgres, as data. ``monitoring.prometheus_rule`` makes the PrometheusRule of them, docs/ the table and the runbook.

``$cluster`` in an expression stands for the label matchers of one installation, ``$volumes`` for those of its volumes,
``$members`` for its number of pods, ``$cronjob`` and ``$backup_age`` for its backup job, ``$renewal`` for the time before its certificate's end at
which that is to be renewed, ``$poolers`` and ``$wait`` for the pooler's pods and ``query_wait_timeout``. Series come from Patroni (``patroni_*``), the
exporter (``pg_*``, ``sos_pg_*``), the agent (``sos_agent_*``), the pooler's agent (``sos_pooler_*``), the kubelet (``kubelet_*``) and
kube-state-metrics (``kube_*``).

Two rules for whoever adds one. A member's series vanish with the member, at once: an alert that must survive that says so with
``absent``, ``unless`` or a count. And what a server counts of itself stays on it after a failover, so that what only a primary can do is
joined with ``sos_pg_postmaster_in_recovery == 0``.
"""

from __future__ import annotations

from sos_constructs.postgres.alerts.agent import AGENT
from sos_constructs.postgres.alerts.alert import PREFIX, Alert, Need, command
from sos_constructs.postgres.alerts.availability import AVAILABILITY
from sos_constructs.postgres.alerts.backup import BACKUP
from sos_constructs.postgres.alerts.capacity import CAPACITY
from sos_constructs.postgres.alerts.certificates import CERTIFICATES
from sos_constructs.postgres.alerts.fast_failover import FAST_FAILOVER
from sos_constructs.postgres.alerts.patroni import PATRONI
from sos_constructs.postgres.alerts.pooler import POOLER
from sos_constructs.postgres.alerts.replication import REPLICATION
from sos_constructs.postgres.alerts.storage import STORAGE

GROUPS = {
    "availability": AVAILABILITY,
    "patroni": PATRONI,
    "replication": REPLICATION,
    "capacity": CAPACITY,
    "storage": STORAGE,
    "backup": BACKUP,
    "agent": AGENT,
    "certificates": CERTIFICATES,
    "pooler": POOLER,
    "fast-failover": FAST_FAILOVER,
}
"""Alerts by rule group. Prometheus evaluates one group after the other."""

__all__ = ["GROUPS", "PREFIX", "Alert", "Need", "command"]
