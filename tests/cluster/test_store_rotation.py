"""Rotation in a store by `sosctl`, through the real External Secrets Operator: the newest document, and one that is pinned to a version by a commit.

The stores are a namespace of the cluster and, where there are such, a stand-in for AWS Secrets Manager and a Vault.
Needs none of the other tests' deployment.
"""

from __future__ import annotations

import base64
import secrets as random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sos_constructs import AwsSecretsManager, ExternalSecrets, KubernetesStore, Vault
from sos_constructs.secrets.catalogue import SECRETS

import pytest

from tests.cluster import kube, vault
from tests.cluster.test_external_secrets import REGION, Place, apply, at_aws, aws_endpoint, in_namespace, in_vault, operator, ready, recreate, vault_place

__all__ = ["operator"]

SECRET = "postgres-credentials"
OTHERS = [secret.name for secret in SECRETS if secret.name != SECRET]


@pytest.fixture(params=["kubernetes", *(pytest.param(store, marks=pytest.mark.release) for store in ("aws", "vault"))])
def options(request: pytest.FixtureRequest, operator: None) -> Iterator[dict[str, Any]]:
    """Of an ExternalSecrets for an empty namespace with an empty store."""
    namespace, store = f"store-rotation-{request.param}", f"store-rotation-{request.param}-store"
    common: dict[str, Any] = {"namespace": namespace, "prefix": f"rotation-{random.token_hex(4)}", "bootstrap": True, "without": OTHERS}
    if request.param == "aws":
        aws_endpoint()
        recreate(namespace)
        login = {"access-key-id": base64.b64encode(b"any").decode(), "secret-access-key": base64.b64encode(b"any").decode()}
        apply([{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "aws-access", "namespace": namespace}, "data": login}])
        yield common | {"store": AwsSecretsManager(region=REGION, access_key="aws-access")}
    elif request.param == "vault":
        yield common | {"store": vault_place(namespace, common["prefix"], common["prefix"]).source.store}
    else:
        recreate(namespace, store)
        yield common | {"store": KubernetesStore(namespace=store)}
    kube.run("delete", "clusterrolebinding", f"{namespace}-{vault.REVIEWER}", "--ignore-not-found", seconds=30)
    kube.run("delete", "namespace", namespace, store, "--ignore-not-found", "--wait=false", seconds=30)


def place_of(options: dict[str, Any], **more: Any) -> Place:
    store = options["store"]
    if isinstance(store, KubernetesStore):
        documents = in_namespace(store.namespace)
    else:
        documents = in_vault(vault.server()) if isinstance(store, Vault) else at_aws(aws_endpoint())
    return Place(options["namespace"], ExternalSecrets(**options, **more), documents)


def deploy(place: Place) -> dict[str, bytes]:
    """Apply, wait, and return the live values."""
    manifests = place.manifests()
    apply(manifests)
    waiting = [manifest for manifest in manifests if manifest["kind"] in ("ExternalSecret", "PushSecret")]
    kube.poll("ready", lambda: all(ready(manifest) for manifest in waiting), pause=2)
    kube.poll("the Secret", lambda: place.live().get(SECRET), pause=2)
    return place.live()[SECRET]


def live_once(place: Place, key: str, value: bytes) -> dict[str, bytes]:
    """The Secret as soon as ``key`` has that value."""
    kube.poll(f"{key} arrives", lambda: place.live()[SECRET][key] == value, pause=2)
    return place.live()[SECRET]


