"""Documents that are pinned to versions by a file, and what of a rotation in a store is computed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sos_constructs import AwsSecretsManager, AzureKeyVault, ExternalSecrets, GcpSecretManager, KubernetesStore, SosSecrets, Vault, version_annotations
from sos_constructs.secrets.catalogue import SECRETS
from sos_constructs.secrets.external import rotation
from sos_constructs.secrets.external.pins import changed
from sos_constructs.secrets.stored import SecretInputError

import cdk8s
import pytest

GUID = "11111111-2222-3333-4444-555555555555"
AWS = AwsSecretsManager(region="eu-central-1")
STORES = {
    "aws": AWS,
    "gcp": GcpSecretManager(project="sos-production"),
    "azure": AzureKeyVault(vault_url="https://sos-app.vault.azure.net", client_id=GUID, tenant_id=GUID),
    "vault": Vault(server="https://vault.example.org", role="sos"),
    "kubernetes": KubernetesStore(namespace="sos-store"),
}
NATIVE = {"aws": f"uuid/{GUID}", "gcp": "7", "azure": "0123456789abcdef0123456789abcdef", "vault": "7"}


def manifests(tmp_path: Path, text: str, store: Any = AWS, **options: Any) -> dict[tuple[str, str], dict[str, Any]]:
    file = tmp_path / "versions.yaml"
    file.write_text(text)
    made = ExternalSecrets(store=store, versions=file, **options).manifests(SECRETS)
    return {(manifest["kind"], manifest["metadata"]["name"]): manifest for manifest in made}


def extract(made: dict[tuple[str, str], dict[str, Any]], secret: str) -> dict[str, Any]:
    (entry,) = made["ExternalSecret", secret]["spec"]["dataFrom"]
    return dict(entry["extract"])


@pytest.mark.parametrize("store", STORES)
def test_a_number_is_a_document_of_its_own_in_every_store(tmp_path: Path, store: str):
    made = manifests(tmp_path, "redis-credentials: 7\n", STORES[store])
    separator = "/" if store in ("aws", "vault") else "-"
    assert extract(made, "redis-credentials")["key"] == f"sos-app{separator}redis-credentials-v7"
    assert "version" not in extract(made, "redis-credentials")
    assert extract(made, "jwt-secrets")["key"] == f"sos-app{separator}jwt-secrets", "what the file does not name follows the newest"


@pytest.mark.parametrize("store", NATIVE)
def test_a_text_is_what_the_store_calls_a_version(tmp_path: Path, store: str):
    found = extract(manifests(tmp_path, f"redis-credentials: '{NATIVE[store]}'\n", STORES[store]), "redis-credentials")
    assert found["version"] == NATIVE[store]
    assert not found["key"].endswith("-v7")


def test_one_changed_number_changes_one_line_of_what_is_applied(tmp_path: Path):
    before, after = (manifests(tmp_path, f"redis-credentials: {number}\njwt-secrets: 1\n") for number in (1, 2))
    assert [name for name, manifest in after.items() if manifest != before[name]] == [("ExternalSecret", "redis-credentials")]


def test_only_a_first_version_is_made_from_nothing(tmp_path: Path):
    """A later one lacks the old encryption keys, and the data with them."""
    made = manifests(tmp_path, "encryption-keys: 2\njwt-secrets: 1\n", bootstrap=True)
    assert ("PushSecret", "jwt-secrets-bootstrap") in made
    assert ("PushSecret", "encryption-keys-bootstrap") not in made
    made = manifests(tmp_path, "encryption-keys: 2\n", KubernetesStore(namespace="sos-store"), bootstrap=True)
    assert ("ExternalSecret", "sos-app-jwt-secrets-bootstrap") in made
    assert not [name for _, name in made if name.startswith("sos-app-encryption-keys")]
    (role,) = (manifest for (kind, _), manifest in made.items() if kind == "Role")
    assert "sos-app-encryption-keys-v2" in role["rules"][0]["resourceNames"]


@pytest.mark.parametrize(
    ("text", "store", "message"),
    [
        ("redis: 1\n", "aws", "names redis, which is no Secret of this source"),
        ("redis-credentials: 0\n", "aws", "has no version for redis-credentials: a number from 1"),
        ("redis-credentials: true\n", "aws", "has no version for redis-credentials"),
        ("redis-credentials: [1]\n", "aws", "has no version for redis-credentials"),
        ("redis-credentials: AWSPREVIOUS\n", "aws", "must be 'uuid/' and the VersionId"),
        ("redis-credentials: 'latest'\n", "gcp", "must be the number of a version"),
        ("redis-credentials: 'x'\n", "azure", "must be the identifier that az keyvault"),
        ("redis-credentials: '0'\n", "vault", "must be the number of a version"),
        ("redis-credentials: '7'\n", "kubernetes", "must be a number for a KubernetesStore"),
        ("- redis-credentials\n", "aws", "not a mapping"),
        ("a: [\n", "aws", "not YAML"),
        ("", "aws", "is empty"),
        ("redis-credentials: 1\n---\njwt-secrets: 1\n", "aws", "holds several documents"),
    ],
)
def test_bad_files_are_named_with_the_fix(tmp_path: Path, text: str, store: str, message: str):
    with pytest.raises(ValueError, match=message):
        manifests(tmp_path, text, STORES[store])


def test_a_file_that_is_not_there_and_one_that_is_not_text(tmp_path: Path):
    for content, message in ((None, "cannot be read: No such file"), (b"\xff\xfe", "is not text")):
        file = tmp_path / "versions.yaml"
        if content:
            file.write_bytes(content)
        with pytest.raises(ValueError, match=message):
            ExternalSecrets(store=AWS, versions=file).manifests(SECRETS)
    with pytest.raises(ValueError, match="cannot be combined with adopt"):
        ExternalSecrets(store=AWS, versions=file, adopt=True)


def test_pods_restart_with_the_commit(tmp_path: Path):
    annotations = []
    for number in (1, 2, 1):
        (tmp_path / "versions.yaml").write_text(f"redis-credentials: {number}\n")
        chart = cdk8s.Chart(cdk8s.Testing.app(), "c")
        secrets = SosSecrets(chart, "secrets", source=ExternalSecrets(store=AWS, versions=tmp_path / "versions.yaml"))
        annotations.append(version_annotations(secrets.redis, secrets.jwt))
    assert annotations[0] == annotations[2] == {"sos-app/secret-versions": "redis-credentials=1"}
    assert annotations[1] == {"sos-app/secret-versions": "redis-credentials=2"}
    assert version_annotations(SosSecrets(cdk8s.Chart(cdk8s.Testing.app(), "d"), "secrets").redis) == {}


def test_the_file_keeps_its_comments():
    text = "# production\njwt-secrets: 11\nredis-credentials:  1   # since June\n"
    assert changed(text, "f", "redis-credentials", 1, 2) == text.replace(":  1 ", ":  2 ")
    for name, old in (("jwt-secrets", 1), ("redis-credentials", 2), ("encryption-keys", 1)):
        with pytest.raises(SecretInputError, match=f"f: does not say '{name}: {old}'"):
            changed(text, "f", name, old, old + 1)


def external(key: str, **more: Any) -> dict[str, Any]:
    entry = {"extract": {"key": key} | more}
    return {"metadata": {"name": "redis-credentials"}, "spec": {"secretStoreRef": {"kind": "SecretStore", "name": "s"}, "dataFrom": [entry]}}


def test_what_is_written_over_and_what_never_is():
    newest, pinned = rotation.source_of(external("a/redis-credentials"), pinned=False), rotation.source_of(external("a/redis-credentials-v7"), pinned=True)
    assert (newest.next, pinned.next) == ("a/redis-credentials", "a/redis-credentials-v8")
    assert [rotation.push(source, "n", {})["spec"]["updatePolicy"] for source in (newest, pinned)] == ["Replace", "IfNotExists"]


@pytest.mark.parametrize(
    ("manifest", "message"),
    [
        (external("a", version="uuid/x"), "is pinned to the store's version uuid/x"),
        ({**external("a"), "spec": {**external("a")["spec"], "dataFrom": []}}, "does not copy one whole document"),
        ({**external("a"), "spec": {**external("a")["spec"], "data": [{}]}}, "does not copy one whole document"),
    ],
)
def test_what_cannot_be_rotated_from_here(manifest: dict[str, Any], message: str):
    with pytest.raises(SecretInputError, match=message):
        rotation.source_of(manifest, pinned=True)
