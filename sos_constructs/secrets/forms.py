"""What a valid value of each form is, in words and as the command that makes one."""

from __future__ import annotations

from collections.abc import Mapping

from sos_constructs.secrets.model import Form, Key

from attrs import frozen

UNRESERVED = "A-Z a-z 0-9 - _ ~ ."
"""RFC 3986's unreserved characters: the same in a URL, a shell word, YAML and a connection string, with nothing to escape."""

PASSWORD_CHARACTERS = 32
"""Fewest characters of a password (the requirement: 32+)."""

HS256_CHARACTERS = 64
"""Fewest characters of an HMAC key (the requirement: 64)."""

AES256_BYTES = 32
KEYFILE_BYTES = 756
"""Bytes of a MongoDB key file before base64; MongoDB's manual, "Create a keyfile". 1008 characters of the 1024 that are allowed."""

RSA_BITS = 3072
"""Size of new RSA keys: NIST SP 800-57 part 1, 128 bits of strength."""

RSA_BITS_AT_LEAST = 2048
"""Smallest RSA key that is not called weak (RFC 7518, section 3.3; also what the requirement's own command makes)."""


@frozen
class FormNote:
    """A form in words, and a shell command that prints such a value (empty where only a vendor can make one)."""

    words: str
    command: str = ""


_HEX = "openssl rand -hex 32 | head -c 64"

FORMS: Mapping[Form, FormNote] = {
    "text": FormNote("the text"),
    "token": FormNote("the value as issued"),
    "password": FormNote(f"{PASSWORD_CHARACTERS} or more random characters of {UNRESERVED}", _HEX),
    "hs256": FormNote(f"{HS256_CHARACTERS} or more random characters of {UNRESERVED}", _HEX),
    "aes256": FormNote(f"the base64 text of exactly {AES256_BYTES} random bytes", f"openssl rand {AES256_BYTES} | openssl base64 -A"),
    "mongodb-keyfile": FormNote(f"the base64 text of {KEYFILE_BYTES} random bytes", f"openssl rand {KEYFILE_BYTES} | openssl base64 -A"),
    "rsa-private-key": FormNote(
        f"an RSA private key of {RSA_BITS} bits, PKCS#8 PEM", f"openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:{RSA_BITS} | tee private.pem"
    ),
    "rsa-public-key": FormNote("the RSA public key that belongs to it, PEM", "openssl pkey -in private.pem -pubout"),
    "key-id": FormNote("a name for the key pair, of A-Z a-z 0-9 - _", "openssl rand -hex 16 | head -c 32"),
    "ec-private-key": FormNote("an EC P-256 private key, PEM (a .p8 file)"),
    "service-account": FormNote("a Google service account key, JSON"),
    "ca-certificate": FormNote("a CA certificate, PEM"),
    "certificate": FormNote("a certificate followed by its intermediates, PEM"),
    "private-key": FormNote("an RSA or EC private key, PEM"),
}
"""Commands print no line break that would become part of the value, and need no backslash, which YAML would double."""


def recipe(row: Key) -> str:
    """How to get the value of ``row``, as a command or as the way through a vendor's console."""
    if row.origin == "fixed":
        return f"printf %s {row.value}"
    return row.obtain or FORMS[row.form].command


def placeholder(row: Key) -> str:
    """What stands in ``data`` of an unfilled template.

    It begins with ``<``, which is outside the base64 alphabet: the API server refuses the whole Secret, so that an unedited template
    can neither be taken for credentials nor replace live ones.
    """
    words = f"the text {row.value}" if row.origin == "fixed" else FORMS[row.form].words
    text = f"<base64 of {words}: {recipe(row)}"
    if row.origin == "fixed" or (FORMS[row.form].command and not row.obtain):
        text += " | openssl base64 -A"  # portable, and never breaks the line
    return text + ("; optional, delete this line if unused>" if row.optional else ">")
