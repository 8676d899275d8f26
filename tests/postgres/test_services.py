"""The three Services and the budget: selectors that Patroni's labels answer."""

from __future__ import annotations

from sos_constructs.postgres import names, services
from sos_constructs.postgres.agent import serving as agent

from tests.postgres.example import spec

SELECTOR = {"app.kubernetes.io/instance": "postgres", "app.kubernetes.io/name": "postgres"}
SERVING = SELECTOR | {"app.kubernetes.io/component": "database"}
PORTS = [{"name": "postgres", "port": 5432, "protocol": "TCP", "targetPort": "postgres"}]


def test_primary_and_readonly_follow_the_role_that_patroni_writes():
    assert services.primary(spec())["metadata"]["name"] == "postgres-service"
    assert services.primary(spec())["spec"] == {"ports": PORTS, "publishNotReadyAddresses": True, "selector": SERVING | {"role": "primary"}}
    assert services.readonly(spec())["metadata"]["name"] == "postgres-readonly-service"
    assert services.readonly(spec())["spec"] == {"ports": PORTS, "selector": SERVING | {"role": "replica"}}


def test_what_the_services_ask_for_is_what_members_are_born_with_and_what_agents_change():
    """Were it a new label, a Service would lose every pod of yesterday's template."""
    assert services.primary(spec())["spec"]["selector"].items() - {("role", "primary")} <= spec().names.pod_labels.items()
    assert agent.SERVING == names.SERVING
    assert agent.OUT.keys() == agent.SERVING.keys()
    assert not agent.OUT.items() <= spec().names.pod_labels.items()


def test_headless_names_members_before_they_are_ready():
    """Members find each other during bootstrap, when nobody is ready."""
    made = services.headless(spec())
    assert made["metadata"]["name"] == "postgres-headless"
    assert made["spec"] == {"clusterIP": "None", "ports": PORTS, "publishNotReadyAddresses": True, "selector": SELECTOR}


def test_budget_covers_every_member():
    made = services.disruption_budget(spec())
    assert made["spec"] == {"maxUnavailable": 1, "selector": {"matchLabels": SELECTOR}, "unhealthyPodEvictionPolicy": "AlwaysAllow"}
