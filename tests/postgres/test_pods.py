"""What users add to pods: it arrives, the library's own stays, and what the API server would refuse is refused with path, value and fix."""

from __future__ import annotations

import re
from typing import Any

from sos_constructs import HaPostgres, PodOptions, Pooler
from sos_constructs.postgres.names import Names
from sos_constructs.postgres.pooler.names import PoolerNames

import cdk8s
import pytest

from tests.postgres.example import spec
from tests.postgres.scenarios import install

KINDS: dict[str, tuple[str, str, Names | PoolerNames]] = {
    "members": ("StatefulSet", "postgres", Names("postgres")),
    "pooler": ("Deployment", "postgres-pooler", PoolerNames("postgres")),
}


def template(pods: PodOptions, who: str) -> dict[str, Any]:
    kind, name, _ = KINDS[who]
    _, db = install({"pods": pods, "pooler": Pooler(pods=pods)})
    found: dict[str, Any] = db.objects[kind, name].to_json()["spec"]["template"]
    return found


@pytest.mark.parametrize("who", KINDS)
def test_what_is_given_arrives_in_kubernetes_own_words(who: str):
    toleration = {"key": "dedicated", "operator": "Exists", "effect": "NoSchedule"}
    given = PodOptions(
        image_pull_secrets=("one", {"name": "two"}),
        tolerations=[toleration],
        node_selector={"disk": "ssd"},
        labels={"team": "sos"},
        annotations={"a.example/b": "c d"},
    )
    made = template(given, who)
    assert made["spec"]["imagePullSecrets"] == [{"name": "one"}, {"name": "two"}]
    assert made["spec"]["tolerations"] == [toleration]
    assert made["spec"]["nodeSelector"] == {"disk": "ssd"}
    assert made["metadata"]["labels"].items() >= ({"team": "sos"} | KINDS[who][2].selector).items()
    assert made["metadata"]["annotations"].items() > {"a.example/b": "c d"}.items()


@pytest.mark.parametrize("who", KINDS)
def test_the_librarys_placement_stays_unless_another_is_given(who: str):
    default = template(PodOptions(), who)["spec"]
    node = {
        "nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [{"matchExpressions": [{"key": "x", "operator": "Exists"}]}]}}
    }
    assert template(PodOptions(affinity=node), who)["spec"]["affinity"] == default["affinity"] | node
    assert "affinity" not in template(PodOptions(affinity={"podAntiAffinity": {}}), who)["spec"]
    assert "topologySpreadConstraints" not in template(PodOptions(topology_spread_constraints=()), who)["spec"]
    assert [each["topologyKey"] for each in default["topologySpreadConstraints"]] == ["topology.kubernetes.io/zone"]


@pytest.mark.parametrize("who", KINDS)
def test_a_spread_without_a_selector_counts_these_pods(who: str):
    plain = {"maxSkew": 1, "topologyKey": "rack", "whenUnsatisfiable": "DoNotSchedule"}
    own = plain | {"labelSelector": {"matchLabels": {"app": "x"}}, "topologyKey": "zone"}
    first, second = template(PodOptions(topology_spread_constraints=(plain, own)), who)["spec"]["topologySpreadConstraints"]
    assert first == plain | {"labelSelector": {"matchLabels": KINDS[who][2].selector}}
    assert second == own


def test_values_are_copied():
    labels, taint = {"team": "sos"}, {"operator": "Exists"}
    given = PodOptions(labels=labels, tolerations=[taint])
    labels["role"] = "primary"
    taint["effect"] = "Nowhere"
    given.check("pods", {})
    assert given.labels == {"team": "sos"}


