"""A complete set of Secrets: what exists is kept, what can be made is made, what a vendor must issue is left out and named.

Nothing here reads a file or a cluster, or prints: that is the command line tool's part.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sos_constructs.secrets import ages, certificates
from sos_constructs.secrets.catalogue import SECRETS
from sos_constructs.secrets.catalogues import SecretCatalogue
from sos_constructs.secrets.forms import AES256_BYTES, HS256_CHARACTERS, KEYFILE_BYTES, recipe
from sos_constructs.secrets.model import Form, Key, SecretSpec
from sos_constructs.secrets.servers import Server
from sos_constructs.secrets.sources import manifest
from sos_constructs.secrets.stored import SecretInputError, StoredSecret

from attrs import frozen

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
"""A power of two of the unreserved characters: 6 bits of entropy each. Without ``.`` and ``~``, which mean something at the start of a word."""

NEW_PASSWORD_CHARACTERS = 40
"""240 bits, more than SHA-256 based log-ins can use."""

DEVELOPMENT_HOSTS = ("sos-app.local", "*.sos-app.local", "localhost")
"""Names in the development certificate of ``tls-certificates``."""


@frozen
class LeftOut:
    """A key without a value in the result, and what to do about it."""

    secret: str
    row: Key
    reason: str


@frozen
class Generated:
    """The result.

    :param manifests: the Secrets, in the catalogue's order. Those without any value are not there.
    :param left_out: keys that we cannot make, required ones and optional ones.
    :param made: how many values are new.
    :param kept: how many are the existing ones.
    """

    manifests: Sequence[Mapping[str, Any]]
    left_out: Sequence[LeftOut]
    made: int
    kept: int

    def __repr__(self) -> str:
        """Without values."""
        return f"Generated(made={self.made}, kept={self.kept}, left_out={len(self.left_out)})"


def generate(
    existing: Mapping[str, StoredSecret],
    *,
    now: datetime,
    namespace: str | None = "sos-app",
    only: Collection[str] = (),
    servers: Sequence[Server] = (),
    catalogue: SecretCatalogue = SECRETS,
) -> Generated:
    """Make every Secret of the catalogue complete.

    No existing value is ever changed, also where it is weak or its key is not in the catalogue. A derived key or a certificate whose
    counterpart exists without it is left out rather than replaced together with it.

    :param existing: the Secrets that exist, by name.
    :param now: start of the validity of new certificates.
    :param namespace: the namespace to write into the manifests; ``None`` for none.
    :param only: names of the Secrets wanted; empty for all.
    :param servers: servers inside the cluster that get a certificate of the development CA too.
    :param catalogue: which Secrets there are.
    :raises SecretInputError: when an existing value cannot be read, so that keeping it is not possible.
    """
    ca = _Lazy(lambda: certificates.DevelopmentCa(now))
    manifests: list[dict[str, Any]] = []
    left_out: list[LeftOut] = []
    made = kept = 0
    known = {server.secret.name: server for server in servers}
    complete: dict[str, Mapping[str, bytes]] = {name: secret.values for name, secret in existing.items()}
    for secret in (*catalogue, *(server.secret for server in servers)):
        if only and secret.name not in only:
            continue
        stored = existing.get(secret.name, StoredSecret(secret.name, type=secret.type))
        if stored.broken:
            key, problem = next(iter(stored.broken.items()))
            raise SecretInputError(f"{secret.name}/{key} {problem}; correct it or remove it, so that it is clear whether it is to be kept")
        values = {key: value for key, value in stored.values.items() if value}
        before = len(values)
        server = known.get(secret.name)
        left_out += _complete(secret, values, ca, server.hosts if server else DEVELOPMENT_HOSTS)
        complete[secret.name] = values
        if server and "ca.crt" in values and "ca.crt" not in stored.values:
            values["ca.crt"] = _together(values["ca.crt"], complete.get(server.with_ca_of, {}).get("ca.crt", b""))
        if not values or (secret.type == "kubernetes.io/tls" and not {"tls.crt", "tls.key"} <= set(values)):
            continue  # an empty Secret helps nobody, and the API server refuses half a kubernetes.io/tls
        kept, made = kept + before, made + len(values) - before
        data = {key: base64.b64encode(value).decode() for key, value in values.items()}
        new = {row.key: now for row in secret.keys if row.key in values and not stored.values.get(row.key) and row.rotation.days is not None}
        times = {key: time for key, time in stored.rotated.items() if key in values} | new
        # the type of a Secret cannot be changed
        manifests.append(manifest(secret, data, namespace=namespace, type=stored.type, annotations=ages.annotation(times)))
    return Generated(manifests, left_out, made, kept)


def new_value(form: Form) -> str:
    """A new random value.

    :raises KeyError: for a form that is not random.
    """
    return _MAKERS[form]()


def password(length: int = NEW_PASSWORD_CHARACTERS) -> str:
    """Random characters of :data:`ALPHABET`, beginning with a letter or digit, so that no tool takes it for an option."""
    first = secrets.choice(ALPHABET[:-2])
    return first + "".join(secrets.choice(ALPHABET) for _ in range(length - 1))


def _base64_of(size: int) -> str:
    return base64.b64encode(secrets.token_bytes(size)).decode()


_MAKERS: Mapping[Form, Callable[[], str]] = {
    "password": password,
    "hs256": lambda: password(HS256_CHARACTERS),
    "aes256": lambda: _base64_of(AES256_BYTES),
    "mongodb-keyfile": lambda: _base64_of(KEYFILE_BYTES),
    "rsa-private-key": certificates.rsa_private_key,
}


class _Lazy:
    """One CA for a whole run, made only if something needs it."""

    def __init__(self, make: Callable[[], certificates.DevelopmentCa]) -> None:
        self._make = make
        self._made: certificates.DevelopmentCa | None = None

    def __call__(self) -> certificates.DevelopmentCa:
        self._made = self._made or self._make()
        return self._made


def _complete(secret: SecretSpec, values: dict[str, bytes], ca: _Lazy, hosts: Sequence[str]) -> Iterable[LeftOut]:
    """Add to ``values`` what can be made; return what cannot."""
    left_out: list[LeftOut] = []
    for row in secret.keys:
        if row.origin == "certificate" and not row.source:
            left_out += _complete_certificates(secret, row, values, ca, hosts)
        elif row.key in values or row.origin in ("certificate", "ring"):
            continue
        elif row.origin == "fixed":
            values[row.key] = row.value.encode()
        elif row.origin == "generated":
            orphans = [r.key for r in secret.keys if r.source == row.key and r.key in values]
            if orphans:
                left_out.append(LeftOut(secret.name, row, f"{' and '.join(orphans)} computed from it exists; restore the original, or remove both"))
            else:
                values[row.key] = new_value(row.form).encode()
        elif row.origin == "derived":
            left_out += _derive(secret, row, values)
        else:
            left_out.append(LeftOut(secret.name, row, recipe(row)))
    return left_out


def _together(ours: bytes, other: bytes) -> bytes:
    """Our CA's certificate, and another's where that is another."""
    return ours if other.strip() in (b"", ours.strip()) else ours.rstrip() + b"\n" + other


def _derive(secret: SecretSpec, row: Key, values: dict[str, bytes]) -> Iterable[LeftOut]:
    if row.source not in values:
        return [LeftOut(secret.name, row, f"it is computed from {row.source}, which is missing")]
    compute = {"rsa-public-key": certificates.public_key, "key-id": certificates.key_id}[row.form]
    try:
        values[row.key] = compute(values[row.source].decode()).encode()
    except ValueError:
        return [LeftOut(secret.name, row, f"{row.source}, from which it is computed, is not an RSA private key in PEM form")]
    return []


def _complete_certificates(secret: SecretSpec, key: Key, values: dict[str, bytes], ca: _Lazy, hosts: Sequence[str]) -> Iterable[LeftOut]:
    """A private key with its certificate and CA: all of them, or none where a part exists, since the CA that signed it is not at hand."""
    rows = [row for row in secret.keys if row is key or row.source == key.key]
    present = [row.key for row in rows if row.key in values]
    if present:
        reason = f"{' and '.join(present)} exists and its CA is not at hand; get this from the same CA, or remove the whole set"
        return [LeftOut(secret.name, row, reason) for row in rows if row.key not in values and not row.optional]
    server = secret.type == "kubernetes.io/tls"
    private_key, certificate = ca().issue(hosts[0], hosts) if server else ca().issue("sos-app")
    parts = {"private-key": private_key, "certificate": certificate, "ca-certificate": ca().certificate}
    values.update({row.key: parts[row.form].encode() for row in rows})
    return []
