"""What the containers say: one JSON object per line, the events that are asked for among them, and nothing secret."""

from __future__ import annotations

import base64
import json
import secrets
import time
from typing import Any

import pytest

from tests.cluster import kube
from tests.cluster.installation import Installation

CONTAINERS = ("render", "postgres", "postgres-exporter", "agent")


def events(installation: Installation, pod: str, container: str, *options: str) -> list[dict[str, Any]]:
    """A container's log; fails where a line is no JSON object."""
    found = []
    for line in kube.kubectl("logs", "-n", installation.namespace, pod, "-c", container, *options).splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            raise AssertionError(f"{pod}/{container}: no JSON: {line}") from None
        assert isinstance(event, dict), line
        found.append(event)
    return found


def check_lines(installation: Installation) -> None:
    """Every line of every container."""
    for pod in installation.pod_names:
        for container in CONTAINERS:
            for event in events(installation, pod, container):
                assert {"time", "level"} <= event.keys(), (pod, container, event)
        said = events(installation, pod, "postgres")
        assert {"postgres", "patroni"} <= {event["source"] for event in said}
        written = [event for event in said if "backend_type" in event]
        assert any(event["message"].startswith("connection received") for event in written)


def say(installation: Installation, pod: str, sql: str, *settings: str, database: str = "postgres") -> str:
    """SQL as the superuser, whatever comes of it."""
    options = " ".join(f"-c {setting}" for setting in settings)
    psql = ("env", f"PGOPTIONS={options}", f"{installation.image.bin_dir}/psql", "-XqAt", "-d", database)
    done = installation.try_exec(pod, *psql, container="postgres", stdin=sql)
    return done.stdout + done.stderr


def heard(installation: Installation, pod: str, what: str) -> dict[str, Any]:
    """The event of PostgreSQL whose message contains this."""

    def found() -> dict[str, Any] | None:
        said = events(installation, pod, "postgres", "--since=5m")
        return next((event for event in reversed(said) if event["source"] == "postgres" and what in event["message"]), None)

    event = kube.poll(f"'{what}' in the log of {pod}", found, 30)
    assert event is not None
    return event


def check_events(installation: Installation) -> None:
    """A slow query, a session that waits for a lock, a statement of several lines that fails."""
    primary = installation.wait_healthy()
    mark = f"mark_{secrets.token_hex(4)}"
    say(installation, primary, f"SELECT pg_sleep(1.1) AS {mark}")
    slow = heard(installation, primary, mark)
    assert slow["message"].startswith("duration: ")
    assert (slow["level"], slow["user"], slow["dbname"], slow["backend_type"]) == ("info", "postgres", "postgres", "client backend")

    say(installation, primary, f"CREATE TABLE {mark} ()")
    holder = f"BEGIN; LOCK {mark}; SELECT pg_sleep(4); COMMIT"
    kubectl = ("exec", "-i", "-n", installation.namespace, primary, "-c", "postgres", "--", f"{installation.image.bin_dir}/psql", "-XqAt", "-d", "postgres")
    with kube.begin(*kubectl, stdin=holder):
        kube.poll(
            "the lock", lambda: installation.sql(primary, f"SELECT count(*) FROM pg_locks WHERE relation = '{mark}'::regclass AND granted") == [["1"]], 30, 0.2
        )
        say(installation, primary, f"SET application_name = 'waiter'; DROP TABLE {mark}")
    waits = heard(installation, primary, "still waiting for AccessExclusiveLock")
    assert waits["application_name"] == "waiter"
    assert "Process holding the lock" in waits["detail"]

    say(installation, primary, f"SELECT\n  '{mark} über', 1/0\n  AS x")
    failed = heard(installation, primary, "division by zero")
    assert failed["level"] == "error"
    assert failed["statement"] == f"SELECT\n  '{mark} über', 1/0\n  AS x"

    say(installation, primary, f"SELECT '{mark}', 1/0, '{'x' * 100_000}'")
    long = kube.poll(
        "the long statement",
        lambda: next((e for e in events(installation, primary, "postgres", "--since=2m") if "more characters)" in e.get("statement", "")), None),
        30,
    )
    assert long is not None
    assert long["statement"].startswith(f"SELECT '{mark}', 1/0")


def check_secrets(installation: Installation) -> None:
    """A careless administrator sets passwords in every way psql allows, with every statement logged; no log holds one of them."""
    primary = installation.wait_healthy()
    words = [f"hunter{secrets.token_hex(8)}" for _ in range(5)]
    settings = ("log_statement=all", "log_min_duration_statement=0", "log_min_error_statement=error")
    say(installation, primary, f"CREATE ROLE careless LOGIN PASSWORD '{words[0]}';\nALTER ROLE careless PASSWORD $${words[1]}$$;", *settings)
    say(installation, primary, f"ALTER ROLE nobody_such PASSWORD '{words[2]}'", *settings)
    say(installation, primary, f"ALTER ROLE careless PASSWORD '{words[3]}' VALID FOREVER", *settings)
    say(installation, primary, f"CREATE SUBSCRIPTION s CONNECTION 'host=127.0.0.1 port=1 user=x password={words[4]}' PUBLICATION p", *settings)
    verifier = say(installation, primary, "SELECT rolpassword FROM pg_authid WHERE rolname = 'careless'").strip()
    assert verifier.startswith("SCRAM-SHA-256$")
    say(installation, primary, f"ALTER ROLE careless PASSWORD '{verifier}'; DROP ROLE careless; SELECT 1/0 AS the_end", *settings)
    assert heard(installation, primary, "syntax error")["statement"] == "ALTER ROLE careless PASSWORD *** VALID FOREVER"
    heard(installation, primary, "division by zero")
    stored = kube.get("secret", "postgres-credentials", "-n", installation.namespace)["data"]
    passwords = [base64.b64decode(value).decode() for key, value in stored.items() if key.endswith("-password")]
    assert len(passwords) > 5
    time.sleep(1)
    for pod in installation.pod_names:
        for container in CONTAINERS:
            text = kube.kubectl("logs", "-n", installation.namespace, pod, "-c", container)
            found = [word for word in (*words, *passwords, verifier.partition("$")[2]) if word in text]
            assert not found, f"{len(found)} secrets in the log of {pod}/{container}"


def test_every_line_is_one_json_object(installation: Installation):
    installation.wait_healthy()
    check_lines(installation)


def test_slow_queries_lock_waits_and_errors_are_events(installation: Installation):
    check_events(installation)


def test_nothing_secret_is_logged(installation: Installation):
    check_secrets(installation)


@pytest.mark.parametrize("pipe", ["postgres.json", "postgres.log"])
def test_the_log_takes_no_disk(installation: Installation, pipe: str):
    for pod in installation.pod_names:
        assert installation.exec(pod, "stat", "-c", "%F %a", f"/tmp/log/{pipe}").strip() == "fifo 600"
