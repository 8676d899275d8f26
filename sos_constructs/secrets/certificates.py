"""RSA key pairs, a development CA, and whether keys and certificates belong together.

``cryptography`` is imported inside the functions: it comes with the ``cli`` extra, the constructs do without.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

from sos_constructs.secrets.forms import RSA_BITS, RSA_BITS_AT_LEAST

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
    from cryptography.x509 import Certificate, CertificateBuilder, Name

DEVELOPMENT_LIFETIME = timedelta(days=365)
"""A development certificate is not renewed by anything: long enough not to be in the way, short enough not to be mistaken for production's."""

CLOCK_SKEW = timedelta(minutes=5)


def rsa_private_key() -> str:
    """A new RSA private key, PKCS#8 PEM."""
    from cryptography.hazmat.primitives.asymmetric import rsa

    return _private_pem(rsa.generate_private_key(public_exponent=65537, key_size=RSA_BITS))


def public_key(private_pem: str) -> str:
    """The public half, PEM (SubjectPublicKeyInfo).

    :raises ValueError: when that is not a private key without a passphrase.
    """
    from cryptography.hazmat.primitives import serialization

    public = _load(private_pem).public_key()
    return public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()


def key_id(private_pem: str) -> str:
    """RFC 7638 thumbprint of the public half of an RSA key: the same for everyone who computes it.

    :raises ValueError: when that is not an RSA private key without a passphrase.
    """
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    key = _load(private_pem)
    if not isinstance(key, RSAPrivateKey):
        raise ValueError("not an RSA key")
    numbers = key.public_key().public_numbers()
    members = {name: _base64url(number.to_bytes((number.bit_length() + 7) // 8, "big")) for name, number in (("e", numbers.e), ("n", numbers.n))}
    canonical = json.dumps(members | {"kty": "RSA"}, sort_keys=True, separators=(",", ":"))
    return _base64url(hashlib.sha256(canonical.encode()).digest())


class DevelopmentCa:
    """A CA that lives for one run: its private key is never written anywhere, so nothing else can ever be signed with it.

    :param now: start of the validity of everything it signs.
    """

    def __init__(self, now: datetime) -> None:
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes

        self._now = now
        self._key = _new_ec_key()
        usage = x509.KeyUsage(
            digital_signature=False, content_commitment=False, key_encipherment=False, data_encipherment=False, key_agreement=False,
            key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False,
        )  # fmt: skip
        subject = _name("SOS development CA")
        builder = self._builder(subject, subject, self._key).add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        self._certificate = builder.add_extension(usage, critical=True).sign(self._key, hashes.SHA256())

    @property
    def certificate(self) -> str:
        """The CA's own certificate, PEM."""
        return _certificate_pem(self._certificate)

    def issue(self, common_name: str, hosts: Sequence[str] = ()) -> tuple[str, str]:
        """A new key with its certificate, both PEM: for a server when ``hosts`` are given, else for a client."""
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes
        from cryptography.x509.oid import ExtendedKeyUsageOID

        key = _new_ec_key()
        purpose = ExtendedKeyUsageOID.SERVER_AUTH if hosts else ExtendedKeyUsageOID.CLIENT_AUTH
        builder = self._builder(_name(common_name), self._certificate.subject, key).add_extension(
            x509.BasicConstraints(ca=False, path_length=None), critical=True
        )
        builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        builder = builder.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
        if hosts:
            builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts]), critical=False)
        return _private_pem(key), _certificate_pem(builder.sign(self._key, hashes.SHA256()))

    def _builder(self, subject: Name, issuer: Name, key: EllipticCurvePrivateKey) -> CertificateBuilder:
        from cryptography import x509

        builder = x509.CertificateBuilder(issuer_name=issuer, subject_name=subject, public_key=key.public_key(), serial_number=x509.random_serial_number())
        builder = builder.not_valid_before(self._now - CLOCK_SKEW).not_valid_after(self._now + DEVELOPMENT_LIFETIME)
        return builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)


