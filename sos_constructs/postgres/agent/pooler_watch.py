"""Clients wait while there is no primary, instead of being refused.

PgBouncer alone refuses every client once a log-in to the server has failed ("server login has been failing"), until one succeeds. Paused
it lets them wait, and gives up the connections it has to the dead server. So the agent keeps one connection to the primary: when that
breaks or does not answer, it pauses; when a primary answers again, it resumes.
"""

from __future__ import annotations

import os
import re
import select
import subprocess
import time
from collections.abc import Callable
from typing import Any, Protocol

from .log import log
from .pooler_console import Console, ConsoleError

QUESTION = "SELECT pg_catalog.pg_is_in_recovery();"
"""By its full name: the owner of the database could have put another function before it."""


SERVER_SAYS_NO = re.compile(rb"authentication failed|too many|remaining connection slots|does not exist|pg_hba|permission denied|not permitted")
"""What a server says that is there and will not have us: no reason to hold clients, whose connections may be open already."""


class Asking(Protocol):
    """A connection to whoever answers as the primary."""

    def primary_answers(self, seconds: float) -> bool:
        """Whether a primary answered within so many seconds, or one is there that refuses us."""
        ...

    def close(self) -> None:
        """Be done with it."""
        ...


class Session:
    """One psql, spoken to through pipes, so that a look costs no new connection."""

    def __init__(self, declared: dict[str, Any], password: str) -> None:
        self._psql = subprocess.Popen(
            command(declared),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            env=environment(password),
        )

    def primary_answers(self, seconds: float) -> bool:
        """Ask one question; an answer that is late or another one is none."""
        assert self._psql.stdin
        assert self._psql.stdout
        until, answer = time.monotonic() + seconds, b""
        try:
            self._psql.stdin.write(QUESTION.encode() + b"\n")
            while not answer.endswith(b"\n"):
                if not select.select([self._psql.stdout], [], [], max(0.0, until - time.monotonic()))[0]:
                    return False
                chunk = os.read(self._psql.stdout.fileno(), 4096)
                if not chunk:
                    return self._refused()
                answer += chunk
        except OSError:
            return self._refused()
        return answer == b"f\n"

    def _refused(self) -> bool:
        assert self._psql.stderr
        ready = select.select([self._psql.stderr], [], [], 0.5)[0]
        return bool(ready and SERVER_SAYS_NO.search(os.read(self._psql.stderr.fileno(), 4096)))

    def close(self) -> None:
        """End psql, whatever it is waiting for."""
        self._psql.kill()
        for pipe in (self._psql.stdin, self._psql.stdout, self._psql.stderr):
            if pipe:
                pipe.close()
        self._psql.wait()


class Watch:
    """What is known of the primary, and what PgBouncer was told."""

    INTERVAL = 0.25
    """Seconds between two looks."""
    ANSWER_SECONDS = 1.5
    """A primary that does not answer within this is gone, or as good as gone; a new connection may take longer."""
    CONNECT_SECONDS = 2.5

    def __init__(
        self, new_session: Callable[[dict[str, Any], str], Asking], console: Console, pause_seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._new_session, self._console, self._pause_seconds, self._clock = new_session, console, pause_seconds, clock
        self._session: Asking | None = None
        self._pausing: subprocess.Popen[bytes] | None = None
        self._since: float | None = None
        self.paused = False
        self.pauses = 0

    def look(self, declared: dict[str, Any], password: str) -> None:
        """Ask the primary once, and pause or resume."""
        fresh = self._session is None
        session = self._session or self._new_session(declared, password)
        self._session = session
        if session.primary_answers(self.CONNECT_SECONDS if fresh else self.ANSWER_SECONDS):
            self._found()
            return
        self.close()
        if fresh:  # else once more, over a new connection, before anybody is held
            self._missed()

    def close(self) -> None:
        """Give up the connection."""
        if self._session:
            self._session.close()
            self._session = None

    def resume_what_another_left(self) -> None:
        """A predecessor of this process may have ended while clients were held."""
        self._console.try_to("RESUME")  # which is an error where it is not paused

    def _found(self) -> None:
        if self.paused:
            self._resume("there is a primary again")
        self._since = None

    def _missed(self) -> None:
        now = self._clock()
        if self._since is None:
            self._since = now
            self._pausing = self._console.begin("PAUSE")
            self.paused = True
            self.pauses += 1
            log("warning", "watch", "no primary answers: clients wait")
        elif self.paused and now - self._since > self._pause_seconds:
            # whoever comes now gets an error at once instead of waiting in vain
            self._resume("still no primary: clients wait no longer")

    def _resume(self, why: str) -> None:
        if self._pausing:
            self._pausing.kill()
            self._pausing.wait()
            self._pausing = None
        try:
            self._console.ask("RESUME")
        except ConsoleError as error:
            if "not paused" not in str(error):
                raise
        self.paused = False
        held = 0.0 if self._since is None else self._clock() - self._since
        log("info", "watch", why, held_seconds=round(held, 1))


def cannot_log_in(declared: dict[str, Any], password: str) -> str:
    """Why the server does not take the password; an empty string if it does."""
    try:
        done = subprocess.run(
            [*command(declared), "-c", "SELECT 1"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=10, env=environment(password), check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return type(error).__name__
    return "" if done.returncode == 0 else (done.stderr.strip().splitlines() or ["no message"])[-1]


def command(declared: dict[str, Any], where: dict[str, str] | None = None) -> list[str]:
    """Psql as the pooler's role, at the primary or elsewhere."""
    options = [f"{key}={value}" for key, value in sorted((where or declared["primary"]).items())]
    return [f"{declared['bin_dir']}/psql", "-XqAt", "-v", "ON_ERROR_STOP=1", " ".join([*options, f"user={declared['role']}", "application_name=sos-pooler"])]


def environment(password: str) -> dict[str, str]:
    """Its environment; the password is seen by this uid in this pod only."""
    return {
        "PATH": os.environ.get("PATH", ""),
        "HOME": "/",
        "LC_ALL": "C",
        "PGCONNECT_TIMEOUT": "2",
        "PGPASSWORD": password,
        "PGOPTIONS": "-c statement_timeout=5s",
    }
