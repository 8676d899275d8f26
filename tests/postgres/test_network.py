"""Who reaches the members, decided as a network plugin would decide it."""

from __future__ import annotations

from typing import Any

from sos_constructs import Clients, Pooler
from sos_constructs.postgres.monitoring import PrometheusOperator
from sos_constructs.postgres.network import network_policy
from sos_constructs.postgres.pooler import manifests as pooler
from sos_constructs.postgres.pooler.names import PoolerNames

import pytest

from tests.postgres.example import spec

MEMBER = {"app.kubernetes.io/instance": "postgres", "app.kubernetes.io/name": "postgres"}


def allowed(direction: str, pod: dict[str, str], namespace: str, port: int, protocol: str = "TCP", **options: Any) -> bool:
    """Whether the policy of ``sos-app`` lets a member talk with a pod."""
    policy = network_policy(spec(**options))["spec"]
    return any(
        any(p == {"port": port, "protocol": protocol} for p in rule["ports"])
        and (("to" not in rule and "from" not in rule) or any(matches(peer, pod, namespace) for peer in rule.get("from", rule.get("to"))))
        for rule in policy[direction]
    )


def matches(peer: dict[str, Any], pod: dict[str, str], namespace: str) -> bool:
    place = peer.get("namespaceSelector")
    if not (namespace == "sos-app" if place is None else place["matchLabels"] == {"kubernetes.io/metadata.name": namespace}):
        return False
    labels: dict[str, str] = peer.get("podSelector", {}).get("matchLabels", {})
    return labels.items() <= pod.items()


@pytest.mark.parametrize(
    ("pod", "namespace", "ports"),
    [
        ({"app": "any"}, "sos-app", {5432}),
        (MEMBER, "sos-app", {5432, 8008}),
        ({"app": "prometheus"}, "monitoring", {8008, 8009, 9187}),
        ({"app": "any"}, "elsewhere", set()),
        (MEMBER, "elsewhere", set()),
    ],
)
def test_ingress(pod: dict[str, str], namespace: str, ports: set[int]):
    assert {port for port in (22, 5432, 8008, 8009, 9187) if allowed("ingress", pod, namespace, port)} == ports


SERVICE = Clients(pods={"app": "orders"})
BATCH = Clients(pods={"app": "reports"}, namespace="batch")


@pytest.mark.parametrize(
    ("pod", "namespace", "connects"),
    [
        ({"app": "orders", "tier": "x"}, "sos-app", True),
        ({"app": "other"}, "sos-app", False),
        ({"app": "orders"}, "batch", False),
        ({"app": "reports"}, "batch", True),
        (MEMBER, "sos-app", True),
        (PoolerNames("postgres").selector, "sos-app", False),
    ],
)
def test_only_those_who_are_named_connect(pod: dict[str, str], namespace: str, connects: bool):
    assert allowed("ingress", pod, namespace, 5432, allow_from=(SERVICE, BATCH)) is connects


def test_the_pooler_is_always_let_in_and_lets_in_whom_the_database_would():
    options: dict[str, Any] = {"allow_from": (SERVICE,), "pooler": Pooler()}
    assert allowed("ingress", PoolerNames("postgres").selector, "sos-app", 5432, **options)
    (rule, _) = pooler.network_policy(spec(**options), Pooler())["spec"]["ingress"]
    assert rule["from"] == [{"podSelector": {"matchLabels": {"app": "orders"}}}]


def test_nobody_is_nobody():
    """A rule without peers would be everybody."""
    options: dict[str, Any] = {"allow_from": (), "pooler": Pooler(), "monitoring": None}
    assert not allowed("ingress", {"app": "any"}, "sos-app", 5432, **options)
    assert pooler.network_policy(spec(**options), Pooler())["spec"]["ingress"] == []


@pytest.mark.parametrize(
    ("clients", "message"),
    [
        ("auth", r"allow_from\[0\]='auth' must be made with Clients"),
        (Clients(pods={"app": "a b"}), r"allow_from\[0\].pods='app=a b' is no label"),
        (Clients(pods="auth"), r"allow_from\[0\].pods='auth' must be labels"),
        (Clients(namespace="A"), r"allow_from\[0\].namespace='A' must be a DNS-1123 label"),
    ],
)
def test_bad_clients(clients: Any, message: str):
    with pytest.raises(ValueError, match=message):
        spec(allow_from=(clients,)).check()


def test_without_monitoring_nobody_scrapes():
    assert not any(allowed("ingress", {}, "monitoring", port, monitoring=None) for port in (5432, 8008, 8009, 9187))


def test_prometheus_may_be_elsewhere():
    operator = PrometheusOperator(namespace="observability")
    assert allowed("ingress", {}, "observability", 9187, monitoring=operator)
    assert not allowed("ingress", {}, "monitoring", 9187, monitoring=operator)


def test_egress():
    """Members, DNS and the API server, which stands behind 443 in the cluster and 6443 on its host: no selector names it."""
    assert all(allowed("egress", MEMBER, "sos-app", port) for port in (5432, 8008))
    assert all(allowed("egress", {}, "kube-system", 53, protocol) for protocol in ("TCP", "UDP"))
    assert all(allowed("egress", {}, "default", port) for port in (443, 6443))
    assert not any(allowed("egress", {"app": "any"}, "sos-app", port) for port in (22, 80, 5432, 8008, 9187))


def test_it_holds_for_the_members_in_both_directions():
    policy = network_policy(spec())["spec"]
    assert policy["podSelector"] == {"matchLabels": MEMBER}
    assert policy["policyTypes"] == ["Ingress", "Egress"]
