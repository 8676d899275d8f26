"""PgBouncer's console: over its Unix socket, as its own uid, so without a password. Through the image's psql."""

from __future__ import annotations

import contextlib
import csv
import os
import subprocess
from dataclasses import dataclass

SECONDS = 5
Table = list[dict[str, str]]


class ConsoleError(Exception):
    """PgBouncer did not answer, or said no. The message holds no secret: the console never shows one of these commands' values."""


@dataclass(frozen=True)
class Console:
    """One PgBouncer of this pod."""

    psql: str
    socket_dir: str
    port: str

    def ask(self, *commands: str) -> list[Table]:
        """Run commands and return a table for each, by the names of its columns: they differ between versions."""
        script = "".join(f"{command};\n\\echo {_END}\n" for command in commands)
        try:
            done = subprocess.run([*self._command(), "--csv"], input=script, capture_output=True, text=True, timeout=SECONDS, env=_environment(), check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise ConsoleError(f"console on port {self.port}: {type(error).__name__}") from None
        if done.returncode:
            lines = [line for line in done.stderr.splitlines() if line.strip()]
            raise ConsoleError(f"console on port {self.port}: {lines[0] if lines else 'no message'}")
        return [list(csv.DictReader(part.splitlines())) for part in done.stdout.split(f"{_END}\n")[: len(commands)]]

    def try_to(self, command: str) -> None:
        """Run a command that may have no effect any more."""
        with contextlib.suppress(ConsoleError):
            self.ask(command)

    def begin(self, command: str) -> subprocess.Popen[bytes]:
        """Start a command that answers late, as PAUSE does: it takes effect at once, and answers when the last transaction has ended."""
        nowhere = subprocess.DEVNULL
        return subprocess.Popen([*self._command(), "-c", command], stdin=nowhere, stdout=nowhere, stderr=nowhere, env=_environment())

    def _command(self) -> list[str]:
        return [self.psql, "-Xq", "-v", "ON_ERROR_STOP=1", "-h", self.socket_dir, "-p", self.port, "-U", "pgbouncer", "-d", "pgbouncer"]


_END = "--end--"


def _environment() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", ""), "HOME": "/", "PGCONNECT_TIMEOUT": str(SECONDS), "LC_ALL": "C"}
