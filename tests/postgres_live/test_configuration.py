"""The generated postgresql.conf, pg_hba.conf and pg_ident.conf on a real server."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from sos_constructs.postgres import access, tuning
from sos_constructs.postgres.agent.psql import SqlError
from sos_constructs.postgres.agent.reconcile import report_broken_settings
from sos_constructs.postgres.spec import Spec

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.generated import examples
from tests.ports import free_port
from tests.postgres.example import spec
from tests.postgres.scenarios import EVERYTHING, MINIMAL
from tests.postgres_live.conftest import Postgres, PostgresFactory


def adapted(made: Spec) -> str:
    """The file, for a machine that may lack the images' locale; with the settings that Patroni passes by itself."""
    locales = subprocess.run(["locale", "-a"], capture_output=True, text=True).stdout.lower().split()
    text = tuning.postgresql_conf(made)
    text += "".join(f"{name} = '{value}'\n" for name, value in tuning.shared_settings(made).items())
    return text if {"en_us.utf8", "en_us.utf-8"} & set(locales) else text.replace("en_US.UTF-8", "C.UTF-8")


@pytest.fixture(scope="module")
def server(postgres_factory: PostgresFactory) -> Postgres:
    """One that includes a file of ours, and whose own lines after it keep it small and in its folder."""
    server = postgres_factory()
    own = (server.data_dir / "postgresql.conf").read_text()
    (server.data_dir / "ours.conf").write_text("")
    (server.data_dir / "postgresql.conf").write_text(f"include 'ours.conf'\n{own}\nshared_buffers = 16MB\nmax_connections = 600\nmaintenance_work_mem = 64MB\n")
    return server


def rows(server: Postgres, sql: str) -> list[list[str]]:
    return [line.split("|") for line in server.psql(sql).splitlines()]


@pytest.mark.parametrize("options", [{}, MINIMAL, EVERYTHING], ids=["default", "minimal", "everything"])
def test_a_server_starts_with_it_and_understands_every_line(options: dict[str, Any], server: Postgres):
    made = spec(**{name: value for name, value in options.items() if name != "first_uid"})  # which HaPostgres puts into the images
    (server.data_dir / "ours.conf").write_text(adapted(made))
    server.restart()
    assert rows(server, "SELECT name, setting, error FROM pg_file_settings WHERE error IS NOT NULL") == []
    read = {name for (name,) in rows(server, "SELECT name FROM pg_file_settings WHERE sourcefile LIKE '%ours.conf'")}
    assert read == {s.name for group in tuning.settings(made).values() for s in group}
    own = {name.lower() for (name,) in rows(server, "SELECT name FROM pg_file_settings WHERE sourcefile NOT LIKE '%ours.conf'")}
    applied = {name for (name,) in rows(server, "SELECT name FROM pg_file_settings WHERE sourcefile LIKE '%ours.conf' AND applied")}
    assert {name for name in read - applied if name.lower() not in own} == set(), "all that the fixture's own lines do not override"
    assert len(applied) > 40


LETTERS = st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]) | st.sampled_from("'\\\"#$=;\t%{}")


@examples(4)
@given(
    st.lists(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]) | st.sampled_from("'\\\"#$=;\t%{}"), max_size=12), min_size=60, max_size=60)
)
def test_any_text_is_read_back_as_written(server: Postgres, texts: list[str]):
    parameters = {f"sos.x{number}": text for number, text in enumerate(texts)}
    text = tuning.postgresql_conf(spec(parameters=parameters))
    (server.data_dir / "ours.conf").write_text("\n".join(line for line in text.splitlines() if line.startswith("sos.")) + "\n", encoding="utf-8")
    assert rows(server, "SELECT name, error FROM pg_file_settings WHERE error IS NOT NULL AND name LIKE 'sos.%'") == []
    listed = server.psql("SELECT json_object_agg(name, setting) FROM pg_file_settings WHERE name LIKE 'sos.%'")
    assert json.loads(listed) == parameters


def test_what_waits_for_a_restart_is_no_broken_setting(server: Postgres):
    """Also not what is gone from the file: a Patroni that took over a running primary writes no settings of recovery."""
    ours, psql = server.data_dir / "ours.conf", cast("Any", SimpleNamespace(query=lambda sql: rows(server, sql)))
    ours.write_text("recovery_target_timeline = 'latest'\nrecovery_target = ''\nmax_locks_per_transaction = 65\n")
    server.restart()
    ours.write_text("max_locks_per_transaction = 66\n")
    server.psql("SELECT pg_reload_conf(), pg_sleep(0.2)")
    waiting = {name for (name,) in rows(server, "SELECT name FROM pg_settings WHERE pending_restart")}
    assert waiting == {"max_locks_per_transaction", "recovery_target", "recovery_target_timeline"}
    report_broken_settings(psql)
    ours.write_text("max_locks_per_transaction = 66\nwork_mem = '4 KiB'\n")
    with pytest.raises(SqlError, match=r"^postgresql\.conf: work_mem: "):
        report_broken_settings(psql)
    ours.write_text("")
    server.restart()


