"""What `sosctl secrets seal` writes and the chart emits, opened by a real Sealed Secrets controller. Needs none of the other tests' deployment."""

from __future__ import annotations

import base64
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sos_constructs import SealedSecrets, SosSecrets
from sos_constructs.secrets.catalogue import BY_NAME

import cdk8s
import pytest
import yaml

from tests.cluster import kube

NAMESPACE, OTHER = "sealed-test", "sealed-test-other"
SEALED = ("redis-credentials", "encryption-keys")
WITHOUT = frozenset(BY_NAME) - set(SEALED)


def sosctl(*arguments: str, stdin: str = "") -> str:
    done = subprocess.run([sys.executable, "-m", "sos_constructs.cli", "secrets", *arguments], input=stdin, capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stderr
    return done.stdout


def plain(*names: str) -> str:
    """New values."""
    return sosctl("generate", "--existing", "none", "-n", NAMESPACE, *(word for name in names for word in ("--only", name)))


def data(manifests: str) -> dict[str, dict[str, str]]:
    return {m["metadata"]["name"]: m["data"] for m in yaml.safe_load_all(manifests)}


def chart(path: Path) -> list[dict[str, Any]]:
    chart = cdk8s.Chart(cdk8s.Testing.app(), "sealed", namespace=NAMESPACE, disable_resource_name_hashes=True)
    SosSecrets(chart, "secrets", source=SealedSecrets(path, without=WITHOUT))
    return list(cdk8s.Testing.synth(chart))


def live(namespace: str = NAMESPACE) -> dict[str, dict[str, str]]:
    return {secret["metadata"]["name"]: secret["data"] for secret in kube.items("secrets", "-n", namespace) if secret["metadata"]["name"] in SEALED}


def apply(manifests: list[dict[str, Any]]) -> None:
    """Patiently: this may be a cluster where things are broken on purpose."""
    kube.poll("apply", lambda: kube.apply(manifests, "--server-side", "--force-conflicts"), pause=3)


@pytest.fixture(scope="module")
def namespaces(version: str) -> Iterator[None]:
    done = kube.run("get", "crd", "sealedsecrets.bitnami.com", seconds=30)
    if done.returncode:
        pytest.skip(f"no Sealed Secrets controller on this cluster: {done.stderr.strip()}")
    apply([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in (NAMESPACE, OTHER)])
    yield
    kube.run("delete", "namespace", NAMESPACE, OTHER, "--wait=false", seconds=30)


@pytest.fixture(scope="module")
def values(namespaces: None) -> str:
    return plain(*SEALED)


@pytest.fixture(scope="module")
def sealed(values: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A committed file, sealed with the certificate that the controller itself gives out."""
    path = tmp_path_factory.mktemp("repository") / "sealed.yaml"
    kube.poll("seal", lambda: sosctl("seal", "-", "--output", str(path), stdin=values) == "", pause=3)
    return path


def test_the_controller_makes_the_secrets_of_the_chart(sealed: Path, values: str):
    apply(chart(sealed))
    assert kube.poll("the controller opens them", lambda: set(live()) == set(SEALED))
    assert live() == data(values)
    for name in SEALED:
        secret = kube.get("secret", name, "-n", NAMESPACE)
        assert secret["type"] == BY_NAME[name].type
        assert secret["metadata"]["labels"]["app.kubernetes.io/part-of"] == "sos-app"


def test_kubeseal_finds_them_valid(sealed: Path):
    if not shutil.which("kubeseal"):
        pytest.skip("kubeseal is not installed")
    for document in yaml.safe_load_all(sealed.read_text()):
        done = subprocess.run(["kubeseal", "--validate"], input=yaml.safe_dump(document), capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr


def test_one_key_sealed_anew_changes_that_key(sealed: Path, values: str):
    new = data(plain("redis-credentials"))["redis-credentials"]["redis-password"]
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "redis-credentials", "namespace": NAMESPACE},
        "data": {"redis-password": new, "redis-pubsub-password": base64.b64encode(b"not this one").decode()},
    }
    sosctl("seal", "-", "--key", "redis-password", "--merge-into", str(sealed), stdin=yaml.safe_dump(secret))
    apply(chart(sealed))
    expected = data(values)
    expected["redis-credentials"]["redis-password"] = new
    assert kube.poll("the new password arrives", lambda: live()["redis-credentials"]["redis-password"] == new)
    assert live() == expected


def test_a_rotated_file_brings_the_new_value_and_keeps_the_old(sealed: Path):
    before = live()["redis-credentials"]
    sosctl("rotate", "redis-credentials", "--key", "redis-pubsub-password", "--file", str(sealed), "-n", NAMESPACE)
    apply(chart(sealed))
    old = before["redis-pubsub-password"]
    kube.poll("it arrives", lambda: live()["redis-credentials"].get("redis-pubsub-password-previous") == old)
    after = live()["redis-credentials"]
    assert after["redis-pubsub-password"] != old
    assert after["redis-password"] == before["redis-password"]
    annotations = kube.get("secret", "redis-credentials", "-n", NAMESPACE)["metadata"]["annotations"]
    assert "redis-pubsub-password" in annotations["sos-app/rotated-at"], "so that sosctl secrets plan sees it on the cluster, too"


def test_the_secret_it_made_is_not_rotated_behind_its_back(sealed: Path):
    command = [sys.executable, "-m", "sos_constructs.cli", "secrets", "rotate", "redis-credentials", "-n", NAMESPACE]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180)
    assert done.returncode == 2
    assert "is written by SealedSecret redis-credentials; rotate it in its file" in done.stderr


def test_a_deleted_secret_comes_back_the_same(sealed: Path):
    before = live()
    kube.kubectl("delete", "secret", "redis-credentials", "-n", NAMESPACE)
    assert kube.poll("the controller makes it again", lambda: live() == before)


def test_a_strict_secret_opens_in_no_other_namespace(sealed: Path):
    stolen = [{**m, "metadata": {"name": m["metadata"]["name"], "namespace": OTHER}} for m in chart(sealed)]
    for manifest in stolen:
        manifest["spec"]["template"].pop("metadata")
    apply(stolen)

    def refused() -> bool:
        status = kube.get("sealedsecret", "redis-credentials", "-n", OTHER).get("status", {})
        return any(c["type"] == "Synced" and c["status"] == "False" and "no key could decrypt" in c["message"] for c in status.get("conditions", []))

    assert kube.poll("the controller refuses", refused)
    assert live(OTHER) == {}
