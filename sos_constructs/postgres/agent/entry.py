"""First process of the postgres container: ``python3 -m agent.entry patroni /run/sos/patroni.yml``.

It runs Patroni as its child (patroni_process.py) and prints what is said in the container as one JSON line per event. PostgreSQL's log collector
writes its JSON log into a named pipe that this process reads, so that nothing is kept on a disk and nothing has to be rotated.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from .events import as_line, continues, from_jsonlog, from_text
from .patroni_process import HELPER, LIFE, LIMIT, PatroniProcess

PIPES = Path("/tmp/log")
"""log_directory of PostgreSQL's settings."""
JSON_PIPE, TEXT_PIPE = "postgres.json", "postgres.log"
"""What the collector opens for log_filename 'postgres.log': events, and what PostgreSQL's children print by themselves."""

PAUSE = 0.2
"""Seconds after which an event is complete if no line follows."""
LONGEST_LINE = 1 << 20
"""Bytes without a line break that are kept, at most."""
HANDED_ON = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2, signal.SIGABRT)


class Lines:
    """Bytes from one source, as whole lines."""

    def __init__(self, take: Callable[[str], None]) -> None:
        self._take = take
        self._rest = b""

    def feed(self, data: bytes) -> None:
        """Take what was read."""
        *whole, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > LONGEST_LINE:
            whole, self._rest = [*whole, self._rest], b""
        for line in whole:
            self._one(line)

    def _one(self, line: bytes) -> None:
        try:
            self._take(line.decode("utf-8", "replace"))
        except Exception as error:  # noqa: BLE001  # a line that this code cannot read must not end the database
            say(json.dumps({"level": "error", "source": "entry", "message": f"a line of {len(line)} bytes is lost: {type(error).__name__}"}))

    def end(self) -> None:
        """Take what is left, without its line break."""
        if self._rest:
            self.feed(b"\n")


class Text:
    """Lines of text as events: a line that continues the one before is part of its event."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._held: str | None = None

    def take(self, line: str) -> None:
        """One line."""
        line = line.rstrip("\r")
        if self._held is not None and continues(line, self._held) and len(self._held) < LONGEST_LINE:
            self._held += f"\n{line}"
            return
        self.flush()
        self._held = line if line.strip() else None

    def flush(self) -> None:
        """Nothing follows: the event is complete."""
        if self._held is not None:
            self._say(as_line(from_text(self._held)))
            self._held = None


def say(line: str) -> None:
    """One event, whole, on standard output; if nobody listens any more the database goes on."""
    data = f"{line}\n".encode("utf-8", "replace")
    with suppress(OSError):
        while data:
            data = data[os.write(1, data) :]


def made_pipes(folder: Path) -> list[int]:
    """The two named pipes, open for reading and writing: opening never waits, and reading never ends when the collector restarts."""
    folder.mkdir(mode=0o700, exist_ok=True)
    opened = []
    for path in (folder / JSON_PIPE, folder / TEXT_PIPE):
        path.unlink(missing_ok=True)
        os.mkfifo(path, 0o600)
        opened.append(os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC))
    return opened


def said_by_postgres(line: str) -> None:
    """One line of PostgreSQL's JSON log."""
    if line:
        say(as_line(from_jsonlog(line)))


def run(command: list[str], pipes: Path = PIPES, helper: tuple[str, ...] = HELPER, life: float = LIFE, limit: float = LIMIT) -> int:
    """Run the command until it ends for good; returns its exit code as a shell tells it. For the rest see patroni_process.py."""
    said, other = Text(say), Text(say)
    log, text = made_pipes(pipes)
    read, write = os.pipe()
    os.set_blocking(read, False)
    patroni = PatroniProcess(command, write, helper, life, limit)
    sources = {log: Lines(said_by_postgres), text: Lines(other.take), read: Lines(said.take)}

    for number in HANDED_ON:
        signal.signal(number, lambda number, _frame: patroni.hand_on(number))
    wake_read, wake_write = os.pipe()  # so that the end of a child ends the wait below
    os.set_blocking(wake_read, False)
    os.set_blocking(wake_write, False)
    signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    code = None
    while code is None:
        ready, _, _ = select.select([*sources, wake_read], [], [], PAUSE)
        drain({fd: sources[fd] for fd in ready if fd in sources})
        if wake_read in ready:
            os.read(wake_read, 512)
        if not ready:
            said.flush()
            other.flush()
        code = patroni.look()
    drain(sources)
    for source in sources.values():
        source.end()
    said.flush()
    other.flush()
    return code


def drain(sources: dict[int, Lines]) -> None:
    """Read what is there; at most a few hundred kilobytes of each, so that none starves the others."""
    for fd, lines in sources.items():
        for _ in range(8):
            try:
                data = os.read(fd, 1 << 16)
            except BlockingIOError:
                break
            if not data:
                break
            lines.feed(data)


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
