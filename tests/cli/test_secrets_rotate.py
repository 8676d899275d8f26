"""`sosctl secrets plan` and `rotate`: on the cluster, in a file and in a sealed file; what they refuse, and that nothing is lost or shown."""

from __future__ import annotations

import base64
import json
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sos_constructs.cli import store as cli_store
from sos_constructs.cli.app import app
from sos_constructs.secrets import ages

import pytest
import yaml
from typer.testing import CliRunner

from tests.cli.conftest import Cluster, manifest
from tests.secrets.controller import certificate, unseal

CANARY = "c4n4ry-old-value-4b1f6d2e9a"
TWO = "c4n4ry-other-value-77c0"
NOW = datetime.now(UTC)


def encoded(value: str) -> str:
    return base64.b64encode(value.encode()).decode()


def redis(*, days: int | None = 100, **more: Any) -> dict[str, Any]:
    document = manifest(**{"redis-password": encoded(CANARY), "redis-pubsub-password": encoded(TWO)})
    times = {} if days is None else dict.fromkeys(document["data"], NOW - timedelta(days=days))
    document["metadata"] |= {"annotations": ages.annotation(times), "resourceVersion": "7"} | more
    return document


def sosctl(*arguments: str, stdin: str = ""):
    result = CliRunner().invoke(app, ["secrets", *arguments], input=stdin)
    assert "c4n4ry" not in result.output
    assert encoded(CANARY)[:20] not in result.output
    assert "Traceback" not in result.output
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result


def put(cluster: Cluster, *manifests: dict[str, Any]) -> None:
    cluster.apply(yaml.safe_dump_all(manifests))


def workloads(cluster: Cluster) -> None:
    env = [{"name": "P", "valueFrom": {"secretKeyRef": {"name": "redis-credentials", "key": "redis-password"}}}]
    pod = {"template": {"spec": {"containers": [{"name": "c", "env": env}]}}}
    (cluster.folder / "workloads").write_text(json.dumps({"kind": "List", "items": [{"kind": "Deployment", "metadata": {"name": "auth"}, "spec": pod}]}))


def test_the_plan_of_a_cluster(cluster: Cluster):
    put(cluster, redis())
    workloads(cluster)
    result = sosctl("plan")
    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        "  1. redis-credentials/redis-password: change it; 100 days old, every 90; restarts deployment/auth",
        "  2. redis-credentials/redis-pubsub-password: change it; 100 days old, every 90; no workload here uses it",
        "2 due",
    ]


def test_the_plan_needs_no_right_to_see_workloads(cluster: Cluster):
    put(cluster, redis())
    assert "what it restarts is not known (cluster (context kind-sos, namespace sos-app): Error from server (Forbidden)" in sosctl("plan").stdout


def test_nothing_is_due(cluster: Cluster):
    put(cluster, redis(days=60))
    result = sosctl("plan")
    assert (result.exit_code, result.stdout) == (0, f"0 due, the next on {NOW + timedelta(days=30):%Y-%m-%d}\n")
    assert sosctl("plan", "--within", "31").exit_code == 1
    assert sosctl("plan", "--within", "31", "--only", "jwt-secrets").exit_code == 0


def test_an_empty_namespace_has_nothing_due(cluster: Cluster):
    assert sosctl("plan").exit_code == 0


def test_the_plan_of_a_file(tmp_path: Path):
    path = tmp_path / "s.yaml"
    path.write_text(yaml.safe_dump(redis(days=None)))
    result = sosctl("plan", "--file", str(path))
    assert result.stdout.splitlines()[0] == "  1. redis-credentials/redis-password: change it; age not known; what it restarts: see --workloads"