# --- who may log in ---------------------------------------------------------------------------------------------------


PLAIN_RULES = access.pg_hba(spec(), members="host", clients="host")
"""As without TLS: what they say of roles and databases is the same."""


@pytest.fixture(scope="module")
def guarded(postgres_factory: PostgresFactory) -> tuple[Postgres, int]:
    """A server with our rules alone, on TCP as well; its roles have their name as password."""
    port = free_port()
    server = postgres_factory(listen_addresses="127.0.0.1", port=str(port))
    server = Postgres(**{name: getattr(server, name) for name in ("bin_dir", "data_dir", "socket_dir", "user", "as_user")}, port=port)
    if server.user != "postgres":
        pytest.skip("needs to run the server as the user postgres, whom the ident map names")
    for role, more in (("standby", "REPLICATION"), ("rewind", ""), ("monitoring", "IN ROLE pg_monitor"), ("auth", "")):
        server.psql(f"CREATE ROLE {role} LOGIN PASSWORD '{role}' {more}")
    server.psql("ALTER ROLE postgres PASSWORD 'postgres'; CREATE DATABASE auth OWNER auth; CREATE DATABASE medical OWNER auth")
    (server.data_dir / "pg_hba.conf").write_text("\n".join(PLAIN_RULES) + "\n")
    (server.data_dir / "pg_ident.conf").write_text("\n".join(access.pg_ident()) + "\n")
    server.reload()
    return server, port


def test_rules_and_map_are_understood(guarded: tuple[Postgres, int]):
    server, _ = guarded
    assert rows(server, "SELECT line_number, error FROM pg_hba_file_rules WHERE error IS NOT NULL") == []
    assert rows(server, "SELECT count(*) FROM pg_hba_file_rules") == [[str(len(PLAIN_RULES))]]
    assert rows(server, "SELECT line_number, error FROM pg_ident_file_mappings WHERE error IS NOT NULL") == []


@pytest.mark.parametrize(
    ("user", "database", "outcome"),
    [
        ("auth", "auth", "in"),
        ("rewind", "postgres", "in"),
        ("monitoring", "postgres", "in"),
        ("postgres", "postgres", "pg_hba.conf rejects connection"),
        ("postgres", "auth", "pg_hba.conf rejects connection"),
        ("rewind", "auth", "pg_hba.conf rejects connection"),
        ("standby", "postgres", "pg_hba.conf rejects connection"),
        ("auth", "medical", "no pg_hba.conf entry"),
        ("auth", "postgres", "no pg_hba.conf entry"),
    ],
)
def test_from_outside_with_the_right_password(user: str, database: str, outcome: str, guarded: tuple[Postgres, int]):
    _, port = guarded
    try:
        psycopg.connect(host="127.0.0.1", port=port, user=user, password=user, dbname=database, connect_timeout=10).close()
        found = "in"
    except psycopg.OperationalError as error:
        found = str(error)
    assert outcome in found


def test_replication_from_outside(guarded: tuple[Postgres, int], tmp_path: Path):
    server, port = guarded
    for user, outcome in (("standby", 0), ("auth", 1), ("postgres", 1)):
        options = ["--endpos=0/1", "-D", str(tmp_path), "-h", "127.0.0.1", "-p", str(port), "-U", user, "-wn"]
        command = [str(server.bin_dir / "pg_receivewal"), *options]
        done = subprocess.run(command, env={"PGPASSWORD": user, "PATH": os.environ["PATH"]}, capture_output=True, text=True, timeout=30)
        assert (done.returncode != 0) == bool(outcome), (user, done.stderr)


@pytest.mark.parametrize(
    ("uid", "role", "allowed"),
    [(None, "postgres", True), (None, "monitoring", False), (65534, "monitoring", True), (65534, "postgres", False), (65534, "auth", False)],
)
def test_over_the_socket_without_a_password(uid: int | None, role: str, allowed: bool, guarded: tuple[Postgres, int]):
    """Patroni and the agent are who they are by their uid, and so is the exporter."""
    server, port = guarded
    if os.getuid() != 0:
        pytest.skip("needs root, to be another user")
    options: dict[str, Any] = {} if uid is None else {"user": uid, "group": uid}
    argv = ["psql", "-X", "--no-password", "-h", str(server.socket_dir), "-p", str(port), "-U", role, "-d", "postgres", "-c", "SELECT 1"]
    assert (server.run(argv, check=False, **options).returncode == 0) is allowed
