"""What each source emits, and that no template can be taken for credentials."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from sos_constructs.secrets import ExistingSecrets, ExternalSecrets, KubernetesStore, SealedSecrets, SecretSource, SosSecrets, TemplateSecrets
from sos_constructs.secrets.catalogue import SECRETS
from sos_constructs.secrets.check import check
from sos_constructs.secrets.forms import FORMS, placeholder
from sos_constructs.secrets.stored import decode, read, select

import cdk8s
import pytest
import yaml

from tests.secret_scan import assert_no_secret_material, is_placeholder
from tests.secrets.test_sealed import sealed, write

SOURCES: dict[str, Callable[[Path], SecretSource]] = {
    "existing": lambda folder: ExistingSecrets(),
    "template": lambda folder: TemplateSecrets(),
    "external": lambda folder: ExternalSecrets(store=KubernetesStore(namespace="sos-store"), bootstrap=True),
    "sealed": lambda folder: SealedSecrets(write(folder / "sealed.yaml", *(sealed(secret.name) for secret in SECRETS))),
}


@pytest.fixture
def template(tmp_path):
    """The synthesized template file."""
    app = cdk8s.App(outdir=str(tmp_path))
    chart = cdk8s.Chart(app, "secrets-template", namespace="sos-app", disable_resource_name_hashes=True)
    SosSecrets(chart, "secrets", source=TemplateSecrets())
    app.synth()
    return tmp_path / "secrets-template.k8s.yaml"


def test_existing_secrets_are_not_emitted():
    chart = cdk8s.Testing.chart()
    assert len(SosSecrets(chart, "secrets").objects) == 0
    assert cdk8s.Testing.synth(chart) == []


@pytest.mark.parametrize("source", SOURCES)
def test_consumers_see_the_same_whatever_the_source(source, tmp_path):
    secrets = SosSecrets(cdk8s.Testing.chart(), "secrets", source=SOURCES[source](tmp_path))
    for secret in SECRETS:
        handle = getattr(secrets, secret.attribute)
        assert (handle.name, handle.keys) == (secret.name, {row.key: row.env for row in secret.keys})
        assert handle.optional == {row.key for row in secret.keys if row.optional}


def test_the_template_has_every_key_of_every_secret(template):
    documents = list(yaml.safe_load_all(template.read_text()))
    assert [d["metadata"]["name"] for d in documents] == [secret.name for secret in SECRETS]
    for document, secret in zip(documents, SECRETS, strict=True):
        assert document["data"] == {row.key: placeholder(row) for row in secret.keys if row.origin != "ring"}
        assert list(document["data"]) == sorted(document["data"])
        assert (document["kind"], document["type"], document["metadata"]["namespace"]) == ("Secret", secret.type, "sos-app")
        assert "stringData" not in document


def test_the_api_server_refuses_every_value_of_the_template(template):
    for document in yaml.safe_load_all(template.read_text()):
        for key, value in document["data"].items():
            assert decode(value) is None, key
            assert is_placeholder(value), key


def test_the_template_file_holds_no_secret_material(template):
    assert_no_secret_material(template)


def test_a_placeholder_can_be_copied_into_a_shell_as_it_stands_in_the_file(template):
    lines = [line for line in template.read_text().splitlines() if "<base64 of" in line]
    assert len(lines) == sum(row.origin != "ring" for secret in SECRETS for row in secret.keys), "one line each"
    assert not any("\\" in line for line in lines), "YAML would double a backslash"


def test_an_unfilled_template_is_all_placeholders_to_the_check(template, now):
    stored = select(read(template.read_text(), "template"), [s.name for s in SECRETS], "template")
    findings = [f for f in check(stored, now=now) if f.key]
    assert {f.problem for f in findings} == {"placeholder"}
    assert len(findings) == sum(row.origin != "ring" for secret in SECRETS for row in secret.keys)


@pytest.mark.skipif(not shutil.which("openssl"), reason="no openssl on this machine: apt-get install openssl")
def test_the_commands_in_the_template_make_values_that_pass_the_check(tmp_path, now):
    secrets = {}
    for name in ("postgres-credentials", "mongodb-credentials", "jwt-secrets", "encryption-keys"):
        secret = next(s for s in SECRETS if s.name == name)
        rows = [row for row in secret.keys if row.origin in ("fixed", "generated", "derived")]
        commands = [placeholder(row).split(": ", 1)[1].rstrip(">") for row in rows]
        script = "\n".join(f"({command}) 2>/dev/null; echo" for command in commands)
        lines = subprocess.run(["sh", "-euc", script], cwd=tmp_path, capture_output=True, text=True, check=True).stdout.splitlines()
        secrets[name] = {"kind": "Secret", "metadata": {"name": name}, "data": dict(zip([row.key for row in rows], lines, strict=True))}
    stored = select(read(yaml.safe_dump_all(secrets.values()), "filled in"), secrets, "filled in")
    assert check(stored, now=now, only=list(secrets)) == []


@pytest.mark.parametrize("row", [row for secret in SECRETS for row in secret.keys if row.origin in ("generated", "derived")], ids=lambda row: row.key)
def test_what_can_be_made_has_a_command(row):
    assert FORMS[row.form].command


@pytest.mark.parametrize("place", ["before", "after"])
def test_templates_share_their_chart_with_nothing(tmp_path, place):
    app = cdk8s.App(outdir=str(tmp_path))
    chart = cdk8s.Chart(app, "mixed")
    if place == "before":
        cdk8s.ApiObject(chart, "other", api_version="v1", kind="ConfigMap")
    SosSecrets(chart, "secrets", source=TemplateSecrets())
    if place == "after":
        cdk8s.ApiObject(chart, "other", api_version="v1", kind="ConfigMap")
    with pytest.raises(RuntimeError, match=r"TemplateSecrets\(\) needs a chart of its own, but this one also holds mixed/other"):
        app.synth()


def test_existing_secrets_share_their_chart_with_anything(tmp_path):
    app = cdk8s.App(outdir=str(tmp_path))
    chart = cdk8s.Chart(app, "mixed")
    cdk8s.ApiObject(chart, "other", api_version="v1", kind="ConfigMap")
    SosSecrets(chart, "secrets")
    app.synth()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", b""), ("YQ==", b"a"), ("YWI=", b"ab"), ("YWJj", b"abc"), ("YR==", b"a"), ("Y\nQ==", b"a"), ("YQ=\r\n=\n", b"a"),
        ("YQ", None), ("YQ=", None), ("=", None), ("==", None), ("Y===", None), ("YQ==YQ==", None), ("YQ==a", None), ("Y Q==", None), (" YQ==", None),
        ("YQ==\t", None), ("-_-_", None), ("<YQ==", None), ("é===", None),
    ],
)  # fmt: skip
def test_base64_is_read_as_the_api_server_reads_it(text, value):
    """Each case as Go's base64.StdEncoding.DecodeString answers it."""
    assert decode(text) == value
