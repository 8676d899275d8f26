"""Our own rules for what stands in dist/ and in the reviewed YAML."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from sos_constructs.foundation.priorities import PRIORITIES
from sos_constructs.secrets.catalogue import SECRETS

import pytest

from tests.policy.objects import DIST, REVIEWED, ROOT, Manifest, containers, distinct, objects, pods
from tests.secret_scan import assert_no_secret_material

CHART = ROOT / "dist" / "sos-app.k8s.yaml"


def test_dist_holds_the_chart_and_the_templates():
    assert [path.name for path in DIST] == ["secrets-template.k8s.yaml", "sos-app.k8s.yaml"]


@pytest.mark.parametrize("path", [*DIST, *REVIEWED], ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_secret_material(path: Path):
    assert_no_secret_material(path)


def test_every_container_has_requests_and_limits():
    for name, pod in pods():
        for container in containers(pod):
            resources = container.get("resources", {})
            assert resources.get("requests", {}).keys() >= {"cpu", "memory"}, (name, container["name"])
            assert resources.get("limits", {}).keys() >= {"cpu", "memory"}, (name, container["name"])


def test_images_are_pinned_and_pulled_once():
    for name, pod in pods():
        for container in containers(pod):
            assert re.fullmatch(r"[^@:]+(:\d+/[^@:]+)?(:(?!latest$)[\w.-]*\d[\w.-]*|@sha256:[0-9a-f]{64})", container["image"]), (name, container["image"])
            assert container["imagePullPolicy"] == "IfNotPresent", (name, container["name"])


def test_no_pod_gets_what_it_did_not_ask_for():
    for name, pod in pods():
        assert pod["spec"].get("enableServiceLinks") is False, f"{name}: variables of every Service of the namespace"
        assert pod["spec"].get("automountServiceAccountToken") is False, f"{name}: a token in every container; mount it where it is used"
    for name, manifest in distinct():
        if manifest["kind"] == "ServiceAccount":
            assert manifest["automountServiceAccountToken"] is False, name


def test_root_file_systems_are_read_only():
    for name, pod in pods():
        for container in containers(pod):
            assert container["securityContext"]["readOnlyRootFilesystem"] is True, (name, container["name"])


def test_volumes_in_memory_or_on_the_node_have_a_limit():
    for name, pod in pods():
        for volume in pod["spec"].get("volumes", ()):
            if "emptyDir" in volume:
                assert volume["emptyDir"].get("sizeLimit"), (name, volume["name"])


def test_nothing_waits_to_be_filled_in():
    words = re.compile(r"change[-_ ]?me|\bTODO\b|\bFIXME\b|\bXXX\b|place[-_ ]?holder|your[-_ ](?!own)|<[a-z][a-z_ -]*>|\bfoo\b|lorem ipsum", re.IGNORECASE)
    agent = [manifest for manifest in objects(CHART) if manifest["metadata"]["name"] == "postgres-agent"]
    assert len(agent) == 1, "program text, left out below"
    for manifest in objects(CHART):
        if manifest not in agent:
            assert not words.findall(repr(manifest)), (manifest["kind"], manifest["metadata"]["name"], words.findall(repr(manifest)))


def test_every_object_is_labelled_as_part_of_the_platform():
    for name, manifest in distinct():
        assert manifest["metadata"].get("labels", {}).get("app.kubernetes.io/part-of") == "sos-app", name


def test_namespaces():
    for path in DIST:
        for manifest in objects(path):
            scoped = manifest["kind"] in ("Namespace", "PriorityClass")
            assert manifest["metadata"].get("namespace") == (None if scoped else "sos-app"), manifest["metadata"]["name"]


@pytest.mark.parametrize("path", DIST, ids=lambda path: path.name)
def test_no_two_objects_of_one_name(path: Path):
    found = Counter((manifest["kind"], manifest["metadata"]["name"]) for manifest in objects(path))
    assert [key for key, count in found.items() if count > 1] == []


def names(kind: str) -> set[str]:
    return {manifest["metadata"]["name"] for manifest in objects(CHART) if manifest["kind"] == kind}


#: In every namespace since Kubernetes 1.20: the API server's certificate.
FROM_KUBERNETES = {"kube-root-ca.crt"}


def referred(value: object, key: str = "") -> list[tuple[str, str]]:
    """Kind and name of every object that a pod refers to."""
    fields = {"configMap": "ConfigMap", "configMapRef": "ConfigMap", "configMapKeyRef": "ConfigMap", "secretRef": "Secret", "secretKeyRef": "Secret"}
    if isinstance(value, dict):
        here = [(fields[key], value["name"])] if key in fields else [("Secret", value["secretName"])] if key == "secret" else []
        return here + [found for inner, item in value.items() for found in referred(item, inner)]
    return [found for item in value for found in referred(item)] if isinstance(value, list) else []


def test_everything_a_pod_refers_to_is_there():
    known = {
        "ConfigMap": names("ConfigMap") | FROM_KUBERNETES,
        "Secret": {secret.name for secret in SECRETS} | {"postgres-tls", "postgres-pooler-tls"},
    }  # written by `sosctl secrets generate`, too
    workloads: list[Manifest] = [manifest for manifest in objects(CHART) if "template" in manifest.get("spec", {})]
    assert workloads
    for manifest in workloads:
        spec = manifest["spec"]["template"]["spec"]
        found = referred(spec)
        assert {kind for kind, _ in found} == {"ConfigMap", "Secret"}
        assert [(kind, name) for kind, name in found if name not in known[kind]] == []
        assert spec["serviceAccountName"] in names("ServiceAccount")
        assert spec["priorityClassName"] in names("PriorityClass") == {priority.name for priority in PRIORITIES}
        assert manifest["spec"]["serviceName"] in names("Service")


def test_secrets_stand_in_the_templates_only():
    assert names("Secret") == set()
    assert {manifest["metadata"]["name"] for manifest in objects(ROOT / "dist" / "secrets-template.k8s.yaml")} == {secret.name for secret in SECRETS}


def test_the_chart_is_applied_in_an_order_that_works():
    """kubectl creates in the order of the file: namespace first, pods after what they mount."""
    kinds = [manifest["kind"] for manifest in objects(CHART)]
    assert kinds[0] == "Namespace"
    assert kinds.index("PriorityClass") < kinds.index("StatefulSet")
    position = {(m["kind"], m["metadata"]["name"]): index for index, m in enumerate(objects(CHART))}
    for kind, name in (("ConfigMap", "postgres-config"), ("ConfigMap", "postgres-agent"), ("ServiceAccount", "postgres"), ("RoleBinding", "postgres")):
        assert position[kind, name] < position["StatefulSet", "postgres"]