def test_rotate_on_the_cluster(cluster: Cluster):
    put(cluster, redis())
    result = sosctl("rotate", "redis-credentials", "--key", "redis-password")
    assert result.exit_code == 0, result.output
    data = cluster.data()["redis-credentials"]
    assert data["redis-password-previous"] == encoded(CANARY)
    assert data["redis-password"] != encoded(CANARY)
    assert data["redis-pubsub-password"] == encoded(TWO)
    assert "redis-password: has a new value; the old one stays as redis-password-previous until" in result.stderr
    stored = json.loads((cluster.folder / "store").read_text())["redis-credentials"]
    assert stored["metadata"]["resourceVersion"] == "7", "a change in between would be seen"
    assert "c4n4ry" not in (cluster.folder / "calls").read_text()
    assert data["redis-password"] not in (cluster.folder / "calls").read_text()
    again = sosctl("rotate", "redis-credentials", "--key", "redis-password")
    assert again.exit_code == 2
    assert "redis-password: change it not before" in again.stderr
    assert cluster.data()["redis-credentials"] == data


def test_previous_values_are_retired_when_nobody_needs_them(cluster: Cluster):
    document = redis(days=2)
    document["data"]["redis-password-previous"] = encoded("old")
    put(cluster, document)
    assert sosctl("rotate", "redis-credentials", "--retire", "--overlap", "7").exit_code == 2
    result = sosctl("rotate", "redis-credentials", "--retire")
    assert (result.exit_code, result.stderr) == (0, "redis-credentials/redis-password: redis-password-previous removed\n")
    assert set(cluster.data()["redis-credentials"]) == {"redis-password", "redis-pubsub-password"}
    assert "has no previous value to retire" in sosctl("rotate", "redis-credentials", "--retire").stderr


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ("Error from server (Conflict): the object has been modified", "redis-credentials was changed meanwhile; run the command again – nothing was changed."),
        ("Error from server (Forbidden): secrets is forbidden", "redis-credentials you may not update it – nothing was changed."),
        ("Error from server (Invalid): Secret is invalid: ", "redis-credentials was refused (Invalid) – nothing was changed."),
        ("Error from server (Timeout): ", "whether it was changed is not known, sosctl secrets plan shows it."),
        ("Unable to connect to the server", "whether it was changed is not known"),
    ],
)
def test_a_cluster_that_refuses(cluster: Cluster, message: str, told: str):
    put(cluster, redis())
    cluster.refuses(message)
    result = sosctl("rotate", "redis-credentials")
    assert result.exit_code == 2
    assert told in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_rotate_in_a_file(tmp_path: Path):
    path = tmp_path / "s.yaml"
    other = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"x": "y"}}
    path.write_text(yaml.safe_dump_all([other, redis()]))
    assert sosctl("rotate", "redis-credentials", "--file", str(path)).exit_code == 0
    first, second = yaml.safe_load_all(path.read_text())
    assert first == other
    assert second["data"]["redis-password-previous"] == encoded(CANARY)
    assert second["data"]["redis-pubsub-password-previous"] == encoded(TWO)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert sosctl("plan", "--file", str(path)).exit_code == 0


def test_rotate_in_a_sealed_file(tmp_path: Path):
    (tmp_path / "cert.pem").write_text(certificate())
    cert = ("--certificate", str(tmp_path / "cert.pem"))
    path = tmp_path / "sealed.yaml"
    assert sosctl("seal", "-", *cert, "-o", str(path), stdin=yaml.safe_dump(redis())).exit_code == 0
    assert sosctl("plan", "--file", str(path)).stdout.endswith("2 due\n")
    (before,) = yaml.safe_load_all(path.read_text())
    result = sosctl("rotate", "redis-credentials", "--key", "redis-password", "--file", str(path), *cert)
    assert result.exit_code == 0, result.output
    (after,) = yaml.safe_load_all(path.read_text())
    values, old = after["spec"]["encryptedData"], before["spec"]["encryptedData"]
    assert values["redis-password-previous"] == old["redis-password"]
    assert values["redis-pubsub-password"] == old["redis-pubsub-password"]
    assert len(unseal(values["redis-password"], "sos-app/redis-credentials")) == 40
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert sosctl("plan", "--file", str(path)).stdout.startswith("  1. redis-credentials/redis-pubsub-password")
    for _ in range(2):  # staging and using keys that a sealed file has never shown
        assert sosctl("rotate", "redis-credentials", "--key", "redis-pubsub-password", "--force", "--file", str(path), *cert).exit_code == 0


