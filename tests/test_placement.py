"""One object, one maker; one chart, one namespace: told at synth with both paths."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from sos_constructs import HaPostgres, SosConfig, SosNamespace, SosSecrets

import cdk8s
import cdk8s_plus_27 as kplus
import pytest

Make = Callable[[cdk8s.Chart], object]


@pytest.fixture
def app(tmp_path: Path) -> cdk8s.App:
    return cdk8s.App(outdir=str(tmp_path))


def chart(app: cdk8s.App, name: str = "c", namespace: str | None = "sos-app") -> cdk8s.Chart:
    return cdk8s.Chart(app, name, namespace=namespace, disable_resource_name_hashes=True)


def raw(scope: cdk8s.Chart, id: str, *, api_version: str = "v1", kind: str = "ConfigMap", name: str = "a", namespace: str | None = None) -> cdk8s.ApiObject:
    return cdk8s.ApiObject(scope, id, api_version=api_version, kind=kind, metadata={"name": name, **({"namespace": namespace} if namespace else {})})


def postgres(scope: cdk8s.Chart, id: str, *, name: str = "postgres", namespace: str | None = None) -> HaPostgres:
    return HaPostgres(scope, id, credentials=SosSecrets(scope, f"{id}-secrets").postgres, name=name, namespace=namespace)


def problems(app: cdk8s.App) -> str:
    with pytest.raises(ValueError, match=r".") as raised:
        app.synth()
    assert "jsii" not in str(raised.value)
    assert "    at " not in str(raised.value), "no stack of the engine"
    return str(raised.value)


TWICE: dict[str, tuple[Make, str, str]] = {
    "two databases of one name": (lambda c: (postgres(c, "one"), postgres(c, "two")), "c/one", "c/two"),
    "two configurations of one prefix": (lambda c: (SosConfig(c, "one"), SosConfig(c, "two")), "c/one", "c/two"),
    "the namespace": (lambda c: (SosNamespace(c, "one"), SosNamespace(c, "two")), "c/one", "c/two"),
    "two of the user's own": (lambda c: (raw(c, "one"), raw(c, "two")), "c/one", "c/two"),
    "another version of the same group": (
        lambda c: (raw(c, "one", api_version="batch/v1", kind="CronJob"), raw(c, "two", api_version="batch/v1beta1", kind="CronJob")),
        "c/one",
        "c/two",
    ),
    "ours and the user's own": (lambda c: (SosConfig(c, "one"), raw(c, "two", name="sos-app-logging")), "c/one", "c/two"),
    "ours and cdk8s-plus's": (
        lambda c: (SosConfig(c, "one"), kplus.ConfigMap(c, "two", metadata=cdk8s.ApiObjectMetadata(name="sos-app-logging"))),
        "c/one",
        "c/two",
    ),
    "the same namespace, once said and once the chart's": (lambda c: (raw(c, "one"), raw(c, "two", namespace="sos-app")), "c/one", "c/two"),
}


@pytest.mark.parametrize(("make", "one", "other"), TWICE.values(), ids=TWICE)
def test_one_object_has_one_maker(app: cdk8s.App, make: Make, one: str, other: str) -> None:
    SosConfig(chart(app, "library", "another"), "config")  # an app that does not use the library is not checked
    make(chart(app))
    message = problems(app)
    assert one in message
    assert other in message
    assert "On a cluster they are one object" in message


def test_the_same_in_two_charts(app: cdk8s.App) -> None:
    SosConfig(chart(app, "a"), "config")
    SosConfig(chart(app, "b"), "config")
    message = problems(app)
    assert "a/config" in message
    assert "b/config" in message
    assert message.count("On a cluster they are one object") == 1, "once for each pair of makers, not for each of their objects"


def test_what_differs_in_group_kind_namespace_or_name_is_another_object(app: cdk8s.App) -> None:
    c = chart(app)
    raw(c, "a")
    raw(c, "b", name="b")
    raw(c, "c", kind="Secret")
    raw(c, "d", namespace="other")
    raw(c, "e", api_version="example.org/v1")
    SosConfig(c, "config")
    SosConfig(chart(app, "staging", "staging"), "config", environment="staging")
    postgres(c, "one")
    postgres(c, "two", name="orders")
    app.synth()


def test_a_patch_that_renames_is_seen(app: cdk8s.App) -> None:
    c = chart(app)
    SosConfig(c, "one")
    raw(c, "two", name="sos-app-logging").add_json_patch(cdk8s.JsonPatch.replace("/metadata/name", "mine"))
    app.synth()


SCATTERED: dict[str, tuple[Make, tuple[str, ...]]] = {
    "a database by default, a service where kubectl is": (
        lambda c: (postgres(c, "db"), raw(c, "service")),
        ("c/db", "namespace 'sos-app'", "kubectl is set to"),
    ),
    "a database by default beside the namespace of another name": (
        lambda c: (SosNamespace(c, "foundation", name="shop"), postgres(c, "db")),
        ("c/foundation", "namespace 'shop'", "c/db", "namespace 'sos-app'"),
    ),
    "a namespace's policies, and a service where kubectl is": (
        lambda c: (SosNamespace(c, "foundation", name="shop"), raw(c, "service", api_version="apps/v1", kind="Deployment")),
        ("namespace 'shop'", "kubectl is set to"),
    ),
}


@pytest.mark.parametrize(("make", "said"), SCATTERED.values(), ids=SCATTERED)
def test_a_chart_without_a_namespace_scatters_nothing(app: cdk8s.App, make: Make, said: tuple[str, ...]) -> None:
    make(chart(app, namespace=None))
    message = problems(app)
    assert message.startswith("c: namespace=None lets the objects of this chart go to different namespaces: ")
    assert "cdk8s.Chart(…, 'c', namespace=" in message
    for part in said:
        assert part in message


FINE: dict[str, Make] = {
    "all where kubectl is": lambda c: (raw(c, "a"), SosConfig(c, "config")),
    "all where the constructs say": lambda c: (SosNamespace(c, "foundation"), postgres(c, "db")),
    "two namespaces, each said": lambda c: (raw(c, "a", namespace="one"), raw(c, "b", namespace="two")),
    "cluster-scoped beside": lambda c: (raw(c, "a"), raw(c, "b", api_version="scheduling.k8s.io/v1", kind="PriorityClass")),
}


@pytest.mark.parametrize("make", FINE.values(), ids=FINE)
def test_other_charts_without_a_namespace_are_no_mistake(app: cdk8s.App, make: Make) -> None:
    make(chart(app, namespace=None))
    app.synth()
