"""What ``restricted`` fills in, what it leaves alone, and what synth refuses."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from typing import Any

import sos_constructs as sos
from sos_constructs import SosNamespace, restricted
from sos_constructs.emit import emit
from sos_constructs.pod_security.standard import violations

import cdk8s
import cdk8s_plus_27 as kplus
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.pod_security.cases import CASES, Case
from tests.postgres.test_grant import FORMS, KINDS, plain, plus, pod


def chart_of(**options: Any) -> cdk8s.Chart:
    chart = cdk8s.Chart(cdk8s.Testing.app(), "sos-app", namespace="sos-app", disable_resource_name_hashes=True)
    SosNamespace(chart, "foundation", **options)
    return chart


def written(chart: cdk8s.Chart, name: str = "api") -> dict[str, Any]:
    found: dict[str, Any]
    (found,) = [m for m in cdk8s.Testing.synth(chart) if m["metadata"]["name"] == name]
    return found


def made(chart: cdk8s.Chart, form: str, kind: str) -> dict[str, Any]:
    if form == "plain":
        emit(chart, restricted(plain(kind)))
    else:
        workload = plus(chart, kind)
        assert restricted(workload) is workload
    return written(chart)


@FORMS
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_admitted(form: str, kind: str) -> None:
    spec = pod(made(chart_of(), form, kind))
    assert violations({}, spec, "restricted") == []
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert spec["containers"][0]["securityContext"]["capabilities"] == {"drop": ["ALL"]}


def test_any_api_object() -> None:
    """Also those that a Helm chart or a file brought."""
    chart = chart_of()
    restricted(emit(chart, plain("DaemonSet")))
    assert violations({}, pod(written(chart)), "restricted") == []


def test_containers_that_come_later() -> None:
    chart = chart_of()
    workload = plus(chart, "Deployment")
    restricted(workload)
    workload.add_init_container(name="init", image="x")
    workload.add_container(name="side", image="x", port_number=81)
    assert violations({}, pod(written(chart)), "restricted") == []


def test_patches_that_come_later_win() -> None:
    chart = chart_of(pod_security="baseline")
    workload = plus(chart, "Deployment")
    restricted(workload)
    path = "/spec/template/spec/containers/0/securityContext/capabilities"
    cdk8s.ApiObject.of(workload).add_json_patch(cdk8s.JsonPatch.add(path, {"add": ["CHOWN"]}))
    assert pod(written(chart))["containers"][0]["securityContext"]["capabilities"] == {"add": ["CHOWN"], "drop": ["ALL"]}


@FORMS
def test_twice_is_once(form: str) -> None:
    chart = chart_of()
    if form == "plain":
        once = restricted(plain("Deployment"))
        assert restricted(once) == once
    else:
        restricted(restricted(plus(chart, "Deployment")))
        once = written(chart)
        assert written(chart) == once, "the second synth finds nothing to add"


@FORMS
def test_order_of_grant_does_not_matter(form: str) -> None:
    made: list[dict[str, Any]] = []
    for calls in ("gr", "rg", "g"):
        chart = chart_of()
        db = sos.HaPostgres(chart, "postgres", credentials=sos.SosSecrets(chart, "secrets").postgres)
        workload: Any = plain("Deployment") if form == "plain" else plus(chart, "Deployment")
        for call in calls:
            workload = db.grant(workload, database="auth") if call == "g" else restricted(workload)
        if form == "plain":
            emit(chart, workload)
        made.append(written(chart))
    assert made[0] == made[1] == made[2]


# --- what the author says stays -----------------------------------------------------------------------------------------


def test_a_manifest_is_not_changed() -> None:
    before = plain("Deployment")
    kept = copy.deepcopy(before)
    assert restricted(before) != before
    assert before == kept


CONTEXTS = st.fixed_dictionaries(
    {},
    optional={
        "allowPrivilegeEscalation": st.booleans(),
        "capabilities": st.fixed_dictionaries({}, optional={"add": st.just(["NET_BIND_SERVICE"]), "drop": st.sampled_from([[], ["NET_RAW"], ["ALL"]])}),
        "privileged": st.booleans(),
        "readOnlyRootFilesystem": st.booleans(),
        "runAsNonRoot": st.booleans(),
        "runAsUser": st.sampled_from([0, 1000]),
        "seccompProfile": st.sampled_from([{"type": "Unconfined"}, {"type": "Localhost", "localhostProfile": "a"}]),
    },
)
POD_CONTEXTS = CONTEXTS.map(lambda context: {key: value for key, value in context.items() if key.startswith(("runAs", "seccomp"))})


@settings(max_examples=200, derandomize=True, deadline=None)
@given(st.none() | POD_CONTEXTS, st.none() | CONTEXTS, st.none() | CONTEXTS)
def test_fills_in_and_overwrites_nothing(of_pod: Any, of_container: Any, of_init: Any) -> None:
    said = {"securityContext": of_container} if of_container is not None else {}
    init = {"securityContext": of_init} if of_init is not None else {}
    before = plain("Pod", containers=[{"name": "main", "image": "x", **said}], initContainers=[{"name": "init", "image": "x", **init}])
    if of_pod is not None:
        before["spec"]["securityContext"] = of_pod
    after = restricted(before)
    assert restricted(after) == after
    for old, new in (
        (of_pod, after["spec"].get("securityContext")),
        (of_container, after["spec"]["containers"][0].get("securityContext")),
        (of_init, after["spec"]["initContainers"][0].get("securityContext")),
    ):
        for field, value in (old or {}).items():
            if field == "capabilities":
                assert new[field].get("add") == value.get("add")
                assert new[field]["drop"][: len(value.get("drop", []))] == value.get("drop", [])
            else:
                assert new[field] == value
    for violation in violations({}, after["spec"], "restricted"):
        assert "restricted(workload)" not in violation.fix, "what it can fill in it has filled in"


ROOT = {"runAsUser": 0}


def test_no_promise_that_the_kubelet_would_refuse() -> None:
    """``runAsNonRoot`` beside ``runAsUser: 0`` is a container that never starts."""
    spec = restricted(plain("Pod", containers=[{"name": "a", "securityContext": ROOT}, {"name": "b"}]))["spec"]
    assert "runAsNonRoot" not in spec["securityContext"]
    assert "runAsNonRoot" not in spec["containers"][0]["securityContext"]
    assert spec["containers"][1]["securityContext"]["runAsNonRoot"] is True
    spec = restricted(plain("Pod", containers=[{"name": "a", "securityContext": {"runAsUser": 7}}], securityContext=ROOT))["spec"]
    assert "runAsNonRoot" not in spec["securityContext"]
    assert spec["containers"][0]["securityContext"]["runAsNonRoot"] is True


def test_a_windows_pod_gets_no_field_that_it_must_not_have() -> None:
    spec = restricted(plain("Pod", os={"name": "windows"}))["spec"]
    assert spec["securityContext"] == {"runAsNonRoot": True}
    assert "securityContext" not in spec["containers"][0]


@pytest.mark.parametrize("workload", [5, None, {}, {"kind": "Service"}, [], {"kind": "Deployment", "spec": {}}])
def test_what_is_no_workload(workload: Any) -> None:
    with pytest.raises(ValueError, match=r"^workload="):
        restricted(workload)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("spec", "containers"), "api", "a list at spec.template.spec.containers, not str"),
        (("spec", "containers"), {"name": "api"}, "a list at spec.template.spec.containers, not dict"),
        (("spec", "containers"), ["api"], "a mapping at spec.template.spec.containers[0], not str"),
        (("spec", "initContainers"), {"name": "wait"}, "a list at spec.template.spec.initContainers, not dict"),
        (("spec", "volumes"), ["data"], "a mapping at spec.template.spec.volumes[0], not str"),
        (("spec", "securityContext"), "restricted", "a mapping at spec.template.spec.securityContext, not str"),
        (("spec", "containers", 0, "env"), {"A": "b"}, "a list at spec.template.spec.containers[0].env, not dict"),
        (("spec", "containers", 0, "securityContext"), [], "a mapping at spec.template.spec.containers[0].securityContext, not list"),
        (
            ("spec", "containers", 0, "securityContext"),
            {"capabilities": {"drop": "ALL"}},
            "a list at spec.template.spec.containers[0].securityContext.capabilities.drop",
        ),
        (("metadata",), "api", "a mapping at spec.template.metadata, not str"),
    ],
)
def test_a_pod_of_another_shape_is_named_by_its_path(path: tuple[Any, ...], value: object, message: str) -> None:
    manifest = plain("Deployment")
    owner: Any = manifest["spec"]["template"]
    for step in path[:-1]:
        owner = owner[step]
    owner[path[-1]] = value
    chart = cdk8s.Chart(cdk8s.Testing.app(), "sos-app", namespace="sos-app", disable_resource_name_hashes=True)
    foundation = SosNamespace(chart, "foundation")
    db = sos.HaPostgres(chart, "postgres", credentials=sos.SosSecrets(chart, "secrets").postgres)
    calls: list[Callable[[], object]] = [
        lambda: restricted(manifest),
        lambda: db.grant(manifest, database="auth"),
        lambda: foundation.allow_ingress(manifest, ports=[8080]),
    ]
    for call in calls:
        with pytest.raises(ValueError, match=re.escape(f"workload='Deployment/api' must have {message}")):
            call()


def test_a_construct_that_is_no_workload() -> None:
    chart = chart_of()
    with pytest.raises(ValueError, match=r"^sos-app/s: workload='Service' must be a workload"):
        restricted(kplus.Service(chart, "s", ports=[kplus.ServicePort(port=1)]))  # type: ignore[type-var]
    with pytest.raises(ValueError, match=r"^sos-app/foundation: workload="):
        restricted(chart.node.find_child("foundation"))  # type: ignore[type-var]


# --- what synth refuses -------------------------------------------------------------------------------------------------


def patched(chart: cdk8s.Chart) -> None:
    workload = plus(chart, "Deployment", host_network=True)
    restricted(workload)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda chart: plus(chart, "Deployment"),
            "sos-app/api: Deployment 'api', container 'main': securityContext.capabilities.drop must contain ALL; restricted(workload) sets it (Pod Security",
        ),
        (
            lambda chart: emit(chart, plain("CronJob")),
            "sos-app/cronjob-api: CronJob 'api', container 'main': securityContext.allowPrivilegeEscalation must be false; restricted(workload) sets it",
        ),
        (patched, "sos-app/api: Deployment 'api', pod: hostNetwork must not be true (Pod Security restricted"),
        (
            lambda chart: cdk8s.ApiObject(
                cdk8s.Chart(chart, "inner", namespace="sos-app"), "raw", api_version="v1", kind="Pod", metadata=cdk8s.ApiObjectMetadata(name="raw")
            ).add_json_patch(cdk8s.JsonPatch.add("/spec", {"containers": [{"name": "a"}]})),
            "sos-app/inner/raw: Pod 'raw', container 'a': securityContext.runAsNonRoot must be true, here or in the pod's own; restricted(workload) sets it",
        ),
    ],
)
def test_refused_at_synth(make: Callable[[cdk8s.Chart], object], message: str) -> None:
    chart = chart_of()
    make(chart)
    with pytest.raises(Exception, match=re.escape(message)):
        cdk8s.Testing.synth(chart)


@pytest.mark.parametrize("options", [{"pod_security": "baseline"}, {"pod_security": "privileged"}, {"create_namespace": False}])
def test_only_what_the_namespace_enforces(options: dict[str, Any]) -> None:
    chart = chart_of(**options)
    plus(chart, "Deployment")
    assert cdk8s.Testing.synth(chart)


def test_baseline_refuses_less() -> None:
    chart = chart_of(pod_security="baseline")
    plus(chart, "Deployment", host_network=True)
    with pytest.raises(Exception, match="pod: hostNetwork must not be true") as raised:
        cdk8s.Testing.synth(chart)
    assert "capabilities" not in str(raised.value)


def test_other_namespaces_do_not_matter() -> None:
    chart = chart_of()
    other = cdk8s.Chart(chart.node.root, "other", namespace="other")  # type: ignore[arg-type]
    plus(other, "Deployment")
    assert cdk8s.Testing.synth(chart)


def test_the_version_that_is_enforced_counts() -> None:
    (case,) = [case for case in CASES if case.name == "newest sysctl"]
    for version, admitted in (("latest", True), ("v1.32", True), ("v1.31", False)):
        chart = chart_of(pod_security_version=version)
        emit(chart, {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "api"}, "spec": case.spec})
        if admitted:
            assert cdk8s.Testing.synth(chart)
        else:
            with pytest.raises(Exception, match=r"securityContext.sysctls must not contain net.ipv4.tcp_rmem"):
                cdk8s.Testing.synth(chart)


@pytest.mark.parametrize("case", [case for case in CASES if case.strictest == "baseline"], ids=lambda case: case.name)
def test_what_is_filled_in_is_admitted(case: Case) -> None:
    """Of what only ``restricted`` refuses, what the author did not say is mended."""
    manifest: dict[str, Any] = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "api", "annotations": case.annotations}, "spec": case.spec}
    fixes = [violation.fix for violation in violations({}, case.spec, "restricted")]
    left = violations({}, restricted(manifest)["spec"], "restricted")
    assert len(left) == len([fix for fix in fixes if "restricted(workload)" not in fix])
