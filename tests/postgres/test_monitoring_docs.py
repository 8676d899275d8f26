"""docs/monitoring.md is what tools/monitoring_docs.py makes of the data."""

from __future__ import annotations

from sos_constructs.postgres.alerts import GROUPS

from tests.postgres.example import series
from tools import monitoring_docs


def test_the_page_is_up_to_date() -> None:
    assert monitoring_docs.PAGE.read_text(encoding="utf-8") == monitoring_docs.page(), "run: .venv/bin/python tools/monitoring_docs.py"


def test_the_page_names_every_series_and_every_alert() -> None:
    page = monitoring_docs.page()
    for name in [*series(), *(f"SosPostgres{alert.name}" for alerts in GROUPS.values() for alert in alerts)]:
        assert f"| `{name}` |" in page
