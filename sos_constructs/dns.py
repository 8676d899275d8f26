"""The names by which Services and the pods behind them are reached."""

from __future__ import annotations

CLUSTER_DOMAIN = "cluster.local"
"""The domain of nearly every cluster (kubeadm's and every vendor's default)."""


def service_hosts(service: str, namespace: str) -> list[str]:
    """Every name of a Service: from its own namespace, from another, and in full."""
    return [service, f"{service}.{namespace}", f"{service}.{namespace}.svc", f"{service}.{namespace}.svc.{CLUSTER_DOMAIN}"]


def pod_hosts(pods: list[str], service: str, namespace: str) -> list[str]:
    """Every name of the pods of a StatefulSet behind its headless Service."""
    return [f"{pod}.{host}" for pod in pods for host in service_hosts(service, namespace)]
