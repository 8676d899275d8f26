"""The pooler's objects beside its Deployment: Services, network, disruption budget, metrics."""

from __future__ import annotations

from typing import Any

from sos_constructs.postgres import clients, monitoring
from sos_constructs.postgres import names as n
from sos_constructs.postgres.agent_files import POOLER, agent_files
from sos_constructs.postgres.exposure import blocks
from sos_constructs.postgres.network import names_resolve
from sos_constructs.postgres.pooler import certificate
from sos_constructs.postgres.pooler import names as p
from sos_constructs.postgres.pooler.deployment import deployment
from sos_constructs.postgres.pooler.ini import config_map, sides
from sos_constructs.postgres.pooler.options import Pooler
from sos_constructs.postgres.spec import Spec


def manifests(spec: Spec) -> list[dict[str, Any]]:
    """Every object of the pooler, in the order in which they are applied; none where there is no pooler."""
    pooler = spec.pooler
    if pooler is None:
        return []
    objects = [
        config_map(spec, pooler),
        agent(spec),
        service_account(spec, pooler),
        network_policy(spec, pooler),
        *(service(spec, pooler, side) for side in sides(pooler)),
        deployment(spec, pooler),
        disruption_budget(spec),
        *certificate.manifests(spec, pooler),
    ]
    if spec.monitoring is not None:
        objects.append(pod_monitor(spec, spec.monitoring))
    return objects


def agent(spec: Spec) -> dict[str, Any]:
    """``postgres-pooler-agent``: the Python files beside PgBouncer, mounted as a package."""
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": _metadata(spec, p.PoolerNames(spec.name).agent), "data": dict(agent_files(POOLER))}


def service_account(spec: Spec, pooler: Pooler) -> dict[str, Any]:
    """An identity of its own, without any right and without a token."""
    metadata = _metadata(spec)
    if pooler.pods.service_account_annotations:
        metadata["annotations"] = dict(pooler.pods.service_account_annotations)
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata, "automountServiceAccountToken": False}


def service(spec: Spec, pooler: Pooler, side: str) -> dict[str, Any]:
    """Where clients go instead of the database's own Service; the same port."""
    names = p.PoolerNames(spec.name)
    options = {"primary": pooler.service, "readonly": pooler.readonly_service}[side]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": options.metadata(names.labels, names.services[side], spec.namespace),
        "spec": {"ports": [options.port(side, n.PORT)], "selector": names.selector, **options.fields()},
    }


def disruption_budget(spec: Spec) -> dict[str, Any]:
    """A drain takes one pod at a time. A pod that is not ready may always go: one that never served would otherwise block every drain."""
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": _metadata(spec),
        "spec": {
            "maxUnavailable": 1,
            "selector": {"matchLabels": p.PoolerNames(spec.name).selector},
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
        },
    }


def network_policy(spec: Spec, pooler: Pooler) -> dict[str, Any]:
    """Ingress: the declared clients and, with ``monitoring``, Prometheus. Egress: the members and DNS, nothing else."""
    ports = [{"port": p.PORTS[side], "protocol": "TCP"} for side in sides(pooler)]
    # a rule without peers would let everybody in
    peers = clients.peers(spec) + blocks([pooler.service, pooler.readonly_service])
    ingress: list[dict[str, Any]] = [{"from": peers, "ports": ports}] if peers else []
    if spec.monitoring is not None:
        prometheus = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": spec.monitoring.namespace}}}
        ingress.append({"from": [prometheus], "ports": [{"port": p.AGENT_PORT, "protocol": "TCP"}]})
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": _metadata(spec),
        "spec": {
            "egress": [
                {"ports": [{"port": n.PORT, "protocol": "TCP"}], "to": [{"podSelector": {"matchLabels": spec.names.selector}}]},
                *names_resolve(spec.dns),
            ],
            "ingress": ingress,
            "podSelector": {"matchLabels": p.PoolerNames(spec.name).selector},
            "policyTypes": ["Ingress", "Egress"],
        },
    }


def pod_monitor(spec: Spec, operator: monitoring.PrometheusOperator) -> dict[str, Any]:
    """Scrape the agent of every pod; it asks PgBouncer, which speaks no HTTP."""
    names = p.PoolerNames(spec.name)
    seconds = int(operator.interval.total_seconds())
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PodMonitor",
        "metadata": {"labels": names.labels | dict(sorted(operator.labels.items())), "name": names.pooler, "namespace": spec.namespace},
        "spec": {
            "podMetricsEndpoints": [
                {
                    "interval": f"{seconds}s",
                    "path": "/metrics",
                    "port": "agent",
                    "relabelings": [{"action": "replace", "replacement": spec.name, "targetLabel": monitoring.CLUSTER_LABEL}],
                    "scrapeTimeout": f"{min(10, seconds)}s",
                }
            ],
            "selector": {"matchLabels": names.selector},
        },
    }


def _metadata(spec: Spec, name: str = "") -> dict[str, Any]:
    names = p.PoolerNames(spec.name)
    return {"labels": names.labels, "name": name or names.pooler, "namespace": spec.namespace}
