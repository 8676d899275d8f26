"""SosNamespace: the ground that workloads stand on."""

from __future__ import annotations

from typing import Any

from sos_constructs import names
from sos_constructs.emit import Objects
from sos_constructs.errors import InvalidOption, located
from sos_constructs.foundation.network import ClusterDns, allow_dns_egress, default_deny_ingress
from sos_constructs.foundation.priorities import PRIORITIES, priority_class
from sos_constructs.labels import labels

import cdk8s
from attrs import frozen
from constructs import Construct


@frozen(kw_only=True)
class FoundationSpec:
    """The validated options of :class:`SosNamespace`."""

    name: str
    create_namespace: bool
    create_priority_classes: bool
    deny_egress: bool
    dns: ClusterDns

    def __attrs_post_init__(self) -> None:
        names.dns_label("name", self.name)
        if self.name.startswith("kube-") or self.name == "default":
            raise InvalidOption("name", self.name, "belongs to Kubernetes: Pod Security labels or a deny policy would break it; choose another")


def namespace(name: str) -> dict[str, Any]:
    """The Namespace. Pod Security ``restricted`` at ``latest``: the cluster's own, newest reading of the standard."""
    security = {
        f"pod-security.kubernetes.io/{mode}{suffix}": value
        for mode in ("audit", "enforce", "warn")
        for suffix, value in (("", "restricted"), ("-version", "latest"))
    }
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels("sos-foundation", name, "namespace") | security}}


def manifests(spec: FoundationSpec) -> list[dict[str, Any]]:
    """Every object, in the order in which it must be applied."""
    objects = [namespace(spec.name)] if spec.create_namespace else []
    if spec.create_priority_classes:
        objects += [priority_class(priority) for priority in PRIORITIES]
    return [*objects, default_deny_ingress(spec.name), allow_dns_egress(spec.name, dns=spec.dns, all_pods=spec.deny_egress)]


class SosNamespace(Construct):
    """Namespace with Pod Security ``restricted``, four PriorityClasses, default-deny ingress and DNS egress.

    Create it first in the chart: objects are written in the order in which they are created.

    Egress is denied to no pod unless asked for. A policy that allows only DNS to *all* pods would cut everything else, silently; so by
    default the DNS policy applies to pods labelled ``sos-app/egress: restricted``, whose own policies then only name what else they call.
    HaPostgres brings a complete policy of its own (DNS, peers, API server) and needs neither the label nor this construct.

    :param name: the namespace; must be the chart's, if the chart has one.
    :param create_namespace: ``False`` where the cluster's owner makes namespaces. The owner then sets the Pod Security labels too.
    :param create_priority_classes: ``False`` where you may not create cluster-scoped objects, or where another installation in the
        cluster has created them. Somebody must: pods that name a missing class are refused.
    :param deny_egress: ``True`` cuts every pod of the namespace off from everything but DNS until a policy allows more.
    :param dns: where the cluster's DNS answers, if not as CoreDNS in kube-system.
    :raises ValueError: for a name that is not a DNS-1123 label, belongs to Kubernetes, or is not the chart's namespace.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        name: str = "sos-app",
        create_namespace: bool = True,
        create_priority_classes: bool = True,
        deny_egress: bool = False,
        dns: ClusterDns | None = None,
    ) -> None:
        with located(scope, id):
            spec = FoundationSpec(
                name=name, create_namespace=create_namespace, create_priority_classes=create_priority_classes, deny_egress=deny_egress, dns=dns or ClusterDns()
            )
            chart_namespace: str | None = cdk8s.Chart.of(scope).namespace
            if chart_namespace not in (None, name):
                raise InvalidOption("name", name, f"is not the chart's namespace {chart_namespace!r}, where everything else of the chart goes; make them equal")
        super().__init__(scope, id)
        self.name = name
        """The namespace's name, for other charts' ``namespace=``."""
        self.deny_egress = deny_egress
        """Whether its pods may call nothing but DNS until a policy allows more."""
        self.objects = Objects(self, manifests(spec))
        """The emitted objects by kind and name."""
