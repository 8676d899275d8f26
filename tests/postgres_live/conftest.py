"""Real PostgreSQL servers for tests: made by initdb, reached over a Unix socket, gone when the run ends.

PostgreSQL refuses to run as root, so a run as root starts the servers as another user of the machine.
"""

from __future__ import annotations

import os
import pwd
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from attrs import field, frozen

from tests.programs import BRING

MAJOR = 15
"""The only PostgreSQL the library ships settings and queries for."""

_PLACES = ("/usr/lib/postgresql/15/bin", "/usr/pgsql-15/bin", "/opt/homebrew/opt/postgresql@15/bin", "/usr/local/opt/postgresql@15/bin")

#: Quick to start and stop, and invisible from outside; what a test is about it sets itself.
_SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",
    "autovacuum": "off",
    "max_connections": "50",
    "shared_buffers": "16MB",
    "logging_collector": "off",
    "wal_sender_timeout": "5s",
    "wal_receiver_timeout": "5s",
}


@frozen(kw_only=True)
class Postgres:
    """A PostgreSQL server of this run. SQL runs as the superuser ``postgres``, whom the server trusts over its socket."""

    bin_dir: Path
    data_dir: Path
    socket_dir: Path
    user: str
    """The user of the operating system that the server runs as."""
    port: int = 5432
    """Only part of the socket's file name: nothing listens on TCP."""
    as_user: Mapping[str, Any] = field(repr=False)
    """Options of ``subprocess`` that make a program run as that user."""

    def run(self, argv: Sequence[str | Path], *, check: bool = True, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run a program as the server's user; a bare name is looked up in ``bin_dir``."""
        program = str(argv[0])
        command = [str(self.bin_dir / program) if "/" not in program else program, *map(str, argv[1:])]
        done = subprocess.run(command, capture_output=True, text=True, cwd=self.data_dir.parent, timeout=200, **{**self.as_user, **options})
        if check and done.returncode:
            raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def psql(self, sql: str, db: str = "postgres", *, user: str = "postgres", check: bool = True) -> str:
        """Run SQL, a failing statement being an error; the rows, ``|`` between columns, without header and trailing line break."""
        argv: list[str | Path] = ["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", self.socket_dir, "-p", str(self.port), "-U", user, "-d", db]
        return self.run(argv, input=sql, check=check).stdout.removesuffix("\n")

    def start(self) -> None:
        """Start and wait until the server answers."""
        log = self.data_dir.parent / "log"
        started = self.run(["pg_ctl", "start", "-w", "-t", "150", "-D", self.data_dir, "-l", log], check=False)
        if started.returncode:
            raise RuntimeError(f"the server in {self.data_dir} did not start:\n{log.read_text() if log.exists() else started.stderr}")

    def stop(self, mode: str = "fast") -> None:
        """Stop and wait; modes are pg_ctl's: smart, fast, immediate (as if it had crashed)."""
        self.run(["pg_ctl", "stop", "-w", "-t", "150", "-m", mode, "-D", self.data_dir])

    def restart(self) -> None:
        """Stop and start: what a setting marked ``postmaster`` needs."""
        self.stop()
        self.start()

    def reload(self) -> None:
        """Read the configuration files again. PostgreSQL does so a moment later: use :meth:`psql` in a new session to see it."""
        self.run(["pg_ctl", "reload", "-D", self.data_dir])

    def append_conf(self, text: str) -> None:
        """Add lines to postgresql.conf; they win over earlier ones, at the next :meth:`reload` or :meth:`restart`."""
        with (self.data_dir / "postgresql.conf").open("a") as conf:
            conf.write(f"\n{text}\n")


PostgresFactory = Callable[..., Postgres]


def _bin_dir() -> Path:
    on_path = shutil.which("initdb")
    for place in [*filter(None, [os.environ.get("SOS_PG_BIN")]), *_PLACES, *([str(Path(on_path).resolve().parent)] if on_path else [])]:
        initdb = Path(place) / "initdb"
        if initdb.exists() and re.search(rf"\) {MAJOR}\.", subprocess.run([initdb, "--version"], capture_output=True, text=True, check=True).stdout):
            return Path(place)
    pytest.skip(f"no PostgreSQL {MAJOR} on this machine: {BRING}, or SOS_PG_BIN=FOLDER of its initdb")


def _server_user() -> tuple[str, dict[str, Any]]:
    """The user the server runs as, and the subprocess options that make it so."""
    if os.getuid() != 0:
        return pwd.getpwuid(os.getuid()).pw_name, {}
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    entry = known.get("postgres") or known["nobody"]
    return entry.pw_name, {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": [], "env": {**os.environ, "HOME": "/nonexistent"}}


def _conf(settings: Mapping[str, str]) -> str:
    return "".join("{} = '{}'\n".format(name, value.replace("'", "''")) for name, value in settings.items())


@pytest.fixture(scope="session")
def postgres_factory() -> Iterator[PostgresFactory]:
    """``postgres_factory(hba=None, **settings)`` starts a server of its own; ``postgres_factory(standby_of=server, name="standby1")`` a streaming standby.

    ``hba`` are lines that stand before ``local all all trust``. Skips the test, with the reason, where PostgreSQL 15 is not installed.
    """
    bin_dir = _bin_dir()
    user, as_user = _server_user()
    # Not pytest's tmp_path: a socket's path may have 107 characters, and the server's user must be able to reach it.
    root = Path(tempfile.mkdtemp(prefix="sos-pg-"))
    root.chmod(0o755)
    servers: list[Postgres] = []
    (root / "template").mkdir()
    if as_user:
        os.chown(root / "template", as_user["user"], as_user["group"])
    template = root / "template" / "data"

    def make(*, standby_of: Postgres | None = None, name: str = "standby1", hba: str = "", **settings: str) -> Postgres:
        home = Path(tempfile.mkdtemp(prefix="", dir=root))
        (home / "socket").mkdir()
        for folder in (home, home / "socket"):
            folder.chmod(0o755)
            if as_user:
                os.chown(folder, as_user["user"], as_user["group"])
        server = Postgres(bin_dir=bin_dir, data_dir=home / "data", socket_dir=home / "socket", user=user, as_user=as_user)
        if standby_of is None:
            if not template.exists():
                server.run(["initdb", "-D", template, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync", "--data-checksums"])
            server.run(["/bin/cp", "-a", template, server.data_dir])  # initdb costs two seconds of a processor
            (server.data_dir / "pg_hba.conf").write_text(f"{hba}\nlocal all all trust\nlocal replication all trust\n")
            server.append_conf(_conf(_SETTINGS))
        else:
            slot = name.replace("-", "_")  # as Patroni does: a slot's name takes no hyphen
            source = f"host={standby_of.socket_dir} port={standby_of.port} user=postgres application_name={name}"
            server.run(["pg_basebackup", "-D", server.data_dir, "-d", source, "-c", "fast", "-X", "stream", "-R", "-C", "-S", slot, "--no-sync"])
        server.append_conf(_conf({"unix_socket_directories": str(server.socket_dir), **settings}))
        servers.append(server)
        server.start()
        return server

    yield make
    for server in reversed(servers):  # standbys first; all at once, as nobody needs them any more
        server.run(["pg_ctl", "stop", "-W", "-m", "immediate", "-D", server.data_dir], check=False)
    for server in servers:
        server.run(["pg_ctl", "stop", "-t", "30", "-m", "immediate", "-D", server.data_dir], check=False)
    shutil.rmtree(root, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres(postgres_factory: PostgresFactory) -> Postgres:
    """One server for the whole run: leave it as you found it, or make your own with ``postgres_factory``."""
    return postgres_factory()


@pytest.fixture(scope="session")
def standby(postgres: Postgres, postgres_factory: PostgresFactory) -> Postgres:
    """A streaming standby of ``postgres``, asynchronous, with a slot of its own."""
    return postgres_factory(standby_of=postgres)
