"""The three Services, and the PodDisruptionBudget that says how many members a drain may take."""

from __future__ import annotations

from typing import Any

from sos_constructs.postgres import names as n
from sos_constructs.postgres.exposure import ServiceOptions
from sos_constructs.postgres.spec import Spec


def headless(spec: Spec) -> dict[str, Any]:
    """Stable DNS names of the members (``postgres-0.postgres-headless``), also while they are not ready."""
    return _service(spec, spec.names.headless, spec.names.selector, ServiceOptions(), clusterIP="None", publishNotReadyAddresses=True)


def primary(spec: Spec) -> dict[str, Any]:
    """Writes and consistent reads: the member that Patroni labels primary, whether its pod is ready or not.

    Readiness is ignored, only labels count. A restarting sidecar would otherwise remove a healthy primary. So would an API server outage of more
    than ``node-monitor-grace-period`` (50 s): Kubernetes then marks every pod as not ready until the kubelets report again. For two to eight
    seconds a primary that never stopped refused each new connection.
    """
    selector = spec.names.serving | {n.ROLE_LABEL: "primary"}
    return _service(spec, spec.names.primary_service, selector, spec.service, publishNotReadyAddresses=True)


def readonly(spec: Spec) -> dict[str, Any]:
    """Reads that may be a moment old: the members that Patroni labels replica and that are ready. Nobody takes the label from a dead one."""
    return _service(spec, spec.names.readonly_service, spec.names.serving | {n.ROLE_LABEL: "replica"}, spec.readonly_service)


def disruption_budget(spec: Spec) -> dict[str, Any]:
    """One member at a time, whichever it is: a budget on the primary alone would block every drain of its node.

    A pod that is not ready may always go: it serves nobody, and a broken template could otherwise never be replaced.
    """
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"labels": spec.names.labels, "name": spec.name, "namespace": spec.namespace},
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": spec.names.selector}, "unhealthyPodEvictionPolicy": "AlwaysAllow"},
    }


def _service(spec: Spec, name: str, selector: dict[str, str], options: ServiceOptions, **extra: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": options.metadata(spec.names.labels, name, spec.namespace),
        "spec": {"ports": [options.port("postgres", n.PORT)], "selector": selector, **options.fields(), **extra},
    }
