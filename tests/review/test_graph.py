"""The picture: what is in it, that it is the same every time, and that nothing in it overlaps."""

from __future__ import annotations

import itertools
import json
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sos_constructs.review import load, render, review
from sos_constructs.review.graph import Graph, build, mermaid, svg
from sos_constructs.review.graph.layout import place
from sos_constructs.review.graph.policies import selects

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.review.examples import BY_FILE, EXAMPLES, Object, manifests, of

ROOT = Path(__file__).resolve().parent.parent.parent


def pods(kind: str, name: str, labels: dict[str, str], **spec: Any) -> Object:
    container = {"name": "main", "image": "registry.example.com:5000/shop/main:1.2@sha256:abc", **spec.pop("container", {})}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container], **spec.pop("pod", {})}}
    made = of("apps/v1", kind, spec={"template": template, **spec})
    made["metadata"] = {"name": name, "namespace": "shop"}
    return made


def named(made: Object, name: str) -> Object:
    return {**made, "metadata": {"name": name, "namespace": "shop"}}


API = pods(
    "Deployment",
    "api",
    {"app": "api"},
    replicas=2,
    pod={
        "priorityClassName": "high",
        "serviceAccountName": "api",
        "initContainers": [{"name": "wait"}],
        "volumes": [
            {"name": "tls", "secret": {"secretName": "api-tls"}},
            {"name": "files", "persistentVolumeClaim": {"claimName": "files"}},
            {"name": "tmp", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}},
            {"name": "all", "projected": {"sources": [{"configMap": {"name": "common"}}, {"configMap": {"name": "kube-root-ca.crt"}}]}},
        ],
    },
    container={
        "envFrom": [{"configMapRef": {"name": "common"}}],
        "env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "db", "key": "a"}}}],
        "volumeMounts": [{"name": "tls", "mountPath": "/tls"}, {"name": "files", "mountPath": "/srv"}, {"name": "all", "mountPath": "/all"}],
    },
)
DB = pods("StatefulSet", "db", {"app": "db"}, volumeClaimTemplates=[{"metadata": {"name": "data"}, "spec": {"resources": {"requests": {"storage": "1Gi"}}}}])
SERVICE = named(
    of("v1", "Service", spec={"selector": {"app": "db", "role": "primary"}, "ports": [{"port": 5432, "targetPort": "db"}, {"port": 53, "protocol": "UDP"}]}),
    "db",
)
CLAIM = named(of("v1", "PersistentVolumeClaim", spec={"resources": {"requests": {"storage": "2Gi"}}}), "files")
COMMON = named(of("v1", "ConfigMap", data=dict.fromkeys("ABCDE", "x")), "common")
UNREAD = named(of("v1", "ConfigMap", data={}), "other")
BUDGET = named(of("policy/v1", "PodDisruptionBudget", spec={"maxUnavailable": 1, "selector": {"matchLabels": {"app": "api"}}}), "api")
POLICY = named(
    of(
        "networking.k8s.io/v1",
        "NetworkPolicy",
        spec={
            "podSelector": {"matchLabels": {"app": "db"}},
            "ingress": [
                {"from": [{"podSelector": {"matchLabels": {"app": "api"}}}], "ports": [{"port": 5432}]},
                {"from": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}, {"namespaceSelector": {}}]},
                {"from": [{"podSelector": {"matchLabels": {"app.kubernetes.io/name": "x"}}}, {"podSelector": {}}]},
            ],
            "egress": [
                {"ports": [{"port": 53}, {"port": 53, "protocol": "UDP"}, {"port": 443, "endPort": 445}]},
                {"to": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}}]},
            ],
        },
    ),
    "db",
)
IDLE = named(of("networking.k8s.io/v1", "NetworkPolicy", spec={"podSelector": {"matchLabels": {"app": "none"}}}), "idle")
DENY = named(of("networking.k8s.io/v1", "NetworkPolicy", spec={"podSelector": {}}), "deny")
ROLE = named(of("rbac.authorization.k8s.io/v1", "Role", rules=[{"verbs": ["get", "list"], "resources": ["pods"], "resourceNames": ["a"]}]), "api")
BINDING = named(
    of("rbac.authorization.k8s.io/v1", "RoleBinding", roleRef={"kind": "Role", "name": "api"}, subjects=[{"kind": "ServiceAccount", "name": "api"}]), "api"
)
ALL = manifests(API, DB, SERVICE, CLAIM, COMMON, UNREAD, BUDGET, POLICY, IDLE, DENY, ROLE, BINDING)


def lines(graph: Graph) -> set[tuple[str, str, str]]:
    titles = {node.id: node.title for node in graph.nodes}
    return {(titles[edge.source], titles[edge.target], edge.label) for edge in graph.edges}


def details(graph: Graph, title: str, word: str) -> tuple[str, ...]:
    (found,) = [node.details for node in graph.nodes if (node.title, node.word) == (title, word)]
    return found


def test_what_pods_read_and_store():
    graph = build(ALL)
    assert {line for line in lines(graph) if line[0] == "api"} == {
        ("api", "api-tls", "/tls"),
        ("api", "files", "/srv"),
        ("api", "scratch", ""),
        ("api", "common", "/all, environment"),
        ("api", "db", "environment"),
    }
    assert ("db", "data", "") in lines(graph)
    assert details(graph, "api", "Deployment") == ("2 pods", "at most 1 down", "priority high", "init: wait", "main: main:1.2")
    assert details(graph, "common", "ConfigMap") == ("A", "B", "C", "and 2 more")
    assert details(graph, "files", "PersistentVolumeClaim") == ("2Gi",)
    assert details(graph, "data", "Volume") == ("1Gi, one for each pod",)
    assert details(graph, "scratch", "gone with the pod") == ("tmp 1Mi in memory",)
    assert {node.title for node in graph.nodes if not node.known} == {"api-tls", "db"}


