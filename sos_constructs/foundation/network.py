"""The network default of the namespace: nothing comes in unless a policy says so; names resolve everywhere.

NetworkPolicies only add up. As soon as one policy with ``policyTypes: [Egress]`` selects a pod, everything that no policy allows is
cut for that pod. So "allow DNS" for *all* pods would be "cut all but DNS": services that call an SMS gateway or the API server would
break without a word. An "allow everything" rule instead would undo every narrower egress policy, such as the database's own.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any

from sos_constructs import names
from sos_constructs.checked import checked
from sos_constructs.errors import InvalidOption
from sos_constructs.labels import labels

from attrs import Factory, frozen

EGRESS_LABEL = "sos-app/egress"
EGRESS_RESTRICTED = "restricted"
"""A pod labelled ``sos-app/egress: restricted`` may resolve names; everything else it calls needs a policy of its own."""


@checked
@frozen(kw_only=True)
class ClusterDns:
    """Where the cluster's DNS answers. A policy sees the packet after the Service address was replaced by a pod's, so the pods count.

    The default fits clusters with CoreDNS in kube-system (EKS, AKS, GKE, Kind, Minikube, k3s, RKE2). OpenShift:
    ``ClusterDns(namespace="openshift-dns", pods={"dns.operator.openshift.io/daemonset-dns": "default"}, port=5353)``.

    :param namespace: namespace of the DNS pods.
    :param pods: labels of the DNS pods. ``k8s-app: kube-dns`` is what CoreDNS carries for compatibility.
    :param addresses: resolvers outside any pod network, as CIDR: 169.254.20.10 is NodeLocal DNSCache's usual address and
        169.254.169.254 GKE's Cloud DNS. Only the DNS port is opened there, so the cloud's metadata service stays out of reach.
    :param port: port on which the DNS *pods* listen; the addresses are always asked on 53.
    """

    namespace: str = "kube-system"
    pods: Mapping[str, str] = Factory(lambda: {"k8s-app": "kube-dns"})
    addresses: tuple[str, ...] = ("169.254.20.10/32", "169.254.169.254/32")
    port: int = 53

    def __attrs_post_init__(self) -> None:
        names.dns_label("dns.namespace", self.namespace)
        if not self.pods:
            raise InvalidOption("dns.pods", self.pods, "must hold at least one label: an empty selector would open the port to every pod of the namespace")
        for key, value in self.pods.items():
            names.label_pair(key, value)
        for address in self.addresses:
            _cidr(address)
        if not 1 <= self.port <= 65535:
            raise InvalidOption("dns.port", self.port, "must be 1 to 65535")


def dns_egress(dns: ClusterDns) -> list[dict[str, Any]]:
    """Egress rules that let a pod resolve names, over UDP and, for long answers, TCP."""
    resolver = {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": dns.namespace}},
        "podSelector": {"matchLabels": dict(sorted(dns.pods.items()))},
    }
    rules: list[dict[str, Any]] = [{"to": [resolver], "ports": _both(dns.port)}]
    if dns.addresses:
        rules.append({"to": [{"ipBlock": {"cidr": address}} for address in dns.addresses], "ports": _both(53)})
    return rules


def default_deny_ingress(namespace: str) -> dict[str, Any]:
    """Nothing reaches any pod of the namespace unless another policy allows it."""
    return _policy("default-deny-ingress", namespace, {"podSelector": {}, "policyTypes": ["Ingress"]})


def allow_dns_egress(namespace: str, *, dns: ClusterDns, all_pods: bool) -> dict[str, Any]:
    """Names resolve for pods whose egress is restricted: those with :data:`EGRESS_LABEL`, or ``all_pods``, which then are cut off but for DNS."""
    selector = {} if all_pods else {"matchLabels": {EGRESS_LABEL: EGRESS_RESTRICTED}}
    return _policy("allow-dns-egress", namespace, {"podSelector": selector, "policyTypes": ["Egress"], "egress": dns_egress(dns)})


def _cidr(address: str) -> None:
    try:
        network = ipaddress.ip_network(address)
    except ValueError:
        raise InvalidOption("dns.addresses", address, "must be an address with prefix such as '169.254.20.10/32'") from None
    if "/" not in address:
        raise InvalidOption("dns.addresses", address, f"must have a prefix: write {str(network)!r} for this address alone")


def _policy(name: str, namespace: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name, "namespace": namespace, "labels": labels("sos-foundation", namespace, "network")},
        "spec": spec,
    }


def _both(port: int) -> list[dict[str, Any]]:
    return [{"protocol": protocol, "port": port} for protocol in ("UDP", "TCP")]
