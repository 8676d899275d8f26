"""How a primary is stopped before Patroni looks: real processes in the place of Patroni and PostgreSQL, a made-up /proc."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sos_constructs.postgres.agent import closing, farewell, handover
from sos_constructs.postgres.agent.handover import hand_over, patroni_pid, send, server_pid
from sos_constructs.postgres.agent.kube_api import Conflict
from sos_constructs.postgres.agent.psql import Psql, SqlError

import pytest

from tests.postgres.agent.container import ANNOUNCED, FILE, GOES_ON, PATRONI, SERVER, STOPPED, STRUCK_OFF, VACATED, Container

AHEAD = handover.SERVICE_AHEAD_SECONDS
ANSWER = 2 * handover.HELD_ANSWER_SECONDS
"""Of a change that is tried once more: a question and a patch."""


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    said: list[str] = []

    def query(_self: Psql, sql: str) -> list[list[str]]:
        said.append(sql)
        return []

    monkeypatch.setattr(Psql, "query", query)
    return said


@pytest.fixture
def container(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: list[str]) -> Container:
    made = Container(tmp_path)
    monkeypatch.setattr(time, "sleep", made.sleep)
    monkeypatch.setattr(time, "monotonic", lambda: made.now)
    return made


def test_the_lock_is_given_away_when_the_server_has_ended(container: Container, asked: list[str]):
    """Patroni may go on when a successor is labelled, and kube-proxy has had its time."""
    container.hand_over()
    assert asked == ["SET statement_timeout = '20s'; CHECKPOINT"]
    assert container.happened == [*STOPPED, VACATED, GOES_ON]
    assert container.now == pytest.approx(AHEAD + 3 * handover.LOOK_SECONDS + 2 * handover.ASK_SECONDS + handover.SERVICE_SECONDS)


def test_who_leaves_the_service_does_so_when_it_may_change_again(container: Container):
    """Before Patroni is held still, and a third of a second before clients are turned out."""
    container.not_before = 0.8
    container.hand_over()
    assert container.happened == [0.8, *STOPPED, VACATED, GOES_ON]


def test_the_waits_are_those_of_kube_proxy():
    """It changes a Service once a second."""
    assert 0 < AHEAD < 1
    assert 0 < farewell.SERVICE_AGAIN_SECONDS <= 1


def test_patroni_is_not_held_still_for_longer_than_the_lock_lives(container: Container):
    """While its server takes writes: two changes with a question each, before it is told to stop."""
    container.hand_over()
    assert container.patience == [handover.HELD_ANSWER_SECONDS]
    longest = 2 * 2 * handover.HELD_ANSWER_SECONDS + (handover.TRIES - 1) * ANSWER + AHEAD + closing.SECONDS + handover.STOP_SECONDS
    assert longest < 20 - 3, "the least ttl, without a loop_wait"


def test_whatever_hangs_patroni_goes_on_in_time(container: Container, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setattr(handover, "LONGEST_HOLD", 0.2)
    monkeypatch.setattr(container, "close", lambda: threading.Event().wait(60), raising=False)
    container.hand_over()
    assert container.happened[-1] == GOES_ON
    assert VACATED not in container.happened
    assert "not done after 0.2 s" in capsys.readouterr().out


@pytest.mark.parametrize(("timing", "seconds"), [((3, 5, 20), 11), ((10, 10, 30), 9), ((10, 5, 20), 4)])
def test_the_hold_fits_into_what_is_left_of_the_lock(timing: tuple[int, int, int], seconds: float):
    """It was renewed in Patroni's last round, which began ``loop_wait`` ago and may have lasted for ``retry_timeout``."""
    loop_wait, retry_timeout, ttl = timing
    assert handover.longest_hold({"bootstrap": {"dcs": {"loop_wait": loop_wait, "retry_timeout": retry_timeout, "ttl": ttl}}}) == seconds
    assert seconds < ttl - loop_wait - retry_timeout


def test_a_pod_that_changes_meanwhile_is_taken_out_all_the_same(container: Container, monkeypatch: pytest.MonkeyPatch):
    annotate, refused = container.annotate, list[str]()

    def refuse_once(path: str, version: str, annotations: dict[str, str | None], labels: dict[str, str | None] | None = None) -> None:
        if path == "pods/pg-0" and not refused:
            refused.append(path)
            raise Conflict("PATCH pods/pg-0: HTTP 409")
        annotate(path, version, annotations, labels)

    monkeypatch.setattr(container, "annotate", refuse_once)
    container.hand_over()
    assert container.happened == [*STOPPED, VACATED, GOES_ON]


