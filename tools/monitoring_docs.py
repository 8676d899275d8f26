"""Write docs/monitoring.md from the exporter's queries and the alerts: ``python tools/monitoring_docs.py``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from sos_constructs.postgres import monitoring
from sos_constructs.postgres.alerts import GROUPS, Alert

import yaml

PAGE = Path(__file__).resolve().parent.parent / "docs" / "monitoring.md"

INTRODUCTION = """\
# Monitoring

<!-- Written by tools/monitoring_docs.py from sos_constructs/postgres/files/exporter-queries.yaml and sos_constructs/postgres/alerts.py. -->

Every member serves metrics on three ports, whether a Prometheus is there or not:

| port | name | what |
|---|---|---|
| 9187 | `metrics` | postgres_exporter {version}: its built-in collectors and our queries (`sos_pg_*`) |
| 8008 | `patroni` | Patroni: roles, timeline, streaming, pause, failsafe (`patroni_*`) |
| 8009 | `agent` | the agent: outcome of each step (`sos_agent_*`) |

`HaPostgres(..., monitoring=PrometheusOperator(labels={{"release": "kube-prometheus-stack"}}))` adds a PodMonitor that scrapes all three and a
PrometheusRule with the alerts below, and lets the Prometheus of the namespace `monitoring` in through the NetworkPolicy. The labels are those by
which your Prometheus selects such objects. The PodMonitor puts `{label}="<name>"` on every series, and the rules look at that label.

The exporter logs in over the Unix socket as the role `monitoring` (pg_monitor) without a password. It keeps one connection to each database open:
`DROP DATABASE` needs `WITH (FORCE)`. It reads its queries when it connects; after a change of them, restart the pods.

## Metrics

Our queries repeat no built-in series: a name sent twice fails the whole scrape. Table statistics come from every database; the built-in ones
(`pg_stat_user_tables_*`) see the database `postgres` alone.
"""

ALERTS = """
## Alerts

`critical` means: writes stop, or data is at risk, now. `warning`: within days. `info`: worth knowing when something else looks odd.
Alerts about standbys are left out with one instance, `SosPostgresSyncStandbyMissing` also with `synchronous_mode="off"`.
In the expressions the label matchers are left out."""


def page() -> str:
    """The whole page."""
    version = monitoring.EXPORTER_IMAGE.rpartition(":")[2]
    parts = [INTRODUCTION.format(version=version, label=monitoring.CLUSTER_LABEL), *_table(("series", "type", "labels", "meaning"), _metrics()), ALERTS]
    for group, alerts in GROUPS.items():
        parts += [f"\n### {group.capitalize()}\n", *_table(("alert", "severity", "when", "what it means", "first"), map(_alert, alerts))]
    return "\n".join(parts) + "\n"


def _metrics() -> Iterator[tuple[str, ...]]:
    queries: dict[str, dict[str, Any]] = yaml.safe_load(monitoring.queries())
    for prefix, query in queries.items():
        columns = [(column, options) for metric in query["metrics"] for column, options in metric.items()]
        labels = [column for column, options in columns if options["usage"] == "LABEL"]
        for column, options in columns:
            if options["usage"] != "LABEL":
                yield f"`{prefix}_{column}`", options["usage"].lower(), ", ".join(f"`{label}`" for label in labels), options["description"]


def _alert(alert: Alert) -> tuple[str, ...]:
    expr = alert.expr.replace("{$cluster}", "").replace("{$volumes}", "").replace("$members", "instances")
    return f"`SosPostgres{alert.name}`", alert.severity, f"`{expr}` for {alert.lasting}", alert.description, alert.runbook


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    for cells in (head, ("---",) * len(head), *rows):
        yield "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8", newline="\n")
