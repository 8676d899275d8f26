"""Writers and readers on this machine, through `postgres-service`, and the history of what they saw.

This machine is no node, so no fault takes the client away; it reaches the Service as a program in the cluster does, through kube-proxy.
Each psql stands for one connection of an application with a connect time-out of 2 s and a socket time-out of 3 s (tests/cluster/ledger.py).
"""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping

from tests.chaos.history import NO_TIMELINE, Attempt, History, Read, Write
from tests.cluster import conntrack
from tests.cluster.ledger import Broken, Session, reason

WRITERS = 3
PROBE = 0
"""Writer of the fresh connections."""
PAUSE = 0.02
"""Between two questions over one connection: a gap of 50 ms shows, and a busy machine is not driven by us alone."""
FRESH_EVERY = 0.4
"""Between two fresh writers; as often comes a fresh reader."""
LATELY = 1.5
"""Seconds within which somebody who writes has written."""
SLOW_TO_CREATE = 60.0

CREATE = "CREATE TABLE IF NOT EXISTS chaos (run text, writer int, seq bigint, PRIMARY KEY (run, writer, seq));"
WHERE = "coalesce(host(inet_server_addr()), 'local'), CASE WHEN pg_is_in_recovery() THEN 'none' ELSE pg_walfile_name(pg_current_wal_insert_lsn()) END"


class Workload:
    """Starts at once; `stop` ends it and gives the history."""

    def __init__(self, run: str, environment: Mapping[str, str]) -> None:
        self.run, self.environment = run, dict(environment)
        # a reader takes what the Service gives: whether that is a server that may be read is for the checker to say
        self.any_server = {key: value for key, value in self.environment.items() if key != "PGTARGETSESSIONATTRS"}
        self.history, self.errors = History(), Counter[str]()
        self.started = time.monotonic()
        self._stop = threading.Event()
        self._create()
        self._threads = [threading.Thread(target=self._write, args=(writer,), daemon=True) for writer in range(1, WRITERS + 1)]
        self._threads.append(threading.Thread(target=self._read_on, daemon=True))
        self._threads += [threading.Thread(target=self._fresh, args=(each,), daemon=True) for each in (self._fresh_write, self._fresh_read)]
        for thread in self._threads:
            thread.start()

    def now(self) -> float:
        """Seconds since the start: the history's clock."""
        return time.monotonic() - self.started

    def term(self) -> int:
        """Timeline of the latest acknowledged rows."""
        return max((write.timeline for write in self.history.writes[-20:]), default=NO_TIMELINE)

    def writing(self, since: float) -> bool:
        """Whether lasting connections write now, and the last three fresh ones that began after a moment did."""
        now, recent = self.now(), [attempt.reason for attempt in list(self.history.attempts) if attempt.began > since][-3:]
        return recent == ["", "", ""] and any(write.writer != PROBE and now - write.ended < LATELY for write in self.history.writes[-50:])

    def attempts_since(self, moment: float) -> int:
        """How many fresh connections that began after a moment have come to an end."""
        return sum(attempt.began > moment for attempt in list(self.history.attempts))

    def forget_dead(self) -> None:
        """Have this machine's kernel forget connections that nobody answers."""
        conntrack.forget(self.environment["PGHOSTADDR"], conntrack.UNANSWERED)

    def stop(self) -> History:
        """End every thread; one that waits for an answer gets it or its time-out first."""
        self._stop.set()
        for thread in self._threads:
            thread.join(30)
        return self.history

    def _create(self) -> None:
        until = time.monotonic() + SLOW_TO_CREATE
        while True:
            session = Session(self.environment)
            try:
                session.ask(f"SET client_min_messages = warning; {CREATE} SELECT 1;")
                return
            except Broken as broken:
                if time.monotonic() > until:
                    raise AssertionError(f"cannot create the table: {broken}") from None
                time.sleep(0.5)
            finally:
                session.close()

    def _insert(self, session: Session, writer: int, seq: int) -> None:
        began = self.now()
        answer = session.ask(f"INSERT INTO chaos VALUES ('{self.run}', {writer}, {seq}) RETURNING seq, {WHERE};")
        number, server, wal = answer.split()
        assert int(number) == seq
        self.history.writes.append(Write(writer, seq, began, self.now(), server, timeline(wal)))

    def _select(self, session: Session, fresh: bool) -> None:
        highest = ", ".join(f"(SELECT coalesce(max(seq), 0) FROM chaos WHERE run = '{self.run}' AND writer = {writer})" for writer in range(WRITERS + 1))
        began = self.now()
        server, wal, *seen = session.ask(f"SELECT {WHERE}, {highest};").split()
        self.history.reads.append(Read(began, self.now(), tuple(map(int, seen)), server, timeline(wal), fresh))

    def _write(self, writer: int) -> None:
        """Increasing numbers; one whose answer is missing is never used again."""
        numbers = itertools.count(1)
        self._lasting(self.environment, lambda session: self._insert(session, writer, next(numbers)))

    def _read_on(self) -> None:
        self._lasting(self.any_server, lambda session: self._select(session, fresh=False))

    def _lasting(self, environment: dict[str, str], ask: Callable[[Session], None]) -> None:
        """One connection after the other, each for as long as it holds."""
        while not self._stop.is_set():
            session = Session(environment)
            try:
                while not self._stop.is_set():
                    ask(session)
                    self._stop.wait(PAUSE)
            except Broken as broken:
                self.errors[reason(str(broken))] += 1
                self._stop.wait(0.1)
            finally:
                session.close()

    def _fresh(self, ask: Callable[[int], None]) -> None:
        """Begin one every so often, whether or not the one before has ended."""
        running: list[threading.Thread] = []
        for number in itertools.count(1):
            running = [thread for thread in running if thread.is_alive()]
            running.append(threading.Thread(target=ask, args=(number,), daemon=True))
            running[-1].start()
            if self._stop.wait(FRESH_EVERY):
                break
        for thread in running:
            thread.join()

    def _fresh_write(self, seq: int) -> None:
        began = self.now()
        session = Session(self.environment)
        try:
            self._insert(session, PROBE, seq)
            self.history.attempts.append(Attempt(began, self.now(), ""))
        except Broken as broken:
            self.history.attempts.append(Attempt(began, self.now(), reason(str(broken))))
        finally:
            session.close()

    def _fresh_read(self, _number: int) -> None:
        session = Session(self.any_server)
        try:
            self._select(session, fresh=True)
        except Broken as broken:
            self.errors[f"fresh reader: {reason(str(broken))}"] += 1
        finally:
            session.close()


def timeline(wal_file: str) -> int:
    """Of the name of a file of the write-ahead log; a server in recovery names none."""
    return NO_TIMELINE if wal_file == "none" else int(wal_file[:8], 16)
