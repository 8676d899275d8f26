"""SosConfig: the ConfigMaps, and the handles in plain and cdk8s-plus workloads."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import sos_constructs  # noqa: F401  # first: it chooses the Node that jsii runs on
from sos_constructs.config import Layer, Setting, SosConfig, configmaps
from sos_constructs.config import construct as module
from sos_constructs.config.catalogue import SOS
from sos_constructs.config.layers import resolve
from sos_constructs.config.values import Bool, Choice, Duration, Float, Int, Items, Size, Text

import cdk8s
import pytest
import yaml
from attrs import frozen
from constructs import Construct
from hypothesis import given
from hypothesis import strategies as st

from tests.generated import examples


@frozen
class Endpoint:
    primary_host: str
    readonly_host: str
    port: int


class Database(Construct):
    """What HaPostgres offers."""

    primary_host = "db-service"
    readonly_host = "db-readonly-service"
    port = 6432


@pytest.fixture
def chart() -> cdk8s.Chart:
    return cdk8s.Chart(cdk8s.Testing.app(), "sos-app", namespace="sos-app", disable_resource_name_hashes=True)


def config_maps(chart: cdk8s.Chart) -> dict[str, dict[str, str]]:
    return {manifest["metadata"]["name"]: manifest["data"] for manifest in cdk8s.Testing.synth(chart) if manifest["kind"] == "ConfigMap"}


def test_one_config_map_per_section_with_the_defaults(chart: cdk8s.Chart) -> None:
    SosConfig(chart, "config")
    maps = config_maps(chart)
    assert list(maps) == [f"sos-app-{section.suffix}" for section in SOS.sections]
    assert {key: text for data in maps.values() for key, text in data.items()} == {key: row.read(row.default)[1] for key, row in SOS.keys.items()}
    assert all(list(data) == sorted(data) for data in maps.values())


def test_synth_writes_exactly_the_manifests(chart: cdk8s.Chart) -> None:
    config = SosConfig(chart, "config", environment="staging", layers=[Layer("site", {"TZ": "Europe/Berlin"})], postgres=Database(chart, "db"))
    expected = configmaps.manifests(config._spec)
    for manifest in expected:
        manifest["metadata"]["namespace"] = "sos-app"
    assert cdk8s.Testing.synth(chart) == expected


def test_golden(chart: cdk8s.Chart, golden: Any) -> None:
    SosConfig(chart, "config", environment="development", layers=[Layer("site", {"TZ": "Europe/Berlin"}, reason="the office")], postgres=Database(chart, "db"))
    golden("config/development", cdk8s.Testing.synth(chart))


def test_labels_and_annotations(chart: cdk8s.Chart) -> None:
    SosConfig(chart, "config", environment="staging", layers=[Layer("site", {"LOG_FORMAT": "pretty"})], prefix="eu", postgres=Database(chart, "db"))
    metadata = {manifest["metadata"]["name"]: manifest["metadata"] for manifest in cdk8s.Testing.synth(chart)}
    assert metadata["eu-logging"]["labels"] == {
        "app.kubernetes.io/component": "configuration",
        "app.kubernetes.io/instance": "eu",
        "app.kubernetes.io/name": "sos-config",
        "app.kubernetes.io/part-of": "sos-app",
    }
    assert metadata["eu-logging"]["annotations"] == {
        "kubernetes.io/description": "What is logged, how, and for how long.",
        "sos-app/layers": "defaults,staging,site",
    }
    assert metadata["eu-database"]["annotations"]["sos-app/layers"] == "defaults,wired"
    assert metadata["eu-cache"]["annotations"]["sos-app/layers"] == "defaults"


def test_the_database_is_wired_not_typed_twice(chart: cdk8s.Chart) -> None:
    db = Database(chart, "db")
    config = SosConfig(chart, "config", postgres=db)
    assert (config.value("POSTGRES_HOST"), config.value("POSTGRES_READONLY_HOST"), config.value("POSTGRES_PORT_NUMBER")) == (
        "db-service",
        "db-readonly-service",
        6432,
    )
    assert config_maps(chart)["sos-app-database"]["POSTGRES_PORT_NUMBER"] == "6432"
    assert config.setting("POSTGRES_HOST").reason == "wired from sos-app/db"
    with pytest.raises(ValueError, match=r"sos-app/config2: layers=.*\n  - POSTGRES_HOST='x' is already wired from sos-app/db; .* \[layer 'mine'\]"):
        SosConfig(chart, "config2", layers=[Layer("mine", {"POSTGRES_HOST": "x"})], postgres=db)


def test_any_object_with_the_hosts_and_the_port_can_be_wired(chart: cdk8s.Chart) -> None:
    config = SosConfig(chart, "config", postgres=Endpoint("pg.example.com", "ro.example.com", 5433))
    assert config.setting("POSTGRES_HOST").reason == "wired from Endpoint"
    assert config.value("POSTGRES_PORT_NUMBER") == 5433


def test_values_are_typed_and_know_their_layer(chart: cdk8s.Chart) -> None:
    config = SosConfig(chart, "config", layers=[Layer("site", {"LOG_LEVEL": "http"}, reason="a fault")])
    assert config.value("JWT_ACCESS_TOKEN_TTL_MINUTES") == timedelta(minutes=15)
    assert config.value("EMERGENCY_NORMAL_TYPES") == ("GENERAL",)
    assert config.value("METRICS_PORT_NUMBER") == 9090
    assert config.value("HSTS_PRELOAD_ENABLED") is False
    assert (config.setting("LOG_LEVEL").layer, config.setting("LOG_LEVEL").reason, config.setting("LOG_LEVEL").overrode[0].text) == ("site", "a fault", "info")
    assert config.settings["LOG_LEVEL"] is config.setting("LOG_LEVEL")
    assert config.environment == "production"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"environment": "prod"}, r"sos-app/config: environment='prod' must be one of development, staging, production; for one of your own add a layer"),
        ({"environment": "stagin"}, r"environment='stagin' must be .* \(did you mean 'staging'\?\)"),
        ({"prefix": "SOS"}, r"sos-app/config: prefix='SOS' must be a DNS-1123 label"),
        (
            {"layers": [Layer("a", {"LOG_LEVL": "x"}), Layer("b", {"TZ": 1})]},
            r"sos-app/config: layers=\['production', 'a', 'b'\] have 2 errors:\n  - key='LOG_LEVL'",
        ),
        ({"layers": ["a.yaml"]}, r"sos-app/config: layers\[0\]='a\.yaml' must be made with Layer\(…\) or Layer\.from_file\(…\)"),
        ({"layers": [Layer("production", {})]}, r"taken: production"),
    ],
)
def test_bad_options(chart: cdk8s.Chart, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SosConfig(chart, "config", **options)
    assert cdk8s.Testing.synth(chart) == []


def test_plain_handles(chart: cdk8s.Chart) -> None:
    config = SosConfig(chart, "config", prefix="eu")
    assert config.env_from("app", "logging") == [{"configMapRef": {"name": "eu-config"}}, {"configMapRef": {"name": "eu-logging"}}]
    assert [source["configMapRef"]["name"] for source in config.env_from()] == [f"eu-{section.suffix}" for section in SOS.sections]
    reference = {"configMapKeyRef": {"name": "eu-logging", "key": "LOG_LEVEL"}}
    assert config.env("LOG_LEVEL") == {"name": "LOG_LEVEL", "valueFrom": reference}
    assert config.env("LOG_LEVEL", "LEVEL") == {"name": "LEVEL", "valueFrom": reference}


def test_handles_name_the_construct_and_the_nearest_word(chart: cdk8s.Chart) -> None:
    config = SosConfig(chart, "config")
    for section in (config.env_from, config.env_sources, config.checksum, config.config_map):
        with pytest.raises(ValueError, match=r"sos-app/config: section='loging' does not exist \(did you mean 'logging'\?\); there are: app, "):
            section("loging")
    for key in (config.env, config.env_value, config.value, config.setting):
        with pytest.raises(ValueError, match=r"sos-app/config: key='LOG_LEVL' does not exist \(did you mean 'LOG_LEVEL'\?\)"):
            key("LOG_LEVL")


def test_the_checksum_changes_with_what_is_read_and_with_nothing_else(chart: cdk8s.Chart) -> None:
    base = SosConfig(chart, "a")
    louder = SosConfig(chart, "b", prefix="b", layers=[Layer("site", {"LOG_LEVEL": "http"})])
    same = SosConfig(chart, "c", prefix="c", layers=[Layer("other", {"LOG_LEVEL": "info"}, reason="as it was")])
    assert base.checksum("logging") != louder.checksum("logging")
    assert base.checksum("logging") == same.checksum("logging")
    assert base.checksum("app", "cache") == louder.checksum("app", "cache")
    assert base.checksum() != louder.checksum()
    assert len(base.checksum("app")) == 64


def test_handles_in_a_cdk8s_plus_workload(chart: cdk8s.Chart) -> None:
    import cdk8s_plus_27 as kplus

    config = SosConfig(chart, "config")
    container = kplus.ContainerProps(
        image="registry.example/auth:1",
        env_from=config.env_sources("app", "logging"),
        env_variables={"LOG_LEVEL": config.env_value("LOG_LEVEL"), "DB_HOST": config.env_value("POSTGRES_HOST")},
    )
    for name in ("auth", "users"):  # two users of the same handles
        kplus.Deployment(
            chart,
            name,
            containers=[container],
            pod_metadata=cdk8s.ApiObjectMetadata(annotations={"checksum/config": config.checksum("app", "logging", "database")}),
            volumes=[kplus.Volume.from_config_map(chart, f"{name}-volume", config.config_map("mqtt"))],
        )
    manifests = [manifest for manifest in cdk8s.Testing.synth(chart) if manifest["kind"] != "ConfigMap"]
    assert len(manifests) == 2, "importing a ConfigMap adds no object"
    for manifest in manifests:
        pod = manifest["spec"]["template"]
        assert pod["spec"]["containers"][0]["envFrom"] == config.env_from("app", "logging")
        assert pod["spec"]["containers"][0]["env"] == [config.env("LOG_LEVEL"), config.env("POSTGRES_HOST", "DB_HOST")]
        assert pod["spec"]["volumes"][0]["configMap"] == {"name": "sos-app-mqtt"}
        assert pod["metadata"]["annotations"] == {"checksum/config": config.checksum("app", "logging", "database")}


def test_handles_in_a_plain_workload(chart: cdk8s.Chart) -> None:
    from sos_constructs.emit import emit

    config = SosConfig(chart, "config")
    emit(
        chart,
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "auth"},
            "spec": {"containers": [{"name": "auth", "image": "x", "envFrom": config.env_from("app"), "env": [config.env("LOG_LEVEL")]}]},
        },
    )
    (pod,) = (manifest for manifest in cdk8s.Testing.synth(chart) if manifest["kind"] == "Pod")
    names = set(config_maps(chart))
    container = pod["spec"]["containers"][0]
    assert {source["configMapRef"]["name"] for source in container["envFrom"]} <= names
    assert container["env"][0]["valueFrom"]["configMapKeyRef"]["name"] in names


def test_objects_are_an_escape_hatch(chart: cdk8s.Chart) -> None:
    config = SosConfig(chart, "config")
    config.objects["ConfigMap", "sos-app-cache"].add_json_patch(cdk8s.JsonPatch.add("/data/EXTRA", "x"))
    assert config_maps(chart)["sos-app-cache"]["EXTRA"] == "x"


@pytest.mark.parametrize(
    ("start", "unwanted"),
    [
        ("from sos_constructs.config import SosConfig", ["cdk8s_plus_27", "yaml", "tomllib", "sos_constructs.config.files", "sos_constructs.config.docs"]),
        ("from sos_constructs.config import Layer, docs; docs.markdown()", ["jsii", "cdk8s", "constructs"]),
    ],
)
def test_importing_is_cheap(start: str, unwanted: list[str]) -> None:
    code = f"import sys; {start}; print([name for name in {unwanted} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_public_names() -> None:
    import sos_constructs.config as package

    assert package.__all__ == sorted(package.__all__, key=lambda name: (not name.isupper(), name))
    assert all(getattr(package, name) for name in package.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'Layers'"):
        package.Layers  # noqa: B018


def _plausible(key: str) -> st.SearchStrategy[Any]:
    """Values near what the key takes, so that both outcomes happen."""
    row = SOS.key(key).type
    if isinstance(row, Bool):
        return st.booleans()
    if isinstance(row, Choice):
        return st.sampled_from(row.options)
    if isinstance(row, Int | Size):
        return st.integers(row.least - 1, row.most + 1)
    if isinstance(row, Float):
        return st.floats(row.least, row.most).map(lambda number: round(number, 4))
    if isinstance(row, Duration):
        return st.timedeltas(row.least, row.most) | st.integers(0, 100) | st.sampled_from(["5m", "30s", "1d"])
    if isinstance(row, Text):
        return st.from_regex(row.pattern, fullmatch=True) | st.sampled_from(["0o14", "=", "<<", "1e3", "\u2028", "null"])
    assert isinstance(row, Items)
    return st.lists(st.sampled_from([*getattr(row.of, "options", ()), "a.b:80", 404]), max_size=4)


ANYTHING = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.binary(max_size=2)
    | st.lists(st.text(max_size=3), max_size=3)
    | st.timedeltas()
)
ENTRIES = st.sampled_from([*SOS.keys, "LOG_LEVL"]).flatmap(lambda key: st.tuples(st.just(key), ANYTHING | (_plausible(key) if key in SOS.keys else st.none())))


@examples(100)
@given(st.lists(ENTRIES, max_size=3).map(dict))
def test_any_layer_is_refused_clearly_or_survives_yaml(values: Mapping[str, object]) -> None:
    try:
        found = resolve(SOS, (Layer("any", values),))
    except ValueError as error:
        message = str(error)
    else:
        message = ""
        _check_round_trip(values, found)
    assert not message or (message.startswith("layers=['any'] have ") and any(key in message for key in values))


def _check_round_trip(values: Mapping[str, object], found: Mapping[str, Setting]) -> None:
    spec = configmaps.ConfigSpec(prefix="sos-app", catalogue=SOS, settings=found, layers=("any",))
    data = {key: text for section in SOS.sections if any(key.name in values for key in section.keys) for key, text in spec.data(section).items()}
    assert all(type(text) is str for text in data.values())
    assert yaml.safe_load(cdk8s.Yaml.stringify({"data": data})) == {"data": data}


@examples(30)
@given(
    st.sampled_from([key for key, row in SOS.keys.items() if isinstance(row.type, Text | Float)]).flatmap(lambda key: st.tuples(st.just(key), _plausible(key)))
)
def test_whatever_the_catalogue_takes_can_be_emitted(entry: tuple[str, object]) -> None:
    try:
        layer = Layer("any", dict([entry]))
        resolve(SOS, (layer,))
    except ValueError:
        return
    chart = cdk8s.Chart(cdk8s.Testing.app(), "x")
    section = SOS.section_of(entry[0])
    spec = configmaps.ConfigSpec(prefix="x", catalogue=SOS, settings=resolve(SOS, (layer,)), layers=("any",))
    from sos_constructs.emit import emit

    emit(chart, configmaps.config_map(spec, section))


def test_layer_files_reach_the_config_maps(chart: cdk8s.Chart, tmp_path: Path) -> None:
    (tmp_path / "eu.yaml").write_text("CORS_ALLOWED_ORIGINS:\n  - https://eu.example\n  - https://admin.eu.example\n")
    SosConfig(chart, "config", layers=[Layer.from_file(tmp_path / "eu.yaml")])
    assert config_maps(chart)["sos-app-config"]["CORS_ALLOWED_ORIGINS"] == "https://eu.example,https://admin.eu.example"


@pytest.fixture(autouse=True)
def _no_left_overs() -> Iterator[None]:
    yield
    assert "cdk8s_plus_27" not in module.__dict__, "the import is lazy"
