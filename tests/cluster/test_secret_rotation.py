"""`sosctl secrets generate`, `plan` and `rotate` against a real API server. Needs none of the other tests' deployment."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.cluster import kube

NAMESPACE = "rotation-test"
SECRET = "redis-credentials"


def sosctl(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sos_constructs.cli", "secrets", *arguments, "-n", NAMESPACE]
    return subprocess.run(command, capture_output=True, text=True, timeout=180)


@pytest.fixture(scope="module")
def namespace(version: str) -> Iterator[None]:
    kube.poll("a namespace", lambda: kube.apply([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}]), pause=3)
    yield
    kube.run("delete", "namespace", NAMESPACE, "--wait=false", seconds=30)


def data() -> dict[str, str]:
    return dict(kube.get("secret", SECRET, "-n", NAMESPACE)["data"])


def test_generated_applied_and_rotated(namespace: None):
    kube.poll("generate", lambda: kube.kubectl("apply", "-f", "-", stdin=sosctl("generate", "--only", SECRET).stdout), pause=3)
    before = data()
    assert sosctl("plan").stdout.startswith("0 due")
    done = sosctl("rotate", SECRET, "--key", "redis-password")
    assert done.returncode == 0, done.stderr
    after = data()
    assert after["redis-password-previous"] == before["redis-password"] != after["redis-password"]
    assert after["redis-pubsub-password"] == before["redis-pubsub-password"]
    secret = kube.get("secret", SECRET, "-n", NAMESPACE)
    assert before["redis-password"] not in json.dumps(secret["metadata"]), "kubectl's copy of what was applied"
    assert sosctl("rotate", SECRET, "--key", "redis-password").returncode == 2
    assert data() == after


def test_generating_again_keeps_what_was_rotated(namespace: None):
    before = data()
    kube.kubectl("apply", "-f", "-", stdin=sosctl("generate", "--only", SECRET).stdout)
    assert data() == before


def test_a_change_in_between_is_not_overwritten(namespace: None):
    stale = kube.get("secret", SECRET, "-n", NAMESPACE)
    kube.kubectl("annotate", "secret", SECRET, "-n", NAMESPACE, "changed=meanwhile")
    done = kube.run("replace", "-f", "-", stdin=json.dumps(stale))
    assert "Error from server (Conflict)" in done.stderr, "what sosctl relies on"


def test_retired(namespace: None):
    assert sosctl("rotate", SECRET, "--retire", "--force").returncode == 0
    assert set(data()) == {"redis-password", "redis-pubsub-password"}
