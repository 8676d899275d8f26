"""Every defect is found, named by key and kind, and never quoted; a good set has none."""

from __future__ import annotations

import base64
from datetime import timedelta

from sos_constructs.secrets.catalogue import BY_NAME, SECRETS
from sos_constructs.secrets.certificates import DevelopmentCa
from sos_constructs.secrets.check import check
from sos_constructs.secrets.stored import StoredSecret
from sos_constructs.secrets.strength import aes256_problem, password_problem

import pytest
from attrs import evolve
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import given
from hypothesis import strategies as st

from tests.generated import examples
from tests.secrets.conftest import NOW
from tests.secrets.samples import ISSUED, P8, SERVICE_ACCOUNT

SECRET_OF = {row.key: secret.name for secret in SECRETS for row in secret.keys}
PEM = serialization.Encoding.PEM


@pytest.fixture(scope="session")
def good(stored):
    """A complete set without any defect."""
    complete = {}
    for secret in SECRETS:
        made = stored[secret.name].values if secret.name in stored else {}
        issued = {row.key: ISSUED[row.key].encode() for row in secret.keys if row.key in ISSUED}
        complete[secret.name] = StoredSecret(secret.name, type=secret.type, values={**made, **issued})
    return complete


def replaced(good, **values):
    """``good`` with other values; ``None`` removes the key."""
    changed = dict(good)
    for word, value in values.items():
        key = next(k for k in SECRET_OF if k.replace("-", "_").replace(".", "_") == word)
        before = changed[SECRET_OF[key]]
        rest = {k: v for k, v in before.values.items() if k != key}
        changed[SECRET_OF[key]] = evolve(before, values=rest if value is None else {**rest, key: value if isinstance(value, bytes) else value.encode()})
    return changed


def rsa_pem(bits: int, passphrase: bytes = b"") -> str:
    encryption = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    return rsa.generate_private_key(65537, bits).private_bytes(PEM, serialization.PrivateFormat.PKCS8, encryption).decode()


def test_a_good_set_has_no_defect(good):
    assert check(good, now=NOW) == []


def test_an_empty_set_lacks_every_required_key():
    findings = check({}, now=NOW)
    assert {(f.problem, f.key) for f in findings if f.key} == {("missing", row.key) for s in SECRETS for row in s.keys if not row.optional}
    issued = {f.key for f in findings if f.issued and f.key}
    assert issued == {row.key for s in SECRETS for row in s.keys if row.origin == "issued" and not row.optional}


@pytest.mark.parametrize("row", [row for s in SECRETS for row in s.keys], ids=lambda row: row.key)
def test_a_missing_key_is_a_defect_unless_it_is_optional(good, row):
    findings = check(replaced(good, **{row.key.replace("-", "_").replace(".", "_"): None}), now=NOW)
    assert [(f.problem, f.key) for f in findings] == ([] if row.optional else [("missing", row.key)])


P521 = ec.generate_private_key(ec.SECP521R1()).private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode()
ED25519 = ed25519.Ed25519PrivateKey.generate().private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode()
OLD, FUTURE = (DevelopmentCa(NOW + timedelta(days=days)).issue("sos-app")[1] for days in (-366, 1))
STRONG = "kD3mPq8ZrT5vXw2YbN7cF9hJ4gLs6uAe"

