"""What is said in the postgres container becomes JSON, one object per event, without secrets and short enough to stay whole."""

from __future__ import annotations

import json

from sos_constructs.postgres.agent.events import LONGEST_EVENT, as_line, continues, from_jsonlog, from_text, without_secrets

import pytest

RECORD = {
    "timestamp": "2026-11-23 21:17:39.494 UTC",
    "user": "auth",
    "dbname": "auth",
    "pid": 44,
    "error_severity": "LOG",
    "message": "duration: 1102.561 ms  statement: SELECT 1",
    "application_name": "psql",
    "backend_type": "client backend",
    "query_id": 0,
}


def test_an_event_of_postgresql_keeps_its_fields() -> None:
    event = from_jsonlog(json.dumps(RECORD))
    assert list(event)[:4] == ["time", "level", "source", "message"]
    assert (event["time"], event["level"], event["source"]) == ("2026-11-23T21:17:39.494+00:00", "info", "postgres")
    assert {key: event[key] for key in RECORD if key != "timestamp"} == {key: value for key, value in RECORD.items() if key != "timestamp"}
    assert "timestamp" not in event


@pytest.mark.parametrize(
    ("severity", "level"),
    [("DEBUG3", "debug"), ("LOG", "info"), ("NOTICE", "info"), ("WARNING", "warning"), ("ERROR", "error"), ("FATAL", "fatal"), ("PANIC", "fatal")],
)
def test_severities(severity: str, level: str) -> None:
    assert from_jsonlog(json.dumps(RECORD | {"error_severity": severity}))["level"] == level
    assert from_text(f"2026-11-23 21:17:39.494 UTC [44] {severity}:  x")["level"] == level


def test_another_time_zone_is_left_as_it_is() -> None:
    event = from_jsonlog(json.dumps(RECORD | {"timestamp": "2026-11-23 22:17:39.494 CET"}))
    assert event["timestamp"] == "2026-11-23 22:17:39.494 CET"
    assert event["time"].endswith("+00:00")


@pytest.mark.parametrize("line", ["not json", '["a list"]', '{"cut'])
def test_what_is_no_record_is_told_all_the_same(line: str) -> None:
    event = from_jsonlog(line)
    assert (event["message"], event["level"]) == (line, "warning")


def test_lines_of_patroni_and_of_a_postgresql_that_starts() -> None:
    event = from_text("2026-11-23 21:17:24,481 INFO: Lock owner: None; I am postgres-0")
    assert event == {"time": "2026-11-23T21:17:24.481+00:00", "level": "info", "source": "patroni", "message": "Lock owner: None; I am postgres-0"}
    event = from_text("2026-11-23 21:17:39.834 UTC [56] postgres@auth/[unknown] FATAL:  the database system is starting up")
    assert event == {
        "time": "2026-11-23T21:17:39.834+00:00",
        "level": "fatal",
        "source": "postgres",
        "message": "the database system is starting up",
        "pid": 56,
        "user": "postgres",
        "dbname": "auth",
        "application_name": "[unknown]",
    }
    event = from_text('2026-11-23 21:17:39.494 UTC [44] LOG:  listening on Unix socket "/var/run/postgresql/.s.PGSQL.5432"')
    assert (event["source"], event["pid"]) == ("postgres", 44)
    event = from_text("/var/run/postgresql:5432 - no response")
    assert (event["source"], event["message"]) == ("output", "/var/run/postgresql:5432 - no response")


def test_which_lines_belong_together() -> None:
    error = "2026-11-23 21:17:24,481 ERROR: ObjectCache.run"
    assert continues("Traceback (most recent call last):", error)
    assert continues('  File "x.py", line 1', f"{error}\nTraceback (most recent call last):")
    assert continues("OSError: gone", f"{error}\nTraceback (most recent call last):\n  File")
    assert continues("\tFROM x", "2026-11-23 21:17:39.494 UTC [44] STATEMENT:  SELECT 1")
    assert not continues("2026-11-23 21:17:25,000 INFO: next", f"{error}\nTraceback (most recent call last):")
    assert not continues("/var/run/postgresql:5432 - no response", "2026-11-23 21:17:24,481 INFO: starting")


SECRET = "hunter2"


@pytest.mark.parametrize(
    "text",
    [
        "ALTER ROLE auth PASSWORD 'hunter2'",
        "alter user x with encrypted password $$my hunter2$$ valid until 'infinity'",
        "ALTER ROLE auth PASSWORD $a$hunter2$a$",
        "ALTER ROLE auth PASSWORD E'it\\'s hunter2' LOGIN",
        "ALTER ROLE auth PASSWORD 'it''s hunter2' LOGIN",
        "ALTER ROLE auth\n  PASSWORD\n  'hunter2",
        "CREATE SUBSCRIPTION s CONNECTION 'host=x password=hunter2 dbname=y' PUBLICATION p",
        "SELECT dblink('host=x password=''hunter2 x'' dbname=y')",
        "CREATE USER MAPPING FOR x SERVER y OPTIONS (user 'x', password 'hunter2')",
        "postgres://auth:hunter2@postgres-service/auth",
        "PGPASSWORD=hunter2 psql",
        "UPDATE account SET password = 'hunter2' WHERE id = 1",
        "ALTER ROLE auth PASSWORD 'SCRAM-SHA-256$4096:hunter2==$hunter2=:hunter2='",
        "x SCRAM-SHA-256$4096:hunter2==$hunter2=:hunter2=",
    ],
)
def test_passwords_stay_out(text: str) -> None:
    assert SECRET not in without_secrets(text)
    assert "***" in without_secrets(text)
    for event in (from_jsonlog(json.dumps(RECORD | {"statement": text})), from_jsonlog(text), from_text(text)):
        assert SECRET not in as_line(event)


@pytest.mark.parametrize("text", ['password authentication failed for user "x"', "SET password_encryption = 'scram-sha-256'", "SELECT 'a' WHERE b = 'c'"])
def test_what_is_no_password_stays(text: str) -> None:
    assert without_secrets(text) == text


@pytest.mark.parametrize("text", ["x" * 100_000, "ü" * 100_000, "\x01" * 100_000, "\ud800" * 9000])
def test_a_line_is_never_cut_by_the_runtime(text: str) -> None:
    fields = {"message": text, "statement": text, "detail": text, "context": text}
    line = as_line(from_jsonlog(json.dumps(RECORD)) | fields)
    assert len(line.encode("utf-8", "replace")) <= LONGEST_EVENT
    assert "more characters)" in json.loads(line)["statement"]
    assert "\n" not in line


def test_line_breaks_do_not_end_the_event() -> None:
    assert json.loads(as_line(from_jsonlog(json.dumps(RECORD | {"statement": "SELECT\n 1\r\n"}))))["statement"] == "SELECT\n 1\r\n"
    assert "\n" not in as_line(from_text("a\nb"))
