"""Reference of every object of the reference app, made from the construct tree that ``main.py`` builds."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import cdk8s

import main


def page() -> str:
    """One table for each construct."""
    charts = main.build(cdk8s.Testing.app())
    rows: dict[str, list[str]] = defaultdict(list)
    for chart in charts:
        for node in chart.node.find_all():
            if isinstance(node, cdk8s.ApiObject):
                manifest: dict[str, Any] = node.to_json()
                construct = node.node.path.split("/")[1]
                rows[f"{chart.node.id}/{construct}"].append(_row(manifest))
    lines = ["# Every object", "", "<!-- Made from main.py by tools/site/objects.py. -->", ""]
    lines += ["The reference app (`main.py`) creates these objects. The headings name chart and construct, for example `postgres` in the chart `sos-app`.", ""]
    for place, found in rows.items():
        kinds = f"{len(found)} object{'s' * (len(found) != 1)}"
        lines += [f"## {place}", "", f"{kinds}.", "", "| kind | name | contains |", "|---|---|---|", *found, ""]
    lines += ["Options add more objects, for example a PodMonitor with `monitoring=` or PgBouncer's Deployment with `pooler=`.", ""]
    return "\n".join(lines)


def _row(manifest: dict[str, Any]) -> str:
    namespace = manifest["metadata"].get("namespace")
    name = f"`{manifest['metadata']['name']}`" + ("" if namespace else " (cluster-scoped)")
    return f"| {manifest['kind']} | {name} | {_contains(manifest)} |"


def _contains(manifest: dict[str, Any]) -> str:
    """What tells this object from others of its kind, in a few words."""
    kind, spec = manifest["kind"], manifest.get("spec", {})
    if kind in ("ConfigMap", "Secret"):
        keys = sorted({**manifest.get("data", {}), **manifest.get("stringData", {})})
        return f"{len(keys)} keys: {_some(keys)}" if len(keys) > 1 else _some(keys)
    if kind == "Service":
        ports = _some([str(port["port"]) for port in spec.get("ports", [])])
        return f"port {ports}" + (f", pods with {_labels(spec['selector'])}" if spec.get("selector") else "")
    if kind in ("StatefulSet", "Deployment"):
        pod = spec["template"]["spec"]
        return f"{spec.get('replicas', 1)} pods with the containers {_some([c['name'] for c in pod['containers']])}"
    if kind == "NetworkPolicy":
        return f"{' and '.join(spec.get('policyTypes', []))} of {_labels(spec.get('podSelector', {}).get('matchLabels', {})) or 'every pod'}"
    if kind in ("Role", "ClusterRole"):
        return "rights on " + _some(sorted({resource for rule in manifest.get("rules", []) for resource in rule["resources"]}))
    if kind == "RoleBinding":
        return f"`{manifest['roleRef']['name']}` for {_some([subject['name'] for subject in manifest['subjects']])}"
    if kind == "PriorityClass":
        return f"value {manifest['value']}"
    if kind == "PodDisruptionBudget":
        return ", ".join(f"`{key}: {value}`" for key, value in spec.items() if key in ("maxUnavailable", "minAvailable"))
    if kind == "Namespace":
        return _labels({key.rpartition("/")[2]: value for key, value in manifest["metadata"].get("labels", {}).items() if "pod-security" in key})
    return ""


def _some(words: list[str], most: int = 6) -> str:
    shown = ", ".join(f"`{word}`" for word in words[:most])
    return shown + (f" and {len(words) - most} more" if len(words) > most else "")


def _labels(labels: dict[str, str]) -> str:
    return ", ".join(f"`{key.rpartition('/')[2]}={value}`" for key, value in labels.items())