def rsa_problem(pem: str, *, private: bool) -> tuple[str, str] | None:
    """Why ``pem`` is no good RSA key: ``("malformed" or "weak", reason)``."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

    try:
        key = _load(pem) if private else serialization.load_pem_public_key(pem.encode())
    except ValueError:
        return "malformed", f"is not an RSA {'private' if private else 'public'} key in PEM form without a passphrase"
    if not isinstance(key, (RSAPrivateKey, RSAPublicKey)):
        return "malformed", "is a key of another kind than RSA"
    if key.key_size < RSA_BITS_AT_LEAST:
        return "weak", f"has {key.key_size} bits; {RSA_BITS_AT_LEAST} is the least, {RSA_BITS} is good"
    return None


def ec_problem(pem: str) -> str | None:
    """Why ``pem`` is not an EC P-256 private key."""
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey

    try:
        key = _load(pem)
    except ValueError:
        return "is not a private key in PEM form; paste the whole .p8 file"
    return None if isinstance(key, EllipticCurvePrivateKey) and isinstance(key.curve, SECP256R1) else "is not an EC P-256 key"


def private_key_problem(pem: str) -> tuple[str, str] | None:
    """Why ``pem`` is no good private key of a certificate: ``("malformed" or "weak", reason)``."""
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    try:
        key = _load(pem)
    except ValueError:
        return "malformed", "is not a private key in PEM form without a passphrase"
    return (
        ("weak", f"has {key.key_size} bits; {RSA_BITS_AT_LEAST} is the least") if isinstance(key, RSAPrivateKey) and key.key_size < RSA_BITS_AT_LEAST else None
    )


def certificate_problem(pem: str, now: datetime) -> str | None:
    """Why the first certificate in ``pem`` cannot be used at ``now``."""
    try:
        first = _certificates(pem)[0]
    except ValueError:
        return "is not a certificate in PEM form"
    if now > first.not_valid_after_utc:
        return f"expired on {first.not_valid_after_utc:%Y-%m-%d}"
    return f"is not valid before {first.not_valid_before_utc:%Y-%m-%d %H:%M} UTC" if now < first.not_valid_before_utc else None


def days_left(pem: str, now: datetime) -> int:
    """Whole days until the first certificate in ``pem`` ends."""
    return (ends(pem) - now).days


def ends(pem: str) -> datetime:
    """When the first certificate in ``pem`` ends.

    :raises ValueError: when that is no certificate in PEM form.
    """
    return _certificates(pem)[0].not_valid_after_utc


def not_for(pem: str, hosts: Sequence[str]) -> list[str]:
    """Which of the names, each of one label, the first certificate in ``pem`` is not for."""
    from cryptography import x509

    try:
        extension = _certificates(pem)[0].extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return list(hosts)
    names = {name.lower() for name in extension.value.get_values_for_type(x509.DNSName)}
    return [host for host in hosts if host not in names]


def belongs(certificate_pem: str, private_pem: str) -> bool:
    """Whether the first certificate is for this private key."""
    return _certificates(certificate_pem)[0].public_key() == _load(private_pem).public_key()


def signed_by(certificate_pem: str, ca_pem: str) -> bool:
    """Whether the certificate, through its own intermediates, is signed by one of the CA's certificates."""
    from cryptography.exceptions import InvalidSignature

    chain, trusted = _certificates(certificate_pem), _certificates(ca_pem)

    def issued(certificate: Certificate, issuer: Certificate) -> bool:
        try:
            certificate.verify_directly_issued_by(issuer)
        except (ValueError, TypeError, InvalidSignature):
            return False
        return True

    links = all(issued(certificate, issuer) for certificate, issuer in pairwise(chain))
    return links and any(chain[-1] == ca or issued(chain[-1], ca) for ca in trusted)


@lru_cache(maxsize=16)  # loading an RSA key tests its numbers, which takes a tenth of a second
def _load(pem: str) -> PrivateKeyTypes:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization

    try:
        return serialization.load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):  # TypeError: it has a passphrase
        raise ValueError("not a private key in PEM form without a passphrase") from None


def _certificates(pem: str) -> list[Certificate]:
    from cryptography import x509

    return x509.load_pem_x509_certificates(pem.encode())


def _new_ec_key() -> EllipticCurvePrivateKey:
    from cryptography.hazmat.primitives.asymmetric import ec

    return ec.generate_private_key(ec.SECP256R1())


def _private_pem(key: PrivateKeyTypes) -> str:
    from cryptography.hazmat.primitives import serialization

    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode()


def _certificate_pem(certificate: Certificate) -> str:
    from cryptography.hazmat.primitives import serialization

    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _name(common_name: str) -> Name:
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    return x509.Name(
        [x509.NameAttribute(NameOID.COMMON_NAME, common_name), x509.NameAttribute(NameOID.ORGANIZATION_NAME, "SOS development, not for production")]
    )


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
