"""The Python examples of README and the documentation, to be run."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import sos_constructs as sos  # first: it chooses the Node that jsii runs on
from sos_constructs.secrets.catalogue import SECRETS
from sos_constructs.secrets.stored import dump
from sos_constructs.synth_checks import reference

import cdk8s
import cdk8s_plus_27 as kplus
from constructs import Construct, IConstruct

from tests.secrets.test_sealed import sealed

ROOT = Path(__file__).resolve().parent.parent
SYNTH = "app.synth()\n"


def blocks(path: Path, *languages: str) -> list[str]:
    """The fenced blocks of a page in one of the languages."""
    text = path.read_text("utf-8")
    return [body for language, body in re.findall(r"^```(\w*)[^\n]*\n(.*?)^```", text, re.DOTALL | re.MULTILINE) if language in languages]


def readme_program() -> str:
    """README's two blocks as one program: the service stands before ``app.synth()``, as README says."""
    chart, service = blocks(ROOT / "README.md", "python")
    assert chart.endswith(SYNTH)
    return chart.removesuffix(SYNTH) + service + SYNTH


PAGES = sorted(path for path in (ROOT / "README.md", *ROOT.glob("docs/**/*.md")) if blocks(path, "python"))

RUN_ELSEWHERE = {
    "docs/reference/config-cli.md": "a program with the module that `sosctl config bindings` writes: tests/config",
    "docs/start/kind.md": "pieces of examples/quick_start, which runs: tests/test_examples.py",
}
"""Pages whose blocks need what only other tests make."""

FRESH = ("manifest", "report", "deployment", "service")
"""Names that every block finds new, whatever an earlier one did with them."""


def run(path: Path, folder: Path) -> list[dict[str, Any]]:
    """Execute all Python blocks of a page, and return all that their apps write.

    A block finds the library's names and ``chart``, ``secrets``, ``db`` and so on, or what earlier blocks of the page have bound to these names.

    :param folder: the current directory; files that blocks read are made there.
    """
    _files(folder)
    bound: dict[str, Any] = {}
    roots: dict[str, IConstruct] = {}
    given = _given()
    # Without app.synth(): it writes into the folder where Node was started, which is the project's own, whatever the current one is.
    for block in [readme_program()] if path.name == "README.md" else blocks(path, "python"):
        names = given | {"chart": cdk8s.Chart(cdk8s.Testing.app(), "sos-app", namespace="sos-app", disable_resource_name_hashes=True)} | bound
        names |= _fresh(names["chart"])
        before = dict(names)
        exec(compile(block.replace(SYNTH, ""), str(path), "exec"), names)
        bound |= {name: value for name, value in names.items() if name not in FRESH and value is not before.get(name)}
        for value in names.values():
            if isinstance(value, Construct):
                roots[reference(value.node.root)] = value.node.root
    charts = [node for root in roots.values() for node in root.node.find_all() if isinstance(node, cdk8s.Chart)]
    made = [manifest for chart in charts for manifest in cdk8s.Testing.synth(chart)]
    return list({json.dumps(manifest, sort_keys=True): manifest for manifest in made}.values())


def _given() -> dict[str, Any]:
    """What the fragments of a page take for granted."""
    names: dict[str, Any] = {name: getattr(sos, name) for name in sos.__all__} | {"cdk8s": cdk8s, "kplus": kplus, "timedelta": timedelta}
    chart = cdk8s.Chart(cdk8s.Testing.app(), "sos-app", namespace="sos-app", disable_resource_name_hashes=True)
    names["secrets"] = sos.SosSecrets(chart, "secrets")
    names["db"] = names["postgres"] = sos.HaPostgres(
        chart, "postgres", credentials=names["secrets"].postgres, pooler=sos.Pooler(), parameters={"max_connections": 400}
    )
    names["store"] = sos.KubernetesStore(namespace="sos-store")
    names["source"] = sos.ExternalSecrets(store=names["store"])
    return names


def _fresh(chart: cdk8s.Chart) -> dict[str, Any]:
    """Workloads that no block has changed yet."""
    number = len(chart.node.children)
    around = Construct(chart, f"around-{number}")
    container = kplus.ContainerProps(name="reports", image="registry.example/api:1")
    service = sos.restricted(kplus.Deployment(around, "service", metadata=cdk8s.ApiObjectMetadata(name=f"api-{number}"), containers=[container]))
    return {"service": service} | {name: _manifest(name) for name in FRESH if name != "service"}


def _manifest(name: str) -> dict[str, Any]:
    labels = {"app.kubernetes.io/name": name}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "main", "image": "registry.example/api:1"}]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "annotations": {}},
        "spec": {"selector": {"matchLabels": labels}, "template": template},
    }


def _files(folder: Path) -> None:
    (folder / "overlays").mkdir()
    (folder / "overlays" / "eu.yaml").write_text("LOG_LEVEL: warn\n")
    (folder / "sealed.yaml").write_text(dump([sealed(secret.name) for secret in SECRETS if secret.name not in ("tls-certificates", "oauth-credentials")]))


def is_built_in(manifest: Mapping[str, Any]) -> bool:
    """Whether every cluster knows its kind."""
    group = str(manifest["apiVersion"]).rpartition("/")[0]
    return group in ("", "apps", "batch", "policy") or group.endswith((".authorization.k8s.io", "networking.k8s.io", "scheduling.k8s.io"))
