"""Services that clients outside the cluster reach, and that the NetworkPolicy and the certificate know them."""

from __future__ import annotations

import re
from typing import Any

from sos_constructs import CertManager, Clients, Pooler, ServiceOptions

import pytest

from tests.postgres.scenarios import install

OUTSIDE = {"allow_from": (Clients(), Clients(addresses=("198.51.100.0/24",)))}


def made(kind: str, name: str, **options: Any) -> dict[str, Any]:
    found: dict[str, Any] = install(options)[1].objects[kind, name].to_json()
    return found


def peers(policy: dict[str, Any]) -> list[Any]:
    return [peer["ipBlock"]["cidr"] for peer in policy["spec"]["ingress"][0]["from"] if "ipBlock" in peer]


def test_a_plain_service_is_as_before():
    for name in ("postgres-service", "postgres-readonly-service"):
        spec = made("Service", name)["spec"]
        assert not {"type", "externalTrafficPolicy", "loadBalancerSourceRanges"} & spec.keys()


@pytest.mark.parametrize(("option", "name"), [("service", "postgres-service"), ("readonly_service", "postgres-readonly-service")])
def test_each_service_has_its_own_options(option: str, name: str):
    chosen = ServiceOptions(type="NodePort", node_port=30432, labels={"team": "sos"}, annotations={"a": "b"})
    services = {each: made("Service", each, **{option: chosen}, **OUTSIDE) for each in ("postgres-service", "postgres-readonly-service", "postgres-headless")}
    found = services.pop(name)
    assert (found["spec"]["type"], found["spec"]["ports"][0]["nodePort"]) == ("NodePort", 30432)
    assert found["metadata"]["labels"]["team"] == "sos"
    assert found["metadata"]["annotations"] == {"a": "b"}
    assert all("type" not in other["spec"] and "annotations" not in other["metadata"] for other in services.values())


def test_a_load_balancer_keeps_the_clients_address_and_the_policy_lets_its_ranges_in():
    chosen = ServiceOptions(type="LoadBalancer", load_balancer_source_ranges=("203.0.113.0/24",), load_balancer_class="example.net/lb")
    spec = made("Service", "postgres-service", service=chosen)["spec"]
    assert (spec["externalTrafficPolicy"], spec["loadBalancerClass"], spec["loadBalancerSourceRanges"]) == ("Local", "example.net/lb", ["203.0.113.0/24"])
    assert peers(made("NetworkPolicy", "postgres", service=chosen)) == ["203.0.113.0/24"]
    assert peers(made("NetworkPolicy", "postgres", service=chosen, **OUTSIDE)) == ["198.51.100.0/24", "203.0.113.0/24"]


def test_what_reaches_the_pooler_does_not_reach_the_members():
    pooler = Pooler(service=ServiceOptions(type="LoadBalancer", load_balancer_source_ranges=("203.0.113.0/24",)))
    assert peers(made("NetworkPolicy", "postgres-pooler", pooler=pooler)) == ["203.0.113.0/24"]
    assert peers(made("NetworkPolicy", "postgres", pooler=pooler)) == []
    assert made("Service", "postgres-pooler-service", pooler=pooler)["spec"]["type"] == "LoadBalancer"
    assert "type" not in made("Service", "postgres-pooler-readonly-service", pooler=pooler)["spec"]


def test_the_certificate_is_for_the_names_outside():
    service = ServiceOptions(type="NodePort", hosts=("db.example.org", "203.0.113.10"))
    pooler = Pooler(readonly_service=ServiceOptions(hosts=("reads.example.org",)))
    options = {"service": service, "pooler": pooler, "tls": CertManager(issuer="ca"), **OUTSIDE}
    found, of_pooler = made("Certificate", "postgres-tls", **options)["spec"], made("Certificate", "postgres-pooler-tls", **options)["spec"]
    assert "db.example.org" in found["dnsNames"]
    assert found["ipAddresses"] == ["203.0.113.10"]
    assert "reads.example.org" in of_pooler["dnsNames"]
    assert "ipAddresses" not in of_pooler
    assert "db.example.org" not in of_pooler["dnsNames"]


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"service": ServiceOptions(type="NodePort")}, "service.type='NodePort' lets nobody in from outside"),
    ({"service": ServiceOptions(type="Loadbalancer"), **OUTSIDE}, "service.type='Loadbalancer' must be one of"),  # type: ignore[arg-type]
    ({"service": ServiceOptions(load_balancer_class="a")}, "service.load_balancer_class='a' needs type='LoadBalancer'"),
    ({"service": ServiceOptions(type="LoadBalancer", load_balancer_class="a b"), **OUTSIDE}, "service.load_balancer_class='a b' must be [prefix/]name"),
    ({"service": ServiceOptions(type="NodePort", load_balancer_source_ranges=("10.0.0.0/8",))}, "needs type='LoadBalancer'"),
    ({"service": ServiceOptions(type="LoadBalancer", load_balancer_source_ranges=("10.0.0.1/8",))}, "[0]='10.0.0.1/8' must be a range of addresses"),
    ({"service": ServiceOptions(type="LoadBalancer", load_balancer_source_ranges="10.0.0.0/8")}, "must be a list"),
    ({"service": ServiceOptions(node_port=30000)}, "service.node_port=30000 needs type='NodePort'"),
    ({"service": ServiceOptions(type="NodePort", node_port=0), **OUTSIDE}, "service.node_port=0 must be a whole number from 1 to 65535"),
    ({"service": ServiceOptions(external_traffic_policy="Local")}, "service.external_traffic_policy='Local' needs type='NodePort'"),
    ({"readonly_service": ServiceOptions(hosts=("a_b",))}, "readonly_service.hosts[0]='a_b' must be a DNS-1123 subdomain"),
    ({"service": ServiceOptions(hosts=("a.example",)), "tls": None}, "is of no use with tls=None"),
    ({"service": ServiceOptions(labels={"app.kubernetes.io/name": "x"})}, "service.labels['app.kubernetes.io/name']='x' is set by this library to 'postgres'"),
    ({"service": "NodePort"}, "service='NodePort' must be made with ServiceOptions(…)"),
    ({"pooler": Pooler(service=ServiceOptions(type="NodePort"))}, "pooler.service.type='NodePort' lets nobody in"),
    ({"pooler": Pooler(readonly=False, readonly_service=ServiceOptions(labels={"a": "b"}))}, "is of no use with readonly=False"),
    ({"allow_from": (Clients(addresses=("10.0.0.1",)),)}, "allow_from[0].addresses[0]='10.0.0.1' must be a range of addresses"),
    ({"allow_from": (Clients(addresses=("10.0.0.0/8",), namespace="x"),)}, "allow_from[0].addresses=('10.0.0.0/8',) must be alone"),
]


@pytest.mark.parametrize(("options", "message"), WRONG)
def test_refused(options: dict[str, Any], message: str):
    with pytest.raises(ValueError, match=f"^sos-app/postgres: .*{re.escape(message)}"):
        install(options)
