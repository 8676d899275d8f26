"""The limit that emit counts is the one that `kubectl apply` meets, to the byte."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator

from sos_constructs.apply_limit import LIMIT, annotation_bytes

import pytest

from tests.cluster import kube

NAMESPACE = "sos-apply-limit"


@pytest.fixture(scope="module")
def namespace() -> Iterator[str]:
    kube.kubectl("create", "namespace", NAMESPACE)
    yield NAMESPACE
    kube.kubectl("delete", "namespace", NAMESPACE, "--wait=false")


@pytest.mark.parametrize("letter", ["x", "ü", "<", '"', "\n"], ids=ascii)
def test_one_byte_more_is_refused(namespace: str, letter: str) -> None:
    def sized(size: int) -> str:
        base = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": namespace, "annotations": {"own": "ü"}}}
        empty = annotation_bytes(base | {"data": {"K": ""}})
        each = annotation_bytes(base | {"data": {"K": letter}}) - empty
        return json.dumps(base | {"data": {"K": letter * ((size - empty) // each) + "x" * ((size - empty) % each)}})

    def applied(size: int) -> subprocess.CompletedProcess[str]:
        return subprocess.run(["kubectl", "apply", "-f", "-"], input=sized(size), capture_output=True, text=True, timeout=60)

    kube.kubectl("delete", "configmap", "a", "-n", namespace, "--ignore-not-found")
    assert applied(LIMIT).returncode == 0
    kube.kubectl("delete", "configmap", "a", "-n", namespace)
    refused = applied(LIMIT + 1)
    assert refused.returncode != 0
    assert f"may not be more than {LIMIT} bytes" in refused.stderr
