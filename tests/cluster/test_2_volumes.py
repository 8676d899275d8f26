"""A larger volume: claims grow while clients write, where the storage class allows it; elsewhere the agents say what the API server answers."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from sos_constructs import SPILO, Resources
from sos_constructs.postgres.agent.volume import size

import pytest

from tests.cluster import chart, deploy, kube
from tests.cluster.breakable import Breakable
from tests.cluster.installation import Installation
from tests.cluster.test_2_changes import ARRIVES_SECONDS, agents_content, nobody_notices

NAMESPACE = "sos-volumes"
SMALL, LARGE = "1Gi", "2Gi"
MODEST = Resources(cpu_request="100m")
"""All members may land on one node: some drivers have their volumes on one."""


@pytest.fixture(scope="module")
def storage_class(version: str) -> str:
    """One whose volumes can grow."""
    growing = sorted(each["metadata"]["name"] for each in kube.items("storageclasses") if each.get("allowVolumeExpansion"))
    if not growing:
        pytest.skip("no storage class here has allowVolumeExpansion")
    return str(growing[0])


@pytest.fixture(scope="module")
def small(installation: Installation, storage_class: str, tool: Breakable | None) -> Iterator[Installation]:
    """A second installation beside the first, whose priority classes it has, on small volumes of that class."""
    deploy.remove(NAMESPACE, tool)
    deploy.create_namespace(NAMESPACE)
    deploy.generate_secrets(NAMESPACE)
    kube.apply(chart.beside(NAMESPACE, resources=MODEST, storage=SMALL, storage_class=storage_class))
    yield Installation(namespace=NAMESPACE, image=SPILO)
    deploy.remove(NAMESPACE, tool)


def capacities(installation: Installation, instances: int = 3) -> list[str]:
    """What the volume behind each member's claim has, as the driver reported it."""
    names = [f"data-{installation.name}-{number}" for number in range(instances)]
    return [str(kube.get("persistentvolumeclaim", name, "-n", installation.namespace)["status"]["capacity"]["storage"]) for name in names]


def complaints(installation: Installation) -> list[str]:
    """What each agent last said of its volume."""
    said = []
    for pod in installation.pod_names:
        lines = kube.kubectl("logs", "-n", installation.namespace, pod, "-c", "agent", "--tail=200").splitlines()
        said += [event["message"] for event in map(json.loads, lines) if "volume" in json.dumps(event)][-1:]
    return said


def test_volumes_grow_while_clients_write(small: Installation, figure: list[str], storage_class: str):
    small.wait_healthy()
    assert capacities(small) == [SMALL] * 3
    with nobody_notices(small, figure, f"volumes from {SMALL} to {LARGE} (class {storage_class})"):
        kube.apply(chart.beside(NAMESPACE, resources=MODEST, storage=LARGE, storage_template=SMALL, storage_class=storage_class))
        kube.poll("larger volumes", lambda: set(capacities(small)) == {LARGE}, ARRIVES_SECONDS, pause=3)


def test_a_later_member_starts_with_the_template_and_grows(small: Installation, storage_class: str):
    kube.apply(chart.beside(NAMESPACE, resources=MODEST, storage=LARGE, storage_template=SMALL, storage_class=storage_class, instances=4))
    more = Installation(namespace=NAMESPACE, image=SPILO, instances=4)
    more.wait_healthy(600)
    kube.poll("a larger volume of the fourth", lambda: set(capacities(more, 4)) == {LARGE}, ARRIVES_SECONDS, pause=3)


def test_a_class_that_cannot_grow_is_told_by_every_agent(installation: Installation, figure: list[str]):
    """On the reference app, whose class on the cluster for such tests cannot."""
    claim = kube.get("persistentvolumeclaim", "data-postgres-0", "-n", installation.namespace)
    if kube.get("storageclass", claim["spec"]["storageClassName"]).get("allowVolumeExpansion"):
        pytest.skip("the default storage class here can grow")
    was = claim["spec"]["resources"]["requests"]["storage"]
    more = f"{int(size(was) / 2**30) + 10}Gi"
    with nobody_notices(installation, figure, "a larger volume declared, of a class that cannot grow"):
        kube.apply(chart.reference(storage=more, storage_template=was))

        def refused() -> bool:
            assert not agents_content(installation)
            said = complaints(installation)
            assert len(said) == 3
            assert all(re.search(rf"does not grow from {was} to {more}.*allowVolumeExpansion", each) for each in said), said
            assert all("resize" in each for each in said), "the API server's own words"
            return True

        try:
            kube.poll("a refusal in every agent's log", refused, ARRIVES_SECONDS, pause=3)
        finally:
            kube.kubectl("apply", "-f", str(deploy.APP))  # after which no agent complains
