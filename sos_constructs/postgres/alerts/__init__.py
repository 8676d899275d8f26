"""The alerts of HaPostgres, as data. ``monitoring.prometheus_rule`` makes the PrometheusRule of them, docs/ the table and the runbook.

Words with ``$`` are filled in for one installation. In an expression:

- ``$cluster``, ``$volumes``: label matchers of its pods and of its volumes;
- ``$members``, ``$poolers``: numbers of its pods and of its pooler's pods;
- ``$cronjob``, ``$backup_age``: its backup job;
- ``$renewal``: the time before a certificate's end at which it is to be renewed;
- ``$wait``: the pooler's ``query_wait_timeout``.

In ``act``: ``$name`` and ``$namespace`` of the installation, and ``$certificate``, the name of its Secret with the certificate.

Series come from Patroni (``patroni_*``), the
exporter (``pg_*``, ``sos_pg_*``), the agent (``sos_agent_*``), the pooler's agent (``sos_pooler_*``), the kubelet (``kubelet_*``) and
kube-state-metrics (``kube_*``).

Two rules for a new alert. A member's series disappear with the member, at once. An alert that must survive this uses ``absent``, ``unless`` or a count.
And a server keeps its own counters after a failover. So what only a primary can do is joined with ``sos_pg_postmaster_in_recovery == 0``.
"""

from __future__ import annotations

from sos_constructs.postgres.alerts.agent import AGENT
from sos_constructs.postgres.alerts.alert import PREFIX, Alert, Need, advice, command
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

__all__ = ["GROUPS", "PREFIX", "Alert", "Need", "advice", "command"]
