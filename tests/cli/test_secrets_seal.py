"""`sosctl secrets seal`: new files, one value later, and nothing half-written."""

from __future__ import annotations

import base64
import stat
from pathlib import Path
from typing import Any

from sos_constructs.cli.app import app

import pytest
import yaml
from typer.testing import CliRunner

from tests.cli.conftest import Cluster, manifest
from tests.secrets.controller import certificate, unseal

ONE, TWO = "c4n4ry-one", "c4n4ry-two"


def encoded(value: str) -> str:
    return base64.b64encode(value.encode()).decode()


def plain(**values: str) -> str:
    return yaml.safe_dump(manifest(**{key: encoded(value) for key, value in values.items()}))


BOTH = plain(**{"redis-password": ONE, "redis-pubsub-password": TWO})


@pytest.fixture
def cert(tmp_path: Path) -> str:
    (tmp_path / "cert.pem").write_text(certificate())
    return str(tmp_path / "cert.pem")


def seal(text: str, *arguments: str):
    result = CliRunner().invoke(app, ["secrets", "seal", "-", *arguments], input=text)
    assert "c4n4ry" not in result.output
    assert encoded(ONE) not in result.output
    assert "Traceback" not in result.output
    return result


def opened(text: str, label: str = "sos-app/redis-credentials") -> dict[str, str]:
    (document,) = yaml.safe_load_all(text)
    return {key: unseal(value, label).decode() for key, value in document["spec"]["encryptedData"].items()}


def test_to_standard_output(cert: str):
    result = seal(BOTH, "--certificate", cert)
    assert result.exit_code == 0
    assert opened(result.stdout) == {"redis-password": ONE, "redis-pubsub-password": TWO}
    assert result.stderr == "2 values of redis-credentials sealed\n"


@pytest.mark.parametrize(("scope", "label"), [("strict", "sos-app/redis-credentials"), ("namespace-wide", "sos-app"), ("cluster-wide", "")])
def test_scopes(cert: str, scope: str, label: str):
    assert opened(seal(BOTH, "--certificate", cert, "--scope", scope).stdout, label)["redis-password"] == ONE


def test_a_new_file_may_be_read_by_all_and_is_not_overwritten(cert: str, tmp_path: Path):
    out = tmp_path / "sealed.yaml"
    assert seal(BOTH, "--certificate", cert, "-o", str(out)).exit_code == 0
    assert stat.S_IMODE(out.stat().st_mode) == 0o644
    assert opened(out.read_text())["redis-password"] == ONE
    before = out.read_bytes()
    result = seal(BOTH, "--certificate", cert, "-o", str(out))
    assert (result.exit_code, out.read_bytes()) == (2, before)
    assert f"exists; keep its other values with --merge-into {out}" in result.stderr


def test_one_key_is_sealed_anew_and_the_others_stay(cert: str, tmp_path: Path):
    out = tmp_path / "sealed.yaml"
    seal(BOTH, "--certificate", cert, "-o", str(out))
    out.chmod(0o640)
    (before,) = yaml.safe_load_all(out.read_text())
    changed = plain(**{"redis-password": "new", "redis-pubsub-password": "ignored"})
    result = seal(changed, "--certificate", cert, "--key", "redis-password", "--merge-into", str(out))
    assert result.exit_code == 0, result.output
    assert opened(out.read_text()) == {"redis-password": "new", "redis-pubsub-password": TWO}
    (after,) = yaml.safe_load_all(out.read_text())
    assert after["spec"]["encryptedData"]["redis-pubsub-password"] == before["spec"]["encryptedData"]["redis-pubsub-password"]
    assert stat.S_IMODE(out.stat().st_mode) == 0o640
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_merge_takes_the_files_scope_and_adds_secrets_at_the_end(cert: str, tmp_path: Path):
    out = tmp_path / "sealed.yaml"
    seal(BOTH, "--certificate", cert, "--scope", "namespace-wide", "-o", str(out))
    assert seal(plain(**{"redis-password": "new"}), "--certificate", cert, "--merge-into", str(out)).exit_code == 0
    assert opened(out.read_text(), "sos-app")["redis-password"] == "new"
    kafka = yaml.safe_dump(manifest("kafka-credentials", **{"kafka-sasl-password": encoded("k")}))
    assert seal(kafka, "--certificate", cert, "--merge-into", str(out)).exit_code == 0
    assert [d["metadata"]["name"] for d in yaml.safe_load_all(out.read_text())] == ["redis-credentials", "kafka-credentials"]
    result = seal(BOTH, "--certificate", cert, "--scope", "strict", "--merge-into", str(out))
    assert "redis-credentials: has scope namespace-wide in the file and strict now" in result.stderr


