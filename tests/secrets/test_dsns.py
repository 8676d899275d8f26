"""Connection URIs that the operator builds, and that they say what `dsn_env` says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from sos_constructs.postgres import HaPostgres, Pooler
from sos_constructs.secrets import AwsSecretsManager, ExternalDsns, ExternalSecrets, SosSecrets

import cdk8s
import pytest

from tests import crds
from tests.conftest import Golden

AWS = AwsSecretsManager(region="eu-central-1")


@pytest.fixture
def chart() -> cdk8s.Chart:
    return cdk8s.Chart(cdk8s.Testing.app(), "x", namespace="sos-app", disable_resource_name_hashes=True)


def build(chart: cdk8s.Chart, source: ExternalSecrets) -> HaPostgres:
    return HaPostgres(chart, "postgres", credentials=SosSecrets(chart, "secrets", source=source).postgres, pooler=Pooler())


def external(chart: cdk8s.Chart, name: str = "postgres-dsns") -> dict[str, Any]:
    (found,) = (m for m in cdk8s.Testing.synth(chart) if m["kind"] == "ExternalSecret" and m["metadata"]["name"] == name)
    return dict(found)


def test_one_uri_per_database_as_in_the_environment(chart: cdk8s.Chart):
    source = ExternalSecrets(store=AWS)
    db = build(chart, source)
    dsns = ExternalDsns(chart, "dsns", source=source, databases=[db.database("auth"), db.database("users").pooled])
    data = external(chart)["spec"]["target"]["template"]["data"]
    for name, handle in (("auth", db.database("auth")), ("users", db.database("users").pooled)):
        (*_, entry) = handle.dsn_env()
        value = re.compile(r'\{\{ index \. "([a-z-]+)" \| urlquery \}\}')
        assert value.sub(lambda key: f"$({key[1].upper().replace('-', '_')})", data[f"{name}-dsn"]) == entry["value"]
    assert dsns.secret.env("auth-dsn", "DATABASE_URL")["valueFrom"] == {"secretKeyRef": {"name": "postgres-dsns", "key": "auth-dsn"}}
    assert dsns.secret.keys == {"auth-dsn": "AUTH_DSN", "users-dsn": "USERS_DSN"}


def test_reviewed_yaml(chart: cdk8s.Chart, golden: Golden):
    source = ExternalSecrets(store=AWS, cluster_store=True)
    db = build(chart, source)
    ExternalDsns(chart, "dsns", source=source, databases=[db.database("auth")], readonly=True, sslmode="require")
    crds.validate_custom_resource(external(chart))
    crds.typed_second_opinion(external(chart))
    golden("secrets/external-dsns", [external(chart)])


def test_they_are_of_the_document_that_is_pinned(chart: cdk8s.Chart, tmp_path: Path):
    (tmp_path / "versions.yaml").write_text("postgres-credentials: 3\n")
    source = ExternalSecrets(store=AWS, versions=tmp_path / "versions.yaml")
    ExternalDsns(chart, "dsns", source=source, databases=[build(chart, source).database("auth")])
    assert external(chart)["spec"]["dataFrom"][0]["extract"]["key"] == "sos-app/postgres-credentials-v3"


def test_the_secret_it_is_made_of_keeps_its_keys(chart: cdk8s.Chart):
    """Its document is written back when it is rotated."""
    source = ExternalSecrets(store=AWS)
    db = build(chart, source)
    before = external(chart, "postgres-credentials")
    ExternalDsns(chart, "dsns", source=source, databases=[db.database("auth")])
    assert external(chart, "postgres-credentials") == before


@pytest.mark.parametrize(
    ("databases", "options", "message"),
    [
        ([], {}, r"x/dsns: databases=\[\] must be at least one"),
        (["auth", "auth"], {}, r"x/dsns: databases=\['auth', 'auth'\] must be different ones"),
        (["auth"], {"name": "A"}, "x/dsns: name='A' must be a DNS-1123 subdomain"),
        (["auth"], {"sslmode": "disable"}, "x/dsns: sslmode='disable' must be one of"),
        (["auth"], {"source": ExternalSecrets(store=AWS, without="postgres-credentials")}, "x/dsns: source='postgres-credentials' is no document of it"),
    ],
)
def test_bad_input_is_told_with_option_value_and_fix(chart: cdk8s.Chart, databases: list[str], options: dict[str, Any], message: str):
    source = ExternalSecrets(store=AWS)
    db = build(chart, source)
    given: dict[str, Any] = {"source": source, "databases": [db.database(name) for name in databases], **options}
    with pytest.raises(ValueError, match=message):
        ExternalDsns(chart, "dsns", **given)