def test_the_next_pod_of_its_name_is_not_taken_out(container: Container):
    """Somebody deleted this one by force while it waited."""
    container.ending = False
    container.hand_over()
    assert STRUCK_OFF not in container.happened


@pytest.mark.parametrize("others", ["", "going"])
def test_where_nobody_could_succeed_nobody_is_waited_for(others: str, container: Container):
    container.others = others
    container.hand_over()
    assert container.happened == [*STOPPED, VACATED, GOES_ON]
    assert container.now == pytest.approx(AHEAD + 3 * handover.LOOK_SECONDS)


def test_a_successor_that_does_not_come_is_not_waited_for_long(container: Container):
    container.looks = -1000
    container.hand_over()
    assert container.happened[-1] == GOES_ON
    assert container.now == pytest.approx(AHEAD + handover.SUCCESSOR_SECONDS, abs=0.3)


def test_a_server_that_does_not_end_is_left_to_patroni(container: Container):
    container.ends_after = 100_000
    container.hand_over()
    assert container.happened == [*STOPPED, GOES_ON]
    assert container.now == pytest.approx(AHEAD + handover.STOP_SECONDS, abs=0.05)


@pytest.mark.parametrize("state", ["in production", "shutting down", "shut down in recovery"])
def test_a_server_that_has_not_ended_well_is_left_to_patroni(state: str, container: Container):
    container.says(state)
    container.hand_over()
    assert container.happened == [*STOPPED, GOES_ON]


def test_a_lock_of_somebody_else_is_not_touched(container: Container):
    container.leader = "pg-1"
    container.hand_over()
    assert container.happened == [*STOPPED, GOES_ON]


def test_without_the_api_server_patroni_goes_on(container: Container, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    def refuse(*_arguments: object) -> None:
        raise Conflict("PATCH configmaps/pg-leader: HTTP 409")

    monkeypatch.setattr(container, "annotate", refuse)
    container.hand_over()
    assert container.happened == [each for each in STOPPED if each not in (ANNOUNCED, STRUCK_OFF, AHEAD)] + [GOES_ON]
    assert "HTTP 409" in capsys.readouterr().out


def test_patroni_goes_on_whatever_happens(container: Container):
    def kill(pid: int, number: int) -> None:
        container.kill(pid, number)
        if pid == SERVER:
            raise PermissionError

    kube: Any = container
    with pytest.raises(PermissionError):
        hand_over(kube, container.config, FILE, container.close, 0.0, container.proc, kill)
    assert container.happened[-1] == GOES_ON


def test_without_a_checkpoint_it_stops_too(container: Container, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    def query(_self: Psql, _sql: str) -> list[list[str]]:
        raise SqlError("FATAL: sorry, too many clients already")

    monkeypatch.setattr(Psql, "query", query)
    container.hand_over()
    assert VACATED in container.happened
    assert "too many clients" in capsys.readouterr().out


@pytest.mark.parametrize("missing", ["server", "patroni"])
def test_who_is_not_there_is_left_to_patroni(missing: str, container: Container, asked: list[str]):
    """A server that does not run, or a pod whose first process is Patroni itself."""
    if missing == "server":
        (container.data / "postmaster.pid").unlink()
    else:
        (container.proc / str(PATRONI) / "stat").write_text(f"{PATRONI} (patroni) S 0 1")
    container.hand_over()
    assert (container.happened, asked) == ([], [])


def test_a_file_that_is_just_being_written_is_no_server(tmp_path: Path):
    (tmp_path / "postmaster.pid").write_text("")
    assert server_pid(tmp_path) is None


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)", str(FILE)])
    yield process
    process.kill()
    process.wait()


def test_the_real_proc_reads_so(child: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch):
    """Not found as long as its parent is not the first process, found by the same reading of the real files when it is."""
    assert patroni_pid(Path("/proc"), FILE) != child.pid
    stat = Path(f"/proc/{child.pid}/stat").read_text()
    read = Path.read_text
    monkeypatch.setattr(Path, "read_text", lambda path, *rest: re_parented(stat) if path == Path(f"/proc/{child.pid}/stat") else read(path, *rest))
    assert patroni_pid(Path("/proc"), FILE) == child.pid


def test_a_process_that_has_ended_gets_no_signal_and_no_error(child: subprocess.Popen[bytes]):
    send(child.pid, signal.SIGKILL)
    child.wait()
    send(child.pid, signal.SIGKILL)


def re_parented(stat: str) -> str:
    name, _, rest = stat.rpartition(")")
    fields = rest.split()
    return " ".join([f"{name})", fields[0], "1", *fields[2:]])
