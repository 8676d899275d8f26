"""The process: its loop, its answers, and no secret in anything that it says."""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sos_constructs.postgres.agent import __main__ as main
from sos_constructs.postgres.agent.reconcile import Member
from sos_constructs.postgres.agent.scram import verifier

import pytest

from tests.ports import free_port
from tests.postgres.agent.conftest import CANARIES, Pod
from tests.postgres.agent.test_metrics import parsed
from tests.postgres.example import spec
from tests.postgres.mounted import AGENT, environment, mount
from tests.waiting import until


@pytest.fixture
def member(tmp_path: Path) -> Member:
    return mount(tmp_path, spec())


def test_code_digest_sees_new_and_changed_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(main, "__file__", str(tmp_path / "__main__.py"))
    digests = [main.code_digest()]
    for name, text in (("a.py", "1"), ("a.py", "2"), ("b.py", "")):
        (tmp_path / name).write_text(text)
        digests.append(main.code_digest())
    (tmp_path / "notes.txt").write_text("x")
    assert main.code_digest() == digests[-1]
    assert len(set(digests)) >= 3


# --- verbs ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def variables(member: Member, monkeypatch: pytest.MonkeyPatch) -> Member:
    for name, value in environment(member, 0).items():
        monkeypatch.setenv(name, value)
    return member


def test_render_says_what_is_missing(variables: Member, capsys: pytest.CaptureFixture[str]):
    """The kubelet shows the last line as the reason why the container ended (terminationMessagePolicy)."""
    (variables.credentials_dir / "auth-db-password").unlink()
    assert main.main(["render"]) == 1
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line).items() >= {"level": "error", "step": "render", "message": "Secret key auth-db-password: is missing"}.items()


def test_render(variables: Member):
    assert main.main(["render"]) == 0
    assert variables.patroni_file.exists()


@pytest.mark.parametrize("arguments", [[], ["restart"], ["run", "now"]])
def test_usage(arguments: list[str], variables: Member, capsys: pytest.CaptureFixture[str]):
    assert main.main(arguments) == 2
    assert capsys.readouterr().err == "usage: python3 -m agent render|run|leave FILE\n"


# --- the process ------------------------------------------------------------------------------------------------------


class Agent:
    """``python3 -m agent run`` as in its container, with a loop a hundred times faster."""

    def __init__(self, pod: Pod) -> None:
        self.code = pod.folder / "opt" / "agent"
        shutil.copytree(AGENT, self.code, ignore=shutil.ignore_patterns("__pycache__"))
        source = (self.code / "runner.py").read_text()
        assert source.count("INTERVAL = 5.0\n") == 1
        (self.code / "runner.py").write_text(source.replace("INTERVAL = 5.0\n", "INTERVAL = 0.05\n"))
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.out, self.err = pod.folder / "stdout", pod.folder / "stderr"
        with self.out.open("w") as out, self.err.open("w") as err:
            variables = environment(pod.member, port) | {"PYTHONPATH": str(self.code.parent)}
            self.process = subprocess.Popen([sys.executable, "-m", "agent", "run"], env=variables, cwd=pod.folder, stdout=out, stderr=err)

    def metrics(self) -> dict[str, float]:
        with urllib.request.urlopen(f"{self.url}/metrics", timeout=10) as answer:
            return parsed(answer.read().decode())

    def succeeds(self) -> dict[str, bool]:
        """By step; empty while nobody answers."""
        try:
            found = self.metrics()
        except urllib.error.URLError:
            return {}
        return {name.split('"')[1]: value == 1 for name, value in found.items() if name.startswith("sos_agent_reconcile_success")}

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.read_text().splitlines()]

    def said(self, message: str) -> int:
        return sum(message in line["message"] for line in self.lines())


@pytest.fixture
def agent(pod: Pod) -> Iterator[Agent]:
    running = Agent(pod)
    yield running
    running.process.kill()
    running.process.wait(timeout=10)


ALL = dict.fromkeys(("watch", "databases", "guard", "member", "store", "restarts", "pooler", "volume", "fence", "expiry"), True)
ALL |= dict.fromkeys(("rolling", "lock", "labels", "serving"), False)
"""Every step succeeds but those that ask the API server, which is not there."""


