"""SQL goes in by standard input and rows come out; neither shows up anywhere else."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from sos_constructs.postgres.agent.psql import Psql, SqlError, identifier, literal

import pytest

from tests.postgres.agent.fakes import FakePsql


@pytest.fixture
def fake(tmp_path: Path) -> FakePsql:
    return FakePsql(tmp_path)


@pytest.fixture
def psql(fake: FakePsql) -> Psql:
    return Psql(str(fake.bin_dir), "/var/run/postgresql", "postgres")


def test_rows(fake: FakePsql, psql: Psql):
    fake.answer("two columns", ("a", "b"), ("line\nbreak", "pipe|tab\t"))
    fake.answer("empty field", ("a", ""))
    assert psql.query("SELECT two columns") == [["a", "b"], ["line\nbreak", "pipe|tab\t"]]
    assert psql.query("SELECT empty field") == [["a", ""]]
    assert psql.query("SELECT nothing") == []


def test_statements_are_not_seen_by_ps(fake: FakePsql, psql: Psql):
    psql.query("ALTER ROLE auth PASSWORD 'SCRAM-SHA-256$…'", "auth")
    assert fake.asked() == ["ALTER ROLE auth PASSWORD 'SCRAM-SHA-256$…'"]
    assert "ALTER" not in fake.arguments()
    assert fake.arguments().endswith("-h /var/run/postgresql -U postgres -d auth -f -\n")
    assert "-XqAt -v ON_ERROR_STOP=1" in fake.arguments()


def test_its_environment_is_bare(fake: FakePsql, psql: Psql, monkeypatch: pytest.MonkeyPatch):
    """No PGPASSWORD, no PGSERVICE, no .psqlrc of whoever built the image; and the server logs no statement of this session."""
    monkeypatch.setenv("PGPASSWORD", "canary")
    monkeypatch.setenv("PGDATABASE", "elsewhere")
    psql.query("SELECT 1")
    variables = dict(line.split("=", 1) for line in fake.environment().splitlines())
    assert {name for name in variables if name.startswith("PG")} == {"PGOPTIONS", "PGCONNECT_TIMEOUT"}
    options = re.split(r"(?<!\\) ", variables["PGOPTIONS"])[1::2]
    assert {"log_statement=none", "log_min_duration_statement=-1", "log_min_error_statement=panic"} <= set(options)
    assert {"statement_timeout=30s", "lock_timeout=5s", "search_path=pg_catalog,pg_temp", "role=none", "session_authorization=postgres"} <= set(options)


@pytest.mark.parametrize(
    ("stderr", "message"),
    [
        ('psql:<stdin>:1: ERROR:  role "a" already exists\n', 'psql:<stdin>:1: ERROR:  role "a" already exists'),
        ("NOTICE:  hm\nERROR:  no\nLINE 1: CREATE ROLE canary\n        ^\nDETAIL:  canary\nSTATEMENT:  canary\n", "ERROR:  no"),
        (
            "psql: error: connection to server on socket failed: FATAL:  no pg_hba.conf entry\n",
            "psql: error: connection to server on socket failed: FATAL:  no pg_hba.conf entry",
        ),
        ('ERROR:  syntax error at or near "SCRAM-SHA-256$4096:c2FsdA==$canary:canary\'"\n', 'ERROR:  syntax error at or near "(verifier)'),
        ("something odd\ncanary\n", "something odd"),
        ("", "no message"),
    ],
)
def test_errors_are_postgresqls_first_line_without_the_statement(stderr: str, message: str, fake: FakePsql, psql: Psql):
    fake.answer("CREATE", error=stderr or "\n")
    with pytest.raises(SqlError) as raised:
        psql.query("CREATE ROLE canary")
    assert str(raised.value) == message
    assert "canary" not in str(raised.value)


def test_a_missing_program(tmp_path: Path):
    with pytest.raises(SqlError, match=r"^psql did not finish: FileNotFoundError$") as raised:
        Psql(str(tmp_path), "/", "postgres").query("SELECT 'canary'")
    assert raised.value.__suppress_context__


def test_a_hanging_program(psql: Psql, monkeypatch: pytest.MonkeyPatch):
    def hang(command: list[str], **options: object) -> None:
        raise subprocess.TimeoutExpired(command, 90, output="canary", stderr="canary")

    monkeypatch.setattr(subprocess, "run", hang)
    with pytest.raises(SqlError, match=r"^psql did not finish: TimeoutExpired$"):
        psql.query("SELECT 'canary'")


@pytest.mark.parametrize(
    ("text", "as_identifier", "as_literal"),
    [("auth", '"auth"', "'auth'"), ('a"b', '"a""b"', "'a\"b'"), ("it's", '"it\'s"', "'it''s'"), ("a\\b", '"a\\b"', "'a\\b'")],
)
def test_quoting(text: str, as_identifier: str, as_literal: str):
    """Hostile names reach a real server in tests/postgres_live."""
    assert (identifier(text), literal(text)) == (as_identifier, as_literal)
