"""A larger volume: claims grow while clients write, where the storage class allows it; elsewhere the agents say what the API server answers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from sos_constructs import SPILO, Resources

import pytest

from tests.cluster import chart, deploy, kube
from tests.cluster.breakable import Breakable
from tests.cluster.installation import Installation
from tests.cluster.test_2_changes import ARRIVES_SECONDS, agents_content, nobody_notices

pytestmark = pytest.mark.release

NAMESPACE = "sos-volumes"
SMALL, LARGE = "1Gi", "2Gi"
DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"
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
    install(tool, storage_class=storage_class)
    yield Installation(namespace=NAMESPACE, image=SPILO)
    deploy.remove(NAMESPACE, tool)


def install(tool: Breakable | None, **options: Any) -> None:
    deploy.prepare(NAMESPACE, tool)
    kube.apply(chart.beside(NAMESPACE, resources=MODEST, storage=SMALL, **options))


def grow(**options: Any) -> None:
    kube.apply(chart.beside(NAMESPACE, resources=MODEST, storage=LARGE, storage_template=SMALL, **options))


def capacities(installation: Installation, instances: int = 3) -> list[str]:
    """What the volume behind each member's claim has, as the driver reported it."""
    names = [f"data-{installation.name}-{number}" for number in range(instances)]
    return [str(kube.get("persistentvolumeclaim", name, "-n", installation.namespace)["status"]["capacity"]["storage"]) for name in names]


def test_volumes_grow_while_clients_write(small: Installation, figure: list[str], storage_class: str):
    small.wait_healthy()
    assert capacities(small) == [SMALL] * 3
    with nobody_notices(small, figure, f"volumes from {SMALL} to {LARGE} (class {storage_class})"):
        grow(storage_class=storage_class)
        kube.poll("larger volumes", lambda: set(capacities(small)) == {LARGE}, ARRIVES_SECONDS, pause=3)


def test_a_later_member_starts_with_the_template_and_grows(small: Installation, storage_class: str):
    grow(storage_class=storage_class, instances=4)
    more = Installation(namespace=NAMESPACE, image=SPILO, instances=4)
    more.wait_healthy(600)
    kube.poll("a larger volume of the fourth", lambda: set(capacities(more, 4)) == {LARGE}, ARRIVES_SECONDS, pause=3)


def test_the_right_to_claims_is_used_and_is_enough(small: Installation, nodes_may_break: Breakable, audit_offset: int):
    """Only a database that grows has it: the members of the reference app, whose every right test_5_audit looks at, have none to claims."""
    events = list(nodes_may_break.audited(audit_offset, f"system:serviceaccount:{small.namespace}:postgres"))
    asked = {(event["verb"], event["responseStatus"]["code"]) for event in events if event.get("objectRef", {}).get("resource") == "persistentvolumeclaims"}
    assert asked == {("get", 200), ("patch", 200)}


def test_a_class_that_cannot_grow_is_told_by_the_agent(installation: Installation, tool: Breakable | None, figure: list[str]):
    default = [each for each in kube.items("storageclasses") if each["metadata"].get("annotations", {}).get(DEFAULT_CLASS) == "true"]
    if any(each.get("allowVolumeExpansion") for each in default):
        pytest.skip("the default storage class here can grow")
    install(tool, instances=1)
    alone = Installation(namespace=NAMESPACE, image=SPILO, instances=1)
    with nobody_notices(alone, figure, "a larger volume declared, of a class that cannot grow"):
        grow(instances=1)
        words = rf"data-postgres-0 does not grow from {SMALL} to {LARGE}.*allowVolumeExpansion.* HTTP 403, .*resize"
        log = ("logs", "-n", NAMESPACE, "postgres-0", "-c", "agent", "--tail=50")
        kube.poll("a refusal in the agent's log, in the API server's words", lambda: re.search(words, kube.kubectl(*log)), ARRIVES_SECONDS, pause=3)
        assert not agents_content(alone)
        kube.apply(chart.beside(NAMESPACE, resources=MODEST, storage=SMALL, instances=1))  # after which it does not complain
    deploy.remove(NAMESPACE, tool)
