"""checkov finds nothing that is not explained here, and nothing is explained here that it no longer finds."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.policy.objects import DIST, REVIEWED, ROOT

CHECKOV = ROOT / ".venv-checkov" / "bin" / "checkov"

SKIPPED = {
    "CKV_K8S_9": "Readiness is Patroni's to say. Exporter and agent have none, so that their failures never take the database out of its Services.",
    "CKV_K8S_15": "IfNotPresent: tags are versions and not moved, and a member must come back while the registry is away.",
    "CKV_K8S_35": "A granted workload reads user and password from its environment, as every driver does; who reads files takes SecretHandle.volume().",
    "CKV_K8S_40": "Uids below 10000 belong to the images and own the data on the volumes; every member drops all capabilities and runs under seccomp.",
    "CKV_K8S_43": "Digests differ per mirror and platform; who wants one gives it in ImageProfile(image='…@sha256:…').",
}


@pytest.fixture(scope="module")
def failed(tmp_path_factory: pytest.TempPathFactory) -> dict[Path, list[dict[str, Any]]]:
    """Failed checks by file, of everything we emit and of one bad pod. One run, because it takes longer to start than to check."""
    if not CHECKOV.exists():
        pytest.skip(f"no {CHECKOV.relative_to(ROOT)}: make test")
    bad = tmp_path_factory.mktemp("checkov") / "bad.yaml"
    bad.write_text("apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\nspec:\n  containers:\n    - name: a\n      image: a:latest\n")
    files = [*DIST, *REVIEWED, bad]
    command = [str(CHECKOV), "--framework", "kubernetes", "--skip-download", "--compact", "--quiet", "--output", "json"]
    command += [argument for file in files for argument in ("-f", str(file))]
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"} | {"LOG_LEVEL": "ERROR"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)
    report = json.loads(done.stdout)
    assert report["summary"]["parsing_errors"] == 0
    assert report["summary"]["resource_count"] > 30
    found: dict[Path, list[dict[str, Any]]] = {file: [] for file in files}
    for check in report["results"]["failed_checks"]:
        found[Path(check["file_abs_path"])].append(check)
    return found


def test_every_finding_is_explained_and_every_explanation_is_needed(failed: dict[Path, list[dict[str, Any]]]):
    checks = [check for path in (*DIST, *REVIEWED) for check in failed[path]]
    new = [f"{check['check_id']} {check['check_name']}: {check['resource']} ({check['file_path']})" for check in checks if check["check_id"] not in SKIPPED]
    assert new == []
    assert SKIPPED.keys() - {check["check_id"] for check in checks} == set(), "no longer found: take it out"


def test_a_fault_would_be_found(failed: dict[Path, list[dict[str, Any]]]):
    (bad,) = failed.keys() - {*DIST, *REVIEWED}
    assert {check["check_id"] for check in failed[bad]} >= {"CKV_K8S_11", "CKV_K8S_14", "CKV_K8S_20", "CKV_K8S_23"}
