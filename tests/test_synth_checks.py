"""Checks at synth: once per synth, again for the next one, and no more calls to jsii per chart however many charts there are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sos_constructs import SosSecrets, TemplateSecrets
from sos_constructs.synth_checks import at_synth

import cdk8s
import jsii
import pytest
from constructs import Construct


def app_of(charts: int, make: Callable[[cdk8s.Chart], object]) -> cdk8s.App:
    app = cdk8s.Testing.app()
    for number in range(charts):
        make(cdk8s.Chart(app, f"chart-{number}", namespace=f"app-{number}", disable_resource_name_hashes=True))
    return app


def test_once_per_synth_and_again_for_the_next() -> None:
    asked: list[int] = []

    def check(nodes: Any) -> list[str]:
        asked.append(len(nodes))
        return []

    app = app_of(3, lambda chart: at_synth(chart, "mine", check))
    app.synth()
    assert asked == [4]
    cdk8s.Chart(app, "one-more")
    app.synth()
    assert asked == [4, 5]
    app.synth()
    assert len(asked) == 3, "what has changed inside of objects is not known"


def test_every_key_is_a_check_of_its_own_and_apps_are_apart() -> None:
    one, other = app_of(1, lambda chart: at_synth(chart, "a", lambda _: ["a is wrong"])), app_of(1, lambda _: None)
    at_synth(one, "b", lambda _: ["b is wrong"])
    at_synth(one, "b", lambda _: ["never asked"])
    with pytest.raises(RuntimeError, match=r"a is wrong(.|\n)*b is wrong") as raised:
        one.synth()
    assert "never asked" not in str(raised.value)
    other.synth()


def test_templates_of_several_charts_are_each_told(tmp_path: Any) -> None:
    app = cdk8s.App(outdir=str(tmp_path))
    for name in ("one", "two"):
        chart = cdk8s.Chart(app, name)
        SosSecrets(chart, "secrets", source=TemplateSecrets())
        cdk8s.ApiObject(chart, "other", api_version="v1", kind="ConfigMap")
    with pytest.raises(RuntimeError, match=r"one/secrets: source=TemplateSecrets(.|\n)*two/secrets: source=TemplateSecrets"):
        app.synth()


def calls_of_a_synth(charts: int, monkeypatch: pytest.MonkeyPatch) -> int:
    """How often Python asks jsii while an app of so many charts, half of them templates, is synthesized."""
    app = app_of(
        charts,
        lambda chart: (
            SosSecrets(chart, "secrets"),
            SosSecrets(cdk8s.Chart(Construct(chart, "t"), "t", namespace=chart.namespace), "secrets", source=TemplateSecrets()),
        ),
    )
    counted = 0
    process = jsii.kernel.provider._process  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
    send = process.send

    def count(*arguments: Any, **keywords: Any) -> Any:
        nonlocal counted
        counted += 1
        return send(*arguments, **keywords)

    with monkeypatch.context() as patched:
        patched.setattr(process, "send", count)
        app.synth()
    return counted


def test_twice_the_charts_is_not_four_times_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    few, many = calls_of_a_synth(4, monkeypatch), calls_of_a_synth(16, monkeypatch)
    assert few > 4
    assert many < 5 * few
