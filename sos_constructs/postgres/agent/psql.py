"""SQL over the Unix socket through the image's own psql, so that no driver is needed."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

FIELD, RECORD = "\x1f", "\x1e"

_PINNED = (
    # An owner may set any of these for its database (ALTER DATABASE … SET); a connection's own options win. The first one decides whose functions
    # and operators a name means, the next two whose rights a statement has, the others how its text is read and whether it can write.
    "search_path=pg_catalog,pg_temp",
    "session_authorization={user}",
    "role=none",
    "client_encoding=UTF8",
    "standard_conforming_strings=on",
    "transform_null_equals=off",
    "default_transaction_read_only=off",
    "default_transaction_deferrable=off",
    "default_transaction_isolation=read\\ committed",
    "session_replication_role=origin",
    "client_min_messages=notice",
    "idle_session_timeout=0",
    "idle_in_transaction_session_timeout=0",
    "debug_print_parse=off",
    "debug_print_rewritten=off",
    "debug_print_plan=off",
    "exit_on_error=off",
    "statement_timeout=30s",
    "lock_timeout=5s",
    # Statements with verifiers must not reach the server's log, not even slow or failing ones, nor the view that monitoring may read.
    "pg_stat_statements.track=none",
    "log_statement=none",
    "log_min_duration_statement=-1",
    "log_min_error_statement=panic",
    "log_disconnections=off",
    "application_name=sos-agent",
)


class SqlError(Exception):
    """psql failed. The message is PostgreSQL's first error line; statements and values are never part of it."""


@dataclass(frozen=True)
class Psql:
    """How to reach the server: as the superuser, by peer authentication."""

    bin_dir: str
    socket_dir: str
    user: str

    def query(self, sql: str, database: str = "postgres") -> list[list[str]]:
        """Run SQL as the superuser and return the rows of its last result as text."""
        text = run(self, sql, database, [option.format(user=self.user) for option in _PINNED], 90)
        return [record.split(FIELD) for record in text.split(RECORD)] if text else []


def run(psql: Psql, sql: str, database: str, options: Iterable[str], seconds: float, *, user: str = "", password: str = "") -> str:
    """What psql prints. The SQL goes through standard input, never through arguments."""
    program = [f"{psql.bin_dir}/psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-F", FIELD, "-R", RECORD]
    command = [*program, "-h", psql.socket_dir, "-U", user or psql.user, "-d", database, "-f", "-"]
    environment = {"PATH": os.environ.get("PATH", ""), "PGOPTIONS": " ".join(f"-c {option}" for option in options), "PGCONNECT_TIMEOUT": "5", "LC_ALL": "C"}
    if password:
        environment["PGPASSWORD"] = password
    try:
        done = subprocess.run(command, input=sql, capture_output=True, encoding="utf-8", errors="replace", timeout=seconds, env=environment, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SqlError(f"psql did not finish: {type(error).__name__}") from None
    if done.returncode:
        raise SqlError(_first_error(done.stderr))
    return done.stdout.removesuffix("\n")


def of_patroni(config: dict[str, Any]) -> Psql:
    """The server of Patroni's configuration file."""
    postgresql = config["postgresql"]
    return Psql(postgresql["bin_dir"], postgresql["parameters"]["unix_socket_directories"], postgresql["authentication"]["superuser"]["username"])


def _first_error(stderr: str) -> str:
    lines = [line for line in stderr.splitlines() if line.strip()]
    line = next((line for line in lines if "ERROR" in line or "FATAL" in line or "error:" in line), lines[0] if lines else "no message")
    return re.sub(r"SCRAM-SHA-256\$\S+", "(verifier)", line)


def identifier(name: str) -> str:
    """The name as a quoted SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """The text as a quoted SQL literal. A backslash needs no escaping: standard_conforming_strings is on."""
    return "'" + text.replace("'", "''") + "'"
