"""Secrets that are key material of the platform itself: JWT, encryption, TLS. Data only."""

from __future__ import annotations

from sos_constructs.secrets.model import CERTIFICATE, JWT, NEVER, RE_WRAP, Key, Rotation, SecretSpec
from sos_constructs.secrets.rings import with_rings

JWT_SECRETS = SecretSpec(
    name="jwt-secrets",
    attribute="jwt",
    meaning="Keys that sign and verify access and refresh tokens.",
    keys=with_rings(
        Key(
            key="jwt-secret",
            origin="generated",
            form="hs256",
            rotation=JWT,
            meaning="HMAC key of access tokens (HS256). Every service that can verify with it can also sign with it: prefer the RS256 pair between services.",
            breaks="Nobody can log in.",
        ),
        Key(key="jwt-refresh-secret", origin="generated", form="hs256", rotation=JWT, meaning="HMAC key of refresh tokens.", breaks="Sessions end after 15 minutes."),
        Key(
            key="jwt-private-key",
            origin="generated",
            form="rsa-private-key",
            rotation=JWT,
            meaning="Private key that signs tokens (RS256). Only the auth service needs it.",
            breaks="Services cannot trust each other's tokens.",
        ),
        Key(
            key="jwt-public-key",
            origin="derived",
            form="rsa-public-key",
            source="jwt-private-key",
            rotation=JWT,
            meaning="Public key that verifies tokens (RS256).",
            breaks="Services reject every token.",
        ),
        Key(
            key="jwt-key-id",
            origin="derived",
            form="key-id",
            source="jwt-private-key",
            rotation=JWT,
            meaning="Value of the token header `kid`: the public key's RFC 7638 thumbprint.",
            breaks="A new key pair looks like the old one, so that rotation logs everyone out.",
            added="rotation with an overlap needs to say which key signed a token",
        ),
    ),
)


def _aes(key: str, meaning: str, breaks: str, rotation: Rotation = RE_WRAP) -> Key:
    return Key(key=key, origin="generated", form="aes256", rotation=rotation, meaning=meaning, breaks=breaks)


ENCRYPTION = SecretSpec(
    name="encryption-keys",
    attribute="encryption",
    meaning="AES-256 keys for data at rest. A lost key is lost data: back them up apart from the data.",
    keys=with_rings(
        _aes("medical-encryption-key", "Encrypts medical profiles.", "Medical profiles can be neither read nor written; responders see none."),
        _aes("pii-encryption-key", "Encrypts names, addresses and phone numbers.", "User profiles can be neither read nor written."),
        _aes("data-encryption-key", "Encrypts everything else at rest (DEK); stored with the data only in the form wrapped by the KEK.", "Stored data cannot be read."),
        _aes("key-encryption-key", "Wraps the data encryption keys (KEK); belongs in a KMS where there is one.", "Wrapped data keys cannot be opened, so no data can be read."),
    ),
)

TLS = SecretSpec(
    name="tls-certificates",
    attribute="tls",
    meaning="Certificate of the public entry point. In production let cert-manager write this Secret.",
    type="kubernetes.io/tls",
    keys=(
        Key(
            key="tls.crt",
            env="TLS_CERTIFICATE",
            origin="certificate",
            form="certificate",
            source="tls.key",
            rotation=CERTIFICATE,
            meaning="Server certificate, followed by its intermediates (PEM).",
            breaks="No HTTPS: apps cannot reach the platform.",
            obtain="cert-manager Certificate with secretName tls-certificates, or your CA; for development: sosctl secrets generate",
        ),
        Key(
            key="tls.key",
            env="TLS_PRIVATE_KEY",
            origin="certificate",
            form="private-key",
            rotation=CERTIFICATE,
            meaning="Private key of the server certificate (PEM).",
            breaks="No HTTPS: apps cannot reach the platform.",
            obtain="with tls.crt",
        ),
        Key(
            key="ca.crt",
            env="TLS_CA_CERTIFICATE",
            origin="certificate",
            form="ca-certificate",
            source="tls.key",
            rotation=NEVER,
            optional=True,
            meaning="Certificate of the CA that signed tls.crt (PEM), where clients do not know it already.",
            breaks="Clients of a private CA cannot verify the server.",
            obtain="with tls.crt",
            added="clients need it to trust a development CA; cert-manager writes it under the same name",
        ),
    ),
)
