"""The certificate that the operator makes for a HaPostgres. That it is one, and that a database runs with it, is shown on a cluster."""

from __future__ import annotations

import re
from typing import Any

from sos_constructs.postgres import CertManager, HaPostgres
from sos_constructs.secrets import AwsSecretsManager, ExternalSecrets, KubernetesStore, SosSecrets
from sos_constructs.secrets.catalogue import BY_NAME, SECRETS
from sos_constructs.secrets.servers import pooler_server, postgres_server

import cdk8s
import pytest

AWS, NAMESPACE = AwsSecretsManager(region="eu-central-1"), KubernetesStore(namespace="sos-store")


def manifests(**options: Any) -> dict[tuple[str, str], dict[str, Any]]:
    given: dict[str, Any] = {"store": AWS, "bootstrap": True, **options}
    found = ExternalSecrets(**given).manifests(SECRETS)
    return {(manifest["kind"], manifest["metadata"]["name"]): manifest for manifest in found}


def literal(template: dict[str, Any]) -> str:
    (source,) = template["templateFrom"]
    return str(source["literal"])


def test_with_bootstrap_the_database_that_is_there_by_default_has_a_certificate():
    spec = manifests()["ExternalSecret", "postgres-tls"]["spec"]
    assert spec["dataFrom"][0]["extract"]["key"] == "sos-app/postgres-ca"
    assert spec["refreshInterval"] == "168h0m0s", "a refresh is a renewal"
    template = spec["target"]["template"]
    assert (template["type"], template["mergePolicy"]) == ("kubernetes.io/tls", "Replace"), "Merge would copy the CA's private key"
    text = literal(template)
    assert re.findall(r"^([a-z.]+): ", text, re.MULTILINE) == ["tls.crt", "tls.key", "ca.crt"]
    assert "ca.key" not in text.partition("\n")[2], "the first line signs"


def test_it_is_for_every_name_of_the_database():
    text = literal(manifests()["ExternalSecret", "postgres-tls"]["spec"]["target"]["template"])
    (hosts,) = re.findall(r'\(list ("[^)]+)\)', text)
    assert re.findall('"([^"]+)"', hosts) == list(postgres_server("postgres", "sos-app").hosts)


def test_the_pooler_has_its_own_of_the_same_ca():
    found = manifests()
    database, pooler = (found["ExternalSecret", name]["spec"] for name in ("postgres-tls", "postgres-pooler-tls"))
    assert pooler["dataFrom"] == database["dataFrom"]
    (hosts,) = re.findall(r'\(list ("[^)]+)\)', literal(pooler["target"]["template"]))
    assert re.findall('"([^"]+)"', hosts) == list(pooler_server("postgres", "sos-app").hosts)


@pytest.mark.parametrize(("store", "made"), [(AWS, ("PushSecret", "postgres-ca-bootstrap")), (NAMESPACE, ("ExternalSecret", "sos-app-postgres-ca-bootstrap"))])
def test_a_ca_that_exists_is_kept(store: Any, made: tuple[str, str]):
    spec = manifests(store=store)[made]["spec"]
    text = literal(spec["template"] if "template" in spec else spec["target"]["template"])
    assert "if not (or $certificate $key)" in text, "half a CA is not made whole: the other half would not fit"
    assert re.findall(r"^([a-z.]+): ", text, re.MULTILINE) == ["ca.crt", "ca.key"]
    assert spec.get("updatePolicy", "IfNotExists") == "IfNotExists"


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ({}, ["postgres"]),
        ({"bootstrap": False}, []),
        ({"adopt": True, "bootstrap": False}, []),
        ({"postgres": ()}, []),
        ({"postgres": "orders"}, ["orders"]),
        ({"postgres": ["a", "b"]}, ["a", "b"]),
        ({"postgres": "orders", "bootstrap": False}, ["orders"]),
        ({"without": list(BY_NAME)}, ["postgres"]),
    ],
)
def test_which_databases(options: dict[str, Any], names: list[str]):
    found = manifests(**options)
    assert [name for kind, name in found if kind == "ExternalSecret" and name not in BY_NAME] == [
        f"{name}{whose}-tls" for name in names for whose in ("", "-pooler")
    ]
    made = names if options.get("bootstrap", True) else []
    assert [name for kind, name in found if kind == "PushSecret" and name.endswith("-ca-bootstrap")] == [f"{name}-ca-bootstrap" for name in made]


def test_two_cas_have_two_names():
    found = manifests(postgres=["a", "b"])
    texts = [literal(found["PushSecret", f"{name}-ca-bootstrap"]["spec"]["template"]) for name in ("a", "b")]
    assert [re.findall('genCAWithKey "([^"]+)"', text) for text in texts] == [["a in sos-app"], ["b in sos-app"]]


def test_the_database_finds_what_the_operator_makes():
    chart = cdk8s.Chart(cdk8s.Testing.app(), "x", namespace="sos-app")
    secrets = SosSecrets(chart, "secrets", source=ExternalSecrets(store=AWS, bootstrap=True))
    db = HaPostgres(chart, "postgres", credentials=secrets.postgres)
    assert db.ca is not None
    assert ("ExternalSecret", db.ca.secret) in secrets.objects


def app(folder: Any, **options: Any) -> cdk8s.App:
    made = cdk8s.App(outdir=str(folder))
    chart = cdk8s.Chart(made, "x", namespace="sos-app")
    secrets = SosSecrets(chart, "secrets", source=ExternalSecrets(store=AWS, bootstrap=True, **options))
    HaPostgres(chart, "postgres", credentials=secrets.postgres, tls=CertManager(issuer="ca"))
    return made


def test_the_operator_and_cert_manager_do_not_write_the_same_secret(tmp_path):
    with pytest.raises(RuntimeError, match=r"x/postgres: tls=CertManager\(\.\.\.\): Secret postgres-tls is also written by x/secrets; .* postgres=\(\)"):
        app(tmp_path).synth()


@pytest.mark.parametrize("postgres", [(), ("orders",)])
def test_cert_manager_may_write_what_the_operator_does_not(tmp_path, postgres):
    app(tmp_path, postgres=postgres).synth()


def test_the_same_name_in_another_namespace_is_another_secret(tmp_path):
    made = app(tmp_path, postgres=())
    chart = cdk8s.Chart(made, "y", namespace="other")
    SosSecrets(chart, "secrets", source=ExternalSecrets(store=AWS, bootstrap=True, namespace="other"))
    made.synth()
