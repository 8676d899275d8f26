"""A generated set is complete and strong, and never replaces what exists."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
import subprocess
from datetime import timedelta

from sos_constructs.secrets.catalogue import BY_NAME, SECRETS
from sos_constructs.secrets.check import check
from sos_constructs.secrets.generate import ALPHABET, DEVELOPMENT_HOSTS, generate, password
from sos_constructs.secrets.stored import SecretInputError, StoredSecret, dump

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.verification import PolicyBuilder, Store

from tests.secrets.conftest import NOW, stored_of

MADE = {secret.name: {row.key for row in secret.keys if row.origin in ("generated", "derived", "fixed", "certificate")} for secret in SECRETS}


def values(generated, name):
    return stored_of(generated)[name].values


def test_everything_that_can_be_made_is_there_and_nothing_else(stored):
    assert {name: set(secret.values) for name, secret in stored.items()} == {name: keys for name, keys in MADE.items() if keys}


def test_what_vendors_issue_is_left_out_and_named(generated):
    left_out = {(left.secret, left.row.key) for left in generated.left_out}
    assert left_out == {(secret.name, row.key) for secret in SECRETS for row in secret.keys if row.origin in ("issued", "federated")}
    assert all(left.reason == left.row.obtain for left in generated.left_out)


def test_the_check_finds_nothing_but_what_vendors_issue(stored):
    findings = check(stored, now=NOW)
    assert findings
    assert all(finding.problem == "missing" and finding.issued for finding in findings), findings


def test_no_two_random_values_are_the_same(stored):
    random = [stored[s.name].values[row.key] for s in SECRETS for row in s.keys if row.origin == "generated"]
    assert len(set(random)) == len(random)


def test_two_sets_share_nothing_random():
    first, second = (generate({}, now=NOW, only=["redis-credentials", "encryption-keys"]) for _ in range(2))
    shared = {(key, value) for m in first.manifests for key, value in m["data"].items()} & {(k, v) for m in second.manifests for k, v in m["data"].items()}
    assert not shared


def test_passwords_are_long_and_need_no_escaping(stored):
    for secret in SECRETS:
        for row in secret.keys:
            if row.form in ("password", "hs256") and row.origin == "generated":
                text = stored[secret.name].values[row.key].decode()
                assert len(text) >= (64 if row.form == "hs256" else 32), row.key
                assert re.fullmatch(r"[A-Za-z0-9_-]+", text), row.key
                assert text[0].isalnum(), row.key


def test_every_character_is_equally_likely():
    assert len(ALPHABET) == len(set(ALPHABET)) == 64
    assert set("".join(password(64) for _ in range(200))) == set(ALPHABET)


def test_encryption_keys_are_32_random_bytes(stored):
    for value in stored["encryption-keys"].values.values():
        assert len(base64.b64decode(value, validate=True)) == 32


def test_the_mongodb_key_file_is_what_mongodb_takes(stored):
    text = stored["mongodb-credentials"].values["mongodb-replica-set-key"].decode()
    assert re.fullmatch(r"[A-Za-z0-9+/]{6,1024}", text)


def test_the_rsa_pair_belongs_together(stored):
    jwt = stored["jwt-secrets"].values
    key = load_pem_private_key(jwt["jwt-private-key"], None)
    assert isinstance(key, RSAPrivateKey)
    assert key.key_size == 3072
    assert jwt["jwt-private-key"].startswith(b"-----BEGIN PRIVATE KEY-----"), "PKCS#8"
    numbers = key.public_key().public_numbers()

    def url(data: bytes) -> str:
        return base64.urlsafe_b64encode(data).decode().rstrip("=")

    jwk = {"e": url(numbers.e.to_bytes(3, "big")), "kty": "RSA", "n": url(numbers.n.to_bytes(384, "big"))}
    thumbprint = hashlib.sha256(json.dumps(jwk, separators=(",", ":")).encode()).digest()  # RFC 7638: members in this order, no spaces
    assert jwt["jwt-key-id"].decode() == url(thumbprint)


@pytest.mark.skipif(not shutil.which("openssl"), reason="no openssl on this machine: apt-get install openssl")
@pytest.mark.parametrize(
    ("name", "ca", "certificate", "key", "purpose"),
    [
        ("kafka-credentials", "kafka-ca-cert", "kafka-client-cert", "kafka-client-key", "sslclient"),
        ("mqtt-credentials", "mqtt-ca-cert", "mqtt-client-cert", "mqtt-client-key", "sslclient"),
        ("tls-certificates", "ca.crt", "tls.crt", "tls.key", "sslserver"),
    ],
)
def test_openssl_accepts_certificates_and_keys(stored, tmp_path, name, ca, certificate, key, purpose):
    for part in (ca, certificate, key):
        (tmp_path / part).write_bytes(stored[name].values[part])

    def openssl(*arguments: str) -> str:
        return subprocess.run(["openssl", *arguments], cwd=tmp_path, capture_output=True, text=True, check=True).stdout

    at = str(int(NOW.timestamp()))
    assert "OK" in openssl("verify", "-x509_strict", "-attime", at, "-purpose", purpose, "-CAfile", ca, certificate)
    assert openssl("x509", "-in", certificate, "-noout", "-pubkey") == openssl("pkey", "-in", key, "-pubout")


def test_browsers_rules_accept_the_server_certificate(stored):
    tls = stored["tls-certificates"].values
    store = Store([x509.load_pem_x509_certificate(tls["ca.crt"])])
    leaf = x509.load_pem_x509_certificate(tls["tls.crt"])
    for host in (h.replace("*", "api") for h in DEVELOPMENT_HOSTS):
        PolicyBuilder().store(store).time(NOW).build_server_verifier(x509.DNSName(host)).verify(leaf, [])


def test_the_development_ca_cannot_sign_anything_later(stored):
    keys = b"".join(value for secret in stored.values() for value in secret.values.values() if b"PRIVATE KEY" in value)
    ca = x509.load_pem_x509_certificate(stored["tls-certificates"].values["ca.crt"]).public_key()
    private = [load_pem_private_key(pem.encode() + b"-----END PRIVATE KEY-----\n", None) for pem in keys.decode().split("-----END PRIVATE KEY-----\n") if pem]
    assert len(private) == 4
    assert all(key.public_key() != ca for key in private)


def test_one_ca_signs_all_certificates_of_a_run(stored):
    assert (
        stored["kafka-credentials"].values["kafka-ca-cert"] == stored["mqtt-credentials"].values["mqtt-ca-cert"] == stored["tls-certificates"].values["ca.crt"]
    )


def test_a_second_run_changes_nothing(generated, stored):
    again = generate(stored, now=NOW + timedelta(days=90))
    assert dump(again.manifests) == dump(generated.manifests)
    assert (again.made, again.kept) == (0, generated.made)


def test_only_what_is_missing_is_made(stored):
    without = {name: StoredSecret(name, type=s.type, values={k: v for k, v in s.values.items() if k != "auth-db-password"}) for name, s in stored.items()}
    again = generate(without, now=NOW)
    assert (again.made, again.kept) == (1, sum(len(s.values) for s in stored.values()) - 1)


@pytest.mark.parametrize("value", [b"weak", b"\xff\xfe not text", b" "])
def test_existing_values_are_kept_whatever_they_are(value):
    existing = {"redis-credentials": StoredSecret("redis-credentials", values={"redis-password": value, "unknown-key": b"mine"})}
    kept = values(generate(existing, now=NOW, only=["redis-credentials"]), "redis-credentials")
    assert kept["redis-password"] == value
    assert kept["unknown-key"] == b"mine", "kubectl apply removes what it no longer finds"


def test_issued_values_are_kept_and_no_longer_listed():
    existing = {"external-api-keys": StoredSecret("external-api-keys", values={"apns-key-id": b"ABC123DEFG"})}
    result = generate(existing, now=NOW, only=["external-api-keys"])
    assert values(result, "external-api-keys") == {"apns-key-id": b"ABC123DEFG"}
    assert "apns-key-id" not in {left.row.key for left in result.left_out}


@pytest.mark.parametrize(
    "existing",
    [StoredSecret("redis-credentials", values={"redis-password": b""}), StoredSecret("redis-credentials", placeholders=frozenset({"redis-password"}))],
)
def test_empty_values_and_placeholders_count_as_missing(existing):
    result = generate({"redis-credentials": existing}, now=NOW, only=["redis-credentials"])
    assert len(values(result, "redis-credentials")["redis-password"]) >= 32


def test_a_value_that_cannot_be_read_stops_everything():
    existing = {"redis-credentials": StoredSecret("redis-credentials", broken={"redis-password": "is not base64"})}
    with pytest.raises(SecretInputError, match="redis-credentials/redis-password is not base64; correct it or remove it"):
        generate(existing, now=NOW)


def test_the_public_half_is_derived_from_an_existing_key(stored):
    private = {"jwt-private-key": stored["jwt-secrets"].values["jwt-private-key"]}
    result = values(generate({"jwt-secrets": StoredSecret("jwt-secrets", values=private)}, now=NOW, only=["jwt-secrets"]), "jwt-secrets")
    assert {k: result[k] for k in ("jwt-public-key", "jwt-key-id")} == {k: stored["jwt-secrets"].values[k] for k in ("jwt-public-key", "jwt-key-id")}


def test_a_key_is_not_made_anew_beside_an_existing_public_half(stored):
    public = {"jwt-public-key": stored["jwt-secrets"].values["jwt-public-key"]}
    result = generate({"jwt-secrets": StoredSecret("jwt-secrets", values=public)}, now=NOW, only=["jwt-secrets"])
    assert {left.row.key for left in result.left_out} == {"jwt-private-key", "jwt-key-id"}
    assert values(result, "jwt-secrets")["jwt-public-key"] == public["jwt-public-key"]


def test_nothing_is_derived_from_something_that_is_no_key():
    existing = {"jwt-secrets": StoredSecret("jwt-secrets", values={"jwt-private-key": b"no key"})}
    result = generate(existing, now=NOW, only=["jwt-secrets"])
    assert {left.row.key: left.reason for left in result.left_out}.keys() == {"jwt-public-key", "jwt-key-id"}
    assert all("not an RSA private key" in left.reason for left in result.left_out)


@pytest.mark.parametrize("present", ["kafka-ca-cert", "kafka-client-cert", "kafka-client-key"])
def test_part_of_a_certificate_set_is_never_replaced_or_completed(stored, present):
    existing = {"kafka-credentials": StoredSecret("kafka-credentials", values={present: stored["kafka-credentials"].values[present]})}
    result = generate(existing, now=NOW, only=["kafka-credentials"])
    assert {key for key in values(result, "kafka-credentials") if key.startswith(("kafka-ca", "kafka-client"))} == {present}
    assert {left.row.key for left in result.left_out} == {"kafka-ca-cert", "kafka-client-cert", "kafka-client-key"} - {present}


def test_a_tls_secret_of_cert_manager_is_kept_as_it_is(stored):
    tls = {key: stored["tls-certificates"].values[key] for key in ("tls.crt", "tls.key")}
    result = generate({"tls-certificates": StoredSecret("tls-certificates", type="kubernetes.io/tls", values=tls)}, now=NOW, only=["tls-certificates"])
    assert values(result, "tls-certificates") == tls
    assert not result.left_out


def test_half_a_tls_secret_is_left_out_because_the_api_server_would_refuse_it(stored):
    half = {"tls.crt": stored["tls-certificates"].values["tls.crt"]}
    result = generate({"tls-certificates": StoredSecret("tls-certificates", type="kubernetes.io/tls", values=half)}, now=NOW, only=["tls-certificates"])
    assert not result.manifests
    assert {left.row.key for left in result.left_out} == {"tls.key"}


def test_the_type_of_an_existing_secret_is_kept_because_it_cannot_be_changed(stored):
    existing = {"tls-certificates": StoredSecret("tls-certificates", type="Opaque", values=stored["tls-certificates"].values)}
    assert generate(existing, now=NOW, only=["tls-certificates"]).manifests[0]["type"] == "Opaque"


def test_manifests_are_secrets_in_the_namespace_with_sorted_base64_data(generated):
    assert [m["metadata"]["name"] for m in generated.manifests] == [name for name in BY_NAME if MADE[name]]
    for m in generated.manifests:
        assert (m["apiVersion"], m["kind"], m["metadata"]["namespace"]) == ("v1", "Secret", "sos-app")
        assert m["metadata"]["labels"]["app.kubernetes.io/part-of"] == "sos-app"
        assert list(m["data"]) == sorted(m["data"])
        assert "stringData" not in m


def test_namespace_and_selection():
    (m,) = generate({}, now=NOW, namespace="staging", only=["redis-credentials"]).manifests
    assert m["metadata"]["namespace"] == "staging"
    assert "namespace" not in generate({}, now=NOW, namespace=None, only=["redis-credentials"]).manifests[0]["metadata"]


def test_no_value_is_in_a_representation(generated, stored):
    text = repr(generated) + repr(stored) + repr(generated.left_out)
    for secret in SECRETS:
        for row in secret.keys:
            if row.origin == "generated":
                assert stored[secret.name].values[row.key].decode() not in text
