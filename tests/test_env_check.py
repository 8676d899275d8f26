"""One variable, one source: pure over manifests, and at synth over everything in the app."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import sos_constructs  # first: it chooses the Node that jsii runs on
from sos_constructs import SOS, Catalogue, Key, Section, SosConfig, SosSecrets
from sos_constructs.config.values import BOOL
from sos_constructs.emit import emit
from sos_constructs.env_check import clashes

import cdk8s
import pytest

REST = "and the last one wins without a word; leave one out"
ADVICE = f"{REST}, give one of them a prefix, or take single keys under another name"


def provider(kind: str, name: str, *keys: str, namespace: str | None = None, **more: Any) -> dict[str, Any]:
    metadata = {"name": name} | ({"namespace": namespace} if namespace else {})
    return {"apiVersion": "v1", "kind": kind, "metadata": metadata, "data": dict.fromkeys(keys, "x")} | more


def pod(*env_from: Mapping[str, Any], env: list[dict[str, Any]] | None = None, namespace: str | None = None) -> dict[str, Any]:
    container = {"name": "api", "image": "x", "envFrom": list(env_from), "env": env or []}
    metadata = {"name": "app"} | ({"namespace": namespace} if namespace else {})
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": [container]}}


def config(name: str, **more: Any) -> dict[str, Any]:
    return {"configMapRef": {"name": name}} | more


def secret(name: str, **more: Any) -> dict[str, Any]:
    return {"secretRef": {"name": name}} | more


def of_config(variable: str, name: str, key: str) -> dict[str, Any]:
    return {"name": variable, "valueFrom": {"configMapKeyRef": {"name": name, "key": key}}}


def of_secret(variable: str, name: str, key: str) -> dict[str, Any]:
    return {"name": variable, "valueFrom": {"secretKeyRef": {"name": name, "key": key}}}


A, B, S = provider("ConfigMap", "a", "LOG_LEVEL", "TZ"), provider("ConfigMap", "b", "LOG_LEVEL", "PORT"), provider("Secret", "s", "TZ")
FIRST = "Pod 'app', container 'api': "


@pytest.mark.parametrize(
    ("workload", "expected"),
    [
        (pod(config("a"), config("b")), f"LOG_LEVEL would come from ConfigMap 'a' and from ConfigMap 'b', {ADVICE}"),
        (pod(config("a"), secret("s")), f"TZ would come from ConfigMap 'a' and from Secret 's', {ADVICE}"),
        (pod(config("b"), env=[of_config("LOG_LEVEL", "a", "LOG_LEVEL")]), f"LOG_LEVEL would come from ConfigMap 'b' and from ConfigMap 'a', {ADVICE}"),
        (pod(config("b"), env=[of_secret("PORT", "far", "port")]), f"PORT would come from ConfigMap 'b' and from Secret 'far', {ADVICE}"),
        (pod(config("a", prefix="X_"), env=[of_config("X_TZ", "a", "LOG_LEVEL")]), f"X_TZ would come from ConfigMap 'a' and from ConfigMap 'a', {ADVICE}"),
        (pod(env=[{"name": "A", "value": "1"}, of_config("A", "a", "TZ")]), f"A stands twice in env, {REST}"),
    ],
)
def test_two_sources_of_one_variable(workload: dict[str, Any], expected: str) -> None:
    assert list(clashes([A, B, S, workload])) == [FIRST + expected]


@pytest.mark.parametrize(
    "workload",
    [
        pod(config("a"), config("b", prefix="B_")),
        pod(config("a"), config("a")),  # the same value
        pod(config("a"), env=[of_config("LOG_LEVEL", "a", "LOG_LEVEL")]),  # the same value
        pod(config("a"), env=[{"name": "LOG_LEVEL", "value": "debug"}]),  # a literal is meant
        pod(config("a"), env=[of_config("LEVEL", "b", "LOG_LEVEL")]),
        pod(config("a"), config("elsewhere"), secret("elsewhere")),  # nobody knows their keys
        pod(config("a"), config("b"), namespace="other"),  # these are other ConfigMaps
        pod(),
    ],
)
def test_what_is_meant_or_not_known(workload: dict[str, Any]) -> None:
    assert list(clashes([A, B, S, workload])) == []


def test_namespaces_are_kept_apart() -> None:
    here, there = provider("ConfigMap", "b", "TZ", namespace="here"), provider("ConfigMap", "b", "LOG_LEVEL", namespace="there")
    a = provider("ConfigMap", "a", "TZ", namespace="there")
    assert list(clashes([here, there, a, pod(config("a"), config("b"), namespace="there")])) == []
    assert len(list(clashes([here, provider("ConfigMap", "a", "TZ", namespace="here"), pod(config("a"), config("b"), namespace="here")]))) == 1


@pytest.mark.parametrize(
    ("kind", "spec"),
    [
        ("SealedSecret", {"encryptedData": {"TZ": "x"}}),
        ("ExternalSecret", {"target": {"name": "sealed"}, "data": [{"secretKey": "TZ"}]}),
        ("ExternalSecret", {"target": {"name": "sealed", "template": {"data": {"TZ": "{{ .x }}"}}}}),
        ("ExternalSecret", {"data": [{"secretKey": "TZ"}]}),
    ],
)
def test_secrets_that_somebody_else_will_write(kind: str, spec: dict[str, Any]) -> None:
    manifests = [A, {"kind": kind, "metadata": {"name": "sealed"}, "spec": spec}, pod(config("a"), secret("sealed"))]
    assert list(clashes(manifests)) == [f"{FIRST}TZ would come from ConfigMap 'a' and from Secret 'sealed', {ADVICE}"]


def test_every_pod_template_and_every_container_is_looked_at() -> None:
    containers = [{"name": f"c{number}", "envFrom": [config("a"), config("b")]} for number in range(2)]
    template = {"spec": {"initContainers": containers[:1], "containers": containers[1:]}}
    job = {"kind": "CronJob", "metadata": {"name": "nightly"}, "spec": {"jobTemplate": {"spec": {"template": template}}}}
    assert [line.partition(":")[0] for line in clashes([A, B, job])] == ["CronJob 'nightly', container 'c0'", "CronJob 'nightly', container 'c1'"]


def test_many_variables_are_one_problem() -> None:
    keys = [f"K{number}" for number in range(6)]
    (problem,) = clashes([provider("ConfigMap", "a", *keys), provider("Secret", "s", *keys), pod(config("a"), secret("s"))])
    assert problem.startswith(f"{FIRST}K0, K1, K2 and 3 more would come from ")


@pytest.fixture
def chart() -> cdk8s.Chart:
    return cdk8s.Chart(cdk8s.Testing.app(), "app", namespace="app", disable_resource_name_hashes=True)


OTHER = Catalogue([Section("mine", [Key("LOG_LEVEL", BOOL, True, "Logs.", "why not")])])


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "CronJob", "Pod"])
def test_at_synth_every_kind_that_runs_pods_is_looked_at(chart: cdk8s.Chart, kind: str) -> None:
    SosConfig(chart, "config")
    spec = {"restartPolicy": "Never", "containers": [{"name": "api", "image": "x", "env": [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]}]}
    template = {"metadata": {"labels": {"app": "x"}}, "spec": spec}
    specs = {"Pod": spec, "CronJob": {"schedule": "0 0 * * *", "jobTemplate": {"spec": {"template": template}}}}
    group = {"Pod": "v1", "Job": "batch/v1", "CronJob": "batch/v1"}.get(kind, "apps/v1")
    manifest = {"apiVersion": group, "kind": kind, "metadata": {"name": "x", "namespace": "sos-app"}, "spec": specs.get(kind, {"template": template})}
    emit(chart, manifest)
    with pytest.raises(Exception, match=f"{kind} 'x', container 'api': A stands twice in env"):
        cdk8s.Testing.synth(chart)


def test_two_configurations_in_a_plain_workload(chart: cdk8s.Chart) -> None:
    config, mine = SosConfig(chart, "config"), SosConfig(chart, "mine", catalogue=OTHER, prefix="mine", content_hash_names=True)
    emit(chart, pod(*config.env_from("app", "logging"), *mine.env_from()))
    first = "app/pod-app: Pod 'app', container 'api': LOG_LEVEL would come from ConfigMap 'sos-app-logging' and from ConfigMap"
    with pytest.raises(RuntimeError, match=f"{first} '{mine.config_map_name('mine')}'") as raised:
        cdk8s.Testing.synth(chart)
    assert str(raised.value).count("would come from") == 1, "asked for by two constructs, checked once"


def test_a_cdk8s_plus_workload_with_a_secret_of_its_own(chart: cdk8s.Chart) -> None:
    import cdk8s_plus_27 as kplus

    config, secrets = SosConfig(chart, "config"), SosSecrets(chart, "secrets")
    own = kplus.Secret(chart, "own", string_data={"TZ": "x"})
    variables = {"AUTH_DB_PASSWORD": secrets.postgres.env_value(chart, "auth-db-password")}
    deployment = kplus.Deployment(chart, "api", containers=[kplus.ContainerProps(image="x", env_from=config.env_sources(), env_variables=variables)])
    assert len(cdk8s.Testing.synth(chart)) == 15
    deployment.containers[0].env.copy_from(kplus.Env.from_secret(own))
    message = "app/api/Resource: Deployment 'app-api', container 'main': TZ would come from ConfigMap 'sos-app-config' and from Secret 'app-own'"
    with pytest.raises(RuntimeError, match=message):
        cdk8s.Testing.synth(chart)


def test_a_secret_under_the_name_of_a_key(chart: cdk8s.Chart) -> None:
    config, secrets = SosConfig(chart, "config"), SosSecrets(chart, "secrets")
    emit(chart, pod(*config.env_from("database"), env=[secrets.postgres.env("auth-db-password", "POSTGRES_HOST")]))
    with pytest.raises(RuntimeError, match="POSTGRES_HOST would come from ConfigMap 'sos-app-database' and from Secret 'postgres-credentials'"):
        cdk8s.Testing.synth(chart)


def test_the_app_is_looked_at_once_however_many_charts_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    from sos_constructs import env_check

    looked: list[int] = []

    def count(manifests: Iterable[Mapping[str, Any]]) -> list[tuple[Any, str]]:
        looked.append(len(list(manifests)))
        return []

    monkeypatch.setattr(env_check, "_clashes", count)
    app = cdk8s.Testing.app()
    for name in ("one", "two", "three"):
        chart = cdk8s.Chart(app, name, namespace=name, disable_resource_name_hashes=True)
        SosConfig(chart, "config", prefix=name)
        emit(chart, pod())
    app.synth()
    assert looked == [3], "the three pods: none of them loads a ConfigMap, so none is read"


def test_everything_of_the_platform_fits_into_one_container(chart: cdk8s.Chart) -> None:
    config, secrets = SosConfig(chart, "config", catalogue=SOS), SosSecrets(chart, "secrets")
    handles = [value for value in vars(secrets).values() if isinstance(value, sos_constructs.SecretHandle)]
    assert len(handles) == 12
    emit(chart, pod(*config.env_from(), env=[handle.env(key) for handle in handles for key in handle.keys]))
    assert cdk8s.Testing.synth(chart)


@pytest.mark.parametrize(
    ("env", "told"),
    [
        ([{"name": "URL", "value": "x://$(USER)"}, {"name": "USER", "value": "a"}], True),
        ([{"name": "USER", "value": "a"}, {"name": "URL", "value": "x://$(USER)"}], False),
        ([{"name": "URL", "value": "x://$$(USER)"}, {"name": "USER", "value": "a"}], False),
        ([{"name": "URL", "value": "x://$(OTHER)"}, {"name": "USER", "value": "a"}], False),
    ],
)
def test_a_reference_to_what_stands_after_it(env: list[dict[str, Any]], told: bool) -> None:
    message = "Pod 'app', container 'api': URL refers to $(USER), which stands after it, so that Kubernetes does not expand it; put USER before it"
    assert list(clashes([pod(env=env)])) == ([message] if told else [])
