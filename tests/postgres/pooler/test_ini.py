"""PgBouncer's configuration, read by a parser of ours and, where it is installed, by PgBouncer itself."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
from collections.abc import Iterator
from configparser import ConfigParser
from pathlib import Path

from sos_constructs.postgres.pooler import Pooler, ini
from sos_constructs.postgres.pooler.names import PORTS
from sos_constructs.postgres.pooler.options import PGBOUNCER
from sos_constructs.postgres.spec import DATABASES, Database

import pytest

from tests.postgres.pooler.example import pooled
from tests.programs import program

SIDES = ("primary", "readonly")


def parsed(side: str, pooler: Pooler | None = None) -> ConfigParser:
    pooler = pooler or Pooler()
    parser = ConfigParser(interpolation=None, delimiters=("=",))
    parser.read_string(ini.text(pooled(pooler), pooler, side))
    return parser


@pytest.mark.parametrize(("side", "host"), [("primary", "postgres-service"), ("readonly", "postgres-readonly-service")])
def test_each_database_and_no_other(side: str, host: str):
    databases = dict(parsed(side)["databases"])
    assert list(databases) == [database.name for database in DATABASES]
    assert "*" not in databases
    for name, entry in databases.items():
        assert entry.startswith(f"host={host} port=5432 dbname={name} max_db_connections=5"), "the pool's four, and one to look up passwords"


def test_a_connection_to_write_ends_itself_on_a_standby():
    assert all("connect_query='SELECT pg_catalog.pg_terminate_backend" in entry for entry in parsed("primary")["databases"].values())
    assert not any("connect_query" in entry for entry in parsed("readonly")["databases"].values())
    assert "'" not in ini.ONLY_PRIMARY, "it stands in quotes"


def test_options_arrive():
    settings = parsed("primary", Pooler(pool_mode="session", pool_size=7, max_clients=77))["pgbouncer"]
    assert (settings["pool_mode"], settings["default_pool_size"], settings["max_client_conn"], settings["query_wait_timeout"]) == ("session", "7", "77", "30")


def test_nobody_is_an_administrator_but_over_the_socket():
    settings = parsed("primary")["pgbouncer"]
    assert not {"admin_users", "stats_users"} & set(settings)
    assert settings["unix_socket_mode"] == "0700"
    assert settings["auth_type"] == "scram-sha-256"


def test_both_processes_of_a_pod_keep_out_of_each_other_s_way():
    ours = [parsed(side)["pgbouncer"] for side in SIDES]
    assert len({each["listen_port"] for each in ours}) == len({each["unix_socket_dir"] for each in ours}) == 2


def test_every_line_says_why():
    for side in SIDES:
        text = ini.text(pooled(), Pooler(), side).partition("[pgbouncer]\n")[2]
        assert re.fullmatch(r"(; .+\n[a-z_]+ = .+\n)+", text)


def test_the_checksum_covers_what_a_running_pgbouncer_cannot_take_over(monkeypatch: pytest.MonkeyPatch):
    before = ini.restart_checksum(pooled(), Pooler())
    assert ini.restart_checksum(pooled(), Pooler(pool_size=1)) == before
    monkeypatch.setitem(PORTS, "primary", 7000)
    assert ini.restart_checksum(pooled(), Pooler()) != before


def test_what_the_agent_is_told():
    told = ini.declared(pooled(), Pooler())
    assert {side: where["port"] for side, where in told["sides"].items()} == {"primary": "6432", "readonly": "6433"}
    assert told["primary"] == {"host": "postgres-service", "port": "5432", "dbname": "auth"}
    assert json.loads(ini.config_map(pooled(), Pooler())["data"]["pooler.json"]) == told


# --- PgBouncer's own parser -------------------------------------------------------------------------------------------


@pytest.fixture
def folder() -> Iterator[Path]:
    """One that another user may enter: PgBouncer refuses to run as root, and tmp_path belongs to one user."""
    with tempfile.TemporaryDirectory() as made:
        yield Path(made)


@pytest.fixture
def pgbouncer() -> str:
    return program("pgbouncer")


def start(pgbouncer: str, folder: Path, text: str) -> str:
    """What it says of a configuration. It stops at the missing program user or at a second listener, in any case after reading the file."""
    path = folder / "pgbouncer.ini"
    text = text.replace("/run/sos/userlist.txt", str(folder / "userlist.txt")).replace("/run/sos/", f"{folder}/")
    path.write_text(re.sub(r"listen_port = \d+", "listen_port = 1", text).replace("listen_addr = *", "listen_addr = 192.0.2.1"))
    (folder / "userlist.txt").write_text('"pgbouncer" "x"\n')
    for each in (folder, path, folder / "userlist.txt"):
        each.chmod(0o755)
    user = 65534 if os.geteuid() == 0 else None
    (folder / "primary").mkdir(exist_ok=True)
    (folder / "readonly").mkdir(exist_ok=True)
    try:
        done = subprocess.run([pgbouncer, str(path)], capture_output=True, text=True, timeout=20, user=user)
        return done.stdout + done.stderr
    except subprocess.TimeoutExpired as running:
        return (running.stderr or b"").decode()


@pytest.mark.parametrize("side", SIDES)
def test_pgbouncer_reads_it(pgbouncer: str, folder: Path, side: str):
    databases = (*DATABASES, Database(name="a_b_9"))
    made = pooled(databases=databases)
    said = start(pgbouncer, folder, ini.text(made, Pooler(pool_mode="session"), side))
    assert not re.search(r"syntax error|unknown parameter|invalid|skipping|cannot load config|unrecognized|broken", said, re.IGNORECASE), said
    assert re.search(r"cannot listen|failed to bind|process up|could not", said), said


def test_pgbouncer_would_find_a_fault(pgbouncer: str, folder: Path):
    said = start(pgbouncer, folder, ini.text(pooled(), Pooler(), "primary") + "pool_modes = transaction\n")
    assert "unknown parameter" in said


def test_the_image_is_pinned():
    assert re.fullmatch(r".+:\d+\.\d+\.\d+", PGBOUNCER.image)


@pytest.mark.parametrize("side", SIDES)
def test_it_passes_no_password_to_a_server_that_it_does_not_know(side: str):
    """On a real PgBouncer: tests/postgres_live/test_pooler.py."""
    text = ini.text(pooled(), Pooler(), side)
    assert re.search(r"^server_tls_sslmode = verify-full$", text, re.MULTILINE)
    assert re.search(r"^server_tls_ca_file = \S+/ca\.crt$", text, re.MULTILINE)
