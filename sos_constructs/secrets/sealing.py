"""SealedSecrets in the format of ``kubeseal``: encrypted for one controller, so that they may be committed.

Format (read in sealed-secrets 0.27.1, ``pkg/crypto`` and ``pkg/apis``, and tried against its controller): each value by itself is
``uint16 length of RSA ciphertext | RSA-OAEP(SHA-256, label) of a fresh AES-256 key | AES-256-GCM of the value, nonce of zeros``, in base64.
The label ties it to ``namespace/name``, to a namespace or, for the whole cluster, to nothing; never to a key, so that a sealed value may be
copied to another key of its Secret.

``cryptography`` is imported inside the functions: it comes with the ``cli`` extra.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, cast, get_args

from sos_constructs.labels import labels
from sos_constructs.secrets import ages
from sos_constructs.secrets.stored import SecretInputError, StoredSecret

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

Scope = Literal["strict", "namespace-wide", "cluster-wide"]
"""Where a sealed value can be unsealed: only under its own name and namespace, under any name of its namespace, anywhere."""

API_VERSION = "bitnami.com/v1alpha1"
_ANNOTATION = "sealedsecrets.bitnami.com/"
_SESSION_KEY_BYTES = 32
_NONCE = bytes(12)
"""Zeros are safe here: each AES key encrypts one value."""


def sealing_key(pem: str, where: str, *, now: datetime) -> RSAPublicKey:
    """The public key of a controller's certificate.

    :param pem: the certificate, PEM.
    :param where: how to call it in a message.
    :param now: the time at which it must be valid: a controller keeps old keys, but a certificate that expired is a forgotten file.
    :raises SecretInputError: when it is no certificate, not one for RSA, or has expired.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    try:
        certificate = x509.load_pem_x509_certificates(pem.encode())[0]
        key = certificate.public_key()
    except ValueError:
        raise SecretInputError(f"{where}: is not a certificate in PEM form") from None
    if not isinstance(key, RSAPublicKey):
        raise SecretInputError(f"{where}: is not the certificate of a Sealed Secrets controller, whose keys are RSA")
    if now > certificate.not_valid_after_utc:
        raise SecretInputError(f"{where}: expired on {certificate.not_valid_after_utc:%Y-%m-%d}; fetch the current one with kubeseal --fetch-cert")
    return key


def seal(value: bytes, key: RSAPublicKey, label: bytes) -> str:
    """``value`` for the owner of ``key``; another text each time."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    session_key = os.urandom(_SESSION_KEY_BYTES)
    wrapped = key.encrypt(session_key, OAEP(MGF1(hashes.SHA256()), hashes.SHA256(), label))
    sealed = len(wrapped).to_bytes(2, "big") + wrapped + AESGCM(session_key).encrypt(_NONCE, value, None)
    return base64.b64encode(sealed).decode()


def looks_sealed(text: object) -> bool:
    """Whether ``text`` has the shape of a sealed value. A value that was pasted instead of sealed has not."""
    try:
        sealed = base64.b64decode(text, validate=True) if isinstance(text, str) else b""
    except ValueError:
        return False
    length = int.from_bytes(sealed[:2], "big")
    return length in (256, 384, 512, 1024) and len(sealed) >= 2 + length + 16  # RSA of 2048 to 8192 bits, GCM's tag of 16 bytes


def label_of(namespace: str, name: str, scope: Scope) -> bytes:
    """What a sealed value is tied to."""
    return {"strict": f"{namespace}/{name}", "namespace-wide": namespace, "cluster-wide": ""}[scope].encode()


def scope_of(manifest: Mapping[str, Any]) -> Scope:
    """The scope that a SealedSecret's annotations say. As in the controller, the wider one wins."""
    annotations = manifest["metadata"].get("annotations") or {}
    for scope in reversed(get_args(Scope)[1:]):
        if str(annotations.get(_ANNOTATION + scope)).lower() == "true":
            return cast("Scope", scope)
    return "strict"


def sealed_secret(secret: StoredSecret, key: RSAPublicKey, *, namespace: str, scope: Scope = "strict") -> dict[str, Any]:
    """A SealedSecret with every value of ``secret``.

    :param secret: the Secret; its own namespace is not looked at.
    :param key: from :func:`sealing_key`.
    :param namespace: where it will be unsealed.
    :param scope: where else it could be.
    """
    label = label_of(namespace, secret.name, scope)
    annotations = ages.annotation(secret.rotated) | ({} if scope == "strict" else {_ANNOTATION + scope: "true"})
    metadata: dict[str, Any] = {"name": secret.name, "namespace": namespace}
    metadata |= {"annotations": annotations} if annotations else {}
    metadata["labels"] = labels("secrets", "sos-app", "secrets")
    return {
        "apiVersion": API_VERSION,
        "kind": "SealedSecret",
        "metadata": metadata,
        "spec": {
            "encryptedData": {name: seal(value, key, label) for name, value in sorted(secret.values.items())},
            "template": {"metadata": {name: dict(part) if isinstance(part, dict) else part for name, part in metadata.items()}, "type": secret.type},
        },
    }


def merge(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """``old`` with the values of ``new``; keys that only ``old`` has stay byte for byte.

    :raises SecretInputError: when the two could not be unsealed together, or not into one Secret.
    """
    name = new["metadata"]["name"]
    for what, before, after in (
        ("namespace", str(old["metadata"].get("namespace") or ""), new["metadata"]["namespace"]),
        ("scope", scope_of(old), scope_of(new)),
        ("type", _type(old), _type(new)),
    ):
        if before != after:
            raise SecretInputError(f"{name}: has {what} {before or 'none'} in the file and {after} now; values sealed for both cannot stand together")
    values = new["spec"]["encryptedData"]
    merged = {**(old["spec"].get("encryptedData") or {}), **values}
    times = {key: time for key, time in ages.read(old["metadata"]).items() if key not in values} | ages.read(new["metadata"])
    template = {**(old["spec"].get("template") or {})}
    if template.get("metadata") or times:
        template["metadata"] = ages.stamped(template.get("metadata") or {}, times)
    return {
        **old,
        "metadata": ages.stamped(old["metadata"], times),
        "spec": {**old["spec"], "encryptedData": dict(sorted(merged.items())), "template": template},
    }


def _type(manifest: Mapping[str, Any]) -> str:
    return str((manifest["spec"].get("template") or {}).get("type") or "Opaque")
