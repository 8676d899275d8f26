"""Secrets with the certificate of a server inside the cluster: one for each installation, and therefore in no catalogue."""

from __future__ import annotations

from collections.abc import Sequence

from sos_constructs.dns import pod_hosts, service_hosts
from sos_constructs.secrets.model import CERTIFICATE, NEVER, Key, SecretSpec

from attrs import frozen

MEMBERS = 9
"""As many as one HaPostgres can have."""


@frozen
class Server:
    """One server: its name, its Secret, and the names that its certificate is for.

    :param clients_use: those of the names that our handles give to clients.
    :param with_ca_of: another server's Secret whose CA is given to clients too, so that one file verifies both.
    """

    name: str
    secret: SecretSpec
    hosts: Sequence[str]
    clients_use: Sequence[str]
    with_ca_of: str = ""


def postgres_server(name: str, namespace: str) -> Server:
    """A ``HaPostgres`` of this name in this namespace, as its default ``tls=CertificateSecret()`` expects it."""
    headless = f"{name}-headless"
    services = [host for service in (f"{name}-service", f"{name}-readonly-service", headless) for host in service_hosts(service, namespace)]
    members = pod_hosts([f"{name}-{ordinal}" for ordinal in range(MEMBERS)], headless, namespace)
    secret = _secret(f"{name}-tls", f"Certificate of the PostgreSQL {name!r}.", "PostgreSQL does not start: its pods wait for the Secret.")
    return Server(name, secret, services + members, [f"{name}-service", f"{name}-readonly-service"])


def pooler_server(name: str, namespace: str) -> Server:
    """The pooler of that ``HaPostgres``. It has a certificate of its own: why, says ``postgres/pooler/certificate.py``."""
    services = [f"{name}-pooler-service", f"{name}-pooler-readonly-service"]
    secret = _secret(f"{name}-pooler-tls", f"Certificate of the pooler of the PostgreSQL {name!r}.", "The pooler's new pods do not start; old ones go on.")
    return Server(name, secret, [host for service in services for host in service_hosts(service, namespace)], services, with_ca_of=f"{name}-tls")


def by_name(servers: Sequence[Server]) -> dict[str, Server]:
    """The servers by the names of their Secrets."""
    return {server.secret.name: server for server in servers}


_OBTAIN = "HaPostgres(tls=CertManager(issuer=...)), or your CA; for development: sosctl secrets generate"


def _secret(name: str, meaning: str, breaks: str) -> SecretSpec:
    return SecretSpec(
        name=name,
        attribute=name.replace("-", "_"),
        meaning=f"{meaning} In production let cert-manager write this Secret.",
        type="kubernetes.io/tls",
        keys=(
            Key(
                key="tls.crt",
                origin="certificate",
                form="certificate",
                source="tls.key",
                rotation=CERTIFICATE,
                meaning="Server certificate, followed by its intermediates (PEM).",
                breaks=breaks,
                obtain=_OBTAIN,
            ),
            Key(
                key="tls.key",
                origin="certificate",
                form="private-key",
                rotation=CERTIFICATE,
                meaning="Private key of the server certificate (PEM).",
                breaks=breaks,
                obtain="with tls.crt",
            ),
            Key(
                key="ca.crt",
                origin="certificate",
                form="ca-certificate",
                source="tls.key",
                rotation=NEVER,
                meaning="Certificate of the CA that signed tls.crt (PEM): what clients and members verify.",
                breaks=breaks,
                obtain="with tls.crt",
            ),
        ),
    )