def test_a_label_that_only_running_pods_have_stands_on_the_line():
    graph = build(ALL)
    assert ("db", "db", "role=primary") in lines(graph)
    assert details(graph, "db", "Service") == ("5432 → db", "53/UDP")


def test_traffic_that_policies_allow():
    found = {line for line in lines(build(ALL)) if line[0].startswith(("pods", "every")) or line[1].startswith(("any", "10."))}
    assert found == {
        ("pods of Deployment api", "db", "5432"),
        ("every pod in monitoring", "db", "every port"),
        ("every pod in every namespace", "db", "every port"),
        ("pods name=x in shop", "db", "every port"),
        ("every pod in shop", "db", "every port"),
        ("db", "any address", "53, 443–445"),
        ("db", "10.0.0.0/8 with exceptions", "every port"),
    }


def test_what_is_for_pods_elsewhere():
    graph = build(ALL)
    assert details(graph, "1 ConfigMap", "for pods elsewhere") == ("other",)
    assert details(graph, "1 NetworkPolicy", "for pods elsewhere") == ("idle",)


def test_rights_are_drawn_on_request():
    assert not any(node.word == "ServiceAccount" for node in build(ALL).nodes)
    graph = build(ALL, rights=True)
    assert details(graph, "api", "ServiceAccount") == ("get, list pods by name",)
    assert details(graph, "default", "ServiceAccount") == ("no rights in these manifests",)


@pytest.mark.parametrize(
    ("expression", "found"),
    [("In", True), ("NotIn", False), ("Exists", True), ("DoesNotExist", False), ("Unknown", False)],
)
def test_selectors(expression: str, found: bool):
    assert selects({"matchExpressions": [{"key": "app", "operator": expression, "values": ["api"]}]}, {"app": "api"}) is found


def test_the_same_manifests_give_the_same_picture_in_any_order():
    backwards = dict(reversed(list(ALL.items())))
    assert svg(build(ALL, rights=True)) == svg(build(backwards, rights=True))
    assert mermaid(build(ALL)) == mermaid(build(backwards))


EVIL = st.text(st.characters(codec="utf-8"), max_size=8)


@given(EVIL, EVIL, EVIL)
def test_names_cannot_break_the_picture(name: str, key: str, image: str):
    workload = pods("Deployment", name or "x", {"app": "x"}, container={"image": image, "name": key, "envFrom": [{"configMapRef": {"name": name}}]})
    graph = build(manifests(workload, named(of("v1", "ConfigMap", data={key: "x"}), name)))
    ET.fromstring(svg(graph))
    text = mermaid(graph)
    assert text.count('"') == 2 * (len(graph.nodes) + sum(bool(edge.label) for edge in graph.edges))
    assert all(len(line.splitlines()) == 1 for line in text.split("\n") if line)


@given(st.lists(st.sampled_from([side for example in EXAMPLES for side in (example.old, example.new) if side]), max_size=20))
def test_any_manifests_can_be_drawn_and_boxes_do_not_overlap(objects: list[Object]):
    graph = build(manifests(*objects), rights=True)
    drawing = place(graph)
    for one, other in itertools.combinations(drawing.boxes, 2):
        apart = one.x + one.width <= other.x or other.x + other.width <= one.x or one.y + one.height <= other.y or other.y + other.height <= one.y
        assert apart, (one.node, other.node)
    ET.fromstring(svg(graph))


def paths(value: Any) -> Iterator[tuple[Any, ...]]:
    yield ()
    for step in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield from ((step, *rest) for rest in paths(value[step]))


@pytest.mark.parametrize("wrong", [None, 5, "x", ["x"], {"x": ["y"]}, [{"name": 5}]], ids=repr)
def test_manifests_of_the_wrong_shape_do_not_break_it(wrong: Any):
    objects = [API, DB, SERVICE, POLICY, ROLE, BINDING, BUDGET, COMMON, BY_FILE]
    for made in objects:
        for path in paths(made):
            if path and path[0] not in ("apiVersion", "kind", "metadata"):
                changed = json.loads(json.dumps(made))
                target = changed
                for step in path[:-1]:
                    target = target[step]
                target[path[-1]] = wrong
                sides = manifests(API, DB, made), manifests(API, DB, changed)
                graph = build(sides[1], rights=True)
                assert all(isinstance(text, str) for node in graph.nodes for text in (node.title, *node.details))
                result = review(*sides)
                assert bool(result.objects) is (changed != made)
                list(render.text(result))
                list(render.text(review(*sides[::-1])))


def test_secret_values_are_in_no_picture(tmp_path: Path):
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db", "namespace": "shop"}, "stringData": {"password": "hunter2"}}
    (tmp_path / "a.json").write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": [API, secret]}))
    graph = build(load("a.json", tmp_path))
    assert "hunter2" not in svg(graph) + mermaid(graph)
    assert details(graph, "db", "Secret") == ("password",)


def test_nothing_is_a_picture_too():
    ET.fromstring(svg(build({})))
    assert mermaid(build({})) == "flowchart LR\n"