def test_the_service_account_alone_restarts_nothing():
    before = install({})[1].objects["StatefulSet", "postgres"].to_json()
    db = install({"pods": PodOptions(service_account_annotations={"iam.gke.io/gcp-service-account": "db@example"})})[1]
    assert db.objects["StatefulSet", "postgres"].to_json() == before
    assert db.objects["ServiceAccount", "postgres"].to_json()["metadata"]["annotations"] == {"iam.gke.io/gcp-service-account": "db@example"}


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"image_pull_secrets": ("Registry",)}, "pods.image_pull_secrets[0]='Registry' must be a DNS-1123 subdomain"),
    ({"image_pull_secrets": "registry"}, "pods.image_pull_secrets='registry' must be a list"),
    ({"image_pull_secrets": ({"nam": "x"},)}, "pods.image_pull_secrets[0].nam='x' is no field that Kubernetes knows here (did you mean 'name'?)"),
    ({"image_pull_secrets": (1,)}, "pods.image_pull_secrets[0]=1 must be text or a mapping of text to text"),
    ({"tolerations": ({"effect": "NoSchedule"},)}, "must have a key, or operator 'Exists'"),
    ({"tolerations": ({"key": "a", "operator": "exists"},)}, "pods.tolerations[0].operator='exists' must be one of Equal, Exists (did you mean 'Exists'?)"),
    ({"tolerations": ({"key": "a", "effect": "Evict"},)}, "pods.tolerations[0].effect='Evict' must be one of NoSchedule"),
    ({"tolerations": ({"key": "a", "operator": "Exists", "value": "b"},)}, "must be left out with operator 'Exists'"),
    ({"tolerations": ({"key": "a", "effect": "NoSchedule", "tolerationSeconds": 3},)}, "needs effect 'NoExecute'"),
    ({"tolerations": ({"key": "a", "value": True},)}, "pods.tolerations[0].value=True must be text; put it into quotes"),
    ({"tolerations": {"key": "a"}}, "pods.tolerations={'key': 'a'} must be a list"),
    ({"node_selector": {"disk": True}}, "pods.node_selector['disk']=True must be text"),
    ({"node_selector": ["disk"]}, "pods.node_selector=['disk'] must be a mapping of text to text"),
    ({"affinity": {"nodeafinity": {}}}, "pods.affinity.nodeafinity={} is no field that Kubernetes knows here (did you mean 'nodeAffinity'?)"),
    ({"affinity": {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [{}]}}}, "must have the field topologyKey"),
    (
        {"affinity": {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 101, "preference": {}}]}}},
        "preferredDuringSchedulingIgnoredDuringExecution[0].weight=101 must be a whole number from 1 to 100",
    ),
    (
        {
            "affinity": {
                "nodeAffinity": {
                    "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [{"matchExpressions": [{"key": "a", "operator": "In"}]}]}
                }
            }
        },
        "matchExpressions[0].values=() must have at least one value with operator 'In'",
    ),
    ({"affinity": "ssd"}, "pods.affinity='ssd' must be a mapping or None"),
    ({"topology_spread_constraints": ({"maxSkew": 0, "topologyKey": "z", "whenUnsatisfiable": "DoNotSchedule"},)}, ".maxSkew=0 must be a whole number from 1"),
    ({"topology_spread_constraints": ({"maxSkew": 1, "topologyKey": "z"},)}, "must have the field whenUnsatisfiable"),
    (
        {"topology_spread_constraints": ({"maxSkew": 1, "topologyKey": "z", "whenUnsatisfiable": "ScheduleAnyway"},) * 2},
        "stands twice with whenUnsatisfiable 'ScheduleAnyway'",
    ),
    (
        {"topology_spread_constraints": ({"maxSkew": 1, "minDomains": 2, "topologyKey": "z", "whenUnsatisfiable": "ScheduleAnyway"},)},
        ".minDomains=2 needs whenUnsatisfiable 'DoNotSchedule'",
    ),
    ({"labels": {"a b": "c"}}, "pods.labels['a b']='c' must be [prefix/]name"),
    ({"labels": {"app.kubernetes.io/name": "mine"}}, "pods.labels['app.kubernetes.io/name']='mine' is set by this library to"),
    ({"labels": {"role": "primary"}}, "pods.labels['role']='primary' is set by this library to 'what Patroni says of its member'"),
    ({"annotations": {"a": 1}}, "pods.annotations['a']=1 must be text"),
    ({"annotations": {"status": "x"}}, "pods.annotations['status']='x' is set by this library"),
    ({"annotations": {"a": "x" * 300_000}}, "must have at most 262144 bytes in all"),
    ({"service_account_annotations": {"a": None}}, "pods.service_account_annotations['a']=None must be text"),
]


@pytest.mark.parametrize(("given", "message"), WRONG)
def test_refused(given: dict[str, Any], message: str):
    chart = cdk8s.Chart(cdk8s.App(), "platform")
    with pytest.raises(ValueError, match=f"^platform/db: .*{re.escape(message)}"):
        HaPostgres(chart, "db", credentials=spec().credentials, pods=PodOptions(**given))


def test_the_poolers_are_refused_by_their_own_name():
    chart, wrong = cdk8s.Chart(cdk8s.App(), "platform"), Pooler(pods=PodOptions(labels={"role": "x"}))
    with pytest.raises(ValueError, match=re.escape("platform/db: pooler.pods.labels['role']='x' is set by this library")):
        HaPostgres(chart, "db", credentials=spec().credentials, pooler=wrong)
