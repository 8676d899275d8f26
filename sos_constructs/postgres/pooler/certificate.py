"""The pooler's own certificate: for its Services and nobody else.

It is separate from the database's certificate, so that a compromised PgBouncer cannot impersonate a member. Every client reaches PgBouncer.
With the members' key an attacker could stand between primary and standby, and read everything.
"""

from __future__ import annotations

from typing import Any

from sos_constructs.dns import service_hosts
from sos_constructs.postgres import tls
from sos_constructs.postgres.handles import ServerCa
from sos_constructs.postgres.pooler import names as p
from sos_constructs.postgres.pooler.options import Pooler
from sos_constructs.postgres.spec import Spec
from sos_constructs.postgres.tls import CertManager


def secret_name(spec: Spec, pooler: Pooler) -> str:
    """The Secret with the certificate."""
    return pooler.tls_secret or p.PoolerNames(spec.name).certificate


def services(spec: Spec, pooler: Pooler) -> list[str]:
    """The names that clients get from the handles."""
    names = p.PoolerNames(spec.name).services
    return [names["primary"], names["readonly"]] if pooler.readonly else [names["primary"]]


def hosts(spec: Spec, pooler: Pooler) -> list[str]:
    """Every name under which somebody may call: both Services, also while one is not there, so that switching it on needs no new certificate."""
    ours = [host for service in p.PoolerNames(spec.name).services.values() for host in service_hosts(service, spec.namespace)]
    return [*ours, *pooler.service.hosts, *pooler.readonly_service.hosts]


def ca(spec: Spec, pooler: Pooler) -> ServerCa | None:
    """What clients verify the pooler by; ``None`` where there is no TLS."""
    return None if spec.tls is None else ServerCa(secret=secret_name(spec, pooler), mount_dir=p.CA_DIR, volume_name=p.CA_VOLUME)


def manifests(spec: Spec, pooler: Pooler) -> list[dict[str, Any]]:
    """The Certificate for cert-manager, where it is asked for."""
    if not isinstance(spec.tls, CertManager):
        return []
    return [tls.certificate(spec, spec.tls, secret_name(spec, pooler), hosts(spec, pooler), p.PoolerNames(spec.name).labels)]


def declared(spec: Spec, pooler: Pooler) -> dict[str, Any]:
    """What the agent must know, to say what is wrong by name."""
    return {} if spec.tls is None else {"certificate": {"secret": secret_name(spec, pooler), "services": services(spec, pooler)}}


def volumes(spec: Spec, pooler: Pooler) -> list[dict[str, Any]]:
    """Readable for the pod's group. Optional to the kubelet, so that the init container can say in one line what is missing."""
    if spec.tls is None:
        return []
    return [{"name": "certificates", "secret": {"defaultMode": 0o440, "optional": True, "secretName": secret_name(spec, pooler)}}]
