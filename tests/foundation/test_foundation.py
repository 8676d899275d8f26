"""The foundation: what is emitted, in which order, and which mistakes are caught."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path
from typing import Any

from sos_constructs.foundation import EGRESS_LABEL, PRIORITY_CRITICAL, PRIORITY_HIGH, PRIORITY_LOW, PRIORITY_NORMAL, ClusterDns, SosNamespace
from sos_constructs.foundation.construct import FoundationSpec, manifests
from sos_constructs.foundation.priorities import PRIORITIES

import cdk8s
import pytest
import yaml


def spec(**options: Any) -> FoundationSpec:
    defaults: dict[str, Any] = {"name": "sos-app", "create_namespace": True, "create_priority_classes": True, "deny_egress": False, "dns": ClusterDns()}
    return FoundationSpec(**defaults | options)


def kinds(objects: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(m["kind"], m["metadata"]["name"]) for m in objects]


def named(objects: list[dict[str, Any]], name: str) -> dict[str, Any]:
    return next(m for m in objects if m["metadata"]["name"] == name)


def test_objects_and_their_order() -> None:
    assert kinds(manifests(spec())) == [
        ("Namespace", "sos-app"),
        ("PriorityClass", "sos-app-critical"),
        ("PriorityClass", "sos-app-high"),
        ("PriorityClass", "sos-app-normal"),
        ("PriorityClass", "sos-app-low"),
        ("NetworkPolicy", "default-deny-ingress"),
        ("NetworkPolicy", "allow-dns-egress"),
    ]


def test_shared_cluster() -> None:
    assert {kind for kind, _ in kinds(manifests(spec(create_namespace=False, create_priority_classes=False)))} == {"NetworkPolicy"}
    assert "Namespace" not in dict(kinds(manifests(spec(create_namespace=False))))
    assert "PriorityClass" in dict(kinds(manifests(spec(create_namespace=False))))


def test_namespace_enforces_pod_security_restricted() -> None:
    labels = named(manifests(spec()), "sos-app")["metadata"]["labels"]
    for mode in ("enforce", "audit", "warn"):
        assert labels[f"pod-security.kubernetes.io/{mode}"] == "restricted"
        assert labels[f"pod-security.kubernetes.io/{mode}-version"] == "latest"


def test_priorities_are_ordered_user_values_and_never_the_default() -> None:
    assert [p.name for p in PRIORITIES] == [PRIORITY_CRITICAL, PRIORITY_HIGH, PRIORITY_NORMAL, PRIORITY_LOW]
    assert all(higher.value > lower.value for higher, lower in pairwise(PRIORITIES))
    assert all(p.value <= 1_000_000_000 for p in PRIORITIES), "above are Kubernetes' own; the API server refuses more"
    assert -10 <= PRIORITIES[-1].value < 0 < PRIORITIES[-2].value, "low yields to pods without a class, but still counts for the cluster autoscaler"
    for manifest in manifests(spec()):
        if manifest["kind"] == "PriorityClass":
            assert manifest["globalDefault"] is False
            assert manifest["description"]
            assert "preemptionPolicy" not in manifest


def test_priority_classes_are_the_same_for_every_installation() -> None:
    one, other = (manifests(spec(name=name)) for name in ("sos-app", "sos-staging"))
    assert named(one, PRIORITY_HIGH) == named(other, PRIORITY_HIGH)


def test_ingress_is_denied_to_all_pods() -> None:
    assert named(manifests(spec()), "default-deny-ingress")["spec"] == {"podSelector": {}, "policyTypes": ["Ingress"]}


def test_egress_is_cut_only_for_pods_that_ask_for_it() -> None:
    assert named(manifests(spec()), "allow-dns-egress")["spec"]["podSelector"] == {"matchLabels": {EGRESS_LABEL: "restricted"}}
    assert named(manifests(spec(deny_egress=True)), "allow-dns-egress")["spec"]["podSelector"] == {}


def test_dns_egress_opens_port_53_and_nothing_else() -> None:
    policy = named(manifests(spec()), "allow-dns-egress")["spec"]
    assert policy["policyTypes"] == ["Egress"]
    pods, addresses = policy["egress"]
    (peer,) = pods["to"]
    assert peer["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": "kube-system"}
    assert peer["podSelector"]["matchLabels"] == {"k8s-app": "kube-dns"}
    assert addresses["to"] == [{"ipBlock": {"cidr": "169.254.20.10/32"}}, {"ipBlock": {"cidr": "169.254.169.254/32"}}]
    for rule in policy["egress"]:
        assert rule["to"], "a rule without 'to' would open the port to the whole world"
        assert rule["ports"] == [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}]


def test_other_dns() -> None:
    dns = ClusterDns(namespace="openshift-dns", pods={"dns.operator.openshift.io/daemonset-dns": "default"}, port=5353, addresses=())
    (rule,) = named(manifests(spec(dns=dns)), "allow-dns-egress")["spec"]["egress"]
    assert rule["to"][0]["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": "openshift-dns"}
    assert rule["to"][0]["podSelector"]["matchLabels"] == {"dns.operator.openshift.io/daemonset-dns": "default"}
    assert {port["port"] for port in rule["ports"]} == {5353}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"namespace": "Kube_System"}, "dns.namespace='Kube_System' must be a DNS-1123 label"),
        ({"pods": {}}, "dns.pods={} must hold at least one label"),
        ({"pods": {"k8s-app": "kube dns"}}, "label k8s-app='kube dns'"),
        ({"addresses": ("10.0.0.10/8",)}, "dns.addresses='10.0.0.10/8' must be an address with prefix"),
        ({"port": 0}, "dns.port=0 must be 1 to 65535"),
    ],
)
def test_wrong_dns(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match="^" + re.escape(message)):
        ClusterDns(**options)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("SOS", "platform/foundation: name='SOS' must be a DNS-1123 label"),
        ("kube-system", "platform/foundation: name='kube-system' belongs to Kubernetes"),
        ("default", "platform/foundation: name='default' belongs to Kubernetes"),
    ],
)
def test_wrong_name_is_reported_with_its_place(name: str, message: str) -> None:
    chart = cdk8s.Testing.chart()
    with pytest.raises(ValueError, match="foundation: name=") as raised:
        SosNamespace(cdk8s.Chart(chart, "platform"), "foundation", name=name)
    assert message in str(raised.value)


def test_name_must_be_the_charts_namespace() -> None:
    chart = cdk8s.Chart(cdk8s.App(), "sos-app", namespace="sos-staging")
    with pytest.raises(ValueError, match="name='sos-app' is not the chart's namespace 'sos-staging'"):
        SosNamespace(chart, "foundation")
    assert SosNamespace(chart, "staging", name="sos-staging").name == "sos-staging"


@pytest.mark.parametrize("chart_namespace", [None, "sos-app"])
def test_synth_is_what_the_builders_return(chart_namespace: str | None) -> None:
    """Also: the chart stamps its namespace on no cluster-scoped object, where the API server would refuse it."""
    chart = cdk8s.Chart(cdk8s.App(), "sos-app", namespace=chart_namespace)
    foundation = SosNamespace(chart, "foundation")
    synthesized = cdk8s.Testing.synth(chart)
    assert synthesized == manifests(spec())
    assert foundation.objects["PriorityClass", PRIORITY_HIGH].name == PRIORITY_HIGH
    for manifest in synthesized:
        assert ("namespace" in manifest["metadata"]) == (manifest["kind"] == "NetworkPolicy")


def test_written_yaml_keeps_the_order(tmp_path: Path) -> None:
    app = cdk8s.App(outdir=str(tmp_path))
    SosNamespace(cdk8s.Chart(app, "sos-app", namespace="sos-app"), "foundation")
    app.synth()
    assert list(yaml.safe_load_all((tmp_path / "sos-app.k8s.yaml").read_text())) == manifests(spec())
