"""The source that reads committed SealedSecrets: what it emits, and every file it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sos_constructs import SealedSecrets, SosSecrets
from sos_constructs.secrets.catalogue import BY_NAME, SECRETS
from sos_constructs.secrets.sealing import looks_sealed, sealed_secret
from sos_constructs.secrets.stored import StoredSecret, dump

import cdk8s
import pytest
import yaml

from tests import crds
from tests.secret_scan import assert_no_secret_material
from tests.secrets.controller import KEY

REST = frozenset(BY_NAME) - {"redis-credentials"}


def sealed(name: str = "redis-credentials", namespace: str = "sos-app", **values: bytes) -> dict[str, Any]:
    """A SealedSecret with all keys of its secret."""
    everything = {row.key: b"v" for row in BY_NAME[name].keys if not row.optional}
    return sealed_secret(StoredSecret(name, type=BY_NAME[name].type, values=everything | values), KEY.public_key(), namespace=namespace)


def write(path: Path, *manifests: Any) -> Path:
    path.write_text(dump(manifests))
    return path


def emitted(path: Path, *, without: Any = REST, namespace: str | None = "sos-app") -> list[dict[str, Any]]:
    chart = cdk8s.Chart(cdk8s.Testing.app(), "c", namespace=namespace, disable_resource_name_hashes=True)
    SosSecrets(chart, "secrets", source=SealedSecrets(path, without=without))
    return list(cdk8s.Testing.synth(chart))


@pytest.fixture(scope="module")
def complete() -> list[dict[str, Any]]:
    return [sealed(secret.name) for secret in SECRETS]


def test_a_complete_set_is_emitted_as_it_stands_in_the_file(complete: list[dict[str, Any]], tmp_path: Path):
    manifests = emitted(write(tmp_path / "sealed.yaml", *reversed(complete)), without=())
    assert manifests == complete, "in the catalogue's order"


def test_a_folder_is_read_as_one(complete: list[dict[str, Any]], tmp_path: Path):
    for number, manifest in enumerate(complete):
        write(tmp_path / f"{number}.{'yml' if number % 2 else 'yaml'}", manifest)
    (tmp_path / "README.md").write_text("not read")
    assert emitted(tmp_path, without=()) == complete


def test_what_is_emitted_is_a_sealed_secret_to_its_definition():
    manifest = sealed()
    crds.validate_custom_resource(manifest)
    crds.typed_second_opinion(manifest)


def test_traces_of_kubeseal_are_left_out(tmp_path: Path):
    manifest = sealed()
    theirs = {**manifest, "metadata": {**manifest["metadata"], "creationTimestamp": None}, "status": {"observedGeneration": 1}}
    theirs["spec"] = {**manifest["spec"], "template": {**manifest["spec"]["template"], "data": None, "immutable": None}}
    assert emitted(write(tmp_path / "s.yaml", theirs)) == [manifest]


def test_templates_over_sealed_values_count_as_keys(tmp_path: Path):
    manifest = sealed()
    del manifest["spec"]["encryptedData"]["redis-password"]
    manifest["spec"]["template"]["data"] = {"redis-password": '{{ index . "redis-pubsub-password" }}'}
    assert emitted(write(tmp_path / "s.yaml", manifest))[0]["spec"] == manifest["spec"]


def test_optional_secrets_and_keys_may_be_missing(complete: list[dict[str, Any]], tmp_path: Path):
    there = [m for m in complete if m["metadata"]["name"] not in ("monitoring-credentials", "object-storage-credentials")]
    assert emitted(write(tmp_path / "s.yaml", *there), without=()) == there


def test_a_key_that_is_not_there_yet(tmp_path: Path):
    manifest = sealed()
    del manifest["spec"]["encryptedData"]["redis-password"]
    path = write(tmp_path / "s.yaml", manifest)
    assert emitted(path, without=[*REST, "redis-credentials/redis-password"]) == [manifest]


def test_beside_sealed_values_nothing_is_secret_material(tmp_path: Path):
    (manifest,) = emitted(write(tmp_path / "in.yaml", sealed()))
    values = manifest["spec"].pop("encryptedData")
    assert_no_secret_material(write(tmp_path / "s.k8s.yaml", manifest))
    assert all(looks_sealed(value) for value in values.values())


def test_synth_neither_seals_nor_needs_what_sealing_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = write(tmp_path / "s.yaml", sealed())
    monkeypatch.setattr("sos_constructs.secrets.sealing.seal", None)
    assert emitted(path) == emitted(path)


def without_namespace(manifest: dict[str, Any]) -> dict[str, Any]:
    return {**manifest, "metadata": {"name": manifest["metadata"]["name"]}}


def of_type(manifest: dict[str, Any], type: str) -> dict[str, Any]:
    return {**manifest, "spec": {**manifest["spec"], "template": {"type": type}}}


def with_value(manifest: dict[str, Any], value: object) -> dict[str, Any]:
    return {**manifest, "spec": {**manifest["spec"], "encryptedData": {**manifest["spec"]["encryptedData"], "redis-password": value}}}


PLAIN = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "redis-credentials"}, "data": {"redis-password": "YzRuNHJ5"}}


@pytest.mark.parametrize(
    ("manifests", "message"),
    [
        ([], "is empty"),
        ([PLAIN], "holds Secret redis-credentials unsealed; rotate its values"),
        ([{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}], "holds a ConfigMap a; it must hold nothing but SealedSecrets"),
        ([{**sealed(), "apiVersion": "bitnami.com/v2"}], "nothing but SealedSecrets of bitnami.com/v1alpha1"),
        ([{**sealed(), "spec": None}], "spec of SealedSecret redis-credentials is not a mapping"),
        ([{**sealed(), "metadata": {"name": "redis-credential", "namespace": "sos-app"}}], r"not in the catalogue \(did you mean 'redis-credentials'\?\)"),
        ([sealed(), sealed()], "holds SealedSecret redis-credentials, which is also in .*; keep one"),
        ([{**sealed(), "spec": {"encryptedData": {}}}], "lacks redis-password, redis-pubsub-password of redis-credentials; seal them with --merge-into"),
        ([with_value(sealed(), "c4n4ry")], "value of redis-credentials/redis-password that is not sealed; rotate it"),
        ([with_value(sealed(), 7)], "redis-credentials/redis-password is not a sealed value"),
        ([of_type(sealed(), "kubernetes.io/tls")], "makes redis-credentials of type kubernetes.io/tls; it must be Opaque"),
        ([without_namespace(sealed())], "has no namespace for redis-credentials"),
        ([sealed(namespace="staging")], "SealedSecret redis-credentials' is for namespace staging, but the chart's is sos-app"),
    ],
)
def test_files_that_are_refused(manifests: list[Any], message: str, tmp_path: Path):
    path = write(tmp_path / "s.yaml", *manifests) if manifests else tmp_path / "s.yaml"
    path.touch()
    with pytest.raises(ValueError, match=message) as error:
        emitted(path)
    assert str(error.value).startswith("c/secrets: ")
    assert "c4n4ry" not in str(error.value)
    assert "YzRuNHJ5" not in str(error.value)


@pytest.mark.parametrize(
    ("without", "message"),
    [
        ((), "has no SealedSecret postgres-credentials; seal one with sosctl secrets seal, or add it to without="),
        ({*REST, "redis"}, "without='redis' is no secret and no secret/key of the catalogue"),
        ({*REST, "redis-credentials/redis-pasword"}, r"did you mean 'redis-credentials/redis-password'"),
        (BY_NAME, "without='redis-credentials' is sealed in .*; remove one of the two"),
    ],
)
def test_what_is_knowingly_left_out_must_be_true(without: Any, message: str, tmp_path: Path):
    with pytest.raises(ValueError, match=message):
        emitted(write(tmp_path / "s.yaml", sealed()), without=without)


def test_a_path_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(ValueError, match="nothing' cannot be read: No such file"):
        emitted(tmp_path / "nothing")
    with pytest.raises(ValueError, match=r"has no .yaml file in it"):
        emitted(tmp_path)
    (tmp_path / "s.yaml").write_bytes(b"\xff")
    with pytest.raises(ValueError, match="is not text"):
        emitted(tmp_path / "s.yaml")
    (tmp_path / "s.yaml").write_text("a: b: c4n4ry")
    with pytest.raises(ValueError, match=r"s\.yaml' not YAML \(line 1, column 5\)"):
        emitted(tmp_path / "s.yaml")
    monkeypatch.setitem(__import__("sys").modules, "yaml", None)
    with pytest.raises(ValueError, match="cannot be read without PyYAML: pip install"):
        emitted(tmp_path / "s.yaml")


def test_a_cluster_wide_secret_goes_where_the_chart_goes(tmp_path: Path):
    manifest = sealed_secret(StoredSecret("redis-credentials", values={"redis-password": b"a", "redis-pubsub-password": b"b"}), KEY.public_key(), namespace="x")
    manifest = without_namespace(manifest)
    manifest["metadata"]["annotations"] = {"sealedsecrets.bitnami.com/cluster-wide": "true"}
    assert emitted(write(tmp_path / "s.yaml", manifest))[0]["metadata"]["namespace"] == "sos-app"


def test_reading_gives_what_yaml_gives(tmp_path: Path):
    path = write(tmp_path / "s.yaml", sealed())
    assert list(yaml.safe_load_all(path.read_text())) == emitted(path)
