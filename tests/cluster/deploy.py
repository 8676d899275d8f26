"""Put the reference app on a cluster the way the README tells a user to, and take it away again."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from sos_constructs import SPILO

from tests.cluster import chart, kube
from tests.cluster.breakable import ROOT, Breakable
from tests.cluster.installation import Installation

DIST = ROOT / "dist"
APP = DIST / "sos-app.k8s.yaml"
TEMPLATE = DIST / "secrets-template.k8s.yaml"
MARK = "sos-constructs/cluster-test"
"""Label on namespaces that these tests made, and may therefore delete."""


def installed() -> Installation:
    """The reference app's database."""
    return Installation(namespace=chart.NAMESPACE, image=SPILO)


def create_namespace(name: str) -> None:
    """A namespace that is ours to delete."""
    kube.kubectl("create", "namespace", name)
    kube.kubectl("label", "namespace", name, f"{MARK}=true")


def generate_secrets(namespace: str = chart.NAMESPACE) -> str:
    """`sosctl secrets generate | kubectl apply -f -`, and what kubectl said."""
    sosctl = [str(Path(sys.executable).with_name("sosctl")), "secrets", "generate", "--namespace", namespace]
    made = subprocess.run(sosctl, capture_output=True, text=True, timeout=120, check=False)
    assert made.returncode == 0, made.stderr
    return kube.kubectl("apply", "-f", "-", stdin=made.stdout)


def prepare(namespace: str, tool: Breakable | None) -> None:
    """An empty namespace of ours with the Secrets, in place of what an earlier run left."""
    remove(namespace, tool)
    create_namespace(namespace)
    generate_secrets(namespace)


def deploy() -> Installation:
    """Namespace, secrets, dist/."""
    create_namespace(chart.NAMESPACE)
    generate_secrets()
    kube.kubectl("apply", "-f", str(APP))
    return installed()


def remove(namespace: str, tool: Breakable | None, *, by_force: bool = False) -> None:
    """Delete a namespace of ours with all it holds; on a breakable cluster also free its volumes."""
    there = kube.run("get", "namespace", namespace, "-o", f"jsonpath={{.metadata.labels.{MARK.replace('.', chr(92) + '.')}}}")
    if there.returncode:
        return
    if there.stdout != "true" and not by_force:
        raise AssertionError(f"namespace {namespace} exists and these tests did not make it; they break what is in it, so delete it yourself first")
    # First the members: a namespace's deletion takes their rights away while they hand over, and they would wait for minutes.
    kube.run("delete", "statefulset", "postgres", "-n", namespace, "--ignore-not-found", "--cascade=foreground", "--timeout=400s", seconds=430)
    kube.kubectl("delete", "namespace", namespace, "--timeout=600s", seconds=630)
    if tool:
        kube.poll("volumes released", lambda: not _bound(namespace), 60)
        tool.recycle_volumes()


def _bound(namespace: str) -> bool:
    return any(
        volume["spec"].get("claimRef", {}).get("namespace") == namespace and volume["status"]["phase"] == "Bound" for volume in kube.items("persistentvolumes")
    )
