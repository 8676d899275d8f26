"""What synth says of a database's SQL."""

from __future__ import annotations

from sos_constructs.postgres.sql_text import problem

import pytest


@pytest.mark.parametrize(
    "text",
    [
        "",
        "SELECT 1",
        "SELECT 'a\\b', E'it\\'s', \"a\\b\" -- \\! id\n",
        "DO $$ BEGIN\n  \\x is text here\nEND $$",
        "CREATE FUNCTION f() RETURNS text LANGUAGE sql AS $body$ SELECT $$\n\\! id$$ $body$",
        "/* a /* \\! */ \\! */ SELECT 1",
        "BEGIN;\r\nCREATE TABLE t (a int);\r\nCOMMIT;\r\n",
        "\ufeffCREATE TABLE \u00e4 (a text)",
        "COPY t FROM '/a'; SELECT 'copy t from stdin'",
        "SELECT 'open",
    ],
)
def test_what_may_be(text: str):
    assert problem(text) is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("SELECT 1;\n  \\! id", "psql command"),
        ("SELECT 1 \\gexec", "psql command"),
        ("SELECT 'a\\';\n\\! id", "psql command"),
        ("SELECT $1$ \\! $1$", "psql command"),
        ("\\connect other", "psql command"),
        ("COPY t (a)\nFROM  stdin;\n1\n", "COPY"),
        ("SELECT '\0'", "NUL"),
        ("SELECT '\udce4'", "UTF-8"),
    ],
)
def test_what_may_not(text: str, said: str):
    assert said in (problem(text) or "")
