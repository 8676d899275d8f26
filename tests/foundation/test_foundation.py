"""The foundation: what is emitted, in which order, and which mistakes are caught."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path
from typing import Any

from sos_constructs import Clients, restricted
from sos_constructs.foundation import EGRESS_LABEL, PRIORITY_CRITICAL, PRIORITY_HIGH, PRIORITY_LOW, PRIORITY_NORMAL, ClusterDns, SosNamespace
from sos_constructs.foundation.construct import FoundationSpec, manifests
from sos_constructs.foundation.priorities import PRIORITIES

import cdk8s
import cdk8s_plus_27 as kplus
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
        ({"addresses": ("10.0.0.10",)}, "dns.addresses='10.0.0.10' must have a prefix: write '10.0.0.10/32' for this address alone"),
        ({"addresses": ("fd00::a",)}, "dns.addresses='fd00::a' must have a prefix: write 'fd00::a/128'"),
        ({"addresses": "10.0.0.10/32"}, "ClusterDns.addresses='10.0.0.10/32' must be a list of text; put it into a list: ['10.0.0.10/32']"),
        ({"port": True}, "ClusterDns.port=True must be a whole number"),
        ({"port": 53.5}, "ClusterDns.port=53.5 must be a whole number"),
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


# --- Pod Security and ingress ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "enforced", "further"),
    [
        ({}, ("restricted", "latest"), "restricted"),
        ({"pod_security": "baseline", "pod_security_version": "v1.30"}, ("baseline", "v1.30"), "restricted"),
        ({"pod_security": "privileged"}, ("privileged", "latest"), "privileged"),
    ],
)
def test_pod_security_labels(options: dict[str, Any], enforced: tuple[str, str], further: str) -> None:
    labels = named(manifests(spec(**options)), "sos-app")["metadata"]["labels"]
    prefix = "pod-security.kubernetes.io/"
    assert (labels[f"{prefix}enforce"], labels[f"{prefix}enforce-version"]) == enforced
    assert {labels[f"{prefix}{mode}"] for mode in ("audit", "warn")} == {further}
    assert {labels[f"{prefix}{mode}-version"] for mode in ("audit", "warn")} == {"latest"}, "what the next version refuses is told before it is enforced"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pod_security": "strict"}, "pod_security='strict' must be one of privileged, baseline, restricted"),
        ({"pod_security": "Restricted"}, "pod_security='Restricted' must be one of privileged, baseline, restricted (did you mean 'restricted'?)"),
        ({"pod_security": None}, "pod_security=None must be text, for instance 'restricted'"),
        ({"pod_security_version": "1.30"}, "pod_security_version='1.30' must be 'latest', or a version of Kubernetes from 'v1.25' on"),
        ({"pod_security_version": "v1.24"}, "pod_security_version='v1.24' must be 'latest'"),
        ({"pod_security_version": None}, "pod_security_version=None must be text, for instance 'latest'"),
    ],
)
def test_wrong_pod_security(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(f"sos-app/foundation: {message}")):
        SosNamespace(cdk8s.Chart(cdk8s.Testing.app(), "sos-app"), "foundation", **options)


def service() -> dict[str, Any]:
    template = {"metadata": {"labels": {"app": "shop", "app.kubernetes.io/version": "2"}}, "spec": {"containers": [{"name": "shop", "image": "shop:1"}]}}
    return {"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "shop"}, "spec": {"template": template}}


def opened(workload: Any, **options: Any) -> dict[str, Any]:
    chart = cdk8s.Chart(cdk8s.Testing.app(), "sos-app", namespace="sos-app")
    foundation = SosNamespace(chart, "foundation")
    made: Any = workload(chart) if callable(workload) else workload
    foundation.allow_ingress(made, **options)
    policy: dict[str, Any]
    (policy,) = [m for m in cdk8s.Testing.synth(chart) if m["metadata"]["name"].startswith("allow-ingress.")]
    return policy


def test_a_plain_workload_is_opened() -> None:
    policy = opened(service(), ports=[8080, 9090])
    assert (policy["metadata"]["name"], policy["metadata"]["namespace"]) == ("allow-ingress.daemonset.shop", "sos-app")
    assert policy["spec"] == {
        "podSelector": {"matchLabels": {"app": "shop"}},
        "policyTypes": ["Ingress"],
        "ingress": [{"from": [{"podSelector": {}}], "ports": [{"port": 8080, "protocol": "TCP"}, {"port": 9090, "protocol": "TCP"}]}],
    }


def test_a_workload_of_cdk8s_plus_is_opened_to_some() -> None:
    def deployment(chart: cdk8s.Chart) -> object:
        return restricted(kplus.Deployment(chart, "shop", containers=[kplus.ContainerProps(image="shop:1")], metadata=cdk8s.ApiObjectMetadata(name="shop")))

    policy = opened(deployment, ports=[8080], clients=[Clients(namespace="ingress-nginx"), Clients(pods={"app": "web"})])
    assert policy["metadata"]["name"] == "allow-ingress.deployment.shop"
    assert list(policy["spec"]["podSelector"]["matchLabels"]) == ["cdk8s.io/metadata.addr"]
    assert policy["spec"]["ingress"][0]["from"] == [
        {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ingress-nginx"}}, "podSelector": {}},
        {"podSelector": {"matchLabels": {"app": "web"}}},
    ]


@pytest.mark.parametrize(
    ("workload", "options", "message"),
    [
        ({"kind": "Service"}, {"ports": [80]}, "workload={'kind': 'Service'} must be a manifest"),
        (None, {"ports": [80]}, "workload=None must be a ma"),  # a manifest, or a mapping: the words depend on whether cdk8s-plus is loaded
        (service(), {"ports": 8080}, "ports=8080 must be a list of whole numbers; put it into a list: [8080]"),
        (service(), {"ports": []}, "ports=() must be a list"),
        (service(), {"ports": ["http"]}, "ports[0]='http' must be a whole number"),
        (service(), {"ports": [True]}, "ports[0]=True must be a whole number"),
        (service(), {"ports": [80], "clients": []}, "clients=() must name at least one"),
        (service(), {"ports": [80], "clients": ["web"]}, "clients[0]='web' must be made with Clients(…)"),
        (service(), {"ports": [80], "clients": [Clients(namespace="A")]}, "clients[0].namespace='A' must be a DNS-1123 label"),
    ],
)
def test_what_cannot_be_opened(workload: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(f"sos-app/foundation: {message}")):
        opened(workload, **options)


def test_opened_twice() -> None:
    foundation = SosNamespace(cdk8s.Chart(cdk8s.Testing.app(), "sos-app"), "foundation")
    foundation.allow_ingress(service(), ports=[80])
    with pytest.raises(ValueError, match=re.escape("workload='daemonset.shop' was opened before; name all its ports and clients in one call")):
        foundation.allow_ingress(service(), ports=[81])
