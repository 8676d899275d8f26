"""The option ``pods``: what users add to the pods of members and pooler, in Kubernetes' own words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sos_constructs import names as rules
from sos_constructs import scheduling
from sos_constructs.checked import checked_in_use
from sos_constructs.errors import InvalidOption
from sos_constructs.parts import annotation_map, copied, fields, items, labels, not_ours

import attrs

ANNOTATIONS_OF_OTHERS = {
    "kubectl.kubernetes.io/default-container": "the container of the database",
    "sos-constructs/restart-checksum": "a checksum",
    "status": "what Patroni says of its member",
}
LABELS_OF_OTHERS = {
    "apps.kubernetes.io/pod-index": "the member's number",
    "controller-revision-hash": "the template's revision",
    "patroni-scope": "the installation, for Patroni",
    "pod-template-hash": "the template's revision",
    "role": "what Patroni says of its member",
    "statefulset.kubernetes.io/pod-name": "the pod's name",
}
"""Set by Kubernetes, Patroni or the agents on pods that run."""


@checked_in_use
@attrs.frozen(kw_only=True)
class PodOptions:
    """What is added to pods. Values are plain dicts and lists in Kubernetes' spelling; they are copied.

    Every change but that of ``service_account_annotations`` replaces the pods, one after the other.

    :param image_pull_secrets: names of Secrets with the credentials of a registry: ``("registry",)``, or as in a manifest ``({"name": "registry"},)``.
    :param tolerations: taints of nodes that the pods accept, for instance ``({"key": "dedicated", "operator": "Exists", "effect": "NoSchedule"},)``.
    :param node_selector: labels that a node must have, for instance ``{"kubernetes.io/arch": "amd64"}``.
    :param affinity: ``nodeAffinity``, ``podAffinity`` and ``podAntiAffinity``. Without ``podAntiAffinity`` the library's stays: pods prefer different
        nodes. ``{"podAntiAffinity": {}}`` takes it away.
    :param topology_spread_constraints: in place of the library's, which prefers different zones. ``()`` is none. A constraint without ``labelSelector``
        counts these pods; Kubernetes alone would count none.
    :param labels: more labels of the pods. Those of the library cannot be changed: Services find the pods by them.
    :param annotations: more annotations of the pods, for instance ``{"sidecar.istio.io/inject": "false"}``.
    :param service_account_annotations: of the pods' ServiceAccount, for instance ``{"eks.amazonaws.com/role-arn": "arn:aws:iam::…"}``. Pods restart: no.
    """

    image_pull_secrets: Sequence[str | Mapping[str, str]] = attrs.field(default=(), converter=copied)
    tolerations: Sequence[Mapping[str, Any]] = attrs.field(default=(), converter=copied)
    node_selector: Mapping[str, str] = attrs.field(factory=dict[str, str], converter=copied)
    affinity: Mapping[str, Any] | None = attrs.field(default=None, converter=copied)
    topology_spread_constraints: Sequence[Mapping[str, Any]] | None = attrs.field(default=None, converter=copied)
    labels: Mapping[str, str] = attrs.field(factory=dict[str, str], converter=copied)
    annotations: Mapping[str, str] = attrs.field(factory=dict[str, str], converter=copied)
    service_account_annotations: Mapping[str, str] = attrs.field(factory=dict[str, str], converter=copied)

    def check(self, option: str, ours: Mapping[str, str]) -> None:
        """Raise :class:`InvalidOption` for what the API server would refuse, or what would take pods from their Services.

        :param ours: the labels that the library gives these pods.
        """
        items(_pull_secret)(f"{option}.image_pull_secrets", self.image_pull_secrets)
        items(scheduling.toleration)(f"{option}.tolerations", self.tolerations)
        labels(f"{option}.node_selector", self.node_selector)
        if self.affinity is not None:
            scheduling.affinity(f"{option}.affinity", self.affinity)
        if self.topology_spread_constraints is not None:
            scheduling.check_spread(f"{option}.topology_spread_constraints", self.topology_spread_constraints)
        labels(f"{option}.labels", self.labels)
        not_ours(f"{option}.labels", self.labels, LABELS_OF_OTHERS | dict(ours))
        annotation_map(f"{option}.annotations", self.annotations)
        not_ours(f"{option}.annotations", self.annotations, ANNOTATIONS_OF_OTHERS)
        annotation_map(f"{option}.service_account_annotations", self.service_account_annotations)

    def metadata(self, *, annotations: Mapping[str, str], labels: Mapping[str, str]) -> dict[str, Any]:
        """The pod template's metadata: the library's wins."""
        return {"annotations": {**self.annotations, **annotations}, "labels": {**self.labels, **labels}}

    def placement(self, selector: Mapping[str, str]) -> dict[str, Any]:
        """The fields of the pod's spec.

        :param selector: finds these pods and no others.
        """
        own = {"labelSelector": {"matchLabels": dict(selector)}}
        # preferred, so that three members also fit on one-node Kind and Minikube
        apart = {"podAffinityTerm": {**own, "topologyKey": "kubernetes.io/hostname"}, "weight": 100}
        chosen = {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [apart]}} | copied(self.affinity or {})
        zones = {**own, "maxSkew": 1, "topologyKey": "topology.kubernetes.io/zone", "whenUnsatisfiable": "ScheduleAnyway"}
        spread = [zones] if self.topology_spread_constraints is None else [{**own, **copied(each)} for each in self.topology_spread_constraints]
        secrets = [{"name": each} if isinstance(each, str) else dict(each) for each in self.image_pull_secrets]
        found = {
            "affinity": {kind: value for kind, value in chosen.items() if value},
            "imagePullSecrets": secrets,
            "nodeSelector": dict(self.node_selector),
            "tolerations": copied(self.tolerations),
            "topologySpreadConstraints": spread,
        }
        return {field: value for field, value in found.items() if value}


def _pull_secret(option: str, value: object) -> None:
    if isinstance(value, str):
        rules.dns_subdomain(option, value)
    elif isinstance(value, Mapping):
        fields({"name": _name}, required=("name",))(option, value)
    else:
        raise InvalidOption(option, value, "must be the name of a Secret, for instance 'registry'")


def _name(option: str, value: object) -> None:
    rules.dns_subdomain(option, value)
