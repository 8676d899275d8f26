"""SCRAM-SHA-256 verifiers, as PostgreSQL stores them in pg_authid (RFC 5802, RFC 7677).

With them a password never appears in SQL, and whether a role already has a password is known without logging in.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re

ITERATIONS = 4096
"""PostgreSQL 15's own number."""

_VERIFIER = re.compile(r"SCRAM-SHA-256\$(\d+):([A-Za-z0-9+/=]+)\$([A-Za-z0-9+/=]+):([A-Za-z0-9+/=]+)")


def verifier(password: str, salt: bytes | None = None, iterations: int = ITERATIONS) -> str:
    """What PostgreSQL would store for the password; a random salt unless one is given."""
    salt = os.urandom(16) if salt is None else salt
    salted = hashlib.pbkdf2_hmac("sha256", password.encode("ascii"), salt, iterations)
    stored_key = hashlib.sha256(_hmac(salted, b"Client Key")).digest()
    server_key = _hmac(salted, b"Server Key")
    return f"SCRAM-SHA-256${iterations}:{_text(salt)}${_text(stored_key)}:{_text(server_key)}"


def matches(password: str, stored: str) -> bool:
    """Whether a stored verifier belongs to the password. Anything but a SCRAM-SHA-256 verifier does not."""
    parts = _VERIFIER.fullmatch(stored)
    if not parts:
        return False
    return hmac.compare_digest(verifier(password, base64.b64decode(parts[2]), int(parts[1])), stored)


def _hmac(key: bytes, message: bytes) -> bytes:
    return hmac.new(key, message, "sha256").digest()


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
