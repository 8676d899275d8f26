"""What a Prometheus would get: the samples of every member's exporter, Patroni and agent, and of the kubelets."""

from __future__ import annotations

import re
from collections import defaultdict

import attrs

from tests.cluster import kube
from tests.cluster.installation import Installation

PORTS = {"exporter": 9187, "patroni": 8008, "agent": 8009}


@attrs.frozen
class Samples:
    """Label names of each series that was seen, by series; and the names that are only announced (``# TYPE``), because their event has not happened."""

    labels: dict[str, set[frozenset[str]]]
    announced: set[str]

    @property
    def names(self) -> set[str]:
        return self.labels.keys() | self.announced


def parse(text: str) -> Samples:
    """Prometheus' text format. Patroni 4.0 writes a space before the braces of one series."""
    found: dict[str, set[frozenset[str]]] = defaultdict(set)
    for name, braces in re.findall(r"^(\w+) ?(?:\{(.*)\})? \S+$", text, re.MULTILINE):
        found[name].add(frozenset(re.findall(r'(\w+)="', re.sub(r'"(?:[^"\\]|\\.)*"', '""', braces))))
    return Samples(dict(found), set(re.findall(r"^# TYPE (\w+) ", text, re.MULTILINE)))


def fetch(installation: Installation, pod: str, port: int) -> str:
    """The page of one port, from inside the pod."""
    scheme = "https" if port == PORTS["patroni"] else "http"
    script = (
        "import ssl, urllib.request; context = ssl._create_unverified_context();"
        f" print(urllib.request.urlopen('{scheme}://localhost:{port}/metrics', timeout=10, context=context).read().decode())"
    )
    return installation.exec(pod, "python3", "-c", script, seconds=20)


def members(installation: Installation) -> dict[str, dict[str, Samples]]:
    """By pod and by source."""
    return {pod: {source: parse(fetch(installation, pod, port)) for source, port in PORTS.items()} for pod in installation.pod_names}


def kubelets(installation: Installation) -> Samples:
    """Of the nodes on which members run."""
    nodes = sorted({installation.node_of(pod) for pod in installation.pod_names})
    return parse("".join(kube.kubectl("get", "--raw", f"/api/v1/nodes/{node}/proxy/metrics") for node in nodes))
