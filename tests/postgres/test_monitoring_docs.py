"""docs/reference/monitoring.md and docs/how-to/runbook.md are what tools/monitoring_docs.py makes of the data."""

from __future__ import annotations

from sos_constructs.postgres.alerts import GROUPS

from tests.postgres.example import series
from tools import monitoring_docs

RUN = "run: .venv/bin/python tools/monitoring_docs.py"


def test_the_pages_are_up_to_date() -> None:
    assert (monitoring_docs.DOCS / "reference" / "monitoring.md").read_text(encoding="utf-8") == monitoring_docs.page(), RUN
    assert (monitoring_docs.DOCS / "how-to" / "runbook.md").read_text(encoding="utf-8") == monitoring_docs.runbook(), RUN


def test_the_page_names_every_series_and_every_alert() -> None:
    page = monitoring_docs.page()
    for name in series():
        assert f"| `{name}` |" in page
    for alert in (alert for alerts in GROUPS.values() for alert in alerts):
        assert f"| [`{alert.title}`](../how-to/runbook.md#{alert.anchor}) |" in page
