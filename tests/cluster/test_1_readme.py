"""README's own app: what a newcomer copies runs, in a namespace that enforces Pod Security ``restricted``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import cdk8s
import pytest

from tests import pages
from tests.cluster import deploy, kube
from tests.cluster.breakable import Breakable

NAMESPACE = "sos-readme"


def readme() -> list[dict[str, Any]]:
    """All that README's program writes, for a namespace of the test's own."""
    program = pages.readme_program().removesuffix(pages.SYNTH)
    program = program.replace('namespace="sos-app"', f'namespace="{NAMESPACE}"').replace('"foundation"', f'"foundation", name="{NAMESPACE}"')
    names: dict[str, Any] = {}
    exec(compile(program, "README.md", "exec"), names)
    return list(cdk8s.Testing.synth(names["chart"]))


@pytest.fixture(scope="module")
def app(version: str, tool: Breakable | None) -> Iterator[None]:
    """README's app, applied with README's commands."""
    assert version
    deploy.prepare(NAMESPACE, tool)
    kube.apply(readme())
    yield
    deploy.remove(NAMESPACE, tool)


@pytest.mark.usefixtures("app")
def test_its_service_writes_and_reads_a_row() -> None:
    """Its readiness probe reads the table that its command has made and written to."""
    kube.kubectl("rollout", "status", "deployment/visits", "-n", NAMESPACE, "--timeout=420s", seconds=450)
    pods = [pod for pod in kube.items("pods", "-n", NAMESPACE) if pod["metadata"]["name"].startswith("visits-")]
    assert pods
    script = "/usr/lib/postgresql/15/bin/psql -XAtc 'SELECT count(*) > 0, current_user FROM visits GROUP BY current_user'"
    answer = kube.kubectl("exec", "-n", NAMESPACE, "deployment/visits", "--", "sh", "-c", script)
    assert answer.strip() == "t|auth"


@pytest.mark.usefixtures("app")
def test_its_namespace_enforces_restricted() -> None:
    labels = kube.get("namespace", NAMESPACE)["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    assert not [event for event in kube.items("events", "-n", NAMESPACE) if "violates PodSecurity" in event.get("message", "")]
