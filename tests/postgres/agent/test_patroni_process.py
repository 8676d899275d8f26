"""Patroni's place as the child of the first process: real processes, with scripts as Patroni and as its helpers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from sos_constructs.postgres.agent.again import CLAIM_SECONDS, CONFIRM_SECONDS
from sos_constructs.postgres.agent.patroni_process import ENDING, HELD, HURRY, LIMIT, MARK

import pytest

from tests.waiting import PATIENCE, until

ROOT = Path(__file__).resolve().parent.parent.parent.parent
START = """
import pathlib, signal, sys
from agent import entry
log = pathlib.Path(sys.argv[1])
code = entry.run(sys.argv[2:], log, tuple(HELPER), LIFE, LIMIT)
(log.parent / "alarm").write_text(str(signal.getitimer(signal.ITIMER_REAL)[0]))
sys.exit(code)
"""
LEAST_TTL = 20.0
"""Patroni's own lower bound (patroni/validator.py)."""


class Container:
    """A folder with a script in Patroni's place, and one in its helpers'."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.processes: list[subprocess.Popen[str]] = []

    def start(self, patroni: str, helper: str = "exit 0", life: float = 0.0, limit: float = 60.0) -> subprocess.Popen[str]:
        """Each script is told the configuration file; the helper also what it is asked."""
        for name, script in (("patroni", patroni), ("helper", helper)):
            (self.folder / name).write_text(f"cd {self.folder}\n{script}\n")
        code = START.replace("HELPER", repr(["sh", str(self.folder / "helper")])).replace("LIFE", repr(life)).replace("LIMIT", repr(limit))
        command = [sys.executable, "-c", code, str(self.folder / "log"), "sh", str(self.folder / "patroni"), str(self.folder / "patroni.yml")]
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "sos_constructs" / "postgres")}
        self.processes.append(subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True))
        return self.processes[-1]

    def says(self) -> list[str]:
        """Everything that is said until the container ends."""
        text, _ = self.processes[-1].communicate(timeout=PATIENCE)
        return [json.loads(line)["message"] for line in text.splitlines()]

    def ends(self) -> int:
        """Its exit code."""
        return self.processes[-1].wait(timeout=PATIENCE)

    def alarm(self) -> float:
        """Seconds that were left, when it ended, until the limit would have ended it; 0 where no limit applied any more."""
        return float((self.folder / "alarm").read_text())

    def may_be_killed(self) -> bool:
        return (self.folder / MARK).exists()


@pytest.fixture
def container(tmp_path: Path) -> Iterator[Container]:
    made = Container(tmp_path)
    yield made
    for process in made.processes:
        process.kill()
        process.communicate()


LIVES = f"until [ -e {MARK} ]; do sleep 0.02; done"
ONCE = f"echo begins; [ -e second ] && exit 3; touch second; {LIVES}; kill -9 $$"
"""Killed when it has lived for long enough; the second one ends by itself."""


def test_one_that_was_killed_is_started_again(container: Container):
    process = container.start(ONCE, "echo $2; sleep 0.3")
    said = container.says()
    assert said[:2] == ["begins", "claim"]
    assert said.count("begins") == 2
    assert process.returncode == 3, "the second one's"


def test_the_helpers_are_told_the_file(container: Container):
    container.start(ONCE, 'test "$1" = "$PWD/patroni.yml" && echo yes')
    assert "yes" in container.says()


def test_where_it_may_not_be_the_container_ends(container: Container):
    process = container.start(ONCE, "echo $2; exit 1")
    assert container.says() == ["begins", "claim"]
    assert process.returncode == 137


def test_one_that_is_not_confirmed_ends_with_the_container(container: Container):
    patroni = f"echo begins; [ -e second ] && exec sleep 300; touch second; {LIVES}; kill -9 $$"
    container.start(patroni, "echo $2; [ $2 = claim ]")
    assert container.ends() == 137


@pytest.mark.parametrize("hangs", ["claim", "confirm"])
def test_it_does_not_wait_for_ever(container: Container, hangs: str):
    patroni = f"echo begins; [ -e second ] && exec sleep 300; touch second; {LIVES}; kill -9 $$"
    container.start(patroni, f"[ $2 = {hangs} ] && exec sleep 300; exit 0", limit=1.0)
    assert container.ends() == 137


def test_it_does_not_wait_for_somebody_to_take_its_output(container: Container):
    """A runtime that hangs: nobody reads what this process prints, and it waits in the middle of a line."""
    container.start(f"{LIVES}; kill -9 $$", "yes | head -c 400000; exec sleep 300", limit=1.0)
    assert container.ends() == 137


def test_once_confirmed_it_lives_longer_than_the_limit(container: Container):
    """It counts as confirmed when it may be killed again."""
    container.start(f"[ -e second ] && {{ {LIVES}; exit 3; }}; touch second; {LIVES}; kill -9 $$")
    assert container.ends() == 3
    assert container.alarm() == 0


def test_told_to_end_while_it_is_not_confirmed_yet_the_new_one_ends_in_order(container: Container):
    patroni = f"[ -e second ] && {{ trap 'exit 4' TERM; touch third; while :; do sleep 0.02; done; }}; touch second; {LIVES}; kill -9 $$"
    process = container.start(patroni, "[ $2 = claim ] || exec sleep 300")
    until((container.folder / "third").exists)
    process.send_signal(signal.SIGTERM)
    assert container.ends() == 4
    assert container.alarm() == 0, "it takes the time that its server needs"


def test_on_the_way_to_its_end_nothing_is_started(container: Container):
    """The hook that prepares the end may have begun before the mark was due."""
    stays = f"for _ in $(seq 50); do [ -e {MARK} ] || break; sleep 0.02; done; [ ! -e {MARK} ] || echo marked"
    process = container.start(f"touch {ENDING}; sleep 1; {stays}; touch {MARK}; kill -9 $$", "echo asked", life=0.5)
    assert container.says() == []
    assert process.returncode == 137


def test_one_that_is_confirmed_lives_on_and_may_be_killed_again(container: Container):
    patroni = f"echo x >> lives; [ $(wc -l < lives) = 3 ] && exit 4; {LIVES}; kill -9 $$"
    container.start(patroni)
    assert container.ends() == 4


def test_what_dies_soon_is_not_started_again(container: Container):
    process = container.start("echo begins; kill -9 $$", life=60.0)
    assert container.says() == ["begins"]
    assert process.returncode == 137


@pytest.mark.parametrize("code", [0, 3])
def test_what_ends_by_itself_is_not_started_again(container: Container, code: int):
    process = container.start(f"{LIVES}; exit {code}", "echo asked")
    assert container.says() == []
    assert process.returncode == code


def test_after_the_signal_that_ends_it_nothing_is_started(container: Container):
    process = container.start(f"trap 'kill -9 $$' TERM; {LIVES}; while :; do sleep 0.02; done", "echo asked")
    until(container.may_be_killed)
    process.send_signal(signal.SIGTERM)
    assert container.says() == []
    assert (process.returncode, container.may_be_killed()) == (137, False)


def test_told_to_end_while_a_helper_is_asked_it_ends(container: Container):
    process = container.start(f"{LIVES}; kill -9 $$", "touch asked; exec sleep 300")
    until((container.folder / "asked").exists)
    process.send_signal(signal.SIGTERM)
    assert container.ends() == 137


def test_a_mark_that_was_taken_away_counts(container: Container):
    """By the hook that prepares the end, and by nobody else."""
    process = container.start(f"{LIVES}; rm {MARK}; kill -9 $$", "echo asked")
    assert container.says() == []
    assert process.returncode == 137


def test_what_the_container_before_left_does_not_count(container: Container):
    for name in (MARK, HURRY, ENDING):
        (container.folder / name).touch()
    container.start(f"ls; ls | grep -cE '^({MARK}|{HURRY}|{ENDING})$' || exit 5", life=60.0)
    assert container.ends() == 5


def test_orphans_do_not_outlive_it_where_it_may_not_be_started_again(container: Container):
    """A PostgreSQL that writes without a Patroni: the container must end at once, whoever holds its output open."""
    process = container.start(f"sleep 300 & echo $!; {LIVES}; kill -9 $$", "exit 1")
    assert process.stdout
    orphan = int(json.loads(process.stdout.readline())["message"])
    try:
        assert container.ends() == 137
    finally:
        os.kill(orphan, signal.SIGKILL)


def test_the_lock_outlasts_the_attempt():
    """Nobody else can have it before the container has ended, if the new Patroni does not come."""
    assert CLAIM_SECONDS + CONFIRM_SECONDS < LIMIT < LEAST_TTL


@pytest.mark.parametrize("held", ["$(sh -c 'echo $$') 1e12", "1 0"], ids=["its holder is dead", "its time is over"])
def test_a_patroni_that_is_held_goes_on(container: Container, held: str):
    """The hook that held it still was killed, or hangs: the lock would end while the server takes writes."""
    container.start(f'echo "{held}" > {HELD}; kill -STOP $$; exit 5')
    assert container.ends() == 5
    assert not (container.folder / HELD).exists()


def test_a_patroni_is_held_for_as_long_as_it_may_be(container: Container):
    began = time.monotonic()
    container.start(f'echo "{os.getpid()} {began + 3}" > {HELD}; kill -STOP $$; exit 5')
    assert container.ends() == 5
    assert time.monotonic() >= began + 3
