"""The scan of dist/ would find secret material if there were any."""

from __future__ import annotations

from datetime import UTC, datetime

from sos_constructs.secrets.generate import generate
from sos_constructs.secrets.stored import dump

import pytest
import yaml

from tests.secret_scan import assert_no_secret_material, detected, secret_material

TOKEN = "q8Rz3LmX7vTb2KwY5nHc9JdF4sGp6ZaE"
HARMLESS = {
    "kind": "ConfigMap",
    "metadata": {"name": "c", "annotations": {"sos.io/checksum": "0123456789abcdef" * 4}},
    "data": {
        "image": "example.org/postgres@sha256:" + "0123456789abcdef" * 4,
        "dsn": "postgresql://auth:$(AUTH_DB_PASSWORD)@postgres-service:5432/auth",
        "url": "https://postgres-service.sos-app.svc.cluster.local:8008/liveness",
        "PASSWORD_MIN_LENGTH": "8",
        "VOICE_REQUIRES_TOKEN": "false",
        "main.py": "password = read(password_file)\n",
        "file": "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt",
        "field": "requiredDuringSchedulingIgnoredDuringExecution",
        "metric": "pg_stat_replication_pg_wal_lsn_diff_bytes_total",
    },
}


def write(tmp_path, *documents):
    path = tmp_path / "x.k8s.yaml"
    path.write_text(yaml.safe_dump_all(documents))
    return path


def variable(name: str, value: str) -> dict[str, object]:
    return {"kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": [{"env": [{"name": name, "value": value}]}]}}


def text(value: str) -> dict[str, object]:
    return {"kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"file": value}}


def test_harmless_manifests_pass(tmp_path):
    references = [variable("PGPASSFILE_PASSWORD", "/run/pgpass"), variable("DSN", "postgresql://a:$(PASSWORD)@b/c"), variable("PASSWORD", "$(OTHER)")]
    path = write(tmp_path, HARMLESS, None, *references)
    assert secret_material(path) == []
    assert_no_secret_material(write(tmp_path, HARMLESS))


@pytest.mark.parametrize(
    ("document", "finding"),
    [
        ({"kind": "Secret", "metadata": {"name": "s"}, "data": {"k": "YQ=="}}, "Secret/s: k is a value, not a placeholder"),
        ({"kind": "Secret", "metadata": {"name": "s"}, "data": {"k": ""}}, "Secret/s: k is a value, not a placeholder"),
        ({"kind": "Secret", "metadata": {"name": "s"}, "data": {"k": "<YQ=="}}, "Secret/s: k is a value, not a placeholder"),
        ({"kind": "Secret", "metadata": {"name": "s"}, "stringData": {"k": "<x>"}}, "Secret/s: has stringData"),
        (text("-----BEGIN PRIVATE KEY-----\n"), "contains a PEM block"),
        (text("-----BEGIN CERTIFICATE-----\n"), "contains a PEM block"),
        (text("postgresql://auth:hunter2@db/auth"), "contains a URL with a password"),
        (text(f"token: {TOKEN}"), "contains 32 random characters"),
        (text("key: 5f0c9d2e8b7a41635f0c9d2e8b7a4163"), "contains a long hexadecimal number"),
        (variable("DB_PASSWORD", "hunter2"), "variable DB_PASSWORD has a literal value"),
        ({"kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"DB_PASSWORD": "hunter2"}}, "key DB_PASSWORD has a literal value"),
        (variable("SENTRY_DSN", "x"), "variable SENTRY_DSN has a literal value"),
    ],
)
def test_planted_material_is_found(tmp_path, document, finding):
    path = write(tmp_path, HARMLESS, document)
    assert any(finding in found for found in secret_material(path)), secret_material(path)
    with pytest.raises(AssertionError, match="holds secret material"):
        assert_no_secret_material(path)


def test_every_value_of_a_generated_set_is_found(tmp_path):
    manifests = generate({}, now=datetime(2030, 1, 1, tzinfo=UTC), only=["postgres-credentials", "kafka-credentials"]).manifests
    path = tmp_path / "leak.yaml"
    path.write_text(dump(manifests))
    assert len(secret_material(path)) == sum(len(m["data"]) for m in manifests)


def test_detect_secrets_is_at_work(tmp_path):
    path = write(tmp_path, text(f"aws_secret_access_key = '{TOKEN}12345678'"), text("AKIA" + "QRSTUVWXYZ234567"))
    found = " ".join(detected(path))
    assert "AWS Access Key" in found
    assert detected(path, [".*"]) == []


def test_findings_quote_no_value(tmp_path):
    path = write(tmp_path, text(f"token: {TOKEN}"), variable("DB_PASSWORD", TOKEN))
    assert TOKEN not in " ".join([*secret_material(path), *detected(path)])
