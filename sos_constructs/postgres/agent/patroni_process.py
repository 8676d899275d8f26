"""Patroni as the child of the container's first process: told what the container is told, buried, and started again where its server can go on.

Patroni is not its server's parent, and a new one takes over a server that it finds running. So a Patroni that was killed, by a human, for a mistake of its own
or by before_stop.py, need not cost the primary: as long as the lock is this member's, nobody else may write, and a Patroni that is back before the
lock ends finds everything as it was. Two helpers (again.py) see to it: the first renews the lock, if it is this member's and nothing but the server is
left, and the second looks whether the new Patroni has taken both over in time. In every other case the container ends with Patroni, and the server with it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

LIFE = 30.0
"""Seconds that a Patroni must have lived to be started again: what dies sooner has a reason of its own."""
LIMIT = 18.0
"""Seconds from its end until the new one must have taken over; less than the lock's least ttl, which is 20 s from a later moment on."""
MARK = "may-be-killed"
"""File beside Patroni's configuration, there as long as a Patroni that is killed is started again."""
HELD = "held"
"""File beside it while a hook holds Patroni still (handover.py): the hook's process, and the monotonic time at which that ends."""
ENDING = "ending"
"""File beside it: the container is about to end (farewell.py)."""
HURRY = "hurry"
"""File beside it: Patroni's ``before_stop`` has no time, and does nothing (farewell.py)."""
ENDS = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGABRT})

HELPER = (sys.executable, "-B", "-m", "agent.again")


class PatroniProcess:
    """From the first Patroni's start to the last one's end. Uses SIGALRM.

    :param command: how Patroni is started; its configuration file is the last argument.
    :param output: file descriptor for what it prints.
    :param helper: how the helpers are started, without file and verb.
    """

    def __init__(self, command: list[str], output: int, helper: tuple[str, ...] = HELPER, life: float = LIFE, limit: float = LIMIT) -> None:
        self._command, self._output, self._helper_command, self._life, self._limit = command, output, helper, life, limit
        self._folder = Path(command[-1]).parent
        self._helper: subprocess.Popen[bytes] | None = None
        self._may_be_killed = self._confirming = self._told_to_end = False
        self._code = 0
        self._end: int | None = None
        for left in (ENDING, HELD, HURRY, MARK):  # by the container before this one
            (self._folder / left).unlink(missing_ok=True)
        # whatever this process is waiting for by then, be it for somebody to take its output
        signal.signal(signal.SIGALRM, lambda _number, _frame: os._exit(self._code))
        self._patroni = self._start()

    def hand_on(self, number: int) -> None:
        """A signal that the container got. After one that ends it nothing is started again."""
        if number in ENDS:
            self._told_to_end = True
            self._unmark()
        with suppress(ProcessLookupError):
            os.kill(self._patroni.pid, number)  # not through Popen, which would bury it by itself
            os.kill(self._patroni.pid, signal.SIGCONT)  # one that is held still (handover.py), and whose holder was killed, would never hear of it

    def look(self) -> int | None:
        """Bury whoever has ended, and do what follows from it; the container's exit code once it is to end."""
        for pid, code in buried():
            if pid == self._patroni.pid:
                self._patroni.returncode = code
                self._has_ended(code)
            elif self._helper is not None and pid == self._helper.pid:
                self._helper.returncode = code
                self._has_answered(code)
        self._let_go()
        if self._told_to_end and self._helper is not None:
            if self._confirming:
                self._settled()  # the new Patroni has been told, and stops its server in order
            else:
                self._end = self._code
        if not self._may_be_killed and self._helper is None and time.monotonic() - self._since > self._life:
            self._mark()
        return self._end

    def _let_go(self) -> None:
        """A Patroni whose holder is dead, or holds it for too long, goes on: the lock would end while its server takes writes."""
        try:
            holder, until = (self._folder / HELD).read_text().split()
            if time.monotonic() < float(until) and not is_dead(int(holder)):
                return
            with suppress(ProcessLookupError):
                os.kill(self._patroni.pid, signal.SIGCONT)
            (self._folder / HELD).unlink(missing_ok=True)
        except (OSError, ValueError):
            return

    def _start(self) -> subprocess.Popen[bytes]:
        self._since, self._may_be_killed = time.monotonic(), False
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}  # ours is none of Patroni's
        return subprocess.Popen(self._command, stdin=subprocess.DEVNULL, stdout=self._output, stderr=self._output, env=environment)

    def _has_ended(self, code: int) -> None:
        self._code = code if code >= 0 else 128 - code
        again = code < 0 and (self._folder / MARK).exists() and not (self._folder / ENDING).exists() and not self._told_to_end and self._helper is None
        self._unmark()
        if not again:
            self._end = self._code
            return
        signal.setitimer(signal.ITIMER_REAL, self._limit)
        self._confirming = False
        self._ask("claim")

    def _has_answered(self, code: int) -> None:
        self._helper = None
        if code != 0:
            self._end = self._code
        elif self._confirming:
            self._settled()
        else:
            self._confirming, self._patroni = True, self._start()
            self._ask("confirm")

    def _settled(self) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        self._helper = None

    def _ask(self, verb: str) -> None:
        command = [*self._helper_command, self._command[-1], verb]
        self._helper = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self._output, stderr=self._output)

    def _mark(self) -> None:
        """From now on a Patroni that is killed is started again; only ever once for each."""
        self._may_be_killed = True
        with suppress(OSError):
            (self._folder / MARK).touch()
        if self._told_to_end or (self._folder / ENDING).exists():  # by now
            self._unmark()

    def _unmark(self) -> None:
        with suppress(OSError):
            (self._folder / MARK).unlink(missing_ok=True)


def is_dead(pid: int) -> bool:
    """Whether the process has ended; a stopped parent does not bury it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in ("Z", "X")
    except OSError:
        return Path("/proc/self").exists()


def buried() -> Iterator[tuple[int, int]]:
    """Whoever has ended, with exit codes; the first process of a container inherits the orphans, such as the server that Patroni started."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        yield pid, os.waitstatus_to_exitcode(status)
