"""The other image profile, as a second installation beside the first."""

from __future__ import annotations

from collections.abc import Iterator

from sos_constructs import OFFICIAL

import pytest

from tests.cluster import chart, deploy, faults, kube, test_1_logs
from tests.cluster.breakable import Breakable
from tests.cluster.faults import assert_kept, drill
from tests.cluster.installation import Installation

NAMESPACE = "sos-official"
UNPULLABLE = {"ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName"}


@pytest.fixture(scope="module")
def official(installation: Installation, tool: Breakable | None) -> Iterator[Installation]:
    """HaPostgres(image=OFFICIAL) in a namespace of its own; skips where the image, which the user builds, is not to be had."""
    deploy.prepare(NAMESPACE, tool)
    kube.apply(chart.beside(NAMESPACE, image=OFFICIAL))
    second = Installation(namespace=NAMESPACE, image=OFFICIAL)
    try:
        outcome = kube.poll("pods that start, or an image that is missing", lambda: started(second), 120)
        if outcome != "started":
            pytest.skip(f"{OFFICIAL.image}: {outcome}")
        yield second
    finally:
        deploy.remove(NAMESPACE, tool)


def started(installation: Installation) -> str:
    pods = installation.pods()
    statuses = [status for pod in pods for kind in ("initContainerStatuses", "containerStatuses") for status in pod["status"].get(kind, [])]
    waiting = {status["state"].get("waiting", {}).get("reason") for status in statuses}
    if waiting & UNPULLABLE:
        return str(*(waiting & UNPULLABLE))
    return "started" if len(pods) == installation.instances and all(pod["status"]["phase"] == "Running" for pod in pods) else ""


def test_all_members_stream(official: Installation):
    primary = official.wait_healthy()
    assert official.exec(primary, "id", "-u").strip() == str(OFFICIAL.uid)
    assert official.sql(primary, "SELECT count(*) FROM pg_database WHERE datname IN ('auth', 'users', 'emergency', 'medical', 'devices')") == [["5"]]
    assert official.sql(primary, "SHOW server_version_num")[0][0].startswith("15")


@pytest.mark.release
def test_a_second_start_and_a_hand_over_lose_nothing(official: Installation, figure: list[str]):
    outcome = drill(official, faults.DELETE)
    figure.append(outcome.line("primary deleted, official image"))
    assert_kept(outcome)


def test_its_logs_are_json_and_hold_no_secret(official: Installation):
    official.wait_healthy()
    test_1_logs.check_lines(official)
    test_1_logs.check_events(official)
    test_1_logs.check_secrets(official)