DEFECTS = [
    ("redis-password", "", "missing", "openssl"),
    ("redis-password", "<base64 of x>", "placeholder", "encoded instead of replaced"),
    ("redis-password", STRONG[:31], "weak", "has 31 characters; 32 is the least"),
    ("redis-password", "a" * 40, "weak", "different characters"),
    ("redis-password", "abcdefgh" * 5, "weak", "over and over"),
    ("redis-password", "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMN", "weak", "counts up"),
    ("redis-password", STRONG + "ChangeMe", "weak", "everybody tries"),
    ("redis-password", STRONG + "p@ss:word", "malformed", "characters other than"),
    ("redis-password", STRONG + "\n", "malformed", "line break"),
    ("redis-password", b"\xff" * 40, "malformed", "is not text"),
    ("replication-username", "admin", "malformed", "must be standby"),
    ("kafka-sasl-username", "two words", "malformed", "does not look like one"),
    ("jwt-secret", STRONG, "weak", "has 32 characters; 64 is the least"),
    ("medical-encryption-key", STRONG + "!", "malformed", "is not base64"),
    ("medical-encryption-key", base64.b64encode(bytes(range(16))).decode(), "malformed", "base64 of 16 bytes"),
    ("medical-encryption-key", base64.b64encode(bytes(32)).decode(), "weak", "not random"),
    ("medical-encryption-key", base64.b64encode(STRONG.encode()).decode(), "weak", "not random"),
    ("mongodb-replica-set-key", "QUJD" * 300, "malformed", "1024"),
    ("mongodb-replica-set-key", "QWxhZGRpbjpvcGVu", "weak", "64 is the least"),
    ("mongodb-replica-set-key", "QUJD" * 30, "weak", "different characters"),
    ("jwt-private-key", "no key", "malformed", "not an RSA private key"),
    ("jwt-private-key", rsa_pem(2048, b"passphrase"), "malformed", "without a passphrase"),
    ("jwt-private-key", P8, "malformed", "another kind than RSA"),
    ("jwt-private-key", rsa_pem(1024), "weak", "has 1024 bits"),
    ("jwt-public-key", "no key", "malformed", "not an RSA public key"),
    ("jwt-key-id", "two words", "malformed", "1 to 64 characters"),
    ("apns-auth-key", "no key", "malformed", "whole .p8 file"),
    ("apns-auth-key", P521, "malformed", "not an EC P-256 key"),
    ("fcm-service-account-json", "{", "malformed", "is not JSON"),
    ("fcm-service-account-json", SERVICE_ACCOUNT.replace("client_email", "mail"), "malformed", "client_email"),
    ("fcm-service-account-json", "[]", "malformed", "not a service account"),
    ("google-oauth-client-secret", "short", "weak", "no vendor's key is that short"),
    ("google-oauth-client-secret", "x" * 40, "weak", "different characters"),
    ("twilio-auth-token", "0" * 32, "weak", "different characters"),
    ("twilio-account-sid", "SK" + "0" * 32, "malformed", "does not look like one"),
    ("kafka-client-cert", "no certificate", "malformed", "not a certificate"),
    ("kafka-client-cert", OLD, "malformed", "expired on 2030-05-16"),
    ("kafka-client-cert", FUTURE, "malformed", "is not valid before 2030-05-18"),
    ("kafka-client-key", "no key", "malformed", "not a private key"),
    ("kafka-client-key", rsa_pem(1024), "weak", "has 1024 bits"),
]  # fmt: skip


def test_how_many_characters_must_differ():
    """32 hexadecimal digits, the poorest alphabet that is taken, have eight different ones almost always."""
    seven, eight = "ab9c_3x" * 5, "ab9c_3xQ" * 2 + "Q3_abx9c" * 2
    assert (len(set(seven)), len(set(eight))) == (7, 8)
    told = password_problem(seven)
    assert told is not None
    assert "different characters" in told[1]
    assert password_problem(eight) is None


def test_how_many_bytes_of_a_key_must_differ():
    fifteen, sixteen = (base64.b64encode(bytes([*range(200, 200 + number), *([199 + number] * (32 - number))])).decode() for number in (15, 16))
    assert aes256_problem(fifteen) is not None
    assert aes256_problem(sixteen) is None


@pytest.mark.parametrize(("key", "value", "problem", "detail"), DEFECTS)
def test_a_defect_is_found(good, key, value, problem, detail):
    (finding,) = check(replaced(good, **{key.replace("-", "_"): value}), now=NOW)
    assert (finding.secret, finding.key, finding.problem) == (SECRET_OF[key], key, problem)
    assert detail in finding.detail


@pytest.mark.parametrize("key", ["kafka-client-key", "tls.key"])
def test_a_key_of_another_certificate_is_found(good, key):
    changed = replaced(good, **{key.replace("-", "_").replace(".", "_"): DevelopmentCa(NOW).issue("x")[0]})
    (finding,) = check(changed, now=NOW)
    assert (finding.problem, finding.detail) == ("malformed", f"does not belong to {key}")


def test_a_certificate_of_another_ca_is_found(good):
    (finding,) = check(replaced(good, kafka_ca_cert=DevelopmentCa(NOW).certificate), now=NOW)
    assert (finding.key, finding.detail) == ("kafka-client-cert", "is not signed by kafka-ca-cert")


