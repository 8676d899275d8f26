"""What a fault finds: who leads, who follows, the tool that breaks things, and ways to wait. Everything random comes from the round's seed."""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import ExitStack
from random import Random

import attrs

from tests.chaos.workload import Workload
from tests.cluster import kube
from tests.cluster.breakable import Breakable
from tests.cluster.installation import Installation

FAILOVER_AT_MOST = 45.0
"""A fault that should move the primary is not held longer than this, whether or not it did."""
UNDO_SECONDS = 60.0
AT_STEP = """import os, re, sys, time, urllib.request
def count():
    text = urllib.request.urlopen("http://localhost:8009/metrics", timeout=5).read().decode()
    found = re.search(r'sos_agent_failover_steps_total.step="%s". ([0-9]+)' % sys.argv[1], text)
    return int(found.group(1)) if found else 0
before = count()
print("listening", flush=True)
while count() <= before:
    time.sleep(0.02)
if sys.argv[2] == "kill":
    os.kill(1, 15)
"""
"""Waits for a step of the agent in whose container it runs; then ends, or ends that agent, whose threads stop wherever they are."""


@attrs.define(kw_only=True)
class Scene:
    """One round's cast."""

    installation: Installation
    tool: Breakable
    workload: Workload
    random: Random
    primary: str
    target: str = ""
    """Who was hit, for the report."""
    undo: ExitStack = attrs.field(factory=ExitStack)
    term: int = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.term = self.workload.term()

    @property
    def standbys(self) -> list[str]:
        return [pod for pod in self.installation.pod_names if pod != self.primary]

    def hit(self, role: str) -> str:
        """The primary or one of the standbys."""
        self.target = self.primary if role == "primary" else self.random.choice(self.standbys)
        return self.target

    def node(self, pod: str) -> str:
        return self.installation.node_of(pod)

    def finally_do(self, *verb: str) -> None:
        """Undo at the end of the fault, tried again for a while: a node that is just being cut down may refuse for a moment."""
        self.undo.callback(lambda: kube.poll(f"tool: {' '.join(verb)}", lambda: self._try(*verb), UNDO_SECONDS))

    def break_then_heal(self, verb: str, node: str) -> None:
        """`crash` or `cut`, and `heal` at the end."""
        self.finally_do("heal", node)
        self.tool.do(verb, node)

    def part(self, node: str, *others: str) -> None:
        """The node and these no longer hear each other until the end."""
        self.finally_do("mend")
        for other in others:
            self.tool.do("part", node, other)

    def freeze(self, target: str) -> None:
        """A node or a pod, until the end."""
        self.finally_do("thaw", target)
        self.tool.do("freeze", target)

    def beside(self, program: str) -> None:
        """A Python program on this machine, which is every node's, until the end."""
        process = subprocess.Popen([sys.executable, "-c", program])
        self.undo.callback(process.wait)
        self.undo.callback(process.kill)

    def at_step(self, step: str, then: str) -> list[subprocess.Popen[bytes]]:
        """A program beside the agent of each standby, which acts when that agent takes a step of the fast failover; they listen when this returns."""
        watching = []
        for pod in self.standbys:
            command = ("kubectl", "exec", "-n", self.installation.namespace, pod, "-c", "agent", "--", "python3", "-c", AT_STEP, step, then)
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            self.undo.callback(process.wait)
            self.undo.callback(process.kill)
            assert process.stdout
            assert process.stdout.readline(), f"nobody listens in {pod}"
            watching.append(process)
        return watching

    def await_any(self, processes: list[subprocess.Popen[bytes]]) -> None:
        """Until the first of them has ended."""
        until = time.monotonic() + FAILOVER_AT_MOST
        while all(process.poll() is None for process in processes):
            assert time.monotonic() < until, "no agent took the step"
            time.sleep(0.02)

    def seconds(self, least: float, most: float) -> float:
        """A length of time of this round."""
        return round(self.random.uniform(least, most), 1)

    def hold(self, seconds: float) -> None:
        """The fault lasts."""
        time.sleep(seconds)

    def outlast(self) -> None:
        """The fault lasts until a successor has acknowledged a row, and a little longer. From here on no fresh connection should fail, unless the kernel of
        this machine takes it for one to the server that is gone (docs/explanation/chaos.md).
        """
        extra, until = self.seconds(0, 4), self.workload.now() + FAILOVER_AT_MOST
        while self.workload.term() <= self.term and self.workload.now() < until:
            time.sleep(0.1)
        self.workload.forget_dead()
        time.sleep(extra)

    def _try(self, *verb: str) -> bool:
        try:
            self.tool.do(*verb)
        except (OSError, subprocess.SubprocessError) as error:
            raise AssertionError(str(error)) from None
        return True
