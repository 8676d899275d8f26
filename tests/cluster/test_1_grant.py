"""Workloads that were given access by one call log in, through each Service, and talk to nobody else."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cluster import chart, kube
from tests.cluster.installation import Installation

SESSION = "SELECT current_user, current_database(), pg_is_in_recovery()"
WORKLOADS = pytest.mark.parametrize("workload", ["granted-plain", "granted-plus"])


@pytest.fixture(scope="module")
def granted(installation: Installation) -> Iterator[Installation]:
    installation.wait_healthy()
    made = chart.granted(installation.namespace, installation.image)
    kube.apply(made)
    for name in ("granted-plain", "granted-plus"):
        kube.kubectl("rollout", "status", f"deployment/{name}", "-n", installation.namespace, "--timeout=180s", seconds=200)
    yield installation
    kube.kubectl("delete", "-f", "-", stdin=kube.documents(made))


def ask(installation: Installation, workload: str, container: str, arguments: str, sql: str = SESSION) -> str:
    """What psql says in a container of the workload, told no more than its environment does."""
    script = f'{installation.image.bin_dir}/psql -XqAt -v ON_ERROR_STOP=1 -c "$0" {arguments}'
    done = installation.try_exec(f"deployment/{workload}", "sh", "-c", script, sql, container=container)
    return done.stdout.strip() if done.returncode == 0 else done.stderr.strip()


@WORKLOADS
def test_it_writes_through_the_primary_service(granted: Installation, workload: str):
    assert ask(granted, workload, "libpq", "") == "auth|auth|f"
    assert ask(granted, workload, "uris", '-d "$DATABASE_URL"') == "auth|auth|f"
    assert ask(granted, workload, "libpq", "", "CREATE TEMPORARY TABLE note (n int); INSERT INTO note VALUES (7) RETURNING n") == "7"


@WORKLOADS
def test_it_reads_through_the_readonly_service(granted: Installation, workload: str):
    assert ask(granted, workload, "uris", '-d "$READS_URL"') == "auth|auth|t"


@WORKLOADS
def test_it_verifies_whom_it_talks_to(granted: Installation, workload: str):
    """The primary by its address, which is not in its certificate."""
    primary = granted.primary()
    (address,) = [pod["status"]["podIP"] for pod in granted.pods() if pod["metadata"]["name"] == primary]
    assert "does not match host name" in ask(granted, workload, "libpq", f"-h {address}")


@WORKLOADS
def test_its_policies_name_its_pods(granted: Installation, workload: str):
    policy = kube.get("networkpolicy", f"postgres.ingress.deployment.{workload}", "-n", granted.namespace)
    (peer,) = policy["spec"]["ingress"][0]["from"]
    selector = ",".join(f"{key}={value}" for key, value in peer["podSelector"]["matchLabels"].items())
    found = kube.items("pods", "-n", granted.namespace, "-l", selector)
    assert {pod["metadata"]["name"].rpartition("-")[0].rpartition("-")[0] for pod in found} == {workload}
