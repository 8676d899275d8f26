"""Sealed values are what kubeseal makes, and open only where their scope says."""

from __future__ import annotations

import base64
import json
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import get_args

from sos_constructs.secrets.certificates import DevelopmentCa
from sos_constructs.secrets.sealing import Scope, label_of, looks_sealed, merge, scope_of, seal, sealed_secret, sealing_key
from sos_constructs.secrets.stored import SecretInputError, StoredSecret, dump, read

import pytest
from cryptography.exceptions import InvalidTag

from tests import programs
from tests.secrets.controller import BY_KUBESEAL, KEY, PRIVATE_PEM, certificate, unseal

NOW = datetime.now(UTC)
SCOPES = get_args(Scope)
VALUES = {"redis-password": b"one", "redis-pubsub-password": "zwei\n\x00ü".encode()}
REDIS = StoredSecret("redis-credentials", values=VALUES)

KUBESEAL = programs.find("kubeseal")
needs_kubeseal = pytest.mark.skipif(KUBESEAL is None, reason=f"no kubeseal on this machine: {programs.BRING}")


def kubeseal(*arguments: str, stdin: str) -> str:
    assert KUBESEAL
    return subprocess.run([KUBESEAL, *arguments], input=stdin, capture_output=True, text=True, check=True).stdout


def test_the_vectors_of_kubeseal_open():
    """So the opener used below is the controller's."""
    for label, sealed in BY_KUBESEAL.items():
        assert unseal(sealed, label) == b"a value of kubeseal"
        assert looks_sealed(sealed)


@pytest.mark.parametrize("value", [b"", b"x", bytes(range(256)) * 8])
def test_what_is_sealed_opens_under_its_label_only(value: bytes):
    sealed = seal(value, KEY.public_key(), b"sos-app/redis-credentials")
    assert unseal(sealed, "sos-app/redis-credentials") == value
    for other in ("sos-app", "", "sos-app/other", "other/redis-credentials"):
        with pytest.raises((ValueError, InvalidTag)):
            unseal(sealed, other)


def test_sealing_twice_gives_two_texts():
    assert len({seal(b"same", KEY.public_key(), b"") for _ in range(3)}) == 3


@pytest.mark.parametrize("scope", SCOPES)
def test_a_sealed_secret_of_each_scope(scope: Scope):
    manifest = sealed_secret(REDIS, KEY.public_key(), namespace="sos-app", scope=scope)
    label = label_of("sos-app", "redis-credentials", scope).decode()
    assert {key: unseal(text, label) for key, text in manifest["spec"]["encryptedData"].items()} == VALUES
    assert scope_of(manifest) == scope
    assert manifest["spec"]["template"] == {"metadata": manifest["metadata"], "type": "Opaque"}


@needs_kubeseal
@pytest.mark.parametrize("scope", SCOPES)
def test_kubeseal_opens_ours(scope: Scope, tmp_path: Path):
    (tmp_path / "key.pem").write_text(PRIVATE_PEM)
    ours = json.dumps(sealed_secret(REDIS, KEY.public_key(), namespace="sos-app", scope=scope))
    opened = json.loads(kubeseal("--recovery-unseal", "--recovery-private-key", str(tmp_path / "key.pem"), stdin=ours))
    assert {key: base64.b64decode(value) for key, value in opened["data"].items()} == VALUES
    assert (opened["metadata"]["name"], opened["metadata"]["namespace"], opened["type"]) == ("redis-credentials", "sos-app", "Opaque")


@needs_kubeseal
@pytest.mark.parametrize("scope", SCOPES)
def test_we_open_and_merge_into_those_of_kubeseal(scope: Scope, tmp_path: Path):
    (tmp_path / "cert.pem").write_text(certificate())
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "redis-credentials", "namespace": "sos-app"}, "stringData": {"redis-password": "x"}}
    theirs = json.loads(kubeseal("--cert", str(tmp_path / "cert.pem"), "--scope", scope, "--format", "json", stdin=json.dumps(secret)))
    merged = merge(theirs, sealed_secret(REDIS, KEY.public_key(), namespace="sos-app", scope=scope))
    label = label_of("sos-app", "redis-credentials", scope).decode()
    assert unseal(theirs["spec"]["encryptedData"]["redis-password"], label) == b"x"
    assert {key: unseal(text, label) for key, text in merged["spec"]["encryptedData"].items()} == VALUES


@pytest.mark.parametrize(
    "text", ["", "YQ==", "hunter2hunter2", base64.b64encode(bytes(600)).decode(), base64.b64encode(b"\x01\x00" + bytes(200)).decode(), 7, None]
)
def test_other_texts_do_not_look_sealed(text: object):
    assert not looks_sealed(text)


def test_merging_keeps_the_other_keys_byte_for_byte():
    old = sealed_secret(REDIS, KEY.public_key(), namespace="sos-app")
    new = sealed_secret(StoredSecret("redis-credentials", values={"redis-password": b"new"}), KEY.public_key(), namespace="sos-app")
    merged = merge(old, new)["spec"]["encryptedData"]
    assert merged["redis-pubsub-password"] == old["spec"]["encryptedData"]["redis-pubsub-password"]
    assert unseal(merged["redis-password"], "sos-app/redis-credentials") == b"new"


@pytest.mark.parametrize(
    ("secret", "namespace", "scope", "message"),
    [
        (REDIS, "staging", "strict", "has namespace sos-app in the file and staging now"),
        (REDIS, "sos-app", "cluster-wide", "has scope strict in the file and cluster-wide now"),
        (
            StoredSecret("redis-credentials", type="kubernetes.io/tls", values=VALUES),
            "sos-app",
            "strict",
            "has type Opaque in the file and kubernetes.io/tls now",
        ),
    ],
)
def test_what_cannot_stand_together_is_not_merged(secret: StoredSecret, namespace: str, scope: Scope, message: str):
    old = sealed_secret(REDIS, KEY.public_key(), namespace="sos-app")
    with pytest.raises(SecretInputError, match=f"^redis-credentials: {message}"):
        merge(old, sealed_secret(secret, KEY.public_key(), namespace=namespace, scope=scope))


@pytest.mark.parametrize(
    ("pem", "message"),
    [
        ("", "c.pem: is not a certificate in PEM form"),
        (PRIVATE_PEM, "c.pem: is not a certificate in PEM form"),
        (DevelopmentCa(NOW).certificate, "c.pem: is not the certificate of a Sealed Secrets controller, whose keys are RSA"),
        (certificate(days=-1), f"c.pem: expired on {NOW - timedelta(days=1):%Y-%m-%d}; fetch the current one"),
    ],
    ids=["empty", "a private key", "not RSA", "expired"],
)
def test_a_certificate_that_cannot_be_used(pem: str, message: str):
    with pytest.raises(SecretInputError, match=message):
        sealing_key(pem, "c.pem", now=NOW)


def test_a_sealed_secret_holds_no_value():
    text = dump([sealed_secret(StoredSecret("a", values={"k": b"c4n4ry-value"}), sealing_key(certificate(), "c", now=NOW), namespace="n")])
    assert "c4n4ry" not in text
    assert base64.b64encode(b"c4n4ry-value").decode() not in text
    with pytest.raises(SecretInputError, match="no Secret in it"):
        read(text, "sealed")
