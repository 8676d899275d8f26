"""The certificate in use: examined before it is taken, swapped whole, loaded without a restart, and seen to be served.

PostgreSQL and Patroni never read the mounted files. A Secret with half a pair, the wrong key or an expired certificate therefore changes
nothing: what was in use stays, and one line says why.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import ssl
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .files import DeclaredError
from .log import log
from .patroni_api import Status
from .tls import CA, CERTIFICATE, KEY, Places, rest_api

if TYPE_CHECKING:
    from .reconcile import Member

_NO_CHECK_TIME = 0x200000
"""X509_V_FLAG_NO_CHECK_TIME of OpenSSL, which Python has no name for: the dates are judged here, in words that help."""
_SSL_REQUEST = struct.pack("!ii", 8, 80877103)
"""With what a PostgreSQL client asks for TLS (PostgreSQL manual, message formats)."""
LOAD_ROUNDS = 10
"""Seconds that a reload may take: Patroni does it in the next round of its loop."""


class CertificateError(DeclaredError):
    """The Secret's certificate cannot be used, or is not served yet. The message names the file and the reason, never a value."""


@dataclass(frozen=True)
class Certificate:
    """What matters of a certificate that is signed by the CA beside it and belongs to the key beside it."""

    serial: str
    begins: float
    ends: float
    names: tuple[str, ...]

    @property
    def last_day(self) -> str:
        """When it ends, for the log."""
        return _day(self.ends)

    def problem(self, now: float) -> str:
        """Why it cannot be used now, or an empty string."""
        if now >= self.ends:
            return f"{CERTIFICATE} expired on {_day(self.ends)}"
        return f"{CERTIFICATE} is not valid before {_day(self.begins)}" if now < self.begins else ""


def take_over(places: Places, now: float, *, first: bool = False) -> Certificate | None:
    """Put the mounted files in use if they are others than those in use and can be used. Returns what is new, or ``None``.

    :param first: there is nothing in use yet: then also an expired certificate is better than no database.
    :raises CertificateError: what is wrong with the mounted files; those in use stay.
    """
    files = {name: _read(places.mounted / name) for name in (CERTIFICATE, KEY, CA)}
    digest = hashlib.sha256(b"\0".join(files.values())).hexdigest()[:16]
    folder = places.used.with_name(f"{places.used.name}-{digest}")
    if places.used.is_symlink() and places.used.readlink() == Path(folder.name):
        return None
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    try:
        for name, content in files.items():
            _write(folder / name, content)
        certificate = examine(folder)
        problem = certificate.problem(now)
        if problem and not first:
            raise CertificateError(f"the Secret's {problem}")
    except CertificateError:
        shutil.rmtree(folder)
        raise
    link = places.used.with_name(f".{places.used.name}.new")
    link.unlink(missing_ok=True)
    link.symlink_to(folder.name)
    link.replace(places.used)
    for old in places.used.parent.glob(f"{places.used.name}-*"):
        if old != folder:
            shutil.rmtree(old)
    return certificate


def first_certificate(places: Places) -> None:
    """Before Patroni starts: the mounted certificate, good or expired; after a crash of the init container also the one in use.

    :raises CertificateError: when there is none that a server could start with.
    """
    try:
        certificate = take_over(places, time.time(), first=True)
    except CertificateError as error:
        if not places.used.exists():
            raise
        log("error", "certificate", f"{error}; the certificate in use stays")
    else:
        if certificate and (problem := certificate.problem(time.time())):
            log("error", "certificate", f"the Secret's {problem}; starting with it, since there is no other")


def examine(folder: Path) -> Certificate:
    """Shake hands with oneself: a server with this pair, and a client that knows this CA.

    :raises CertificateError: when one of the files cannot be read as what it is, or they do not belong together.
    """
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        server.load_cert_chain(folder / CERTIFICATE, folder / KEY, password=lambda: b"")  # without: OpenSSL asks the terminal for a passphrase
    except (OSError, ValueError) as error:
        if getattr(error, "reason", "") == "KEY_VALUES_MISMATCH":
            raise CertificateError(f"the Secret's {KEY} does not belong to its {CERTIFICATE}") from None
        raise CertificateError(f"the Secret's {CERTIFICATE} and {KEY} are not a certificate and a private key in PEM form without a passphrase") from None
    client.check_hostname = False
    client.verify_flags = ssl.VerifyFlags(client.verify_flags | _NO_CHECK_TIME)
    try:
        client.load_verify_locations(folder / CA)
    except (OSError, ValueError):
        raise CertificateError(f"the Secret's {CA} is no certificate in PEM form") from None
    try:
        seen = _shake_hands(server, client)
    except ssl.SSLCertVerificationError as error:
        raise CertificateError(f"the Secret's {CERTIFICATE} is not signed by its {CA}, or not for a server: {error.verify_message}") from None
    except ssl.SSLError as error:
        raise CertificateError(f"the Secret's {CERTIFICATE} cannot be used for TLS: {error.reason}") from None
    names = tuple(str(value) for kind, value in seen.get("subjectAltName", ()) if kind == "DNS")
    begins, ends = (ssl.cert_time_to_seconds(str(seen[field])) for field in ("notBefore", "notAfter"))
    return Certificate(str(seen["serialNumber"]).lower().lstrip("0"), begins, ends, names)


