"""What a Prometheus would get: the samples of every member's exporter, Patroni and agent, and of the kubelets."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable

from sos_constructs.postgres.pooler.names import AGENT_PORT

import attrs

from tests import promql
from tests.cluster import kube
from tests.cluster.installation import Installation

PORTS = {"exporter": 9187, "patroni": 8008, "agent": 8009}
ABSENT = {"kube_cronjob_status_last_successful_time": "kube-state-metrics, which this chart does not bring"}


@attrs.frozen
class Samples:
    """Label names of each series that was seen, by series; and the names that are only announced (``# TYPE``), because their event has not happened."""

    labels: dict[str, set[frozenset[str]]]
    announced: set[str]

    @property
    def names(self) -> set[str]:
        return self.labels.keys() | self.announced


def together(pages: Iterable[Samples]) -> Samples:
    """All of them: a primary and a standby send different series."""
    labels: dict[str, set[frozenset[str]]] = {}
    announced: set[str] = set()
    for page in pages:
        announced |= page.announced
        for name, found in page.labels.items():
            labels.setdefault(name, set()).update(found)
    return Samples(labels, announced)


def missing(seen: Samples, expr: str, *texts: str) -> list[str]:
    """Series and labels that the expression names and nobody sends."""
    faults = []
    wanted = promql.labels(expr, *texts)
    there = {name: frozenset().union(*seen.labels.get(name, set())) for name in promql.series(expr)}
    for name in sorted(there.keys() - ABSENT.keys()):
        if name not in seen.names:
            faults.append(f"no series {name}")
        elif name in seen.labels and (lacking := wanted.get(name, set()) - there[name]):
            faults.append(f"{name} has no label {', '.join(sorted(lacking))}")
    if not there.keys() & ABSENT.keys() and (nowhere := wanted[""] - set().union(*there.values())):
        faults.append(f"no series of it has the label {', '.join(sorted(nowhere))}")
    return faults


def missing_in_panel(seen: Samples, expr: str, legend: str) -> list[str]:
    """The same of a query of the dashboard, whose legend names labels too."""
    return missing(seen, expr, re.sub(r"\{\{(\w+)\}\}", r"$labels.\1", legend))


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


def pooler_page(pod: str, namespace: str) -> str:
    """The page of one of the pooler's pods."""
    script = f"import urllib.request; print(urllib.request.urlopen('http://localhost:{AGENT_PORT}/metrics', timeout=9).read().decode())"
    return kube.kubectl("exec", "-n", namespace, pod, "-c", "agent", "--", "python3", "-c", script, seconds=20)


def kubelets(installation: Installation) -> Samples:
    """Of the nodes on which members run."""
    nodes = sorted({installation.node_of(pod) for pod in installation.pod_names})
    return parse("".join(kube.kubectl("get", "--raw", f"/api/v1/nodes/{node}/proxy/metrics") for node in nodes))
