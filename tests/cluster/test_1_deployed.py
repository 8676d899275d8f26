"""The reference app as a user gets it."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster import chart, deploy, kube
from tests.cluster.breakable import ROOT
from tests.cluster.installation import Installation
from tests.cluster.scrape import fetch

SCRATCH = "sos-dry-run"
UPSTREAM_CRDS = Path(os.environ.get("SOS_UPSTREAM_CRDS") or ROOT.parent / "shared" / "crds")
DATABASES = ("auth", "users", "emergency", "medical", "devices")
CHARTS = [deploy.APP, *sorted((ROOT / "tests" / "snapshots").rglob("*.yaml"))]


@pytest.fixture(scope="module")
def client(installation: Installation) -> Iterator[str]:
    """A pod whose containers have the environment of workloads."""
    installation.wait_healthy()
    kube.apply(chart.client("client", installation.namespace, installation.image, DATABASES))
    kube.kubectl("wait", "--for=condition=Ready", "pod/client", "-n", installation.namespace, "--timeout=120s")
    yield "client"
    kube.kubectl("delete", "pod", "client", "-n", installation.namespace, "--now")


@pytest.fixture(scope="module")
def scratch(version: str) -> Iterator[str]:
    """A namespace in which nothing runs, and the definitions of the custom resources that a chart may hold."""
    kube.run("delete", "namespace", SCRATCH, "--timeout=120s")
    deploy.create_namespace(SCRATCH)
    missing = [definition for definition in definitions() if kube.run("get", "crd", definition["metadata"]["name"]).returncode]
    for definition in missing:
        kube.run("apply", "--server-side", "-f", "-", stdin=kube.documents([definition]))
    names = [f"crd/{definition['metadata']['name']}" for definition in missing]
    if names:
        kube.kubectl("wait", "--for=condition=Established", *names, "--timeout=60s")
    yield SCRATCH
    if names:  # or the operators' own tests would wait for operators that are not there
        kube.kubectl("delete", *names)
    kube.kubectl("delete", "namespace", SCRATCH, "--wait=false")


def definitions() -> list[dict[str, Any]]:
    """Those of the custom resources in our charts: upstream's where they are at hand, else the trimmed ones of this repository."""
    wanted = {(str(m["apiVersion"]).rpartition("/")[0], m["kind"]) for path in CHARTS for m in documents(path) if "apiVersion" in m}
    groups = {group for group, _ in wanted}
    found: dict[object, dict[str, Any]] = {}
    for folder in (ROOT / "crds", UPSTREAM_CRDS):
        for file in sorted(folder.glob("*.yaml")):
            for each in documents(file) if file.stem.partition("_")[0] in groups else []:
                spec: Any = each["spec"]
                found[spec["group"], spec["names"]["kind"]] = each
    return [found[kind] for kind in sorted(wanted & found.keys(), key=str)]


def documents(path: Path) -> list[dict[str, object]]:
    return [document for document in yaml.safe_load_all(path.read_text(encoding="utf-8")) if document]


def test_dist_is_what_main_writes():
    assert documents(deploy.APP) == chart.reference(), "run: make synth"


