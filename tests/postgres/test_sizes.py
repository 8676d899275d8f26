"""The sizes: what they ask for, that explicit options win, and that the page has the sums."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sos_constructs import HaPostgres, Pooler, Resources
from sos_constructs.quantities import MiB, parse_bytes, parse_millicores

import pytest

from tests.postgres.scenarios import install

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "laptop.md"


def requested(db: HaPostgres) -> dict[str, tuple[int, int]]:
    """Thousandths of a CPU and MiB that all pods of a workload ask for; an init container runs before the others and asks for no more."""
    found = {}
    for kind, name in (("StatefulSet", "postgres"), ("Deployment", "postgres-pooler")):
        spec: Mapping[str, Any] = db.objects[kind, name].to_json()["spec"]
        requests = [container["resources"]["requests"] for container in spec["template"]["spec"]["containers"]]
        cpu = sum(parse_millicores("cpu", each["cpu"]) for each in requests)
        memory = sum(parse_bytes("memory", each["memory"]) for each in requests) // MiB
        found[kind] = (cpu * spec["replicas"], memory * spec["replicas"])
    return found


@pytest.mark.parametrize(("size", "column"), [("standard", 2), ("laptop", 3)])
def test_the_page_has_the_sums(size: str, column: int):
    sums = requested(install({"size": size, "pooler": Pooler()})[1])
    members, poolers = sums["StatefulSet"], sums["Deployment"]
    rows = {row.split("|")[1].strip(" *:"): row.split("|")[column].strip(" *") for row in PAGE.read_text("utf-8").splitlines() if row.startswith("|")}
    assert rows["three members: requested"] == f"{members[0]}m, {members[1]}Mi"
    assert rows["three members and two pooler pods: requested"] == f"{members[0] + poolers[0]}m, {members[1] + poolers[1]}Mi"


def test_a_laptop_has_room_for_it():
    """Kind and minikube with 2 CPUs and 4 GiB use about half for themselves."""
    sums = requested(install({"size": "laptop", "pooler": Pooler()})[1])
    assert sum(cpu for cpu, _ in sums.values()) <= 500
    assert sum(memory for _, memory in sums.values()) <= 1280


def test_explicit_options_win():
    own = Resources(cpu_request="111m", memory_request="300Mi", memory_limit="600Mi")
    options = {"resources": own, "exporter_resources": own, "agent_resources": own, "storage": "7Gi", "shared_memory": "70Mi"}
    _, db = install({"size": "laptop", "pooler": Pooler(cpu_request="12m"), **options})
    assert {name: getattr(db.spec, name) for name in options} == options
    containers = db.objects["Deployment", "postgres-pooler"].to_json()["spec"]["template"]["spec"]["containers"]
    assert [each["resources"]["requests"] for each in containers[:2]] == [{"cpu": "12m", "memory": "16Mi"}] * 2


def test_an_unknown_size_is_refused():
    with pytest.raises(ValueError, match=re.escape("sos-app/postgres: size='labtop' must be one of 'standard', 'laptop' (did you mean 'laptop'?)")):
        install({"size": "labtop"})


def test_huge_pages_need_a_request():
    with pytest.raises(ValueError, match=re.escape("parameters['huge_pages']='on' needs resources=Resources(…, hugepages_2mi='1Gi')")):
        install({"parameters": {"huge_pages": "on"}})
    with pytest.raises(ValueError, match=re.escape("resources.hugepages_2mi='512Mi' must be more than shared_buffers (512 MiB)")):
        install({"parameters": {"huge_pages": "try"}, "resources": Resources(hugepages_2mi="512Mi")})
    with pytest.raises(ValueError, match=re.escape("resources.hugepages_2mi='3Mi' must be a multiple of 2Mi")):
        install({"resources": Resources(hugepages_2mi="3Mi")})
    _, db = install({"parameters": {"huge_pages": "on"}, "resources": Resources(hugepages_2mi="1Gi")})
    resources = db.objects["StatefulSet", "postgres"].to_json()["spec"]["template"]["spec"]["containers"][0]["resources"]
    assert resources["limits"]["hugepages-2Mi"] == resources["requests"]["hugepages-2Mi"] == "1Gi"
