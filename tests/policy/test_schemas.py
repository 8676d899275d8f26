"""Every object fits the schema of every supported Kubernetes: no unknown field, no wrong type. Custom resources fit their own."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

from sos_constructs.postgres import manifests

import pytest
from kubernetes_validate import ValidationError, utils

from tests import crds
from tests.policy.objects import Manifest, distinct
from tests.postgres.scenarios import SCENARIOS, install

VERSIONS = [f"1.{minor}" for minor in range(27, 38)]

Validate = Callable[[Manifest, str], None]


def is_custom(manifest: Manifest) -> bool:
    group = manifest["apiVersion"].rpartition("/")[0]
    return "." in group and not group.endswith(".k8s.io")


@pytest.fixture(scope="module")
def validate() -> Iterator[Validate]:
    """kubernetes-validate in strict mode, reading each schema file once."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("schema_contents", "all_versions"):
            patch.setattr(utils, name, functools.cache(getattr(utils, name)))

        def check(manifest: Manifest, version: str) -> None:
            assert utils.validate(manifest, version, strict=True) == version

        yield check


@pytest.fixture(scope="module")
def everything() -> list[tuple[str, Manifest]]:
    """What is written, and the scenarios in full: their reviewed YAML leaves out files of the package."""
    made = [manifest for options in SCENARIOS.values() for manifest in manifests(install(options)[1].spec)]
    return [*distinct(), *((f"scenario: {manifest['kind']}/{manifest['metadata']['name']}", manifest) for manifest in made)]


@pytest.mark.parametrize("version", VERSIONS)
def test_builtin_kinds(version: str, everything: list[tuple[str, Manifest]], validate: Validate):
    checked = 0
    for name, manifest in everything:
        if not is_custom(manifest):
            try:
                validate(manifest, version)
            except ValidationError as error:
                pytest.fail(f"{name}: {'.'.join(map(str, error.path))}: {error.message}", pytrace=False)
            checked += 1
    assert checked > 50


def test_custom_kinds():
    custom = [(name, manifest) for name, manifest in distinct() if is_custom(manifest)]
    assert {manifest["kind"] for _, manifest in custom} >= {"PodMonitor", "PrometheusRule"}
    for _, manifest in custom:
        crds.validate_custom_resource(manifest)
        crds.typed_second_opinion(manifest)


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("StatefulSet", {"replica": 3}),
        ("StatefulSet", {"replicas": "three"}),
        ("StatefulSet", {"template": {"spec": {"containers": [{"name": "a", "imgae": "b"}]}}}),
        ("Service", {"ports": [{"port": 5432, "targetPort": {"x": 1}}]}),
        ("PodDisruptionBudget", {"maxUnavailabel": 1}),
    ],
)
@pytest.mark.parametrize("version", [VERSIONS[0], VERSIONS[-1]])
def test_faults_are_found(kind: str, change: dict[str, Any], version: str, validate: Validate):
    original = next(manifest for _, manifest in distinct() if manifest["kind"] == kind)
    with pytest.raises(ValidationError):
        validate(original | {"spec": original["spec"] | change}, version)