def _shake_hands(server: ssl.SSLContext, client: ssl.SSLContext) -> dict[str, Any]:
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = [client.wrap_bio(to_client, to_server), server.wrap_bio(to_server, to_client, server_side=True)]
    waiting = sides
    for _ in range(10):  # TLS needs three
        waiting = [side for side in waiting if not _done(side)]
        if not waiting:
            break
    return dict(sides[0].getpeercert() or {})


def _done(side: ssl.SSLObject) -> bool:
    try:
        side.do_handshake()
    except ssl.SSLWantReadError:
        return False
    return True


def served(port: int, *, by_postgresql: bool) -> bytes:
    """The certificate that a server of this pod shows a new client, as DER; empty when it does not answer, or not by TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as plain:
            if by_postgresql:
                plain.sendall(_SSL_REQUEST)
                if plain.recv(1) != b"S":
                    return b""
            with context.wrap_socket(plain) as secure:
                return secure.getpeercert(binary_form=True) or b""
    except OSError:
        return b""


def used_der(places: Places) -> bytes:
    """The certificate in use, as DER."""
    first, end, _ = (places.used / CERTIFICATE).read_text("ascii").partition("-----END CERTIFICATE-----")
    return ssl.PEM_cert_to_DER_cert(first[first.index(ssl.PEM_HEADER) :] + end)


def not_served(places: Places, ports: dict[str, int], ask: Callable[..., bytes] = served) -> list[str]:
    """Which of this pod's servers still show another certificate than the one in use."""
    wanted = used_der(places)
    return [name for name, port in ports.items() if ask(port, by_postgresql=name == "PostgreSQL") != wanted]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise CertificateError(f"the Secret has no {path.name}") from None
    except OSError as error:
        raise CertificateError(f"the Secret's {path.name} cannot be read: {error.strerror}") from None


def _write(path: Path, content: bytes) -> None:
    # PostgreSQL takes a key of its own user only when nobody else can read it
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)


def _day(moment: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(moment))


class Renewal:
    """The step: a changed Secret is taken over and loaded, and whoever still shows the old certificate is asked again.

    :param show: told at every look when the certificate in use began and when it ends.
    """

    def __init__(self, show: Callable[[float, float], None], now: Callable[[], float] = time.time, pause: Callable[[float], None] = time.sleep) -> None:
        self._show, self._now, self._pause = show, now, pause
        self._seen: tuple[str, Certificate] | None = None
        self._confirmed = ""

    def __call__(self, member: Member, status: Status) -> None:
        """Bring the servers of this pod to the mounted certificate, or say in one line why it cannot be used."""
        places = member.tls
        if places is None:
            return
        refused: CertificateError | None = None
        try:
            take_over(places, self._now())
        except CertificateError as error:
            refused = error
        version = places.used.readlink().name
        if self._seen is None or self._seen[0] != version:
            self._seen = version, examine(places.used)
        certificate = self._seen[1]
        self._show(certificate.begins, certificate.ends)
        if self._confirmed != version and status.running:
            self._load(member, places)
            self._confirmed = version
            log("info", "certificate", "in use", serial=certificate.serial, ends=certificate.last_day)
        if refused is not None:
            raise CertificateError(f"{refused}; the certificate in use stays, and ends on {certificate.last_day}")
        if problem := certificate.problem(self._now()):
            raise CertificateError(f"the {problem}, and the Secret has no newer one")

    def _load(self, member: Member, places: Places) -> None:
        declared = member.declared()
        ports = {"PostgreSQL": int(declared.patroni["postgresql"]["listen"].rpartition(":")[2]), "Patroni": rest_api(declared.patroni).port}
        late = not_served(places, ports)
        if not late:
            return
        member.patroni(declared).reload()
        for _ in range(LOAD_ROUNDS):
            self._pause(1.0)
            late = not_served(places, ports)
            if not late:
                return
        raise CertificateError(f"the new certificate is not served yet by {' and '.join(late)}")
