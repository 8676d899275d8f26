"""Immutable ConfigMaps on a real cluster: who rolls, who does not, and that the pods of the version before still find theirs.

What pruning too early does is not tested: on Kubernetes 1.34 the kubelet goes on holding an immutable ConfigMap that is deleted, even after its
last pod there, so that a pod of the old version starts or not depending on the node it comes to.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import sos_constructs  # noqa: F401  # first: it chooses the Node that jsii runs on
from sos_constructs import SOS, Catalogue, Layer, SosConfig
from sos_constructs.emit import emit

import cdk8s
import pytest

from tests.cluster import kube

NAMESPACE = "config-test"
IMAGE = "registry.k8s.io/pause:3.10"  # on every node, as the pods' own sandbox
MISSING = "registry.k8s.io/pause:there-is-none"
CATALOGUE = Catalogue([SOS.section("logging"), SOS.section("cache")])


def deployment(name: str, config: SosConfig, section: str, image: str) -> dict[str, Any]:
    labels = {"app.kubernetes.io/name": name}
    container = {
        "name": name,
        "image": image,
        "imagePullPolicy": "Never",
        "envFrom": config.env_from(section),
        "resources": {"requests": {"cpu": "1m", "memory": "4Mi"}},
    }
    pod = {"terminationGracePeriodSeconds": 0, "automountServiceAccountToken": False, "containers": [container]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "replicas": 2,
            "strategy": {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }


def apply(level: str, image: str = IMAGE) -> SosConfig:
    """The application with that log level, applied as `kubectl apply` does it: nothing is pruned."""
    chart = cdk8s.Chart(cdk8s.Testing.app(), "app", namespace=NAMESPACE, disable_resource_name_hashes=True)
    config = SosConfig(chart, "config", catalogue=CATALOGUE, layers=[Layer("site", {"LOG_LEVEL": level})], prefix="app", content_hash_names=True)
    emit(chart, deployment("reader", config, "logging", image))
    emit(chart, deployment("bystander", config, "cache", IMAGE))
    kube.apply(cdk8s.Testing.synth(chart))
    return config


def replica_sets(name: str) -> set[str]:
    return {found["metadata"]["name"] for found in kube.items("replicasets", "-n", NAMESPACE, "-l", f"app.kubernetes.io/name={name}")}


def pods(config_map: str) -> list[dict[str, Any]]:
    """Pods of the reader that load that ConfigMap and are not on their way out."""
    found = kube.items("pods", "-n", NAMESPACE, "-l", "app.kubernetes.io/name=reader")
    loads = [{"configMapRef": {"name": config_map}}]
    return [pod for pod in found if "deletionTimestamp" not in pod["metadata"] and pod["spec"]["containers"][0]["envFrom"] == loads]


def running(config_map: str) -> list[str]:
    """Names of those pods whose container runs."""
    return [pod["metadata"]["name"] for pod in pods(config_map) if any("running" in status["state"] for status in pod["status"].get("containerStatuses", ()))]


def waiting(config_map: str) -> list[str]:
    """Why containers of those pods do not run."""
    states = [status["state"] for pod in pods(config_map) for status in pod["status"].get("containerStatuses", ())]
    return [f"{state['waiting']['reason']}: {state['waiting'].get('message', '')}" for state in states if "waiting" in state]


def wait_available(name: str) -> None:
    def done() -> bool:
        found = kube.get("deployment", name, "-n", NAMESPACE)
        status, wanted = found["status"], found["spec"]["replicas"]
        counts = [status.get(field, 0) for field in ("replicas", "updatedReplicas", "availableReplicas")]
        return bool(status.get("observedGeneration") == found["metadata"]["generation"] and counts == [wanted] * 3)

    kube.poll(f"{name} is rolled out", done, seconds=600)


def delete_pod(name: str) -> None:
    kube.kubectl("delete", "pod", name, "-n", NAMESPACE, "--force", "--grace-period=0", "--wait=false")


@pytest.fixture(scope="module", autouse=True)
def namespace(version: str) -> Iterator[None]:
    kube.run("delete", "namespace", NAMESPACE, "--ignore-not-found", seconds=180)
    kube.poll("the namespace is made", lambda: not kube.run("create", "namespace", NAMESPACE).returncode)
    yield
    kube.run("delete", "namespace", NAMESPACE, "--wait=false")


@pytest.fixture
def info() -> SosConfig:
    """The application, rolled out."""
    config = apply("info")
    wait_available("reader")
    wait_available("bystander")
    return config


def test_the_api_server_refuses_to_change_one(info: SosConfig):
    name = info.config_map_name("logging")
    done = kube.run("patch", "configmap", name, "-n", NAMESPACE, "-p", '{"data": {"LOG_LEVEL": "debug"}}')
    assert done.returncode
    assert "field is immutable when `immutable` is set" in done.stderr
    assert kube.get("configmap", name, "-n", NAMESPACE)["data"]["LOG_LEVEL"] == "info"


def test_only_the_users_of_what_changed_roll(info: SosConfig):
    reader, bystander = replica_sets("reader"), replica_sets("bystander")
    warn = apply("warn")
    wait_available("reader")
    assert warn.config_map_name("cache") == info.config_map_name("cache")
    assert len(replica_sets("reader") - reader) == 1
    assert replica_sets("bystander") == bystander
    assert kube.get("deployment", "bystander", "-n", NAMESPACE)["metadata"]["generation"] == 1
    assert len(running(warn.config_map_name("logging"))) == 2


@pytest.mark.release
def test_an_old_pod_that_restarts_in_the_middle_of_a_rollout_and_a_rollback_find_their_config_map(info: SosConfig):
    old = info.config_map_name("logging")
    new = apply("error", image=MISSING).config_map_name("logging")
    kube.poll("the new version is stuck", lambda: any("ErrImageNeverPull" in reason for reason in waiting(new)), seconds=300)
    before = running(old)
    assert len(before) == 2
    delete_pod(before[0])
    kube.poll("another old pod runs in its place", lambda: len(set(running(old)) - {before[0]}) == 2, seconds=300)
    kube.kubectl("rollout", "undo", "deployment/reader", "-n", NAMESPACE)
    wait_available("reader")
    assert len(running(old)) == 2
    assert pods(new) == []
