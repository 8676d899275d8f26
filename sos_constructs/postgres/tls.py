"""TLS of HaPostgres: where its certificate comes from, and what of that stands in the manifests."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

from sos_constructs import names as rules
from sos_constructs.checked import checked_in_use
from sos_constructs.dns import pod_hosts, service_hosts
from sos_constructs.errors import InvalidOption
from sos_constructs.postgres import names as n
from sos_constructs.postgres.exposure import is_address

import attrs

if TYPE_CHECKING:
    from sos_constructs.postgres.spec import Spec


NOTICE = timedelta(days=30)
"""Before its end ``sosctl secrets check`` begins to note a certificate, and ``sosctl secrets plan`` lists it as due (``secrets.check.NOTICE_DAYS``)."""


@checked_in_use
@attrs.frozen(kw_only=True)
class CertificateSecret:
    """The certificate stands in a Secret that somebody else writes: ``sosctl secrets generate``, a CA of your own, a cert-manager of your own.

    :param name: a Secret with ``tls.crt`` (with intermediates), ``tls.key`` (PEM, no passphrase) and ``ca.crt``, in the namespace of the
        database. Default: the installation's name with ``-tls``: ``postgres-tls``.
    :param plain_clients: ``True`` also lets clients in that do not speak TLS, until the last of them does. Members never do without.
    """

    name: str | None = None
    plain_clients: bool = False

    def check(self) -> None:
        """Raise :class:`InvalidOption` for a name that no Secret can have."""
        if self.name is not None:
            rules.dns_subdomain("tls.name", self.name)


@checked_in_use
@attrs.frozen(kw_only=True)
class CertManager:
    """cert-manager issues the certificate and renews it. Its CRDs (cert-manager.io/v1) must be in the cluster.

    :param issuer: name of the Issuer. It must sign names of the cluster (CA, Vault, Venafi, …): a public CA (ACME) cannot.
    :param issuer_kind: ``Issuer`` (default; in the database's namespace) or ``ClusterIssuer``.
    :param issuer_group: API group of the issuer, for external ones. Default ``cert-manager.io``.
    :param name: of the Certificate and of the Secret it writes. Default: the installation's name with ``-tls``: ``postgres-tls``.
    :param duration: life of each certificate. Default 90 days, cert-manager's own.
    :param renew_before: how long before its end it is renewed. Default 30 days, cert-manager's own third.
    :param plain_clients: ``True`` also lets clients in that do not speak TLS, until the last of them does. Members never do without.
    """

    issuer: str
    issuer_kind: Literal["Issuer", "ClusterIssuer"] = "Issuer"
    issuer_group: str = "cert-manager.io"
    name: str | None = None
    duration: timedelta = timedelta(days=90)
    renew_before: timedelta = timedelta(days=30)
    plain_clients: bool = False

    def check(self) -> None:
        """Raise :class:`InvalidOption` for what the API server or cert-manager would refuse."""
        rules.dns_subdomain("tls.issuer", self.issuer)
        rules.dns_subdomain("tls.issuer_group", self.issuer_group)
        if self.name is not None:
            rules.dns_subdomain("tls.name", self.name)
        if self.issuer_kind not in ("Issuer", "ClusterIssuer") and self.issuer_group == "cert-manager.io":
            raise InvalidOption("tls.issuer_kind", self.issuer_kind, "must be 'Issuer' or 'ClusterIssuer'; other kinds belong to another issuer_group")
        for option, span, least in (("tls.duration", self.duration, timedelta(hours=1)), ("tls.renew_before", self.renew_before, timedelta(minutes=5))):
            checked: object = span
            if not isinstance(checked, timedelta) or span < least or span.total_seconds() % 60:
                raise InvalidOption(option, str(span), f"must be a timedelta of whole minutes, at least {least} (cert-manager's own limit)")
        if self.renew_before >= self.duration:
            raise InvalidOption("tls.renew_before", str(self.renew_before), f"must be less than tls.duration={self.duration}, or renewing never ends")


Tls = CertificateSecret | CertManager


def secret_name(tls: Tls, name: str) -> str:
    """The Secret with the certificate."""
    return tls.name or f"{name}-tls"


def renewal(tls: Tls) -> timedelta:
    """How long before its end the certificate is to be renewed."""
    return tls.renew_before if isinstance(tls, CertManager) else NOTICE


def client_sslmode(tls: Tls | None) -> str:
    """What clients shall demand, in libpq's words."""
    return "prefer" if tls is None else "verify-full"


def hosts(spec: Spec) -> list[str]:
    """Every name under which somebody may call: the three Services, and each member that there can be."""
    names = spec.names
    services = [host for service in (names.primary_service, names.readonly_service, names.headless) for host in service_hosts(service, spec.namespace)]
    return [*services, *pod_hosts(names.pods, names.headless, spec.namespace), *spec.service.hosts, *spec.readonly_service.hosts]


def certificate(spec: Spec, manager: CertManager, name: str, hosts: list[str], labels: dict[str, str]) -> dict[str, Any]:
    """A Certificate for cert-manager, which writes the Secret of the same name."""
    return {
        "apiVersion": "cert-manager.io/v1",
        "kind": "Certificate",
        "metadata": {"labels": labels, "name": name, "namespace": spec.namespace},
        "spec": {
            # no commonName: verifiers read the names below, and it has room for 64 characters only
            "dnsNames": list(dict.fromkeys(host for host in hosts if not is_address(host))),
            **({"ipAddresses": addresses} if (addresses := [host for host in hosts if is_address(host)]) else {}),
            "duration": _span(manager.duration),
            "issuerRef": {"group": manager.issuer_group, "kind": manager.issuer_kind, "name": manager.issuer},
            # A new key with every certificate; ECDSA is fast, and every client since TLS 1.2 knows P-256.
            "privateKey": {"algorithm": "ECDSA", "rotationPolicy": "Always", "size": 256},
            "renewBefore": _span(manager.renew_before),
            "secretName": name,
            "secretTemplate": {"labels": labels},
            "usages": ["digital signature", "server auth", "client auth"],
        },
    }


def volumes(spec: Spec) -> list[dict[str, Any]]:
    """The pod's volume with the certificate. Of root and the pod's group, readable: the agent copies it for PostgreSQL, whose key must be its own."""
    if spec.tls is None:
        return []
    return [{"name": "certificates", "secret": {"defaultMode": 0o440, "secretName": secret_name(spec.tls, spec.name)}}]


def mounts(spec: Spec) -> list[dict[str, Any]]:
    """Where the agent reads it."""
    return [] if spec.tls is None else [{"mountPath": n.CERTIFICATES_DIR, "name": "certificates", "readOnly": True}]


def environment(spec: Spec) -> list[dict[str, Any]]:
    """What tells the agent that this pod serves TLS."""
    return [] if spec.tls is None else [{"name": "SOS_CERTIFICATES_DIR", "value": n.CERTIFICATES_DIR}]


def scrape(spec: Spec) -> dict[str, Any]:
    """How Prometheus asks Patroni: it calls pods by address, so it needs the name in the certificate."""
    if spec.tls is None:
        return {}
    ca = {"secret": {"key": "ca.crt", "name": secret_name(spec.tls, spec.name)}}
    return {"scheme": "https", "tlsConfig": {"ca": ca, "serverName": spec.names.headless}}


def _span(span: timedelta) -> str:
    """As Go writes durations of whole minutes."""
    hours, minutes = divmod(int(span.total_seconds()) // 60, 60)
    return f"{hours}h{minutes}m0s"
