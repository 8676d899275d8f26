"""Who may talk to the members, and whom they may call."""

from __future__ import annotations

from typing import Any

from sos_constructs.foundation.network import ClusterDns, dns_egress
from sos_constructs.postgres import clients
from sos_constructs.postgres import names as n
from sos_constructs.postgres.exposure import blocks
from sos_constructs.postgres.pooler.names import PoolerNames
from sos_constructs.postgres.spec import Spec


def network_policy(spec: Spec) -> dict[str, Any]:
    """Ingress: the declared clients, and the pooler's pods, to PostgreSQL, members to each other and, with ``monitoring``, Prometheus to the metrics ports.

    Egress: members, DNS, and the API server, which no selector can name: its ports are open to every address.
    Patroni's port serves metrics and an API whose unsafe calls need a password.
    """
    members = {"podSelector": {"matchLabels": spec.names.selector}}
    ingress: list[dict[str, Any]] = [
        {"from": _clients(spec, members), "ports": [_tcp(n.PORT)]},
        {"from": [members], "ports": [_tcp(n.PATRONI_PORT)]},
    ]
    if spec.monitoring is not None:
        prometheus = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": spec.monitoring.namespace}}}
        ingress.append({"from": [prometheus], "ports": [_tcp(n.PATRONI_PORT), _tcp(n.AGENT_PORT), _tcp(n.EXPORTER_PORT)]})
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"labels": spec.names.labels, "name": spec.name, "namespace": spec.namespace},
        "spec": {
            "egress": [
                {"ports": [_tcp(n.PORT), _tcp(n.PATRONI_PORT)], "to": [members]},
                *names_resolve(spec.dns),
                {"ports": [_tcp(port) for port in spec.api_server_ports]},
            ],
            "ingress": ingress,
            "podSelector": {"matchLabels": spec.names.selector},
            "policyTypes": ["Ingress", "Egress"],
        },
    }


def names_resolve(dns: ClusterDns | None) -> list[dict[str, Any]]:
    """Egress to the cluster's DNS. A policy sees the port of the DNS *pods*: 53 with CoreDNS, 5353 on OpenShift."""
    if dns is not None:
        return dns_egress(dns)
    return [{"ports": [{"port": port, "protocol": protocol} for port in (53, 5353) for protocol in ("TCP", "UDP")]}]


def _clients(spec: Spec, members: dict[str, Any]) -> list[dict[str, Any]]:
    peers = clients.peers(spec) + blocks([spec.service, spec.readonly_service])
    if clients.is_open(spec):
        return peers  # members and pooler are among them
    pooler = [] if spec.pooler is None else [{"podSelector": {"matchLabels": PoolerNames(spec.name).selector}}]
    return [*peers, members, *pooler]


def _tcp(port: int) -> dict[str, Any]:
    return {"port": port, "protocol": "TCP"}
