"""Write docs/reference/monitoring.md and docs/how-to/runbook.md from the exporter's queries and the alerts: ``python tools/monitoring_docs.py``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from sos_constructs.postgres import monitoring
from sos_constructs.postgres.alerts import GROUPS, Alert, advice, command
from sos_constructs.postgres.dashboard.panels import ROWS

import yaml

DOCS = Path(__file__).resolve().parent.parent / "docs"

INTRODUCTION = """\
# Monitoring

<!-- Written by tools/monitoring_docs.py from sos_constructs/postgres/files/exporter-queries.yaml and sos_constructs/postgres/alerts/. -->

Every member serves metrics on three ports, whether a Prometheus is there or not:

| port | name | what |
|---|---|---|
| 9187 | `metrics` | postgres_exporter {version}: its built-in collectors and our queries (`sos_pg_*`) |
| 8008 | `patroni` | Patroni: roles, timeline, streaming, pause, failsafe (`patroni_*`) |
| 8009 | `agent` | the agent: outcome of each step (`sos_agent_*`) |

The pooler's pods serve theirs on port 8010, name `agent` (`sos_pooler_*`): [pooler.md](../how-to/pooler.md#metrics).

`HaPostgres(..., monitoring=PrometheusOperator(labels={{"release": "kube-prometheus-stack"}}))` adds a PodMonitor that scrapes all three, another for
the pooler, and a PrometheusRule with the alerts below, and lets the Prometheus of the namespace `monitoring` in through the NetworkPolicies. The labels are
those by which your Prometheus selects such objects. The PodMonitors put `{label}="<name>"` on every series, and the rules look at that label.

The exporter logs in over the Unix socket as the role `monitoring` (pg_monitor) without a password. It keeps one connection to each database open:
`DROP DATABASE` needs `WITH (FORCE)`. It reads its queries when it connects; after a change of them, restart the pods.

## Metrics

Our queries repeat no built-in series: a name sent twice fails the whole scrape. Table statistics come from every database; the built-in ones
(`pg_stat_user_tables_*`) see the database `postgres` alone.
"""

ALERTS = """
## Alerts

`critical` means: writes stop, or data is at risk, now. `warning`: within days. `info`: worth knowing when something else looks odd.
Alerts about standbys are left out with one instance, `SosPostgresSyncStandbyMissing` also with `synchronous_mode="off"`, those about certificates with
`tls=None`, and those about the pooler and the fast failover without these options.
In the expressions the label matchers are left out. Each name leads to its page of the [runbook](../how-to/runbook.md), and so does the annotation
`runbook_url` of the alert: `PrometheusOperator(runbooks="https://wiki.example/postgres")` says where your people read it. `renewal` is `renew_before` of
`CertManager`, else 30 days, before which `sosctl secrets check` begins to note a certificate; a third of its life where that is less.
`query_wait_timeout` and `replicas` are the pooler's.

The chart makes no backups. With `archive_mode` on (`parameters=`), two alerts look at the archiver. `PrometheusOperator(backup_cronjob="postgres-backup")`
names the CronJob, in the same namespace, that makes your backups, and adds an alert for one that has not succeeded for `backup_max_age`; it needs
kube-state-metrics, whose series keep their own label `namespace` (`honorLabels`, as in kube-prometheus-stack)."""

DASHBOARD = """
## Dashboard

`PrometheusOperator(dashboard=True)` adds the ConfigMap `postgres-dashboard` with the label `grafana_dashboard: "1"`: the sidecar of Grafana's chart loads it,
if it searches this namespace (`sidecar.dashboards.searchNamespace: ALL`). It shows one installation; the Prometheus to ask is chosen on the page.
What shows the certificate, the fast failover and the pooler is left out where there is none.
"""

RUNBOOK = """\
# Runbook

<!-- Written by tools/monitoring_docs.py from sos_constructs/postgres/alerts/. -->

One section per alert: what it means, what to look at, what to do. The commands change nothing; they are for the reference chart (namespace
`sos-app`, installation `postgres`). Put the pod that the alert names in the place of `postgres-0`; SQL about writes wants the primary,
which `kubectl -n sos-app get pods -L role` shows. `patronictl` and `psql` inside a member need no options and no password.

Two habits: look at all members before you touch one, and never delete a volume while fewer than two members have the newest data.

A pod whose `app.kubernetes.io/component` is `former-primary` instead of `database` is out of its Services until it streams or leads;
its agent puts the label back."""


TOKENS = {
    "{$cluster}": "",
    "{$cluster,": "{",
    "{$volumes}": "",
    "$cronjob": "",
    "$members": "instances",
    "$backup_age": "backup_max_age",
    "$renewal": "renewal",
    "$poolers": "replicas",
    "$wait": "query_wait_timeout",
}
"""What stands in the table for what is put into an expression."""


def page() -> str:
    """The whole page."""
    version = monitoring.EXPORTER_IMAGE.rpartition(":")[2]
    parts = [INTRODUCTION.format(version=version, label=monitoring.CLUSTER_LABEL), *_table(("series", "type", "labels", "meaning"), _metrics()), ALERTS]
    for group, alerts in GROUPS.items():
        parts += [f"\n### {_heading(group)}\n", *_table(("alert", "severity", "when", "what it means"), map(_alert, alerts))]
    parts += [DASHBOARD, *_table(("row", "panels"), ((row, ", ".join(panel.title for panel in panels)) for row, panels in ROWS.items()))]
    return "\n".join(parts) + "\n"


def runbook() -> str:
    """The whole runbook."""
    parts = [RUNBOOK]
    for group, alerts in GROUPS.items():
        parts.append(f"\n## {_heading(group)}")
        for alert in alerts:
            commands = "\n".join(map(command, alert.look))
            due = "at once" if alert.lasting == "0m" else f"after {alert.lasting}"
            parts += [f"\n### {alert.title}\n", f"{alert.severity}, {due}. {alert.description}\n", f"```console\n{commands}\n```\n", advice(alert)]
    return "\n".join(parts) + "\n"


def _heading(group: str) -> str:
    return group.capitalize().replace("-", " ")


def _metrics() -> Iterator[tuple[str, ...]]:
    queries: dict[str, dict[str, Any]] = yaml.safe_load(monitoring.queries())
    for prefix, query in queries.items():
        columns = [(column, options) for metric in query["metrics"] for column, options in metric.items()]
        labels = [column for column, options in columns if options["usage"] == "LABEL"]
        for column, options in columns:
            if options["usage"] != "LABEL":
                yield f"`{prefix}_{column}`", options["usage"].lower(), ", ".join(f"`{label}`" for label in labels), options["description"]


def _alert(alert: Alert) -> tuple[str, ...]:
    expr = alert.expr
    for token, text in TOKENS.items():
        expr = expr.replace(token, text)
    return f"[`{alert.title}`](../how-to/runbook.md#{alert.anchor})", alert.severity, f"`{expr}` for {alert.lasting}", alert.description


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    for cells in (head, ("---",) * len(head), *rows):
        yield "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |"


if __name__ == "__main__":
    (DOCS / "reference" / "monitoring.md").write_text(page(), encoding="utf-8", newline="\n")
    (DOCS / "how-to" / "runbook.md").write_text(runbook(), encoding="utf-8", newline="\n")
