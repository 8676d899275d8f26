"""docs/reference/configuration.md is what the catalogue says."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

from sos_constructs.config import Layer, SosConfig, docs
from sos_constructs.config.catalogue import SOS
from sos_constructs.config.layers import resolve

import cdk8s
import pytest

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "configuration.md"


def test_the_page_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == docs.markdown(), "run: python -m sos_constructs.config.docs > docs/reference/configuration.md"


def test_every_key_has_its_row_with_default_and_meaning() -> None:
    rows = {line.split("`")[1]: line for line in reversed(docs.markdown().splitlines()) if line.startswith("| `") and line.count(" | ") == 4}
    for key in SOS.keys.values():
        assert all(part in rows[key.name] for part in (key.allowed, key.doc, key.reason)), key.name


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("HSTS_MAX_AGE_SECONDS", 5400, "`5400` (90 minutes)"),
        ("HSTS_MAX_AGE_SECONDS", 3600, "`3600` (1 hour)"),
        ("HSTS_MAX_AGE_SECONDS", 90, "`90`"),
        ("HSTS_MAX_AGE_SECONDS", 0, "`0`"),
        ("SESSION_TIMEOUT_MINUTES", 30, "`30`"),
        ("SESSION_TIMEOUT_MINUTES", 120, "`120` (2 hours)"),
        ("LOG_RETENTION_DAYS", 30, "`30`"),
        ("CORS_ALLOWED_ORIGINS", "", "(empty)"),
        ("TZ", "UTC", "`UTC`"),
    ],
)
def test_durations_are_also_shown_in_a_larger_unit(name: str, value: object, shown: str) -> None:
    assert docs._shown(resolve(SOS, (Layer("x", {name: value}),))[name]) == shown


def test_bars_do_not_break_the_table() -> None:
    assert docs._table(("A", "B"), [("x|y", "z")]) == "| A | B |\n| --- | --- |\n| x\\|y | z |\n"


def test_the_examples_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = {language: re.findall(rf"```{language}\n(.*?)```", docs.markdown(), re.DOTALL) for language in ("yaml", "python")}
    (tmp_path / "overlays").mkdir()
    (tmp_path / "overlays" / "eu.yaml").write_text(blocks["yaml"][0])
    monkeypatch.chdir(tmp_path)
    chart = cdk8s.Chart(cdk8s.Testing.app(), "x")
    names: dict[str, Any] = {"SosConfig": SosConfig, "Layer": Layer, "chart": chart, "timedelta": timedelta, "db": None}
    for block in blocks["python"]:
        exec(block, names)
    assert names["config"].value("LOG_RETENTION_DAYS") == timedelta(days=14)
    assert len(names["annotations"]["checksum/config"]) == 64
