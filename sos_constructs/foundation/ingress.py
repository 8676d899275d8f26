"""The NetworkPolicy that opens one workload: SosNamespace denies every connection that no policy allows."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sos_constructs.errors import InvalidOption
from sos_constructs.labels import labels
from sos_constructs.workloads import POD, check_pod, pod_selector

if TYPE_CHECKING:
    from sos_constructs.postgres.clients import Clients

    import cdk8s_plus_27 as kplus

PREFIX = "allow-ingress."


def policy(namespace: str, workload: Mapping[str, Any] | kplus.AbstractPod, ports: Sequence[int], clients: Sequence[Clients] | None) -> dict[str, Any]:
    """Lets the clients connect to these ports of the workload's pods.

    :raises InvalidOption: for what is no workload, and a port or client that cannot be.
    """
    title, selector = _pods(workload)
    sources = [{"podSelector": {}}] if clients is None else [peer for number, each in enumerate(clients) for peer in _peers(number, each)]
    if not sources:
        raise InvalidOption("clients", clients, "must name at least one; leave it out for every pod of the namespace")
    given: Any = ports
    if not isinstance(given, list | tuple) or not given:
        raise InvalidOption("ports", given, "must be a list with at least one port, such as [8080]")
    for port in given:
        if not isinstance(port, int) or isinstance(port, bool) or not 1 <= port <= 65535:
            raise InvalidOption("ports", port, "must be 1 to 65535")
    rule = {"from": sources, "ports": [{"port": port, "protocol": "TCP"} for port in ports]}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": _name(title), "namespace": namespace, "labels": labels("sos-foundation", namespace, "network")},
        "spec": {"podSelector": selector, "policyTypes": ["Ingress"], "ingress": [rule]},
    }


def _pods(workload: Any) -> tuple[str, dict[str, Any]]:
    """Kind and name of a workload, and what finds its pods."""
    if isinstance(workload, Mapping):
        check_pod(workload)
        if workload.get("kind") in POD and (workload.get("metadata") or {}).get("name"):
            return f"{workload['kind'].lower()}.{workload['metadata']['name']}", pod_selector(workload)
    elif hasattr(workload, "to_pod_selector_config"):
        # every pod of cdk8s-plus has a label that no other workload's pods have
        labels = dict(workload.pod_metadata.to_json().get("labels") or {})
        return f"{workload.kind.lower()}.{workload.name}", {"matchLabels": {_ADDRESS: labels[_ADDRESS]}}
    raise InvalidOption("workload", workload, "must be a manifest (a dict), or a Deployment, StatefulSet, DaemonSet, Job, CronJob or Pod of cdk8s_plus_27")


def _peers(number: int, clients: Any) -> list[dict[str, Any]]:
    if not hasattr(clients, "peers"):
        raise InvalidOption(f"clients[{number}]", clients, 'must be made with Clients(…), for instance Clients(pods={"app": "web"})')
    clients.check(f"clients[{number}]")
    found: list[dict[str, Any]] = clients.peers()
    return found


def _name(title: str) -> str:
    name = f"{PREFIX}{title}"
    return name if len(name) <= 253 else f"{name[:240].rstrip('.-')}-{hashlib.sha256(name.encode()).hexdigest()[:10]}"


_ADDRESS = "cdk8s.io/metadata.addr"
"""``kplus.Pod.ADDRESS_LABEL``, without loading cdk8s-plus."""
