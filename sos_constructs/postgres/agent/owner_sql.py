"""A database's own SQL, in a session of its owner: whatever its text holds, it can do what the owner can do, and no more.

psql reads a quoted literal and hands its content to the server, so that nothing in the text is a command of psql. The server takes it as one
message: all statements are one transaction, unless the text ends it itself.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from .files import Declared
from .psql import Psql, SqlError, literal, run

_NOTES = "sos_agent"
"""Schema in database ``postgres`` where the agent notes which SQL it ran."""
SECONDS = 600
"""Limit where the mounted file names none."""
APPLICATION = "sos-agent-sql"
WAIT = 2.0
"""Seconds in which a round waits for SQL to end; what lasts for longer goes on beside the rounds."""
FIRST_PAUSE, LONGEST_PAUSE = 10.0, 640.0
"""Seconds before SQL that failed is tried again: twice as long each time."""


class Running(Exception):
    """SQL that has not ended yet."""


@dataclass(frozen=True)
class Sql:
    """The text of one database, and who runs it."""

    database: str
    text: str
    seconds: int
    user: str
    password: str

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()


def wanted(declared: Declared, database: dict[str, Any]) -> Sql | None:
    """What the declaration has for the database. Its owner logs in as its applications do."""
    if not database["sql"]:
        return None
    role = next(role for role in declared.roles if role["name"] == database["owner"])
    user = declared.credential(role["username_key"]) if role.get("logins") == "dated" else role["name"]
    return Sql(database["name"], database["sql"], database.get("sql_seconds", SECONDS), user, declared.credential(role["password_key"]))


def run_now(sql: Sql, psql: Psql) -> Iterator[str]:
    """Run it and note that it was run; tells each thing when it is done.

    :raises Running: when an earlier session has not ended.
    """
    if psql.query(f"SELECT 1 FROM pg_catalog.pg_stat_activity WHERE datname = {literal(sql.database)} AND application_name = '{APPLICATION}'"):
        raise Running("an earlier session of its SQL has not ended")
    as_owner(sql, psql)
    yield f"run SQL {sql.digest[:12]} in {sql.database}"
    psql.query(
        f"CREATE SCHEMA IF NOT EXISTS {_NOTES};"
        f"CREATE TABLE IF NOT EXISTS {_NOTES}.applied (database name PRIMARY KEY,"
        " sha256 text NOT NULL, at timestamptz NOT NULL DEFAULT pg_catalog.now());"
        f"INSERT INTO {_NOTES}.applied (database, sha256) VALUES ({literal(sql.database)}, {literal(sql.digest)})"
        " ON CONFLICT (database) DO UPDATE SET sha256 = excluded.sha256, at = pg_catalog.now()"
    )
    yield f"note SQL {sql.digest[:12]} of {sql.database} as run"


def as_owner(sql: Sql, psql: Psql) -> None:
    """Run the text; raises :class:`SqlError`."""
    options = (
        f"statement_timeout={sql.seconds}s",
        "lock_timeout=5s",  # all who come later wait behind it
        "idle_session_timeout=0",
        "client_connection_check_interval=5s",  # what this process gives up ends on the server, too
        "client_encoding=UTF8",
        f"application_name={APPLICATION}",
    )
    # Escaped so that it reads the same whatever the owner has set for standard_conforming_strings. COMMIT is for a text that left a transaction open.
    quoted = sql.text.removeprefix("\ufeff").replace("\\", "\\\\").replace("'", "''")
    run(psql, f"SELECT E'{quoted}' \\gexec\nCOMMIT", sql.database, options, sql.seconds + 5, user=sql.user, password=sql.password)


def applied(psql: Psql) -> dict[str, str]:
    """Database → digest of the SQL that it has run."""
    if not psql.query(f"SELECT 1 FROM pg_catalog.pg_class WHERE oid = pg_catalog.to_regclass('{_NOTES}.applied')"):
        return {}
    return {row[0]: row[1] for row in psql.query(f"SELECT database, sha256 FROM {_NOTES}.applied")}


class _Try:
    """One run of one text, in a thread of its own."""

    def __init__(self, sql: Sql, psql: Psql, work: Callable[[Sql, Psql], Iterator[str]]) -> None:
        self.sql, self.done, self.error = sql, list[str](), ""
        self._work, self._psql = work, psql
        self.ended = 0.0
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            for description in self._work(self.sql, self._psql):
                self.done.append(description)
        except (Running, SqlError) as error:
            self.error = str(error)
        except Exception as error:  # noqa: BLE001  # its text could quote a value
            self.error = f"unexpected {type(error).__name__}"
        self.ended = time.monotonic()

    def within(self, seconds: float) -> bool:
        """Whether it has ended."""
        self._thread.join(max(0.0, seconds))
        return not self._thread.is_alive()


class Beside:
    """SQL beside the agent's rounds, which slow SQL must not hold up. It remembers what failed, and since when."""

    def __init__(self, work: Callable[[Sql, Psql], Iterator[str]] = run_now) -> None:
        self._work = work
        self._tries: dict[str, _Try] = {}
        self._pauses: dict[str, float] = {}

    def __call__(self, sql: Sql, psql: Psql) -> Iterator[str]:
        """As :func:`run_now`, but for no longer than a moment.

        :raises Running: when it goes on.
        :raises SqlError: the last failure, until its pause is over.
        """
        last = self._tries.get(sql.database)
        if last is not None and last.sql != sql and last.within(0):
            last = None
            del self._pauses[sql.database]
        pause = self._pauses.get(sql.database, 0.0)
        if last is None or (last.ended and time.monotonic() > last.ended + pause):
            self._pauses[sql.database] = min(LONGEST_PAUSE, max(FIRST_PAUSE, pause * 2))
            last = self._tries[sql.database] = _Try(sql, psql, self._work)
        if not last.within(WAIT):
            raise Running(f"its SQL {last.sql.digest[:12]} still runs")
        if last.error:
            raise SqlError(last.error)
        yield from last.done
        last.done = []