def test_every_member_runs_under_enforced_restricted_and_streams(installation: Installation):
    labels = kube.get("namespace", installation.namespace)["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    installation.wait_healthy()
    roles = Counter(pod["metadata"]["labels"]["role"] for pod in installation.pods())
    assert roles == {"primary": 1, "replica": 2}
    assert [row for pod in installation.pod_names for row in installation.sql(pod, "SHOW data_checksums")] == [["on"]] * 3


def test_services_lead_to_the_right_members(installation: Installation):
    primary = installation.wait_healthy()
    assert installation.endpoints("postgres-service") == [primary]
    assert installation.endpoints("postgres-readonly-service") == sorted(set(installation.pod_names) - {primary})
    assert installation.endpoints("postgres-headless") == installation.pod_names


def psql(installation: Installation, container: str, *arguments: str) -> str:
    done = installation.try_exec("client", f"{installation.image.bin_dir}/psql", "-XqAt", "-v", "ON_ERROR_STOP=1", *arguments, container=container)
    return done.stdout.strip() if done.returncode == 0 else done.stderr.strip()


def test_what_is_written_through_one_service_is_read_through_the_other(installation: Installation, client: str):
    mark = psql(installation, "auth", "-c", "CREATE TABLE IF NOT EXISTS note (at timestamptz PRIMARY KEY); INSERT INTO note VALUES (now()) RETURNING at")
    assert psql(installation, "auth", "-c", "SELECT pg_is_in_recovery()") == "f"
    assert psql(installation, "readonly", "-c", "SELECT pg_is_in_recovery()") == "t"
    kube.poll("the row on the replicas", lambda: psql(installation, "readonly", "-c", f"SELECT count(*) FROM note WHERE at = '{mark}'") == "1", 30)
    assert "read-only" in psql(installation, "readonly", "-c", "INSERT INTO note VALUES (now())")
    shell = installation.try_exec(
        "client", "sh", "-c", f"{installation.image.bin_dir}/psql -XAt -d \"$DATABASE_URL\" -c 'SELECT current_database()'", container="dsn"
    )
    assert shell.stdout.strip() == "auth", shell.stderr


@pytest.mark.parametrize("database", DATABASES)
def test_an_owner_reaches_its_own_database_and_no_other(installation: Installation, client: str, database: str):
    owner = "SELECT current_user, current_database(), pg_get_userbyid(datdba) FROM pg_database WHERE datname = current_database()"
    assert psql(installation, database, "-c", owner) == f"{database}|{database}|{database}"
    for other in set(DATABASES) - {database}:
        assert "no pg_hba.conf entry" in psql(installation, database, "-d", other, "-c", "SELECT 1"), other


def test_exporter_patroni_and_agent_serve_metrics(installation: Installation):
    primary = installation.wait_healthy()
    for pod in installation.pod_names:
        exported = [line for line in fetch(installation, pod, 9187).splitlines() if line and not line.startswith("#")]
        series = Counter(line.rpartition(" ")[0] for line in exported)
        assert [name for name, count in series.items() if count > 1] == []
        assert "pg_up 1" in exported
        assert {line for line in exported if line.startswith("pg_exporter_last_scrape_error")} == {"pg_exporter_last_scrape_error 0"}
        assert any(line.startswith("sos_pg_") for line in exported)
        assert f"sos_pg_postmaster_in_recovery {int(pod != primary)}" in re.sub(r"\{[^}]*\}", "", "\n".join(exported))
        log = kube.kubectl("logs", "-n", installation.namespace, pod, "-c", "postgres-exporter").splitlines()
        assert [event["msg"] for event in map(json.loads, log) if event["level"] == "ERROR" and "connect" not in str(event)] == []
        assert f'patroni_primary{{scope="postgres-patroni",name="{pod}"}} {int(pod == primary)}' in fetch(installation, pod, 8008)
        agent = fetch(installation, pod, 8009)
        steps = dict(re.findall(r'^sos_agent_reconcile_success\{step="(\w+)"\} (\d)$', agent, re.MULTILINE))
        assert steps, agent
        assert set(steps.values()) == {"1"}, steps


def test_a_second_apply_changes_nothing(installation: Installation):
    installation.wait_healthy()
    kube.poll(
        "members that count as available",
        lambda: kube.get("statefulset", "postgres", "-n", installation.namespace)["status"].get("availableReplicas") == 3,
        120,
    )
    objects = [f"{document['kind']}/{document['metadata']['name']}" for document in documents(deploy.APP)]  # type: ignore[index]
    state = "jsonpath={range .items[*]}{.kind}/{.metadata.name} {.metadata.uid} {.metadata.generation} {.metadata.resourceVersion}{'\\n'}{end}"
    before, lives = kube.kubectl("get", *objects, "-n", installation.namespace, "-o", state), installation.lives()
    diff = kube.run("diff", "-f", str(deploy.APP))
    assert diff.returncode == 0, diff.stdout + diff.stderr
    applied = kube.kubectl("apply", "-f", str(deploy.APP)).splitlines()
    assert len(applied) == len(objects)  # kubectl says "configured" of some: it always sends a budget's selector and a claim template; see the versions
    assert kube.kubectl("get", *objects, "-n", installation.namespace, "-o", state) == before
    assert installation.lives() == lives


def test_generating_the_secrets_again_keeps_them(installation: Installation):
    secret = ("secret", "postgres-credentials", "-n", installation.namespace)
    before = kube.get(*secret)["data"]
    deploy.generate_secrets()
    assert kube.get(*secret)["data"] == before


@pytest.mark.parametrize("path", CHARTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_api_server_accepts_every_object(path: Path, scratch: str):
    manifests = [document for document in documents(path) if "apiVersion" in document]
    if not manifests:
        pytest.skip("holds no manifests")
    for manifest in manifests:
        metadata = manifest["metadata"]
        assert isinstance(metadata, dict)
        if "namespace" in metadata:  # not among what runs already: a dry run of other options would be an update
            metadata["namespace"] = scratch
    done = kube.run("apply", "--dry-run=server", "--validate=strict", "-f", "-", stdin=kube.documents(manifests))
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == len(manifests)
    warnings = [line for line in done.stderr.splitlines() if "missing the kubectl.kubernetes.io/last-applied-configuration" not in line]
    assert warnings == []


def test_the_unedited_template_is_refused(scratch: str):
    secrets = documents(deploy.TEMPLATE)
    assert {secret["kind"] for secret in secrets} == {"Secret"}
    for secret in secrets:
        metadata = secret["metadata"]
        assert isinstance(metadata, dict)
        metadata["namespace"] = scratch
        done = kube.run("apply", "-f", "-", stdin=kube.documents([secret]))
        assert done.returncode != 0, f"{metadata['name']} was accepted"
        assert "illegal base64" in done.stderr, done.stderr
    assert kube.items("secrets", "-n", scratch) == []


def can(installation: Installation, verb: str, what: str, *more: str) -> bool:
    account = f"--as=system:serviceaccount:{installation.namespace}:postgres"
    return kube.run("auth", "can-i", verb, what, "-n", installation.namespace, account, *more).stdout.strip() == "yes"


def test_the_service_account_may_do_its_work_and_nothing_else(installation: Installation):
    for rule in kube.get("role", "postgres", "-n", installation.namespace)["rules"]:
        for verb in rule["verbs"]:
            for resource in rule["resources"]:
                kind, _, subresource = resource.partition("/")
                for name in rule.get("resourceNames", [""]):
                    assert can(installation, verb, f"{kind}/{name}".rstrip("/"), f"--subresource={subresource}"), f"{verb} {resource} {name}"
    for verb, what in (
        ("get", "secrets"),
        ("list", "secrets"),
        ("get", "configmaps/postgres-config"),
        ("patch", "configmaps/postgres-config"),
        ("patch", "configmaps/sos-app-config"),
        ("update", "configmaps/postgres-patroni-leader"),
        ("delete", "configmaps/postgres-patroni-leader"),
        ("patch", "pods/client"),
        ("create", "pods"),
        ("delete", "pods"),
        ("create", "pods/exec"),
        ("get", "services"),
        ("patch", "statefulsets"),
        ("get", "nodes"),
        ("create", "serviceaccounts/token"),
    ):
        assert not can(installation, verb, what), f"{verb} {what}"
    assert not can(installation, "list", "pods", "-A")
    assert json.loads(kube.kubectl("get", "pod", "postgres-0", "-n", installation.namespace, "-o", "json"))["spec"]["automountServiceAccountToken"] is False