def test_a_day_in_the_life(pod: Pod, agent: Agent):
    """Works, fails in every way, recovers, changes its own code, ends; and tells no password whatever happens."""
    until(lambda: agent.succeeds() == ALL)
    assert agent.said("started") == 1
    assert pod.psql.changes() == []
    assert pod.patroni.changes() == []

    # One step fails: its SQL, with the verifier in it, comes back in PostgreSQL's message. The others go on.
    stored = verifier(CANARIES[0])
    pod.psql.answer("ALTER ROLE", error=f"ERROR:  hook refused {stored}\nLINE 1: ALTER ROLE auth PASSWORD '{stored}'\n")
    pod.set_password("auth-db-password", "canary-of-the-second-password")
    until(lambda: agent.succeeds() == ALL | {"databases": False})
    with urllib.request.urlopen(f"{agent.url}/health", timeout=10) as answer:
        assert answer.status == 200
    pod.set_config("databases.json", databases=[])  # seen by the failing step as well
    (pod.member.config_dir / "postgresql.conf").write_text("work_mem = 8MB\n")
    until(lambda: ("POST /reload", None) in pod.patroni.changes())
    assert agent.said("hook refused (verifier)") == 1

    # Patroni refuses, with the login in its answer; then it is not there at all; then the Secret is broken.
    login = base64.b64encode(b"patroni:" + CANARIES[0].encode()).decode()
    pod.patroni.answers["POST /reload"] = (401, f"no {login}")
    (pod.member.config_dir / "postgresql.conf").write_text("work_mem = 9MB\n")
    until(lambda: not agent.succeeds()["member"])
    del pod.patroni.answers["POST /reload"]
    pod.set_password("patroni-username", "patroni canary")
    until(lambda: not agent.succeeds()["watch"])
    assert agent.said("Secret key patroni-username: must be printable ASCII") >= 1
    pod.set_password("patroni-username", "patroni")
    good = (pod.member.config_dir / "patroni.json").read_text()
    (pod.member.config_dir / "patroni.json").write_text(json.dumps(json.loads(good) | {"restapi": {"listen": "*:1"}}))
    until(lambda: agent.said("GET /patroni: ConnectionRefusedError") >= 1)

    # The ConfigMap lacks what nobody thought of: told by the error's type, and the process goes on.
    (pod.member.config_dir / "patroni.json").write_text(json.dumps({key: value for key, value in json.loads(good).items() if key != "restapi"}))
    until(lambda: any(line["step"] == "watch" and line["message"] == "unexpected KeyError" for line in agent.lines()))
    assert agent.process.poll() is None

    # Everything works again.
    pod.psql.answer("ALTER ROLE")
    pod.psql.answer("rolpassword", *((role["name"], verifier(pod.member.declared().credential(role["password_key"]))) for role in pod.member.declared().roles))
    (pod.member.config_dir / "patroni.json").write_text(good)
    until(lambda: agent.succeeds() == ALL)
    assert agent.said("works again") >= 2

    # The kubelet brings new code: the same process starts anew with it.
    (agent.code / "log.py").write_text((agent.code / "log.py").read_text() + "\n# newer\n")
    until(lambda: agent.said("new code is mounted: starting anew") == 1 and agent.said("started") == 2)
    first, second = [line["code"] for line in agent.lines() if line["message"] == "started"]
    assert first != second
    until(lambda: agent.succeeds() == ALL)
    assert agent.process.poll() is None

    agent.process.send_signal(signal.SIGTERM)
    assert agent.process.wait(timeout=20) == 0

    for line in agent.lines():
        assert {"time", "level", "step", "message"} <= line.keys()
    told = agent.out.read_text() + agent.err.read_text()
    assert agent.err.read_text() == ""
    secrets = [*CANARIES, "canary", "SCRAM-SHA-256$", login]
    assert [secret for secret in secrets if secret in told or base64.b64encode(secret.encode()).decode().rstrip("=") in told] == []


def test_it_ends_at_once_when_told_to(agent: Agent):
    until(lambda: bool(agent.succeeds()))
    os.kill(agent.process.pid, signal.SIGTERM)
    assert agent.process.wait(timeout=20) == 0
    assert agent.err.read_text() == ""
