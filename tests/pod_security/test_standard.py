"""Verdicts on pods, as Kubernetes would judge them; ``tests/cluster`` compares this table with an API server."""

from __future__ import annotations

from sos_constructs.pod_security.standard import LEVELS, parse_version, violations

import pytest

from tests.pod_security.cases import CASES, Case


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_verdict(case: Case) -> None:
    metadata = {"annotations": case.annotations}
    for level in LEVELS:
        admitted = LEVELS.index(level) <= LEVELS.index(case.strictest)
        assert (violations(metadata, case.spec, level) == []) is admitted, level
    if case.where:
        first = violations(metadata, case.spec, LEVELS[LEVELS.index(case.strictest) + 1])[0]
        assert (first.where, first.field) == (case.where, case.field)


def test_every_check_refuses_something() -> None:
    found = {violation.check for case in CASES for violation in violations({"annotations": case.annotations}, case.spec, "restricted")}
    assert len(found) == 18


@pytest.mark.parametrize(
    ("name", "since"),
    [("newest sysctl", "v1.32"), ("SELinux engine", "v1.31")],
)
def test_what_older_versions_refuse(name: str, since: str) -> None:
    (case,) = [case for case in CASES if case.name == name]
    major, minor = parse_version(since)
    assert violations({}, case.spec, "baseline", (major, minor)) == []
    assert violations({}, case.spec, "baseline", (major, minor - 1))


def test_what_older_versions_admit() -> None:
    (case,) = [case for case in CASES if case.name == "probe's host"]
    assert violations({}, case.spec, "restricted", parse_version("v1.33")) == []
    assert parse_version("latest") == (1, 34)
