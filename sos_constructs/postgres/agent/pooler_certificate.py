"""The certificate that PgBouncer shows clients: examined and copied, loaded by RELOAD, and seen to be served.

PgBouncer reads the copy. So what is wrong in the Secret changes nothing, and is told in one line.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from .certificates import LOAD_ROUNDS, Certificate, CertificateError, examine, first_certificate, served, take_over, used_der
from .log import log
from .pooler_metrics import PoolerMetrics
from .tls import Places


def first(places: Places, declared: Mapping[str, Any]) -> None:
    """Before PgBouncer starts: the Secret's certificate.

    :raises CertificateError: naming the Secret, when there is none that PgBouncer could start with.
    """
    try:
        first_certificate(places)
    except CertificateError as error:
        raise CertificateError(f"{_secret(declared)}{error}") from None


class Serving:
    """What is served, and what of the Secret's newest is wrong.

    :param places: the mounted files and the copy.
    """

    def __init__(
        self,
        places: Places,
        ask: Callable[..., bytes] = served,
        now: Callable[[], float] = time.time,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._places, self._ask, self._now, self._pause = places, ask, now, pause
        self._examined: tuple[str, Certificate] | None = None
        self._served = self._refused = ""

    def look(self, declared: Mapping[str, Any]) -> bool:
        """Take the mounted files over, if they are new and good. Returns whether a PgBouncer has to load what is in use."""
        self._refused = ""
        try:
            take_over(self._places, self._now())
        except CertificateError as error:
            self._refused = f"{_secret(declared)}{error}"
        if self._served == self._version:
            return False
        shown = set(self._shown(declared).values())
        if shown == {used_der(self._places)}:
            self._seen(declared)
            return False
        return b"" not in shown  # whoever is starting loads it by itself

    def loaded(self, declared: Mapping[str, Any]) -> None:
        """After RELOAD: see that it is served.

        :raises CertificateError: by whom it is not.
        """
        late = self._late(declared)
        for _ in range(LOAD_ROUNDS):
            if not late:
                return self._seen(declared)
            self._pause(0.5)
            late = self._late(declared)
        raise CertificateError(f"the new certificate is not served yet by {' and '.join(late)}")

    def complain(self, metrics: PoolerMetrics) -> None:
        """Say what is wrong, after everything else has been done.

        :raises CertificateError: why the Secret's certificate is not in use, or that the one in use has expired.
        """
        certificate = self._certificate
        metrics.certificate_ends(certificate.ends)
        if self._refused:
            raise CertificateError(f"{self._refused}; the certificate in use stays, and ends on {certificate.last_day}")
        if problem := certificate.problem(self._now()):
            raise CertificateError(f"the {problem}, and the Secret has no newer one")

    @property
    def _version(self) -> str:
        return self._places.used.readlink().name

    @property
    def _certificate(self) -> Certificate:
        version = self._version
        if self._examined is None or self._examined[0] != version:
            self._examined = version, examine(self._places.used)
        return self._examined[1]

    def _shown(self, declared: Mapping[str, Any]) -> dict[str, bytes]:
        return {side: self._ask(int(where["port"]), by_postgresql=True) for side, where in declared["sides"].items()}

    def _late(self, declared: Mapping[str, Any]) -> list[str]:
        wanted = used_der(self._places)
        return [side for side, shown in self._shown(declared).items() if shown != wanted]

    def _seen(self, declared: Mapping[str, Any]) -> None:
        certificate, self._served = self._certificate, self._version
        log("info", "certificate", "in use", serial=certificate.serial, ends=certificate.last_day)
        missing = [name for name in declared.get("certificate", {}).get("services", ()) if name not in certificate.names]
        if missing:
            log("warning", "certificate", f"{_secret(declared)}the certificate is not for {', '.join(missing)}: clients with sslmode=verify-full refuse it")


def _secret(declared: Mapping[str, Any]) -> str:
    name = declared.get("certificate", {}).get("secret")
    return f"Secret {name}: " if name else ""