def rotate(place: Place, *arguments: str) -> str:
    """What `sosctl secrets rotate` says; no value may be in it, before or after."""
    before = place.live()[SECRET]
    command = [sys.executable, "-m", "sos_constructs.cli", "secrets", "rotate", SECRET, "--namespace", place.namespace, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    for key, value in [*before.items(), *place.live()[SECRET].items()]:
        assert not key.endswith("password") or value.decode() not in done.stdout + done.stderr, key
    left = kube.run("get", "secrets,pushsecrets", "-n", place.namespace, "-o", "name").stdout
    assert f"{SECRET}-rotation" not in left
    return done.stderr


def test_the_newest_document(options: dict[str, Any]):
    place = place_of(options)
    before = deploy(place)
    rotate(place, "--key", "postgres-password")
    after = place.live()[SECRET]
    assert after["postgres-password"] != before["postgres-password"]
    assert {**after, "postgres-password": b"", "rotated-at": b""} == {**before, "postgres-password": b"", "rotated-at": b""}
    assert place.documents.read(place.document(SECRET)) == {key: value.decode() for key, value in after.items()}
    annotations = kube.get("secret", SECRET, "-n", place.namespace)["metadata"]["annotations"]
    assert "postgres-password" in annotations["sos-app/rotated-at"], "plan knows how old it is"
    rotate(place, "--key", "auth-db-password")
    staged = place.live()[SECRET]
    assert staged["auth-db-password"] == after["auth-db-password"]
    rotate(place, "--key", "auth-db-password", "--force")
    changed = place.live()[SECRET]
    assert changed["auth-db-password"] == staged["auth-db-password-next"]
    assert changed["auth-db-password-previous"] == before["auth-db-password"]
    deploy(place)
    assert place.live()[SECRET] == changed, "applying the chart again changes nothing"


def git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false")
    return subprocess.run(["git", "-C", str(folder), *identity, *arguments], capture_output=True, text=True, check=True, timeout=60).stdout


@pytest.mark.release
def test_a_rotation_is_a_commit_and_its_revert_the_way_back(options: dict[str, Any], tmp_path: Path):
    versions = tmp_path / "versions.yaml"
    versions.write_text(f"# which documents are in use\n{SECRET}: 1  # since the beginning\n")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "first")
    first = deploy(place_of(options, versions=versions))

    said = rotate(place_of(options, versions=versions), "--key", "postgres-password", "--key", "replication-password", "--versions", str(versions))
    assert "commit it" in said
    assert place_of(options).live()[SECRET] == first, "nothing changes before the commit is applied"
    git(tmp_path, "commit", "-qam", "rotate")
    changes = [line for line in git(tmp_path, "show", "--format=", "-U0").splitlines() if line[0] in "+-" and line[:3] not in ("+++", "---")]
    assert changes == [f"-{SECRET}: 1  # since the beginning", f"+{SECRET}: 2  # since the beginning"]

    place = place_of(options, versions=versions)
    apply(place.manifests())
    kube.poll("the new version", lambda: place.live()[SECRET]["postgres-password"] != first["postgres-password"], pause=2)
    second = place.live()[SECRET]
    assert second["replication-password"] != first["replication-password"]
    assert second["rewind-password"] == first["rewind-password"]

    git(tmp_path, "revert", "--no-edit", "HEAD")
    back = place_of(options, versions=versions)
    apply(back.manifests())
    assert live_once(back, "postgres-password", first["postgres-password"]) == first
    history = git(tmp_path, "log", "-p")
    values = [value for key, value in [*first.items(), *second.items()] if key.endswith("password")]
    assert not [value for value in values if value.decode() in history or base64.b64encode(value).decode() in history]


@pytest.mark.release
def test_a_version_of_the_stores_own(operator: None, tmp_path: Path):
    namespace, endpoint = "store-rotation-native", aws_endpoint()
    documents, versions, prefix = at_aws(endpoint), tmp_path / "versions.yaml", f"rotation-{random.token_hex(4)}"
    recreate(namespace)
    login = {"access-key-id": base64.b64encode(b"any").decode(), "secret-access-key": base64.b64encode(b"any").decode()}
    apply([{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "aws-access", "namespace": namespace}, "data": login}])
    store = AwsSecretsManager(region=REGION, access_key="aws-access")
    options: dict[str, Any] = {"store": store, "namespace": namespace, "prefix": prefix, "without": OTHERS}
    try:
        first = deploy(Place(namespace, ExternalSecrets(bootstrap=True, **options), documents))
        changed = {key: value.decode() for key, value in first.items()} | {"postgres-password": "another-" + random.token_hex(16)}
        documents.write(f"{prefix}/{SECRET}", changed)
        # the operator's first version has this number; see its source, putSecretValueWithContext
        versions.write_text(f"{SECRET}: uuid/00000000-0000-0000-0000-000000000001\n")
        pinned = Place(namespace, ExternalSecrets(versions=versions, **options), documents)
        apply(pinned.manifests())
        assert live_once(pinned, "postgres-password", first["postgres-password"]) == first
        newest = Place(namespace, ExternalSecrets(**options), documents)
        apply(newest.manifests())
        live_once(newest, "postgres-password", changed["postgres-password"].encode())
        apply(pinned.manifests())
        assert live_once(pinned, "postgres-password", first["postgres-password"]) == first
    finally:
        kube.run("delete", "namespace", namespace, "--wait=false", seconds=30)
