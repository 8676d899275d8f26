"""Every object of one HaPostgres."""

from __future__ import annotations

from typing import Any

from sos_constructs.postgres import configmaps, network, rbac, services
from sos_constructs.postgres import monitoring as metrics
from sos_constructs.postgres import tls as certificates
from sos_constructs.postgres.pooler import manifests as pooling
from sos_constructs.postgres.spec import Spec
from sos_constructs.postgres.statefulset import stateful_set
from sos_constructs.postgres.tls import CertManager


def manifests(spec: Spec) -> list[dict[str, Any]]:
    """Every object of one HaPostgres, in the order in which they are applied: the table of contents."""
    objects = [
        configmaps.config(spec),
        configmaps.agent(spec),
        metrics.exporter_config(spec),
        rbac.service_account(spec),
        rbac.role(spec),
        rbac.role_binding(spec),
        network.network_policy(spec),
        services.headless(spec),
        services.primary(spec),
        services.readonly(spec),
        stateful_set(spec),
    ]
    if spec.instances > 1:
        objects.append(services.disruption_budget(spec))
    if isinstance(spec.tls, CertManager):
        name = certificates.secret_name(spec.tls, spec.name)
        objects.append(certificates.certificate(spec, spec.tls, name, certificates.hosts(spec), spec.names.labels))
    if spec.monitoring is not None:
        objects += [metrics.pod_monitor(spec, spec.monitoring), metrics.prometheus_rule(spec, spec.monitoring)]
        if spec.monitoring.dashboard:
            objects.append(metrics.grafana_dashboard(spec, spec.monitoring))
    return objects + pooling.manifests(spec)
