"""The rights of the pods: Patroni's calls, nothing that another pod or ConfigMap could be changed or read with."""

from __future__ import annotations

from typing import Any

from sos_constructs.postgres import FastFailover, rbac

from tests.postgres.example import spec


def rules(**options: Any) -> dict[tuple[str, bool], dict[str, Any]]:
    """Rule by resource and whether it is limited to names."""
    return {(rule["resources"][0], "resourceNames" in rule): rule for rule in rbac.role(spec(**options))["rules"]}


def test_what_changes_an_object_is_limited_by_name():
    for (_, limited), rule in rules().items():
        assert rule["apiGroups"] == (["apps"] if rule["resources"] == ["statefulsets"] else [""])
        if not limited:
            assert set(rule["verbs"]) <= {"create", "list", "watch"}, "Kubernetes cannot limit these three by name"


def test_what_patroni_and_the_agent_call_is_allowed():
    assert {key: set(rule["verbs"]) for key, rule in rules().items()} == {
        ("configmaps", False): {"create", "list", "watch"},
        ("configmaps", True): {"get", "patch"},
        ("pods", False): {"list", "watch"},
        ("pods", True): {"get", "patch"},
        ("pods/eviction", True): {"create"},
        ("statefulsets", True): {"get"},
    }
    assert rules()["pods/eviction", True]["resourceNames"] == rules()["pods", True]["resourceNames"]
    assert rules()["configmaps", True]["resourceNames"] == [f"postgres-patroni-{suffix}" for suffix in ("config", "failover", "leader", "sync")]


def test_the_fast_failover_needs_no_right_more():
    assert rules() == rules(synchronous_mode_strict=True, failover=FastFailover())


def test_patroni_names_its_configmaps_so(patroni_store_names: set[str]):
    """The four paths of its store, as its Kubernetes backend turns them into names."""
    assert {f"postgres-patroni-{suffix}" for suffix in patroni_store_names} == set(rules()["configmaps", True]["resourceNames"])


def test_kubectl_scale_works_up_to_nine_without_a_new_synth():
    names = [f"orders-{ordinal}" for ordinal in range(9)]
    assert rules(name="orders")["pods", True]["resourceNames"] == names
    assert rules(name="orders", instances=1)["pods", True]["resourceNames"] == names


def test_no_secret_can_be_read_and_nothing_holds_outside_the_namespace():
    for made in (rbac.role(spec()), rbac.role_binding(spec()), rbac.service_account(spec())):
        assert made["metadata"]["namespace"] == "sos-app"
        assert "secrets" not in str(made.get("rules"))
        assert not made["kind"].startswith("Cluster")


def test_the_binding_joins_the_two_and_the_account_mounts_no_token():
    account, binding = rbac.service_account(spec(name="orders", namespace="shop")), rbac.role_binding(spec(name="orders", namespace="shop"))
    assert account["automountServiceAccountToken"] is False
    assert binding["roleRef"] == {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "orders"}
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "orders", "namespace": "shop"}]
