"""Cutting the standby off from its primary, so that it stays cut whatever Patroni, PostgreSQL or the agent do meanwhile.

PostgreSQL's WAL receiver is a new process each time, and the first thing it does after announcing itself is to load the library
``libpqwalreceiver``. ``dynamic_library_path`` names a folder before PostgreSQL's own: as long as a file of that name lies there that is no
library, no WAL receiver gets further. Patroni, which would undo any change of primary_conninfo within seconds, knows nothing of it; the
file outlives a restart of every container and goes with the pod. It holds what the cut is about.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .files import write_whole
from .psql import Psql, SqlError, literal

FILE = "libpqwalreceiver"
SECONDS = 3.0
"""For a running WAL receiver to end."""

RECEIVERS = "SELECT pid FROM pg_catalog.pg_stat_activity WHERE backend_type = 'walreceiver'"
# pg_terminate_backend takes clients only. No row is written, or COPY fails when the program ends before it has read it; a process that has
# just gone is what is wanted.
END = "COPY (SELECT WHERE false) TO PROGRAM 'kill -TERM {pid} || true'"
PATH = "SELECT setting FROM pg_catalog.pg_settings WHERE name = 'dynamic_library_path' AND source = 'configuration file'"
SOURCE = "SELECT pg_catalog.pg_is_in_recovery(), pg_catalog.current_setting('primary_conninfo')"
# The process that starts WAL receivers reads the configuration at its own pace. It confirms a pause only after it has handled the signals that
# came before; a fresh connection, as this one, is made by a postmaster that has already sent them.
HEARD = """DO $$BEGIN
PERFORM pg_catalog.pg_wal_replay_pause();
FOR i IN 1..100 LOOP
    EXIT WHEN pg_catalog.pg_get_wal_replay_pause_state() = 'paused';
    PERFORM pg_catalog.pg_sleep(0.02);
END LOOP;
IF pg_catalog.pg_get_wal_replay_pause_state() <> 'paused' THEN
    PERFORM pg_catalog.pg_wal_replay_resume();
    RAISE EXCEPTION 'recovery does not answer';
END IF;
PERFORM pg_catalog.pg_wal_replay_resume();
END$$"""


class NotCut(Exception):
    """The standby could not be cut off for certain."""


@dataclass(frozen=True)
class About:
    """What a cut is about: the leader, and its last renewal that was seen."""

    leader: str
    renewed: str


UNKNOWN = About("", "")


@dataclass(frozen=True)
class Cut:
    """The cut of this pod's standby."""

    folder: Path
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    @property
    def _file(self) -> Path:
        return self.folder / FILE

    def about(self) -> About | None:
        """What it is about, or None where there is none."""
        try:
            found = json.loads(self._file.read_text())
            return About(str(found["leader"]), str(found["renewed"]))
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError):
            return UNKNOWN

    def begin(self, about: About) -> None:
        """From now on no new WAL receiver comes up."""
        self.folder.mkdir(exist_ok=True)
        write_whole(self._file, json.dumps({"leader": about.leader, "renewed": about.renewed}))

    def complete(self, psql: Psql) -> None:
        """End the WAL receiver that is there. Raises :class:`NotCut` unless there is none, or if the server would not keep to it."""
        path = psql.query(PATH)
        if not path or path[0][0].split(":")[0] != str(self.folder):
            raise NotCut("dynamic_library_path is not as declared on this member yet")
        until = self.clock() + SECONDS
        while receivers := psql.query(RECEIVERS):
            if self.clock() > until:
                raise NotCut("the WAL receiver does not end")
            for (pid,) in receivers:
                psql.query(END.format(pid=int(pid)))
            self.sleep(0.05)

    def points_at(self, psql: Psql, host: str) -> bool:
        """Whether Patroni has pointed the standby at this host, and PostgreSQL has heard it. A primary points anywhere: it receives nothing."""
        ((recovering, source),) = psql.query(SOURCE)
        if recovering != "t":
            return True
        if f"host={host}" not in source.split():
            return False
        psql.query(HEARD)
        return True

    def end(self, psql: Psql) -> None:
        """WAL receivers may come up again, and one does at once."""
        self._file.unlink(missing_ok=True)
        try:
            psql.query("SELECT pg_catalog.pg_reload_conf()")
        except SqlError:
            return  # it tries again by itself within wal_retrieve_retry_interval


def promoted(psql: Psql) -> bool:
    """Whether this server is no standby any more."""
    return psql.query("SELECT pg_catalog.pg_is_in_recovery()") == [["f"]]


def receives(psql: Psql, seconds: float) -> bool:
    """Whether the primary was heard on the stream within so many seconds."""
    recent = f"last_msg_receipt_time > pg_catalog.clock_timestamp() - {literal(f'{seconds} seconds')}::interval"
    return psql.query(f"SELECT 1 FROM pg_catalog.pg_stat_wal_receiver WHERE {recent}") != []
