"""Certificates of servers inside the cluster: the database's and its pooler's, generated and checked."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sos_constructs.secrets import certificates
from sos_constructs.secrets.certificates import DevelopmentCa
from sos_constructs.secrets.check import Finding, check
from sos_constructs.secrets.generate import generate
from sos_constructs.secrets.servers import pooler_server, postgres_server
from sos_constructs.secrets.stored import StoredSecret

import pytest
from cryptography import x509

NOW = datetime.now(UTC)
SERVERS = [postgres_server("orders", "shop"), pooler_server("orders", "shop")]
NAMES = [server.secret.name for server in SERVERS]


def made(existing: Mapping[str, StoredSecret] | None = None) -> dict[str, StoredSecret]:
    found = generate(existing or {}, now=NOW, namespace="shop", only=NAMES, servers=SERVERS)
    return {secret["metadata"]["name"]: stored(secret) for secret in found.manifests}


def stored(manifest: Mapping[str, Any]) -> StoredSecret:
    values = {key: base64.b64decode(value) for key, value in manifest["data"].items()}
    return StoredSecret(manifest["metadata"]["name"], type=manifest["type"], values=values)


def names(secret: StoredSecret) -> list[str]:
    found = x509.load_pem_x509_certificate(secret.values["tls.crt"])
    return found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(x509.DNSName)


def findings(secrets: Mapping[str, StoredSecret]) -> list[Finding]:
    return check(secrets, now=NOW, only=NAMES, servers=SERVERS)


def test_each_has_a_key_of_its_own_for_its_own_names():
    secrets = made()
    assert list(secrets) == ["orders-tls", "orders-pooler-tls"]
    for server in SERVERS:
        assert names(secrets[server.secret.name]) == list(server.hosts)
        assert set(server.clients_use) <= set(server.hosts)
    assert secrets["orders-tls"].values["tls.key"] != secrets["orders-pooler-tls"].values["tls.key"]
    assert secrets["orders-tls"].values["ca.crt"] == secrets["orders-pooler-tls"].values["ca.crt"], "of one run: one CA"
    assert findings(secrets) == []


def test_to_a_database_of_yesterday_the_poolers_is_added_and_verifies_both():
    """The CA of yesterday is gone, so there is another one; a client of both needs one file only."""
    yesterday = made()["orders-tls"]
    secrets = made({"orders-tls": yesterday})
    assert secrets["orders-tls"].values == yesterday.values
    pooler = secrets["orders-pooler-tls"].values
    trusted = pooler["ca.crt"].decode()
    assert trusted.count("BEGIN CERTIFICATE") == 2
    assert certificates.signed_by(pooler["tls.crt"].decode(), trusted)
    assert certificates.signed_by(yesterday.values["tls.crt"].decode(), trusted)
    assert findings(secrets) == []
    again = made(secrets)
    assert {name: secret.values for name, secret in again.items()} == {name: secret.values for name, secret in secrets.items()}


@pytest.mark.parametrize(
    ("secret", "host", "missing"),
    [("orders-tls", "orders-service", "orders-readonly-service"), ("orders-pooler-tls", "elsewhere", "orders-pooler-service, orders-pooler-readonly-service")],
)
def test_names_that_clients_need_are_missed_before_they_call(secret: str, host: str, missing: str):
    key, certificate = (ca := DevelopmentCa(NOW)).issue("x", [host])
    mine = StoredSecret(secret, type="kubernetes.io/tls", values={"tls.crt": certificate.encode(), "tls.key": key.encode(), "ca.crt": ca.certificate.encode()})
    (finding,) = findings({secret: mine})
    assert (finding.secret, finding.key, finding.problem) == (secret, "tls.crt", "malformed")
    assert finding.detail.startswith(f"is not for {missing}: clients with sslmode=verify-full refuse it")


def test_a_certificate_without_names_has_none_of_them():
    _, client = DevelopmentCa(NOW).issue("orders-service")
    assert certificates.not_for(client, ["orders-service"]) == ["orders-service"]


def test_what_is_no_certificate_is_told_as_that():
    secrets = made()
    broken = StoredSecret("orders-tls", type="kubernetes.io/tls", values={**secrets["orders-tls"].values, "tls.crt": b"x"})
    assert [finding.detail for finding in findings({"orders-tls": broken})] == ["is not a certificate in PEM form"]
