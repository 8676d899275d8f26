"""Whether a secret text is hard to guess. Answers never contain the text."""

from __future__ import annotations

import base64
import re
from itertools import pairwise

from sos_constructs.secrets.forms import AES256_BYTES, HS256_CHARACTERS, PASSWORD_CHARACTERS, UNRESERVED

_UNRESERVED = re.compile(r"[A-Za-z0-9\-_~.]*")
_WORDS = re.compile(r"change.?me|passw.?rd|placeholder|example|qwerty|letmein|secret.?key|default|12345678|(.)\1{7}", re.IGNORECASE)
_DISTINCT = 8
"""Fewest different characters. 32 random hexadecimal digits, the poorest alphabet we accept, have fewer in 1 of 10 million cases."""

_TOKEN_CHARACTERS = 16
"""Fewest characters of an issued token whose form is not known: below it nothing is secret."""


def password_problem(text: str, *, at_least: int = PASSWORD_CHARACTERS) -> tuple[str, str] | None:
    """Why ``text`` is no good generated password or HMAC key: ``("malformed" or "weak", reason)``."""
    if not _UNRESERVED.fullmatch(text):
        return "malformed", f"has characters other than {UNRESERVED}, which connection strings and shells read as something else"
    if len(text) < at_least:
        return "weak", f"has {len(text)} characters; {at_least} is the least"
    return _guessable(text)


def hs256_problem(text: str) -> tuple[str, str] | None:
    """As :func:`password_problem`, for HMAC keys."""
    return password_problem(text, at_least=HS256_CHARACTERS)


def aes256_problem(text: str) -> tuple[str, str] | None:
    """Why ``text`` is not the base64 of 32 random bytes."""
    try:
        key = base64.b64decode(text, validate=True)
    except ValueError:
        return "malformed", f"is not base64 text of {AES256_BYTES} bytes"
    if len(key) != AES256_BYTES:
        return "malformed", f"is base64 of {len(key)} bytes; AES-256 needs exactly {AES256_BYTES}"
    if len(set(key)) < 2 * _DISTINCT or (key.isascii() and key.decode().isprintable()):
        return "weak", "is not random: its bytes repeat or are text"
    return None


def keyfile_problem(text: str) -> tuple[str, str] | None:
    """Why ``text`` is no MongoDB key file: 6 to 1024 characters of the base64 alphabet, says MongoDB; we ask for 64."""
    if not re.fullmatch(r"[A-Za-z0-9+/=]*", text) or len(text) > 1024:
        return "malformed", "is not at most 1024 characters of the base64 alphabet"
    return ("weak", f"has {len(text)} characters; 64 is the least, 1008 is good") if len(text) < 64 else _guessable(text)


def token_problem(text: str) -> tuple[str, str] | None:
    """Why ``text`` cannot be a token that a vendor issued."""
    return ("weak", f"has {len(text)} characters; no vendor's key is that short") if len(text) < _TOKEN_CHARACTERS else _guessable(text)


def _guessable(text: str) -> tuple[str, str] | None:
    if len(set(text)) < _DISTINCT:
        return "weak", f"has only {len(set(text))} different characters"
    if text in (text + text)[1:-1]:
        return "weak", "is the same characters over and over"
    if _WORDS.search(text):
        return "weak", "contains a word or a row of digits that everybody tries"
    steps = [ord(b) - ord(a) for a, b in pairwise(text)]
    return ("weak", "counts up or down instead of being random") if max(steps.count(1), steps.count(-1)) > len(steps) / 2 else None