def test_the_certificate_is_asked_of_the_controller(cluster: Cluster):
    (cluster.folder / "certificate").write_text(certificate())
    result = seal(BOTH, "--controller", "sealed/ctl")
    assert result.exit_code == 0, result.stderr
    assert opened(result.stdout)["redis-password"] == ONE
    assert "/api/v1/namespaces/sealed/services/http:ctl:8080/proxy/v1/cert.pem" in cluster.calls()[-1]


def test_secrets_that_name_no_namespace(cert: str):
    document = manifest(**{"redis-password": encoded(ONE)})
    del document["metadata"]["namespace"]
    assert opened(seal(yaml.safe_dump(document), "--certificate", cert, "-n", "staging").stdout, "staging/redis-credentials") == {"redis-password": ONE}


def invalid(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "expired.pem").write_text(certificate(days=-1))
    (tmp_path / "other.yaml").write_text("kind: ConfigMap\nmetadata: {name: a}\n")
    return {"expired": str(tmp_path / "expired.pem"), "other": str(tmp_path / "other.yaml"), "cert": str(tmp_path / "cert.pem")}


@pytest.mark.parametrize(
    ("text", "arguments", "message"),
    [
        (BOTH, "--certificate {expired}", "expired.pem: expired on "),
        (BOTH, "--certificate nowhere.pem", "nowhere.pem: No such file or directory"),
        (BOTH, "--certificate {other}", "other.yaml: is not a certificate in PEM form"),
        (BOTH, "--controller nonsense", "--controller nonsense: must be NAMESPACE/NAME"),
        (BOTH, "--certificate {cert} --key redis-pasword", "standard input: has no key redis-pasword (did you mean 'redis-password'?)"),
        (BOTH, "--certificate {cert} --only redis-credential", "--only redis-credential: no such secret (did you mean 'redis-credentials'?)"),
        (BOTH, "--certificate {cert} --merge-into {other}", "other.yaml: holds something else than SealedSecrets"),
        (BOTH, "--certificate {cert} --merge-into nowhere.yaml", "nowhere.yaml: No such file or directory"),
        (BOTH, "--certificate {cert} --merge-into {other} -o x.yaml", "--merge-into writes its own file; leave out --output"),
        (BOTH, "--certificate {cert} -o nowhere/x.yaml", "nowhere/x.yaml: No such file or directory"),
        (BOTH, "--certificate {cert} --only kafka-credentials", "standard input: has none of the platform's Secrets"),
        ("", "--certificate {cert}", "standard input: is empty"),
        (f"a: b: {ONE}", "--certificate {cert}", "standard input: not YAML (line 1, column 5)"),
        (yaml.safe_dump(manifest(**{"redis-password": "<base64 of it>"})), "--certificate {cert}", "redis-credentials/redis-password is not filled in"),
        (yaml.safe_dump(manifest(**{"redis-password": ONE})), "--certificate {cert}", "redis-credentials/redis-password is not base64"),
    ],
)
def test_bad_input_is_one_line_and_nothing_is_written(text: str, arguments: str, message: str, cert: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    files = invalid(tmp_path)
    monkeypatch.chdir(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    result = seal(text, *arguments.format(**files).split())
    assert result.exit_code == 2
    assert result.stdout == ""
    assert message in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_controller_that_does_not_answer(cluster: Cluster):
    cluster.fails('Error from server (NotFound): services "sealed-secrets-controller" not found')
    result = seal(BOTH)
    assert result.exit_code == 2
    assert "certificate of controller kube-system/sealed-secrets-controller: Error from server (NotFound)" in result.stderr


def test_a_full_disk_leaves_the_old_file(cert: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    out = tmp_path / "sealed.yaml"
    seal(BOTH, "--certificate", cert, "-o", str(out))
    before = out.read_bytes()

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    result = seal(BOTH, "--certificate", cert, "--merge-into", str(out))
    assert (result.exit_code, out.read_bytes()) == (2, before)
    assert "No space left on device – nothing was written" in result.stderr
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
