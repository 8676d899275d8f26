"""SosNamespace: the ground that workloads stand on."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sos_constructs import names
from sos_constructs.checked import checked
from sos_constructs.emit import Objects
from sos_constructs.errors import InvalidOption, did_you_mean, located, located_at
from sos_constructs.foundation import ingress
from sos_constructs.foundation.network import ClusterDns, allow_dns_egress, default_deny_ingress
from sos_constructs.foundation.priorities import PRIORITIES, priority_class
from sos_constructs.labels import labels
from sos_constructs.pod_security.at_synth import check_admission
from sos_constructs.pod_security.standard import LEVELS
from sos_constructs.synth_checks import reference

import cdk8s
from attrs import frozen
from constructs import Construct

if TYPE_CHECKING:
    from sos_constructs.postgres.clients import Clients

    import cdk8s_plus_27 as kplus


@frozen(kw_only=True)
class FoundationSpec:
    """The validated options of :class:`SosNamespace`."""

    name: str
    create_namespace: bool
    create_priority_classes: bool
    deny_egress: bool
    dns: ClusterDns
    pod_security: str = "restricted"
    pod_security_version: str = "latest"

    def __attrs_post_init__(self) -> None:
        names.dns_label("name", self.name)
        if self.name.startswith("kube-") or self.name == "default":
            raise InvalidOption("name", self.name, "belongs to Kubernetes: Pod Security labels or a deny policy would break it; choose another")
        if self.pod_security not in LEVELS:
            raise InvalidOption("pod_security", self.pod_security, f"must be one of {', '.join(LEVELS)}{did_you_mean(str(self.pod_security), LEVELS)}")
        version: object = self.pod_security_version
        if not isinstance(version, str) or not re.fullmatch(r"latest|v1\.(2[5-9]|[3-9][0-9])", version):
            fix = "must be 'latest', or a version of Kubernetes from 'v1.25' on, where Pod Security is stable"
            raise InvalidOption("pod_security_version", version, fix)


def namespace(spec: FoundationSpec) -> dict[str, Any]:
    """The Namespace. Only ``enforce`` refuses pods, so only that may be pinned to a version; the others tell what the next level would refuse."""
    further = "privileged" if spec.pod_security == "privileged" else "restricted"
    security = {
        "pod-security.kubernetes.io/audit": further,
        "pod-security.kubernetes.io/audit-version": "latest",
        "pod-security.kubernetes.io/enforce": spec.pod_security,
        "pod-security.kubernetes.io/enforce-version": spec.pod_security_version,
        "pod-security.kubernetes.io/warn": further,
        "pod-security.kubernetes.io/warn-version": "latest",
    }
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": spec.name, "labels": labels("sos-foundation", spec.name, "namespace") | security}}


def manifests(spec: FoundationSpec) -> list[dict[str, Any]]:
    """Every object, in the order in which it must be applied."""
    objects = [namespace(spec)] if spec.create_namespace else []
    if spec.create_priority_classes:
        objects += [priority_class(priority) for priority in PRIORITIES]
    return [*objects, default_deny_ingress(spec.name), allow_dns_egress(spec.name, dns=spec.dns, all_pods=spec.deny_egress)]


class SosNamespace(Construct):
    """Namespace with Pod Security ``restricted``, four PriorityClasses, default-deny ingress and DNS egress.

    Create it first in the chart: objects are written in the order in which they are created. At synth, workloads of the app that the namespace would
    not admit are refused; :func:`sos_constructs.restricted` completes a workload.

    Nothing connects to a pod of the namespace until a NetworkPolicy allows it: :meth:`allow_ingress` opens ports of a workload.

    Egress is denied to no pod unless asked for. A policy that allows only DNS to *all* pods would cut everything else, silently; so by
    default the DNS policy applies to pods labelled ``sos-app/egress: restricted``, whose own policies then only name what else they call.
    HaPostgres brings a complete policy of its own (DNS, peers, API server) and needs neither the label nor this construct.

    :param name: the namespace; must be the chart's, if the chart has one.
    :param create_namespace: ``False`` where the cluster's owner makes namespaces. The owner then sets the Pod Security labels too.
    :param create_priority_classes: ``False`` where you may not create cluster-scoped objects, or where another installation in the
        cluster has created them. Somebody must: pods that name a missing class are refused.
    :param deny_egress: ``True`` cuts every pod of the namespace off from everything but DNS until a policy allows more.
    :param dns: where the cluster's DNS answers, if not as CoreDNS in kube-system.
    :param pod_security: the Pod Security level that the namespace enforces: ``restricted`` (default), ``baseline`` or ``privileged``. It also warns of
        and audits what ``restricted`` would refuse, except with ``privileged``.
    :param pod_security_version: the version of the standards that it enforces, such as ``v1.30``. Default ``latest``: the cluster's own.
    :raises ValueError: for a name that is not a DNS-1123 label, belongs to Kubernetes, or is not the chart's namespace, and for an unknown level.
    """

    @checked
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
        pod_security: str = "restricted",
        pod_security_version: str = "latest",
    ) -> None:
        with located(scope, id):
            spec = FoundationSpec(
                name=name,
                create_namespace=create_namespace,
                create_priority_classes=create_priority_classes,
                deny_egress=deny_egress,
                dns=dns or ClusterDns(),
                pod_security=pod_security,
                pod_security_version=pod_security_version,
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
        _OF_APP.setdefault(reference(self.node.root), []).append(self)
        check_admission(self)

    @checked
    def allow_ingress(self, workload: Mapping[str, Any] | kplus.AbstractPod, *, ports: Sequence[int], clients: Sequence[Clients] | None = None) -> None:
        """Let others connect to a workload: one NetworkPolicy. ``foundation.allow_ingress(shop, ports=[8080])``.

        :param workload: a Deployment, StatefulSet, DaemonSet, Job, CronJob or Pod of the namespace, made with cdk8s-plus or as a plain manifest.
        :param ports: TCP ports of its *pods*, not those of a Service.
        :param clients: who may connect. Default: every pod of the namespace. ``[Clients(namespace="ingress-nginx")]`` is every pod of another one.
        :raises ValueError: for what is no workload, a port or client that cannot be, and the second call for one workload.
        """
        with located_at(self):
            policy = ingress.policy(self.name, workload, ports, clients)
            name = policy["metadata"]["name"]
            if ("NetworkPolicy", name) in self.objects:
                raise InvalidOption("workload", name.removeprefix(ingress.PREFIX), "was opened before; name all its ports and clients in one call")
            self.objects.add(policy)


def denies_egress(construct: Construct, name: str) -> bool:
    """Whether a SosNamespace of the construct's app, as far as it is built by now, lets the pods of this namespace call nothing but DNS."""
    return any(made.name == name and made.deny_egress for made in _OF_APP.get(reference(construct.node.root), ()))


_OF_APP: dict[str, list[SosNamespace]] = {}
"""By :func:`reference` of the root: looking through the tree takes longer the larger the app is."""
