"""Verifiers as PostgreSQL stores them; tests/postgres_live compares them with a server's own."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re

from sos_constructs.postgres.agent.scram import ITERATIONS, matches, verifier

import pytest

#: RFC 7677, section 3: the whole exchange of user "user" with password "pencil".
SALT = base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")
NONCE = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
AUTH_MESSAGE = f"n=user,r=rOprNGfwEbeRWgbNEkqO,r={NONCE},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r={NONCE}".encode()
CLIENT_PROOF = base64.b64decode("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")
SERVER_SIGNATURE = base64.b64decode("6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")


def test_the_rfcs_example():
    """The keys in our verifier make the server's signature, and accept the client's proof."""
    match = re.fullmatch(r"SCRAM-SHA-256\$4096:W22ZaJ0SNY7soEsUEjb6gQ==\$(.+):(.+)", verifier("pencil", SALT, 4096))
    assert match
    stored_key, server_key = map(base64.b64decode, match.groups())
    assert hmac.digest(server_key, AUTH_MESSAGE, "sha256") == SERVER_SIGNATURE
    signature = hmac.digest(stored_key, AUTH_MESSAGE, "sha256")
    client_key = bytes(a ^ b for a, b in zip(CLIENT_PROOF, signature, strict=True))
    assert hashlib.sha256(client_key).digest() == stored_key


def test_salts_are_random_and_long_enough():
    first, second = verifier("pencil"), verifier("pencil")
    assert first != second
    assert first.startswith(f"SCRAM-SHA-256${ITERATIONS}:")
    assert len(base64.b64decode(first.split(":")[1].split("$")[0])) == 16


@pytest.mark.parametrize("iterations", [4096, 10000])
def test_own_password_matches_and_no_other(iterations: int):
    stored = verifier("pencil", iterations=iterations)
    assert matches("pencil", stored)
    assert not matches("Pencil", stored)
    assert not matches("", stored)


@pytest.mark.parametrize("stored", ["", "md5" + "0" * 32, "pencil", "SCRAM-SHA-256$4096:x", "SCRAM-SHA-1" + "$4096:YQ==$YQ==:YQ=="])
def test_anything_else_matches_nothing(stored: str):
    assert not matches("pencil", stored)
