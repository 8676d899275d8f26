"""Layers over the defaults: what holds, where it comes from, and every error at once."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from sos_constructs.config.catalogue import SOS
from sos_constructs.config.environments import ENVIRONMENTS
from sos_constructs.config.layers import Layer, resolve
from sos_constructs.errors import InvalidOption

import pytest


def errors(*layers: Layer, wired: Layer | None = None) -> list[str]:
    with pytest.raises(InvalidOption) as raised:
        resolve(SOS, layers, wired)
    return str(raised.value).splitlines()


def test_without_layers_everything_is_the_default() -> None:
    settings = resolve(SOS, ())
    assert list(settings) == list(SOS.keys)
    assert {setting.layer for setting in settings.values()} == {"defaults"}
    assert all(setting.reason == setting.key.reason and setting.overrode == () for setting in settings.values())


def test_the_last_layer_holds_and_every_value_knows_its_history(tmp_path: Path) -> None:
    path = tmp_path / "eu.yaml"
    path.write_text("# site\nLOG_LEVEL: warn\nSESSION_TIMEOUT_MINUTES: 2h\n")
    base = Layer("base", {"LOG_LEVEL": "debug", "RETRY_STATUS_CODES": [429, 503]}, reason="finding a fault")
    setting = resolve(SOS, (base, Layer.from_file(path, reason="the EU region")))["LOG_LEVEL"]
    assert (setting.value, setting.text, setting.layer, setting.reason) == ("warn", "warn", "eu.yaml", "the EU region")
    assert setting.history[-1].origin == f"{path}:2"
    assert [(old.text, old.layer, old.reason, old.origin) for old in setting.overrode] == [
        ("debug", "base", "finding a fault", ""),
        ("info", "defaults", "the requirement's value", ""),
    ]
    assert str(setting.history[-1]) == f"warn (layer 'eu.yaml', {path}:2)"


def test_a_layer_knows_the_line_that_made_it(tmp_path: Path) -> None:
    path = tmp_path / "eu.yaml"
    path.write_text("# the EU region\nTZ: UTC\n")
    first = test_a_layer_knows_the_line_that_made_it.__code__.co_firstlineno
    layers = [
        Layer("a", {"TZ": "UTC"}),
        Layer.from_file(path),
    ]
    assert [layer.site for layer in layers] == [f"{__file__}:{first + line}" for line in (5, 6)]
    assert resolve(SOS, layers[:1])["TZ"].history[-1].site == layers[0].site
    assert resolve(SOS, layers[:1])["TZ"].history[0].site == ""
    assert layers[1].reason == "the EU region"
    assert Layer.from_file(path, reason="").reason == ""


def test_python_yaml_and_toml_layers_mean_the_same(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("SESSION_TIMEOUT_MINUTES: 120\nRETRY_STATUS_CODES: [429, 503]\nHSTS_ENABLED: false\nOTEL_TRACES_SAMPLER_ARG: 0.5\n")
    (tmp_path / "a.toml").write_text("SESSION_TIMEOUT_MINUTES = 120\nRETRY_STATUS_CODES = [429, 503]\nHSTS_ENABLED = false\nOTEL_TRACES_SAMPLER_ARG = 0.5\n")
    typed = {"SESSION_TIMEOUT_MINUTES": timedelta(hours=2), "RETRY_STATUS_CODES": (429, 503), "HSTS_ENABLED": False, "OTEL_TRACES_SAMPLER_ARG": 0.5}
    for layer in (Layer("python", typed), Layer.from_file(tmp_path / "a.yaml"), Layer.from_file(str(tmp_path / "a.toml"), name="site")):
        settings = resolve(SOS, (layer,))
        assert {key: settings[key].value for key in typed} == typed, layer.name
        assert {setting.layer for setting in settings.values()} == {"defaults", layer.name}


def test_all_errors_of_all_layers_at_once(tmp_path: Path) -> None:
    path = tmp_path / "eu.yaml"
    path.write_text("TZ: Mars\nLOG_LEVL: debug\nSESSION_TIMEOUT_MINUTES: 90s\n")
    minutes = "must be a whole number of minutes from 1 to 1440, a timedelta, or text with a unit such as '1440m'"
    rule = (
        "the minimum of a pool may not be above its maximum, because pools refuse to start with such bounds, or ignore one of them; "
        "lower the minimum or raise the maximum [rule postgres-pool]"
    )
    tuning = Layer("tuning", {"POSTGRES_POOL_MIN_CONNECTIONS": 20, "LOG_LEVEL": "loud", 3: "x"})  # type: ignore[dict-item]
    assert errors(ENVIRONMENTS["staging"], tuning, Layer.from_file(path)) == [
        "layers=['staging', 'tuning', 'eu.yaml'] have 6 errors:",
        "  - LOG_LEVEL='loud' must be one of error, warn, info, http, verbose, debug, silly [layer 'tuning']",
        "  - key='3' does not exist [layer 'tuning']",
        f"  - TZ='Mars' must be UTC or a tz database name such as Europe/Berlin [layer 'eu.yaml' ({path}:1)]",
        f"  - key='LOG_LEVL' does not exist (did you mean 'LOG_LEVEL'?) [layer 'eu.yaml' ({path}:2)]",
        f"  - SESSION_TIMEOUT_MINUTES='90s' {minutes} [layer 'eu.yaml' ({path}:3)]",
        f"  - POSTGRES_POOL_MIN_CONNECTIONS=20 (layer 'tuning'), POSTGRES_POOL_MAX_CONNECTIONS=10 (the default): {rule}",
    ]


def test_wired_values_belong_to_another_construct() -> None:
    wired = Layer("wired", {"POSTGRES_HOST": "db-service"}, reason="wired from sos-app/postgres")
    setting = resolve(SOS, (Layer("mine", {"TZ": "UTC"}),), wired)["POSTGRES_HOST"]
    assert (setting.value, setting.layer, setting.reason) == ("db-service", "wired", "wired from sos-app/postgres")
    assert errors(Layer("mine", {"POSTGRES_HOST": "elsewhere"}), wired=wired) == [
        "layers=['mine'] have an error:",
        "  - POSTGRES_HOST='elsewhere' is already wired from sos-app/postgres; leave it out of the layer, or wire nothing [layer 'mine']",
    ]


def test_layers_have_names_of_their_own() -> None:
    assert errors(Layer("a", {}), Layer("a", {})) == ["layers=['a', 'a'] must have names of their own, other than defaults; taken: a"]
    wired = Layer("wired", {})
    assert errors(Layer("wired", {}), wired=wired) == ["layers=['wired'] must have names of their own, other than defaults and wired; taken: wired"]
    for name in ("", " ", "a,b", "a\n"):
        with pytest.raises(InvalidOption, match="must be printable text without a comma" if name else "must be text, not an empty text"):
            Layer(name, {})


def test_paths_are_not_layers() -> None:
    with pytest.raises(InvalidOption, match=r"layers=\['eu\.yaml'\] must be Layer objects; read a file with Layer\.from_file\(path\)"):
        resolve(SOS, ["eu.yaml"])  # type: ignore[list-item]


def test_a_layer_is_not_changed_by_its_source() -> None:
    source: dict[str, object] = {"LOG_LEVEL": "warn"}
    layer = Layer("mine", source)
    source["LOG_LEVEL"] = "loud"
    assert resolve(SOS, (layer,))["LOG_LEVEL"].text == "warn"


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_environments(environment: str) -> None:
    settings = resolve(SOS, (ENVIRONMENTS[environment],))
    assert settings["APP_ENVIRONMENT"].text == environment
    assert (settings["NODE_ENV"].text == "production") == (environment != "development")
    assert (settings["HSTS_ENABLED"].value is True) == (environment != "development"), "a browser would remember it for every other project on localhost"
    assert all(setting.reason for setting in settings.values())


def test_environments_set_nothing_to_what_it_is_already() -> None:
    for layer in ENVIRONMENTS.values():
        for name, setting in resolve(SOS, (layer,)).items():
            assert name not in layer.values or setting.text != setting.history[0].text, f"{layer.name} repeats the default of {name}"
