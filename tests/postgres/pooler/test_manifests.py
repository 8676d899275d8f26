"""The pooler's objects: who reaches it, whom it reaches, and which change brings new pods."""

from __future__ import annotations

from typing import Any

from sos_constructs.postgres import configmaps
from sos_constructs.postgres.monitoring import PrometheusOperator
from sos_constructs.postgres.pooler import Pooler
from sos_constructs.postgres.pooler.deployment import GRACE_SECONDS, STOP_SECONDS
from sos_constructs.postgres.pooler.names import RUNTIME_DIR
from sos_constructs.postgres.spec import DATABASES
from sos_constructs.postgres.statefulset import stateful_set

import pytest

from tests.postgres.example import spec
from tests.postgres.pooler.example import objects, pooled


def pod(made: Any) -> dict[str, Any]:
    found: dict[str, Any] = objects(made)["Deployment/postgres-pooler"]["spec"]["template"]
    return found


def test_a_drain_always_leaves_a_pooler():
    """One pod may go at a time, however many there are, and the least number of them is two."""
    for replicas in (2, 5):
        made = objects(pooled(Pooler(replicas=replicas)))
        assert made["PodDisruptionBudget/postgres-pooler"]["spec"]["maxUnavailable"] == 1
        assert made["Deployment/postgres-pooler"]["spec"]["replicas"] == replicas
        assert made["PodDisruptionBudget/postgres-pooler"]["spec"]["selector"] == made["Deployment/postgres-pooler"]["spec"]["selector"]


def test_contents():
    assert list(objects(pooled())) == [
        "ConfigMap/postgres-pooler-config",
        "ConfigMap/postgres-pooler-agent",
        "ServiceAccount/postgres-pooler",
        "NetworkPolicy/postgres-pooler",
        "Service/postgres-pooler-service",
        "Service/postgres-pooler-readonly-service",
        "Deployment/postgres-pooler",
        "PodDisruptionBudget/postgres-pooler",
        "PodMonitor/postgres-pooler",
    ]
    assert objects(spec()) == {}
    fewer = objects(pooled(Pooler(readonly=False), monitoring=None))
    assert not {"Service/postgres-pooler-readonly-service", "PodMonitor/postgres-pooler"} & fewer.keys()
    assert list(fewer["ConfigMap/postgres-pooler-config"]["data"]) == ["primary.ini", "primary-tls.ini", "pooler.json"]


def test_neither_patroni_nor_the_database_services_count_its_pods():
    labels = pod(pooled())["metadata"]["labels"].items()
    assert not spec().names.selector.items() <= labels
    for name in ("Service/postgres-pooler-service", "Service/postgres-pooler-readonly-service", "PodDisruptionBudget/postgres-pooler"):
        selector = objects(pooled())[name]["spec"]["selector"]
        assert selector.get("matchLabels", selector).items() <= labels


def test_services_lead_to_the_right_process():
    containers = {each["name"]: each for each in pod(pooled())["spec"]["containers"]}
    for name, side in (("postgres-pooler-service", "primary"), ("postgres-pooler-readonly-service", "readonly")):
        (port,) = objects(pooled())[f"Service/{name}"]["spec"]["ports"]
        assert port["port"] == 5432, "the database's own, so that only the host changes"
        assert port["targetPort"] in [each["name"] for each in containers[side]["ports"]]


