"""A client that keeps books: what it wrote, what was acknowledged, and when nothing was.

It runs inside a pod, on the standard library and the image's psql alone, with the environment of any workload (PGHOST, PGUSER, …).
Writers insert (run, writer, seq) over long-lived connections; a probe opens a fresh connection every quarter of a second and writes, as
writer 0. On SIGTERM one JSON summary goes to standard output. An acknowledged row that is missing afterwards was lost; a row that was
written but never acknowledged is nobody's promise.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import select
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

ANSWER_SECONDS = 3.0
"""A psql that does not answer within this is killed and replaced: what the socket timeout of an application does."""
CONNECT_SECONDS = 2
PAUSE = 0.005
"""Between two rows of a writer: enough rows to see a gap of 50 ms, without making the load itself the event."""
PROBE_EVERY = 0.25
NOTABLE_GAP = 0.5
PROBE = 0

CREATE = "CREATE TABLE IF NOT EXISTS ledger (run text, writer int, seq bigint, PRIMARY KEY (run, writer, seq));"
REASONS = {
    "read-only": r"read-only|in recovery",
    "refused": r"refused|No route|unreachable|reset by peer",
    "no answer": r"no answer",
    "timeout": r"timeout|timed out",
    "shutdown": r"shutting down|starting up|terminating connection|closed the connection|not yet accepting",
    "name": r"could not translate host",
    "login": r"authentication failed|permission denied",
}


class Broken(Exception):
    """The connection is of no use any more."""


class Book:
    """What was acknowledged, by whom, and when nothing was. Times are seconds since the start."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.start = self.last = time.monotonic()
        self.ranges: dict[int, list[list[int]]] = {}
        self.gaps: list[tuple[float, float]] = []
        self.largest = (0.0, 0.0)
        self.servers: list[list[object]] = []
        self.errors: Counter[str] = Counter()
        self.probes: list[tuple[float, str]] = []
        self.count = 0

    def acknowledged(self, writer: int, seq: int, server: str) -> None:
        with self.lock:
            now = time.monotonic()
            if writer != PROBE:
                if self.count:
                    self._gap(now)
                self.last = now
                self.count += 1
            ranges = self.ranges.setdefault(writer, [])
            if ranges and ranges[-1][1] == seq - 1:
                ranges[-1][1] = seq
            else:
                ranges.append([seq, seq])
            if not self.servers or self.servers[-1][0] != server:
                self.servers.append([server, round(now - self.start, 3)])

    def _gap(self, now: float) -> None:
        gap = (self.last - self.start, now - self.last)
        self.largest = max(self.largest, gap, key=lambda each: each[1])
        if gap[1] > NOTABLE_GAP:
            self.gaps.append(gap)

    def failed(self, reason: str) -> None:
        with self.lock:
            self.errors[reason] += 1

    def probed(self, began: float, reason: str) -> None:
        with self.lock:
            self.probes.append((began - self.start, reason))

    def status(self) -> dict[str, object]:
        """For whoever waits outside: rows so far, seconds since the last one, seconds since a fresh connection last failed."""
        with self.lock:
            now = time.monotonic()
            failed = [at for at, reason in self.probes if reason]
            return {"rows": self.count, "silent": now - self.last, "fresh": now - self.start - max(failed, default=0.0), "probes": len(self.probes)}

    def summary(self) -> dict[str, object]:
        with self.lock:
            end = time.monotonic()
            self._gap(end)
            resumed = sum(self.largest)
            failed = [(at - resumed, reason) for at, reason in self.probes if reason]
            return {
                "acknowledged": {str(writer): ranges for writer, ranges in sorted(self.ranges.items())},
                "rows": self.count,
                "seconds": round(end - self.start, 3),
                "gaps": [[round(at, 3), round(length, 3)] for at, length in self.gaps],
                "write_gap": round(self.largest[1], 3),
                "servers": self.servers,
                "errors": dict(self.errors),
                "fresh": {
                    "tried": len(self.probes),
                    "failed": len(failed),
                    "late": dict(Counter(reason for at, reason in failed if at > 0)),
                    "reasons": dict(Counter(reason for _, reason in failed)),
                    "first": round(failed[0][0], 3) if failed else None,
                    "last": round(failed[-1][0], 3) if failed else None,
                },
            }


