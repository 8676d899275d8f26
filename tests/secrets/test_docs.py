"""docs/reference/secrets.md says what the catalogue says."""

from __future__ import annotations

from pathlib import Path

from sos_constructs.secrets import docs
from sos_constructs.secrets.catalogue import SECRETS

PAGE = Path(__file__).parents[2] / "docs/reference/secrets.md"


def test_the_page_is_current():
    text = PAGE.read_text(encoding="utf-8")
    assert docs.update(text) == text, "run: python -m sos_constructs.secrets.docs docs/reference/secrets.md"


def test_every_key_has_a_row_and_every_reason_is_given():
    text = PAGE.read_text(encoding="utf-8")
    for secret in SECRETS:
        assert f"\n### {secret.name}\n" in text
        for row in secret.keys:
            assert f"| `{row.key}`" in text
            assert row.added in text


def test_stale_tables_are_replaced_and_the_prose_kept():
    page = "before\n<!-- begin overview: x -->\nold\n<!-- end overview -->\nafter\n"
    updated = docs.update(page)
    assert updated.startswith("before\n<!-- begin overview: x -->\n\n| Secret |")
    assert updated.endswith("<!-- end overview -->\nafter\n")
    assert "old" not in updated