def test_an_issued_value_is_put_in_from_a_file(cluster: Cluster, tmp_path: Path):
    put(cluster, manifest("external-api-keys", **{"sendgrid-api-key": encoded(CANARY)}))
    refused = sosctl("rotate", "external-api-keys", "--key", "sendgrid-api-key")
    assert refused.exit_code == 2
    assert "is issued elsewhere. Have a new one issued: SendGrid → Settings" in refused.stderr
    new = "SG.q8Rz3LmX7vTb2KwY5nHc9J.dF4sGp6ZaE1uQoViN0q8Rz3LmX7vTb2KwY5nHc9J"
    result = sosctl("rotate", "external-api-keys", "--key", "sendgrid-api-key", "--value-from", "-", stdin=new + "\n")
    assert result.exit_code == 0, result.output
    assert new not in result.output
    assert cluster.data()["external-api-keys"] == {"sendgrid-api-key": encoded(new)}
    assert sosctl("plan").exit_code == 0
    wrong = sosctl("rotate", "external-api-keys", "--key", "sendgrid-api-key", "--value-from", "-", stdin=CANARY)
    assert "standard input: sendgrid-api-key does not look like one" in wrong.stderr


@pytest.mark.parametrize(
    ("document", "arguments", "message"),
    [
        (redis(), ("redis",), "redis: no such secret"),
        (redis(), ("redis-credentials", "--key", "redis-pasword"), "has no key redis-pasword (did you mean 'redis-password'?)"),
        (redis(), ("kafka-credentials",), "cluster: kafka-credentials is not there in namespace sos-app"),
        (redis(), ("redis-credentials", "--value-from", "-"), "--value-from is for one key"),
        (redis(), ("redis-credentials", "--key", "redis-password", "--value-from", "-"), "is not issued by anyone; leave out --value-from"),
        (redis(), ("redis-credentials", "--retire"), "has no previous value to retire"),
        (
            redis(ownerReferences=[{"kind": "ExternalSecret", "name": "redis"}]),
            ("redis-credentials",),
            "there is no externalsecret redis-credentials in namespace",
        ),
        (redis(ownerReferences=[{"kind": "SealedSecret", "name": "redis"}]), ("redis-credentials",), "is written by SealedSecret redis; rotate it in its file"),
        (redis(), ("redis-credentials", "--versions", "v.yaml"), "is no copy of a document in a store; leave it out"),
        ({**redis(), "immutable": True}, ("redis-credentials",), "is immutable"),
        (manifest("oauth-credentials", **{"apple-oauth-key-id": "QQ=="}), ("oauth-credentials",), "has no value that we can make"),
        (manifest("jwt-secrets", **{"jwt-private-key": "QQ=="}), ("jwt-secrets", "--key", "jwt-private-key"), "jwt-public-key: is not there"),
        (manifest("jwt-secrets", **{"jwt-public-key": "QQ=="}), ("jwt-secrets", "--key", "jwt-public-key"), "is computed from jwt-private-key; rotate that"),
    ],
)
def test_what_is_refused_changes_nothing(cluster: Cluster, document: dict[str, Any], arguments: tuple[str, ...], message: str):
    put(cluster, document)
    before = (cluster.folder / "store").read_text()
    result = sosctl("rotate", *arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert (cluster.folder / "store").read_text() == before


def copied(cluster: Cluster, document: str, message: str, *, ready: str = "True", version: str = "") -> None:
    """The Secret as a copy of a document in AWS, and what the operator says of it."""
    marked = redis()
    marked["metadata"]["labels"] = {"reconcile.external-secrets.io/managed": "true"}
    put(cluster, marked)
    extract = {"key": document} | ({"version": version} if version else {})
    status = {"conditions": [{"type": "Ready", "status": ready, "message": message}], "syncedResourceVersion": "1-a"}
    spec = {"secretStoreRef": {"kind": "SecretStore", "name": "sos"}, "dataFrom": [{"extract": extract}]}
    store = json.loads((cluster.folder / "store").read_text())
    store["externalsecret/redis-credentials"] = {"kind": "ExternalSecret", "metadata": {"name": "redis-credentials"}, "spec": spec, "status": status}
    store["secretstore/sos"] = {"kind": "SecretStore", "metadata": {"name": "sos"}, "spec": {"provider": {"aws": {}}}}
    (cluster.folder / "store").write_text(json.dumps(store))


@pytest.mark.parametrize(
    ("document", "options", "arguments", "message"),
    [
        ("a/redis", {"ready": "False"}, (), "the store was not read within 0 seconds: could not get provider client – nothing was changed"),
        ("a/redis-v3", {}, (), "is pinned to document a/redis-v3; name the file that says so with --versions FILE"),
        ("a/redis", {"version": "uuid/x"}, (), "is pinned to the store's version uuid/x; write the new one there"),
    ],
    ids=["unreachable", "pinned", "pinned by the store"],
)
def test_a_store_that_cannot_be_written(
    cluster: Cluster, document: str, options: dict[str, str], arguments: tuple[str, ...], message: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(cli_store, "WAIT_SECONDS", 0)
    copied(cluster, document, "could not\n get provider client", **options)
    before = (cluster.folder / "store").read_text()
    result = sosctl("rotate", "redis-credentials", *arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert (cluster.folder / "store").read_text() == before


def test_previous_values_of_unknown_age_are_kept(cluster: Cluster):
    document = redis(days=None)
    document["data"]["redis-password-previous"] = encoded("old")
    put(cluster, document)
    result = sosctl("rotate", "redis-credentials", "--key", "redis-password")
    assert "redis-credentials/redis-password: since when it has this value is not known" in result.stderr
    assert cluster.data()["redis-credentials"]["redis-password-previous"] == encoded("old")
    assert sosctl("rotate", "redis-credentials", "--key", "redis-password", "--force").exit_code == 0
    assert cluster.data()["redis-credentials"]["redis-password-previous"] == encoded(CANARY)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        (f"a: b: {CANARY}", "not YAML"),
        ("kind: ConfigMap\nmetadata: {name: a}\n", "there is no Secret and no SealedSecret in it"),
        ("kind: Secret\ndata: {}\n", "an object has no metadata.name"),
        (yaml.safe_dump_all([redis(), redis()]), "redis-credentials is there twice; keep one"),
    ],
)
def test_files_that_cannot_be_worked_with(tmp_path: Path, text: str, message: str):
    path = tmp_path / "s.yaml"
    path.write_text(text)
    result = sosctl("rotate", "redis-credentials", "--file", str(path))
    assert result.exit_code == 2
    assert message in result.stderr
    assert path.read_text() == text
    assert "No such file" in sosctl("plan", "--file", str(tmp_path / "nothing")).stderr


def test_a_full_disk_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "s.yaml"
    path.write_text(yaml.safe_dump(redis()))
    before = path.read_bytes()

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    result = sosctl("rotate", "redis-credentials", "--file", str(path))
    assert "No space left on device – nothing was changed" in result.stderr
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["s.yaml"]


def test_plain_secrets_under_dist_are_not_touched(tmp_path: Path):
    (tmp_path / "dist").mkdir()
    path = tmp_path / "dist" / "s.yaml"
    path.write_text(yaml.safe_dump(redis()))
    assert "is under dist/" in sosctl("rotate", "redis-credentials", "--file", str(path)).stderr