class Session:
    """One psql, spoken to through pipes."""

    def __init__(self, environment: dict[str, str] | None = None) -> None:
        environment = dict(os.environ) if environment is None else environment
        self.psql = subprocess.Popen(
            [environment.get("LEDGER_PSQL", "psql"), "-XqAt", "-F", " ", "-v", "ON_ERROR_STOP=1"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            env={**environment, "PGCONNECT_TIMEOUT": str(CONNECT_SECONDS), "LC_ALL": "C"},
        )

    def ask(self, sql: str) -> str:
        """The one line that the statement answers."""
        assert self.psql.stdin
        assert self.psql.stdout
        try:
            self.psql.stdin.write(sql.encode() + b"\n")
        except OSError:
            raise Broken(self._complaint()) from None
        until, answer = time.monotonic() + ANSWER_SECONDS, b""
        while not answer.endswith(b"\n"):
            if not select.select([self.psql.stdout], [], [], max(0.0, until - time.monotonic()))[0]:
                raise Broken("no answer")
            chunk = os.read(self.psql.stdout.fileno(), 4096)
            if not chunk:
                raise Broken(self._complaint())
            answer += chunk
        return answer.decode().strip()

    def close(self) -> None:
        self.psql.kill()
        self.psql.wait()
        for pipe in (self.psql.stdin, self.psql.stdout, self.psql.stderr):
            if pipe:
                pipe.close()

    def _complaint(self) -> str:
        assert self.psql.stderr
        ready = select.select([self.psql.stderr], [], [], 1.0)[0]
        return os.read(self.psql.stderr.fileno(), 4096).decode(errors="replace").strip() if ready else "closed without a word"


def reason(complaint: str) -> str:
    """One word for what psql said, or its last line where no word fits."""
    return next((word for word, pattern in REASONS.items() if re.search(pattern, complaint)), complaint.splitlines()[-1][:160] if complaint else "unknown")


def insert(run: str, writer: int, seq: int) -> str:
    return f"INSERT INTO ledger VALUES ('{run}', {writer}, {seq}) RETURNING seq, host(inet_server_addr());"


def write(book: Book, run: str, writer: int, stop: threading.Event) -> None:
    """Insert increasing numbers; a number whose answer is missing is never used again."""
    session: Session | None = None
    seq = 0
    while not stop.is_set():
        seq += 1
        try:
            session = session or Session()
            answered, server = session.ask(insert(run, writer, seq)).split()
            assert int(answered) == seq
            book.acknowledged(writer, seq, server)
            stop.wait(PAUSE)
        except Broken as broken:
            book.failed(reason(str(broken)))
            if session:
                session.close()
            session = None
            stop.wait(0.1)
    if session:
        session.close()


def probe(book: Book, run: str, seq: int) -> None:
    """Can somebody who comes now write?"""
    began = time.monotonic()
    session = Session()
    try:
        _, server = session.ask(insert(run, PROBE, seq)).split()
        book.acknowledged(PROBE, seq, server)
        book.probed(began, "")
    except Broken as broken:
        book.probed(began, reason(str(broken)))
    finally:
        session.close()


def create(seconds: float) -> None:
    """The table, as soon as somebody lets us."""
    until = time.monotonic() + seconds
    while True:
        session = Session()
        try:
            session.ask(f"SET client_min_messages = warning; {CREATE} SELECT 1;")
            return
        except Broken as broken:
            if time.monotonic() > until:
                sys.exit(f"cannot create the table: {broken}")
            time.sleep(0.5)
        finally:
            session.close()


def main() -> None:
    """Write until SIGTERM."""
    run, status = os.environ["LEDGER_RUN"], Path(os.environ.get("LEDGER_STATUS", "/tmp/status.json"))
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    create(60)
    book = Book()
    threads = [threading.Thread(target=write, args=(book, run, writer, stop)) for writer in range(1, int(os.environ.get("LEDGER_WRITERS", "4")) + 1)]
    for thread in threads:
        thread.start()
    probes: list[threading.Thread] = []
    for seq in itertools.count(1):
        probes = [thread for thread in probes if thread.is_alive()]
        probes.append(threading.Thread(target=probe, args=(book, run, seq)))
        probes[-1].start()
        status.with_suffix(".new").write_text(json.dumps(book.status()))
        status.with_suffix(".new").replace(status)
        if stop.wait(PROBE_EVERY):
            break
    for thread in threads + probes:
        thread.join()
    print(json.dumps(book.summary()))


if __name__ == "__main__":
    main()
