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
    """One server: its name, its Secret, and the names that its certificate is for."""

    name: str
    secret: SecretSpec
    hosts: Sequence[str]


def postgres_server(name: str, namespace: str) -> Server:
    """A ``HaPostgres`` of this name in this namespace, as its default ``tls=CertificateSecret()`` expects it."""
    headless = f"{name}-headless"
    services = [host for service in (f"{name}-service", f"{name}-readonly-service", headless) for host in service_hosts(service, namespace)]
    members = pod_hosts([f"{name}-{ordinal}" for ordinal in range(MEMBERS)], headless, namespace)
    secret = SecretSpec(
        name=f"{name}-tls",
        attribute=f"{name}_tls".replace("-", "_"),
        meaning=f"Certificate of the PostgreSQL {name!r}. In production let cert-manager write this Secret.",
        type="kubernetes.io/tls",
        keys=_KEYS,
    )
    return Server(name, secret, services + members)


def by_name(servers: Sequence[Server]) -> dict[str, Server]:
    """The servers by the names of their Secrets."""
    return {server.secret.name: server for server in servers}


_BREAKS = "PostgreSQL does not start: its pods wait for the Secret."
_OBTAIN = "HaPostgres(tls=CertManager(issuer=...)), or your CA; for development: sosctl secrets generate"
_KEYS = (
    Key(
        key="tls.crt",
        origin="certificate",
        form="certificate",
        source="tls.key",
        rotation=CERTIFICATE,
        meaning="Server certificate, followed by its intermediates (PEM).",
        breaks=_BREAKS,
        obtain=_OBTAIN,
    ),
    Key(
        key="tls.key",
        origin="certificate",
        form="private-key",
        rotation=CERTIFICATE,
        meaning="Private key of the server certificate (PEM).",
        breaks=_BREAKS,
        obtain="with tls.crt",
    ),
    Key(
        key="ca.crt",
        origin="certificate",
        form="ca-certificate",
        source="tls.key",
        rotation=NEVER,
        meaning="Certificate of the CA that signed tls.crt (PEM): what clients and members verify.",
        breaks=_BREAKS,
        obtain="with tls.crt",
    ),
)
