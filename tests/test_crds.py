"""The checks of tests/crds.py find faults, and crds/ says nothing that upstream does not."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from tests import crds
from tests.programs import BRING

PODMONITOR: dict[str, Any] = {
    "apiVersion": "monitoring.coreos.com/v1",
    "kind": "PodMonitor",
    "metadata": {"name": "a", "labels": {"x": "y"}},
    "spec": {
        "selector": {"matchLabels": {"a": "b"}},
        "podMetricsEndpoints": [{"port": "metrics", "interval": "30s", "relabelings": [{"action": "replace", "replacement": "x", "targetLabel": "y"}]}],
    },
}
RULE: dict[str, Any] = {
    "apiVersion": "monitoring.coreos.com/v1",
    "kind": "PrometheusRule",
    "metadata": {"name": "a"},
    "spec": {"groups": [{"name": "g", "rules": [{"alert": "Down", "expr": "up == 0", "for": "5m", "labels": {"severity": "critical"}}]}]},
}


@pytest.mark.parametrize("manifest", [PODMONITOR, RULE], ids=lambda m: m["kind"])
def test_good_objects_pass_both(manifest: dict[str, Any]):
    crds.validate_custom_resource(manifest)
    crds.typed_second_opinion(manifest)


def broken(manifest: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """A copy with ``value`` at a dotted path; numbers are list indices."""
    result = copy.deepcopy(manifest)
    *parents, last = path.split(".")
    target: Any = result
    for part in parents:
        target = target[int(part) if part.isdigit() else part]
    target[last] = value
    return result


@pytest.mark.parametrize(
    ("manifest", "path", "value", "message"),
    [
        (PODMONITOR, "spec.selektor", {}, "'selektor' was unexpected"),
        (PODMONITOR, "spec.podMetricsEndpoints.0.prot", "x", "'prot' was unexpected"),
        (PODMONITOR, "spec.podMetricsEndpoints.0.relabelings.0.regexp", "x", "'regexp' was unexpected"),
        (PODMONITOR, "spec.podMetricsEndpoints.0.interval", "thirty", "does not match"),
        (PODMONITOR, "spec.podMetricsEndpoints.0.relabelings.0.action", "set", "is not one of"),
        (PODMONITOR, "spec.podMetricsEndpoints.0.port", 9187, "is not of type 'string'"),
        (PODMONITOR, "spec", {}, "'selector' is a required property"),
        (PODMONITOR, "extra", {}, "'extra' was unexpected"),
        (RULE, "spec.groups.0.rules.0.expression", "x", "'expression' was unexpected"),
        (RULE, "spec.groups.0.rules.0.labels", {"severity": 1}, "is not of type 'string'"),
        (RULE, "apiVersion", "monitoring.coreos.com/v2", "not v2"),
        (RULE, "kind", "Thing", "crds/ has no schema"),
    ],
)
def test_faults_are_found(manifest: dict[str, Any], path: str, value: Any, message: str):
    with pytest.raises(AssertionError, match=message):
        crds.validate_custom_resource(broken(manifest, path, value))


@pytest.mark.parametrize(
    ("manifest", "path", "value"),
    [
        (PODMONITOR, "spec.podMetricsEndpoints.0.prot", "x"),
        (PODMONITOR, "spec.podMetricsEndpoints.0.port", 9187),
        (PODMONITOR, "spec.podMetricsEndpoints.0.relabelings.0.action", "set"),
        (RULE, "spec.groups.0.rules.0", {"alert": "x"}),
        (RULE, "status", {"x": 1}),
    ],
)
def test_the_typed_classes_find_faults_too(manifest: dict[str, Any], path: str, value: Any):
    with pytest.raises((AssertionError, TypeError, KeyError)):
        crds.typed_second_opinion(broken(manifest, path, value))


@pytest.mark.parametrize(
    ("api_version", "kind"),
    [
        ("monitoring.coreos.com/v1", "PodMonitor"),
        ("monitoring.coreos.com/v1", "PrometheusRule"),
        ("bitnami.com/v1alpha1", "SealedSecret"),
        ("external-secrets.io/v1", "ClusterSecretStore"),
        ("external-secrets.io/v1", "ExternalSecret"),
        ("external-secrets.io/v1", "SecretStore"),
        ("external-secrets.io/v1alpha1", "PushSecret"),
    ],
)
def test_our_schemas_are_a_part_of_upstreams(api_version: str, kind: str):
    found = crds.schemas(api_version, kind)
    if len(found) < 2:
        bring = "SOS_UPSTREAM_CRDS=FOLDER of the operator's CRDs" if "external-secrets" in api_version else BRING
        pytest.skip(f"no definition of {kind} by its own project: {bring}")
    ours, upstream = found.values()
    assert list(differences(ours, upstream)) == []


def test_upstream_definitions_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    text = (crds.ROOT / "crds" / "monitoring.coreos.com.yaml").read_text().replace("enum: [replace]", "enum: [keep]")
    (tmp_path / "upstream.yaml").write_text(text)
    monkeypatch.setattr(crds, "UPSTREAM", tmp_path)
    crds._definitions.cache_clear()
    try:
        with pytest.raises(AssertionError, match=r"^upstream.yaml: \$.spec.podMetricsEndpoints\[0\].relabelings\[0\].action: 'replace' is not one of"):
            crds.validate_custom_resource(PODMONITOR)
    finally:
        crds._definitions.cache_clear()


def differences(ours: Any, upstream: Any, where: str = "") -> list[str]:
    """What a value accepted by ours could hold that upstream refuses."""
    result = [f"{where}: {key}" for key in ("type", "pattern", "minLength") if key in ours and ours.get(key) != upstream.get(key) and "anyOf" not in upstream]
    result += [f"{where}: enum" for _ in [0] if not set(ours.get("enum", [])) <= set(upstream.get("enum", []))]
    result += [f"{where}: required" for _ in [0] if set(ours.get("required", [])) != set(upstream.get("required", []))]
    for name, schema in ours.get("properties", {}).items():
        known = upstream.get("properties", {})
        result += differences(schema, known[name], f"{where}.{name}") if name in known else [f"{where}.{name}: unknown upstream"]
    for key in ("items", "additionalProperties"):
        if key in ours:
            result += differences(ours[key], upstream.get(key, {}), f"{where}.{key}")
    return result
