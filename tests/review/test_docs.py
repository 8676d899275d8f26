"""docs/how-to/reviewing.md and docs/pictures/chart.svg are what tools/reviewing_docs.py makes of dist/ and the table."""

from __future__ import annotations

from sos_constructs.review import Consequence
from sos_constructs.review.catalogue import ROWS

from tools import reviewing_docs


def test_the_page_is_current():
    assert reviewing_docs.PAGE.read_text(encoding="utf-8") == reviewing_docs.page(), "run: make graph"


def test_the_picture_is_current():
    assert reviewing_docs.PICTURE.read_text(encoding="utf-8") == reviewing_docs.picture(), "run: make graph"


def test_every_row_and_exit_code_is_in_the_page():
    page = reviewing_docs.PAGE.read_text(encoding="utf-8")
    assert [row.id for row in ROWS if f"`{row.id}`" not in page] == []
    assert all(f"| {consequence.word} | {consequence.exit_code} |" in page for consequence in Consequence)
