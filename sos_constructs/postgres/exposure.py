"""The options ``service`` and ``readonly_service``: how a Service is seen, by whom, and under which names."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, get_args

from sos_constructs import names as rules
from sos_constructs.checked import checked_in_use
from sos_constructs.errors import InvalidOption
from sos_constructs.parts import annotation_map, cidr, copied, items, label_key, labels, not_ours, number, one_of

import attrs

ServiceType = Literal["ClusterIP", "NodePort", "LoadBalancer"]
TrafficPolicy = Literal["Cluster", "Local"]


@checked_in_use
@attrs.frozen(kw_only=True)
class ServiceOptions:
    """What is added to a Service. No change restarts pods.

    A Service that is reached from outside needs two more things. The NetworkPolicy must let the clients in:
    ``allow_from=(Clients(), Clients(addresses=("203.0.113.0/24",)))``, besides ``load_balancer_source_ranges``, which are let in by themselves.
    And with TLS the certificate must be for the name that they call: ``hosts``.

    :param type: ``ClusterIP`` (default): inside the cluster. ``NodePort``: a port of every node too. ``LoadBalancer``: a load balancer too.
    :param load_balancer_class: which controller makes the load balancer. Default: the cluster's. Kubernetes refuses a later change while the type stays.
    :param load_balancer_source_ranges: addresses that the load balancer lets in, for instance ``("203.0.113.0/24",)``. Default: all.
    :param node_port: the port of the nodes. Default: one that Kubernetes chooses, from 30000 to 32767.
    :param external_traffic_policy: ``Local``: the node with the pod alone takes connections, and the pod sees the client's address. ``Cluster``: every node
        does, and the pod sees a node's address. Default: ``Local`` for ``LoadBalancer``, else Kubernetes' own, ``Cluster``.
    :param hosts: names and addresses under which clients outside call it, for its certificate: ``("db.example.org",)``. With ``CertManager`` they are in
        the certificate; with ``CertificateSecret`` who makes the Secret must put them there.
    :param labels: more labels of the Service. Those of the library cannot be changed.
    :param annotations: annotations of the Service; cloud providers take the load balancer's settings from there.
    """

    type: ServiceType = "ClusterIP"
    load_balancer_class: str | None = None
    load_balancer_source_ranges: Sequence[str] = attrs.field(default=(), converter=copied)
    node_port: int | None = None
    external_traffic_policy: TrafficPolicy | None = None
    hosts: Sequence[str] = attrs.field(default=(), converter=copied)
    labels: Mapping[str, str] = attrs.field(factory=dict[str, str], converter=copied)
    annotations: Mapping[str, str] = attrs.field(factory=dict[str, str], converter=copied)

    @property
    def outside(self) -> bool:
        """Whether clients outside the cluster reach it."""
        return self.type != "ClusterIP"

    def check(self, option: str, ours: Mapping[str, str], *, addresses: bool, tls: bool) -> None:
        """Raise :class:`InvalidOption` for what the API server would refuse, or what no client could use.

        :param ours: the labels that the library gives the Service.
        :param addresses: whether ``allow_from`` has addresses.
        :param tls: whether the server has a certificate.
        """
        one_of(*get_args(ServiceType))(f"{option}.type", self.type)
        items(cidr)(f"{option}.load_balancer_source_ranges", self.load_balancer_source_ranges)
        items(host)(f"{option}.hosts", self.hosts)
        labels(f"{option}.labels", self.labels)
        not_ours(f"{option}.labels", self.labels, ours)
        annotation_map(f"{option}.annotations", self.annotations)
        if self.load_balancer_class is not None:
            label_key(f"{option}.load_balancer_class", self.load_balancer_class)
        balancer: dict[str, object] = {"load_balancer_class": self.load_balancer_class, "load_balancer_source_ranges": self.load_balancer_source_ranges}
        for field, value in balancer.items():
            if value and self.type != "LoadBalancer":
                raise InvalidOption(f"{option}.{field}", value, "needs type='LoadBalancer'")
        if self.node_port is not None:
            number(1, 65535)(f"{option}.node_port", self.node_port)
        if self.external_traffic_policy is not None:
            one_of(*get_args(TrafficPolicy))(f"{option}.external_traffic_policy", self.external_traffic_policy)
        nodes: dict[str, object] = {"node_port": self.node_port, "external_traffic_policy": self.external_traffic_policy}
        for field, value in nodes.items():
            if value is not None and not self.outside:
                raise InvalidOption(f"{option}.{field}", value, "needs type='NodePort' or 'LoadBalancer'")
        if self.hosts and not tls:
            raise InvalidOption(f"{option}.hosts", self.hosts, "is of no use with tls=None: there is no certificate")
        if self.outside and not self.load_balancer_source_ranges and not addresses:
            raise InvalidOption(
                f"{option}.type",
                self.type,
                "lets nobody in from outside, because the NetworkPolicy names no address: add Clients(addresses=('203.0.113.0/24',)) to allow_from",
            )

    def metadata(self, ours: Mapping[str, str], name: str, namespace: str) -> dict[str, Any]:
        """The Service's metadata: the library's labels win."""
        return {
            "labels": {**self.labels, **ours},
            "name": name,
            "namespace": namespace,
            **({"annotations": dict(self.annotations)} if self.annotations else {}),
        }

    def port(self, target: str, port: int) -> dict[str, Any]:
        """The Service's one port."""
        chosen = {} if self.node_port is None else {"nodePort": self.node_port}
        return {"name": "postgres", "port": port, "protocol": "TCP", "targetPort": target, **chosen}

    def fields(self) -> dict[str, Any]:
        """The other fields of the Service's spec; none for a plain ``ClusterIP``."""
        if not self.outside:
            return {}
        policy = self.external_traffic_policy or ("Local" if self.type == "LoadBalancer" else None)
        found = {
            "externalTrafficPolicy": policy,
            "loadBalancerClass": self.load_balancer_class,
            "loadBalancerSourceRanges": list(self.load_balancer_source_ranges),
            "type": self.type,
        }
        return {field: value for field, value in found.items() if value}


def host(option: str, value: object) -> None:
    """A name or an address that a certificate can be for."""
    try:
        ipaddress.ip_address(value if isinstance(value, str) else "")
    except ValueError:
        rules.dns_subdomain(option, value.removeprefix("*.") if isinstance(value, str) else value)


def is_address(name: str) -> bool:
    """Whether a certificate names it among addresses."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def blocks(services: Iterable[ServiceOptions]) -> list[dict[str, Any]]:
    """The load balancers' ranges, as peers of a NetworkPolicy's rule."""
    ranges = dict.fromkeys(each for service in services for each in service.load_balancer_source_ranges)
    return [{"ipBlock": {"cidr": each}} for each in ranges]