def test_a_chain_through_an_intermediate_is_followed(good):
    tls = good["tls-certificates"].values
    assert check(replaced(good, tls_crt=tls["tls.crt"] + tls["ca.crt"]), now=NOW) == []
    other = DevelopmentCa(NOW).certificate.encode()
    (finding,) = check(replaced(good, tls_crt=tls["tls.crt"] + other), now=NOW)
    assert finding.detail == "is not signed by ca.crt"


def test_ed25519_certificate_keys_are_accepted_as_such(good):
    (finding,) = check(replaced(good, tls_key=ED25519), now=NOW)
    assert finding.detail == "does not belong to tls.key"


def test_a_public_key_of_another_pair_is_found(good):
    other = rsa.generate_private_key(65537, 2048).public_key().public_bytes(PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    (finding,) = check(replaced(good, jwt_public_key=other), now=NOW)
    assert (finding.key, finding.detail) == ("jwt-public-key", "does not belong to jwt-private-key")


def test_a_value_used_twice_is_found(good):
    same = good["jwt-secrets"].values["jwt-secret"]
    (finding,) = check(replaced(good, jwt_refresh_secret=same), now=NOW)
    assert (finding.problem, finding.key) == ("weak", "jwt-refresh-secret")
    assert finding.detail.startswith("is the same value as jwt-secrets/jwt-secret")


def test_a_certificate_that_ends_soon_is_noted(good):
    findings = check(good, now=NOW + timedelta(days=340))
    assert {(f.problem, f.detail) for f in findings} == {("note", "ends in 25 days")}
    assert {f.key for f in findings} == {"kafka-ca-cert", "kafka-client-cert", "mqtt-ca-cert", "mqtt-client-cert", "tls.crt", "ca.crt"}


def test_an_unknown_key_is_noted_with_the_nearest_known_one(good):
    changed = good | {"redis-credentials": evolve(good["redis-credentials"], placeholders=frozenset({"redis-pasword"}))}
    (finding,) = check(changed, now=NOW)
    assert (finding.problem, finding.detail) == ("note", "is not in the catalogue (did you mean 'redis-password'?); nothing reads it")


def test_a_wrong_type_is_found(good):
    (finding,) = check(good | {"tls-certificates": evolve(good["tls-certificates"], type="Opaque")}, now=NOW)
    assert (finding.problem, finding.key) == ("malformed", "")
    assert "it must be kubernetes.io/tls" in finding.detail


def test_a_value_that_the_api_server_refuses_is_found(good):
    redis = good["redis-credentials"]
    broken = evolve(redis, values={k: v for k, v in redis.values.items() if k != "redis-password"}, broken={"redis-password": "is not base64"})
    (finding,) = check(good | {"redis-credentials": broken}, now=NOW)
    assert (finding.problem, finding.detail) == ("malformed", "is not base64")


def test_one_object_storage_provider_is_enough_and_none_is_not(good):
    providers = ("s3_bucket", "gcs_bucket", "azure_storage_container")
    for left in providers:
        assert check(replaced(good, **dict.fromkeys(set(providers) - {left})), now=NOW) == []
    (finding,) = check(replaced(good, **dict.fromkeys(providers)), now=NOW)
    assert (finding.secret, finding.problem, finding.issued) == ("object-storage-credentials", "missing", True)


def test_only_looks_at_what_was_asked_for():
    assert {f.secret for f in check({}, now=NOW, only=["redis-credentials"])} == {"redis-credentials"}


CANARY = "canary-Zq7Xw"
"""In every value and in no message of ours: a generated value alone may happen to be a word of the message."""
PIECES = st.binary() | st.text().map(str.encode)


@examples(60)
@given(
    value=st.one_of(
        st.tuples(PIECES, st.just(CANARY.encode()), PIECES).map(b"".join),
        st.sampled_from(sorted(ISSUED.values())).map(lambda text: text.encode().replace(b"e", CANARY.encode())),
    )
)
def test_any_value_of_any_key_is_judged_without_failing_or_being_quoted(value):
    stored = {s.name: StoredSecret(s.name, type=s.type, values={row.key: value for row in s.keys}) for s in SECRETS}
    for finding in check(stored, now=NOW):
        assert finding.secret in BY_NAME
        assert CANARY not in finding.detail
