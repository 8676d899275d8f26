"""Every name that an alert or the dashboard looks at is sent by what runs, and every command of the runbook runs."""

from __future__ import annotations

import shlex

from sos_constructs.postgres.alerts import GROUPS, Alert, Need, command
from sos_constructs.postgres.dashboard.panels import ROWS

import pytest

from tests import promql
from tests.cluster import kube, scrape
from tests.cluster.installation import Installation
from tests.cluster.scrape import Samples

OTHERS: set[Need] = {"a pooler", "fast failover"}
"""What the reference app has not. The pooler's are looked for in test_pooler.py, the fast failover's in tests/postgres/fast."""
ALERTS = [alert for alerts in GROUPS.values() for alert in alerts if not OTHERS.intersection(alert.needs)]
PANELS = [panel for panels in ROWS.values() for panel in panels if not OTHERS.intersection(panel.needs)]
COMMANDS = sorted({command(look) for alerts in GROUPS.values() for alert in alerts for look in alert.look if "a pooler" not in alert.needs})


@pytest.fixture(scope="module")
def seen(installation: Installation) -> Samples:
    """Of all members and their nodes, together: the primary and the standbys send different series."""
    primary = installation.wait_healthy()
    installation.sql(primary, "CREATE TABLE IF NOT EXISTS seen ()", "auth")  # without a table there are no statistics of tables
    kube.poll("statistics of tables", lambda: "sos_pg_table_" in scrape.fetch(installation, primary, scrape.PORTS["exporter"]), 120, 5)  # cached for a minute
    pages = [samples for sources in scrape.members(installation).values() for samples in sources.values()] + [scrape.kubelets(installation)]
    return scrape.together(pages)


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_what_an_alert_looks_at_is_there(seen: Samples, alert: Alert):
    assert promql.series(alert.expr)
    assert scrape.missing(seen, alert.expr, alert.summary, alert.description) == []


@pytest.mark.parametrize(("title", "expr", "legend"), [(p.title, *query) for p in PANELS for query in p.queries])
def test_what_the_dashboard_shows_is_there(seen: Samples, title: str, expr: str, legend: str):
    assert scrape.missing_in_panel(seen, expr, legend) == [], title


def test_every_member_sends_what_alerts_about_members_need(installation: Installation):
    """An alert about one pod is worth nothing if only the first pod sends the series."""
    primary = installation.wait_healthy()
    wanted = {name for alert in ALERTS for name in promql.series(alert.expr) if name.startswith(("patroni_", "pg_", "sos_"))}
    only_primary = {"sos_pg_sync_standbys"}
    for pod, sources in scrape.members(installation).items():
        names = set().union(*(samples.names for samples in sources.values()))
        assert wanted - names <= (set() if pod == primary else only_primary), pod


def test_the_check_itself_sees_what_is_missing(seen: Samples):
    assert scrape.missing(seen, "patroni_master{$cluster} == 1") == ["no series patroni_master"]
    assert scrape.missing(seen, 'sos_agent_reconcile_success{$cluster,phase="x"} == 0') == ["sos_agent_reconcile_success has no label phase"]
    assert scrape.missing(seen, "sum by (slot) (sos_pg_slot_active{$cluster})") == ["no series of it has the label slot"]


@pytest.mark.parametrize("line", COMMANDS)
def test_the_runbooks_commands_run(installation: Installation, line: str):
    if "podmonitor" in line and kube.run("get", "crd", "podmonitors.monitoring.coreos.com").returncode:
        pytest.skip("this cluster has no Prometheus operator")
    done = kube.run(*shlex.split(line)[1:], seconds=60)
    assert done.returncode == 0, done.stderr
