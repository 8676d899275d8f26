"""The library's verdicts on pods are those of the API server's own admission."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from sos_constructs import restricted
from sos_constructs.pod_security.standard import LEVELS, violations

import pytest

from tests.cluster import deploy, kube
from tests.pod_security.cases import CASES, Case

NAMESPACE = "sos-admission-{}"
ENFORCED = LEVELS[1:]
REFUSED = "violates PodSecurity"


@pytest.fixture(scope="module")
def namespaces(version: str) -> Iterator[dict[str, str]]:
    """One namespace for each level that refuses something."""
    assert version
    names = {level: NAMESPACE.format(level) for level in ENFORCED}
    for level, name in names.items():
        kube.kubectl("delete", "namespace", name, "--ignore-not-found", "--timeout=120s", seconds=130)
        deploy.create_namespace(name)
        kube.kubectl("label", "namespace", name, f"pod-security.kubernetes.io/enforce={level}")
        kube.poll("its default ServiceAccount", lambda name=name: kube.get("serviceaccount", "default", "-n", name), 60)  # type: ignore[misc]
    yield names
    for name in names.values():
        kube.kubectl("delete", "namespace", name, "--wait=false")


def pod(case: Case, spec: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "api", "annotations": case.annotations}, "spec": spec}


def refused(namespace: str, manifest: dict[str, Any]) -> str | None:
    """What the API server's admission says against a pod; nothing when it admits it."""
    done = kube.run("create", "--dry-run=server", "-n", namespace, "-f", "-", stdin=json.dumps(manifest))
    if done.returncode == 0:
        return None
    assert REFUSED in done.stderr, f"the corpus must be of valid pods: {done.stderr}"
    return done.stderr


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_verdict(namespaces: dict[str, str], case: Case) -> None:
    for level, namespace in namespaces.items():
        found = violations({"annotations": case.annotations}, case.spec, level)
        told = refused(namespace, pod(case, case.spec))
        assert bool(found) is bool(told), (level, told, [str(each) for each in found])
        for violation in found:
            kind, _, name = violation.where.partition(" ")
            assert told
            assert name.strip("'") in told, f"{kind} is named there too"


def test_there_are_enough() -> None:
    assert len(CASES) >= 60


def test_what_restricted_fills_in_is_admitted(namespaces: dict[str, str]) -> None:
    for case in CASES:
        if case.strictest != "privileged":
            made = restricted(pod(case, case.spec))
            assert bool(refused(namespaces["restricted"], made)) is bool(violations({}, made["spec"], "restricted")), case.name