def test_a_new_pod_before_an_old_one_goes():
    assert objects(pooled())["Deployment/postgres-pooler"]["spec"]["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}


def test_a_pod_that_never_served_blocks_no_drain():
    assert objects(pooled())["PodDisruptionBudget/postgres-pooler"]["spec"]["unhealthyPodEvictionPolicy"] == "AlwaysAllow"


def test_a_pod_counts_once_a_client_was_served_in_it():
    """So that a rollout of pods through which nobody can log in stops, and those that work stay."""
    containers = {each["name"]: each for each in pod(pooled())["spec"]["containers"]}
    for side in ("primary", "readonly"):
        assert containers[side]["startupProbe"]["exec"]["command"] == ["test", "-e", f"{RUNTIME_DIR}/served"]
        assert set(containers[side]["readinessProbe"]) & {"exec", "tcpSocket"} == {"tcpSocket"}, "afterwards clients wait in it"
        assert any(mount["mountPath"] == RUNTIME_DIR for mount in containers[side]["volumeMounts"])
    assert not {"startupProbe", "readinessProbe"} & containers["agent"].keys(), "it can never take PgBouncer out of its Service"


def test_no_token_and_only_its_own_two_keys():
    assert pod(pooled())["spec"]["automountServiceAccountToken"] is False
    assert objects(pooled())["ServiceAccount/postgres-pooler"]["automountServiceAccountToken"] is False
    secret, ca, _own = [volume["secret"] for volume in pod(pooled())["spec"]["volumes"] if "secret" in volume]
    assert ca["items"] == [{"key": "ca.crt", "path": "ca.crt"}], "of the certificate nothing but who signed it"
    assert [item["key"] for item in secret["items"]] == ["pooler-password", "pooler-username"]
    assert secret["optional"] is True, "so that the init container can say which key is missing"
    assert "secretKeyRef" not in str(pod(pooled()))


def test_the_agent_is_pgbouncer_s_own_user():
    """Its console lets that uid in without a password."""
    body = pod(pooled())["spec"]
    assert body["securityContext"]["runAsUser"] == Pooler().image.uid
    assert not any("runAsUser" in each["securityContext"] for each in (*body["containers"], *body["initContainers"]))


def test_pgbouncer_outlives_the_draining():
    from sos_constructs.postgres.agent import pooler as agent

    assert agent.LEAVE_SECONDS + agent.PAUSE_SECONDS <= STOP_SECONDS < GRACE_SECONDS


@pytest.mark.parametrize(
    ("direction", "port", "peer"),
    [
        ("ingress", 6432, [{"podSelector": {}}]),
        ("ingress", 6433, [{"podSelector": {}}]),
        ("ingress", 8010, [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}]),
        ("egress", 5432, [{"podSelector": {"matchLabels": {"app.kubernetes.io/instance": "postgres", "app.kubernetes.io/name": "postgres"}}}]),
        ("egress", 53, None),
    ],
)
def test_network(direction: str, port: int, peer: Any):
    policy = objects(pooled())["NetworkPolicy/postgres-pooler"]["spec"]
    assert sorted(policy["policyTypes"]) == ["Egress", "Ingress"]
    rules = [rule for rule in policy[direction] if port in [each["port"] for each in rule["ports"]]]
    assert [rule.get("from", rule.get("to")) for rule in rules] == [peer]


def test_nothing_else_in_the_network():
    policy = objects(pooled(monitoring=None))["NetworkPolicy/postgres-pooler"]["spec"]
    assert sorted(each["port"] for rule in policy["ingress"] for each in rule["ports"]) == [6432, 6433]
    assert {each["port"] for rule in policy["egress"] for each in rule["ports"]} == {5432, 53, 5353}


def test_the_members_do_not_restart_for_a_pooler():
    assert stateful_set(pooled()) == stateful_set(spec())


def test_only_what_cannot_be_reloaded_brings_new_pods():
    before = pod(pooled())
    databases = DATABASES[:3]
    assert pod(pooled(Pooler(pool_size=2, max_clients=50, pool_mode="session"), databases=databases)) == before
    assert pod(pooled(Pooler(readonly=False))) != before


def test_the_members_agent_is_told_of_the_role_and_only_then():
    assert configmaps.declared(pooled())["pooler"] == {"name": "pgbouncer", "password_key": "pooler-password", "username_key": "pooler-username"}
    assert "pooler" not in configmaps.declared(spec())
    assert configmaps.declared(pooled())["roles"] == configmaps.declared(spec())["roles"], "what is missing for the pooler must not stop a member"


def test_prometheus_finds_the_agent():
    operator = PrometheusOperator(namespace="observability", labels={"release": "x"})
    monitor = objects(pooled(monitoring=operator))["PodMonitor/postgres-pooler"]
    assert monitor["metadata"]["labels"]["release"] == "x"
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
    agent = next(each for each in pod(pooled())["spec"]["containers"] if each["name"] == "agent")
    assert endpoint["port"] in [each["name"] for each in agent["ports"]]
    assert endpoint["relabelings"] == [{"action": "replace", "replacement": "postgres", "targetLabel": "postgres_cluster"}]
