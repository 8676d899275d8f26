"""Whatever a fault breaks is whole again when it is over, also when it fails half-way; and a seed always plays the same."""

from __future__ import annotations

import contextlib
import itertools
import subprocess
import time
from random import Random
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.chaos.faults import ALL, FAST, Fault
from tests.chaos.scene import Scene
from tests.cluster import faults as drills
from tests.cluster import kube

EVERY = (*ALL, *FAST)


class Tool:
    """Remembers what is broken."""

    def __init__(self, fails_at: int = -1) -> None:
        self.broken: set[str] = set()
        self.verbs: list[tuple[str, ...]] = []
        self.fails_at = fails_at

    def do(self, verb: str, *arguments: str) -> None:
        self.verbs.append((verb, *arguments))
        if verb in ("crash", "cut", "freeze"):
            self.broken.add(f"{'frozen' if verb == 'freeze' else 'down'} {arguments[0]}")
        elif verb == "part":
            self.broken.add("parted")
        elif verb == "mend":
            self.broken.discard("parted")
        elif verb in ("heal", "thaw"):
            self.broken.discard(f"{'frozen' if verb == 'thaw' else 'down'} {arguments[0]}")
        if len(self.verbs) - 1 == self.fails_at:
            raise subprocess.CalledProcessError(1, verb)

    def begin(self, *verb: str) -> Any:
        self.do(*verb)
        return SimpleNamespace(wait=lambda timeout: 0)


class Installation(SimpleNamespace):
    namespace, name, pod_names = "sos-app", "postgres", ["postgres-0", "postgres-1", "postgres-2"]

    def node_of(self, pod: str) -> str:
        return pod.replace("postgres-", "node")

    def exec(self, *command: str, **_options: object) -> str:
        self.executed = command
        return ""

    def try_exec(self, *command: str, **_options: object) -> None:
        self.executed = command


@pytest.fixture(autouse=True)
def no_cluster(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    said: list[tuple[str, ...]] = []
    monkeypatch.setattr(time, "sleep", lambda _seconds: None)
    monkeypatch.setattr(kube, "kubectl", lambda *arguments, **_options: said.append(arguments))
    monkeypatch.setattr(drills, "wait_rollout", lambda _installation: None)

    def begin(command: list[str], **_options: object) -> SimpleNamespace:
        said.append(tuple(command))
        heard = SimpleNamespace(readline=lambda: b"listening")
        return SimpleNamespace(kill=lambda: said.append(("killed",)), wait=lambda: said.append(("waited for",)), stdout=heard, poll=lambda: 137)

    monkeypatch.setattr(subprocess, "Popen", begin)
    return said


def scene(seed: int, tool: Tool) -> Scene:
    terms = iter([1, *[1] * 5, *[2] * 1000])
    clock = itertools.count()
    workload: Any = SimpleNamespace(now=lambda: float(next(clock)), term=lambda: next(terms), forget_dead=lambda: None)
    return Scene(installation=cast("Any", Installation()), tool=cast("Any", tool), workload=workload, random=Random(seed), primary="postgres-1")


def play(fault: Fault, seed: int, tool: Tool) -> Scene:
    made = scene(seed, tool)
    with made.undo:
        fault.strike(made)
    return made


@pytest.mark.parametrize("fault", EVERY, ids=lambda fault: fault.name)
def test_nothing_stays_broken(fault: Fault, no_cluster: list[tuple[str, ...]]):
    tool = Tool()
    made = play(fault, 3, tool)
    assert tool.verbs or no_cluster or vars(made.installation), "nothing happened"
    assert tool.broken == set()
    assert made.target


@pytest.mark.parametrize("fault", [fault for fault in EVERY if "node" in fault.name or "parted" in fault.name], ids=lambda fault: fault.name)
def test_nothing_stays_broken_when_the_tool_fails_half_way(fault: Fault):
    """It may have done its work and failed all the same."""
    for step in range(2):
        tool = Tool(fails_at=step)
        with contextlib.suppress(subprocess.CalledProcessError):
            play(fault, 3, tool)
        assert tool.broken == set(), step


def test_what_keeps_the_machine_busy_ends(no_cluster: list[tuple[str, ...]]):
    play(next(fault for fault in ALL if fault.name == "processors and disk busy"), 3, Tool())
    assert [said[0] for said in no_cluster].count("killed") == sum("-c" in said for said in no_cluster) > 2
    assert no_cluster[-1] == ("waited for",)


def test_listeners_end_with_the_round(no_cluster: list[tuple[str, ...]]):
    for fault in FAST:
        play(fault, 3, Tool())
        assert sum("exec" in said for said in no_cluster) == [said[0] for said in no_cluster].count("killed") == 2
        no_cluster.clear()


def test_a_seed_plays_the_same_again():
    for fault in EVERY:
        first, second = Tool(), Tool()
        play(fault, 5, first)
        play(fault, 5, second)
        assert first.verbs == second.verbs
    frozen = next(fault for fault in ALL if fault.name == "API server frozen")
    tools = [Tool() for _ in range(4)]
    for seed, tool in enumerate(tools):
        play(frozen, seed, tool)
    assert len({tool.verbs[0] for tool in tools}) > 1, "the seed decides nothing"
