"""An API server that enforces Pod Security ``restricted`` takes what every example of README, the documentation and examples/ writes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sos_constructs.foundation.priorities import PRIORITIES, priority_class
from sos_constructs.placement import is_cluster_scoped
from sos_constructs.workloads import POD, mapping_at

import cdk8s
import pytest

from examples.ticket_shop import main as ticket_shop
from tests import pages
from tests.cluster import deploy, kube

NAMESPACE = "sos-examples"
LEVELS = [f"pod-security.kubernetes.io/{mode}=restricted" for mode in ("enforce", "warn")]


@pytest.fixture(scope="module")
def namespace(version: str) -> Iterator[str]:
    """Enforces ``restricted``."""
    assert version
    kube.kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", "--timeout=120s", seconds=130)
    deploy.create_namespace(NAMESPACE)
    kube.kubectl("label", "namespace", NAMESPACE, *LEVELS)
    kube.apply(priority_class(priority) for priority in PRIORITIES)
    kube.poll("its default ServiceAccount", lambda: kube.get("serviceaccount", "default", "-n", NAMESPACE), 60)
    yield NAMESPACE
    kube.kubectl("delete", "namespace", NAMESPACE, "--wait=false")


def judge(namespace: str, manifests: list[dict[str, Any]]) -> None:
    """Fail for what the API server refuses, and for workloads whose pods it would refuse."""
    judged = [_moved(each, namespace) for each in manifests if pages.is_built_in(each) and each["kind"] != "Namespace"]
    judged += [pod for each in judged if (pod := _pod(each, namespace))]
    if judged:
        done = kube.run("apply", "--dry-run=server", "-f", "-", stdin=kube.documents(judged))
        assert done.returncode == 0, done.stderr
        assert "PodSecurity" not in done.stderr


def _moved(manifest: dict[str, Any], namespace: str) -> dict[str, Any]:
    return manifest if is_cluster_scoped(manifest) else {**manifest, "metadata": {**manifest["metadata"], "namespace": namespace}}


def _pod(manifest: dict[str, Any], namespace: str) -> dict[str, Any] | None:
    """The pod of a workload. Its ServiceAccount would be missed: a dry run creates none."""
    path = POD.get(manifest["kind"])
    if path is None:
        return None
    template = mapping_at(manifest, path[:-1])
    spec = {key: value for key, value in template["spec"].items() if key not in ("serviceAccount", "serviceAccountName")}
    claims = [claim["metadata"]["name"] for claim in manifest["spec"].get("volumeClaimTemplates") or ()]
    volumes = [*(spec.get("volumes") or ()), *({"name": name, "persistentVolumeClaim": {"claimName": name}} for name in claims)]
    spec["volumes"] = volumes
    annotations = mapping_at(template, ("metadata", "annotations"))
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "pod", "namespace": namespace, "annotations": dict(annotations)}, "spec": spec}


@pytest.mark.parametrize("page", pages.PAGES, ids=lambda path: path.relative_to(pages.ROOT).as_posix())
def test_page(namespace: str, page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if page.relative_to(pages.ROOT).as_posix() in pages.RUN_ELSEWHERE:
        pytest.skip("run elsewhere")
    monkeypatch.chdir(tmp_path)
    judge(namespace, pages.run(page, tmp_path))


def test_ticket_shop(namespace: str) -> None:
    app = cdk8s.Testing.app()
    for environment in ticket_shop.CATALOGUE.environments:
        ticket_shop.build(app, environment)
    judge(namespace, [manifest for chart in app.charts for manifest in cdk8s.Testing.synth(chart)])


def test_a_workload_that_lacks_something_would_be_found(namespace: str) -> None:
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "api"}, "spec": {"containers": [{"name": "a", "image": "x"}]}}
    with pytest.raises(AssertionError, match="violates PodSecurity"):
        judge(namespace, [pod])
