"""SosConfig with other catalogues, other names, waivers, and ConfigMaps that are replaced instead of changed."""

from __future__ import annotations

import re
from typing import Any

import sos_constructs  # noqa: F401  # first: it chooses the Node that jsii runs on
from sos_constructs import HaPostgres, SosSecrets
from sos_constructs.config import SOS, Catalogue, Key, Layer, Rule, Section, SosConfig, docs
from sos_constructs.config.layers import resolve
from sos_constructs.config.values import BOOL, HOST, URL, WORD, Duration, Int, minutes, seconds
from sos_constructs.errors import InvalidOption

import cdk8s
import pytest

from tests.config.test_construct import Endpoint

RETRY = Key("BILLING_RETRY_MINUTES", Duration(minutes(1), minutes(60)), 10, "Pause before a failed payment is tried again.", "banks ask for it")
BILLING = Section("billing", [Key("BILLING_URL", URL, "https://pay.example", "Where payments go.", "our bank"), RETRY])
OWN = Catalogue(
    [Section("shop", [Key("SHOP_NAME", WORD, "corner", "Name of the shop.", "it is at the corner")], suffix="settings"), BILLING],
    environments={"live": Layer("live", {}), "trial": Layer("trial", {"BILLING_URL": "https://sandbox.pay.example"}, reason="no money moves")},
)


@pytest.fixture
def chart() -> cdk8s.Chart:
    return cdk8s.Chart(cdk8s.Testing.app(), "app", namespace="app", disable_resource_name_hashes=True)


def objects(chart: cdk8s.Chart) -> dict[str, Any]:
    return {manifest["metadata"]["name"]: manifest for manifest in cdk8s.Testing.synth(chart) if manifest["kind"] == "ConfigMap"}


def test_a_section_more(chart: cdk8s.Chart) -> None:
    config = SosConfig(chart, "config", catalogue=SOS + BILLING, layers=[Layer("mine", {"BILLING_RETRY_MINUTES": "15m"})])
    assert list(objects(chart)) == [*(f"sos-app-{section.suffix}" for section in SOS.sections), "sos-app-billing"]
    assert objects(chart)["sos-app-billing"]["data"] == {"BILLING_RETRY_MINUTES": "15", "BILLING_URL": "https://pay.example"}
    assert "kubernetes.io/description" not in objects(chart)["sos-app-billing"]["metadata"]["annotations"], "it has no description"
    assert config.env("BILLING_URL")["valueFrom"]["configMapKeyRef"] == {"name": "sos-app-billing", "key": "BILLING_URL"}
    assert (BILLING.title, BILLING.suffix, SOS.keys.keys() & {"BILLING_URL"}) == ("Billing", "billing", set()), "SOS itself is as it was"


@pytest.mark.parametrize("environment", SOS.environments)
def test_sections_left_out(chart: cdk8s.Chart, environment: str) -> None:
    config = SosConfig(chart, "config", environment=environment, catalogue=SOS.without("mqtt", "kafka"))
    assert not objects(chart).keys() & {"sos-app-mqtt", "sos-app-kafka"}
    assert len(objects(chart)) == 11
    assert config.settings["API_DOCS_ENABLED"].layer == ("defaults" if environment == "production" else environment)
    with pytest.raises(ValueError, match=r"key='MQTT_HOST' does not exist"):
        config.value("MQTT_HOST")


def test_sections_of_another_catalogue_can_be_taken_one_by_one(chart: cdk8s.Chart) -> None:
    SosConfig(chart, "config", catalogue=OWN + SOS.section("logging"), environment="live", prefix="shop")
    assert list(objects(chart)) == ["shop-settings", "shop-billing", "shop-logging"]


def test_a_catalogue_of_one_s_own(chart: cdk8s.Chart) -> None:
    config = SosConfig(chart, "config", catalogue=OWN, environment="trial", prefix="shop", part_of="shop")
    assert (config.value("BILLING_URL"), config.setting("BILLING_URL").reason) == ("https://sandbox.pay.example", "no money moves")
    assert config.env_from() == [{"configMapRef": {"name": "shop-settings"}}, {"configMapRef": {"name": "shop-billing"}}]
    assert {manifest["metadata"]["labels"]["app.kubernetes.io/part-of"] for manifest in objects(chart).values()} == {"shop"}
    for environment, message in (("production", "must be one of live, trial"), ("trail", r"did you mean 'trial'\?")):
        with pytest.raises(ValueError, match=message):
            SosConfig(chart, "other", catalogue=OWN, environment=environment, prefix="x")


def test_a_catalogue_without_environments_has_its_defaults_alone(chart: cdk8s.Chart) -> None:
    config = SosConfig(chart, "config", catalogue=Catalogue([BILLING]))
    assert config.setting("BILLING_URL").layer == "defaults"
    with pytest.raises(ValueError, match="environment='staging' must be one of production; for one of your own add a layer"):
        SosConfig(chart, "other", catalogue=Catalogue([BILLING]), environment="staging")


def test_catalogues_add_up_with_their_rules_and_environments() -> None:
    rule = Rule(id="retry", keys=("BILLING_RETRY_MINUTES",), holds=lambda pause: pause > minutes(1), demand="d", reason="r", fix="f", source="s")
    staging = Layer("staging", {"BILLING_URL": "https://sandbox.pay.example"})
    both = SOS + Catalogue([BILLING], [rule], {"staging": staging, "trial": staging})
    assert [other.id for other in both.rules] == [*(other.id for other in SOS.rules), "retry"]
    assert list(both.environments) == ["development", "staging", "production", "trial"]
    settings = resolve(both, [both.environments["staging"]])
    assert (settings["BILLING_URL"].text, settings["LOG_LEVEL"].text) == ("https://sandbox.pay.example", "debug")
    assert both.environments["staging"].reason == SOS.environments["staging"].reason
    assert "BILLING_URL" not in SOS.environments["staging"].values


def test_a_value_of_an_added_environment_explains_itself_with_its_own_reason() -> None:
    staging = Layer("staging", {"BILLING_URL": "https://sandbox.pay.example"}, reason="no money moves", origins={"BILLING_URL": "mine.yaml:3"})
    both = SOS + Catalogue([BILLING], environments={"staging": staging})
    settings = resolve(both, both.environment("staging"))
    mine = settings["BILLING_URL"].history[-1]
    assert (mine.layer, mine.reason, mine.origin, mine.site) == ("staging", "no money moves", "mine.yaml:3", staging.site)
    theirs = settings["LOG_LEVEL"].history[-1]
    assert (theirs.reason, theirs.site) == (SOS.environments["staging"].reason, SOS.environments["staging"].site)


def test_nothing_else_can_be_added() -> None:
    with pytest.raises(TypeError, match=r"unsupported operand type\(s\) for \+: 'Catalogue' and 'Key'"):
        _ = SOS + RETRY  # type: ignore[operator]  # pyright: ignore[reportOperatorIssue]


def test_environments_keep_the_place_where_they_were_written() -> None:
    assert SOS.without("mqtt").environments["development"].site == SOS.environments["development"].site


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SOS + Section("billing", [Key("LOG_LEVEL", BOOL, True, "x", "x")]), "key named twice in the catalogue: LOG_LEVEL"),
        (lambda: SOS + Section("logging", []), "section named twice in the catalogue: logging"),
        (lambda: SOS + Section("other", [], suffix="config"), "suffix named twice in the catalogue: config"),
        (lambda: Section("Billing", []), "suffix='Billing' must be a DNS-1123 label"),
        (lambda: Section("billing", [], suffix="a.b"), r"suffix='a\.b' must be a DNS-1123 label"),
        (
            lambda: Catalogue([Section("x", [Key("BILLING_RETRY", Duration(minutes(1), minutes(2)), 1, "x", "x")])]),
            "durations and sizes must end with their unit, one of _MS, _SECONDS, .*: BILLING_RETRY",
        ),
        (
            lambda: Catalogue([BILLING], environments={"live": Layer("live", {"BILLING_URI": "x"})}),
            r"keys that are not in the catalogue: environment 'live' names BILLING_URI \(did you mean 'BILLING_URL'\?\)",
        ),
        (lambda: SOS.without("mqt"), r"section='mqt' does not exist \(did you mean 'mqtt'\?\)"),
    ],
)
def test_bad_catalogues(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_a_default_that_is_not_allowed_is_named(chart: cdk8s.Chart) -> None:
    wrong = Catalogue([Section("x", [Key("BILLING_COUNT", Int(1, 3), 4, "x", "x")])])
    with pytest.raises(ValueError, match="app/config: BILLING_COUNT=4 must be a whole number from 1 to 3"):
        SosConfig(chart, "config", catalogue=wrong)


def test_the_page_of_another_catalogue() -> None:
    page = docs.markdown(OWN, prefix="shop")
    assert page.startswith("# Configuration\n\n## Shop\n\nConfigMap `shop-settings`, in code `shop`.\n\n| Key |")
    assert "| `BILLING_URL` | `https://pay.example` | `https://sandbox.pay.example` |" in page
    assert not re.search("sos-app-|## Rules|## Values you must set", page)
    assert docs.markdown(Catalogue([BILLING]), introduction="# Bills\n").startswith("# Bills\n\n## Billing\n")


def test_waivers_show_on_the_construct_the_settings_and_the_config_maps(chart: cdk8s.Chart) -> None:
    reason = "incident 12: until Friday"
    layers = [Layer("fault", {"LOG_LEVEL": "debug", "HEALTH_READINESS_PATH": "/health"})]
    waive = {"production-debug-logging": reason, "health-paths": "one path only: a legacy client"}
    config = SosConfig(chart, "config", layers=layers, waive=waive)
    assert [(waiver.rule.id, waiver.reason) for waiver in config.waivers] == [("health-paths", waive["health-paths"]), ("production-debug-logging", reason)]
    assert config.setting("LOG_LEVEL").waivers == config.setting("APP_ENVIRONMENT").waivers == (config.waivers[1],)
    waived = {name: found for name, manifest in objects(chart).items() if (found := manifest["metadata"]["annotations"].get("sos-app/waived-rules"))}
    assert waived == {
        "sos-app-config": f"production-debug-logging: {reason}",
        "sos-app-logging": f"production-debug-logging: {reason}",
        "sos-app-monitoring": "health-paths: one path only: a legacy client",
    }


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"waive": {"health-path": "x"}}, r"app/config: layers=.* have an error:\n  - waive='health-path' names no rule \(did you mean 'health-paths'\?\)"),
        ({"waive": ["health-paths"]}, r"app/config: waive=\['health-paths'\] must be a mapping of text to text"),
        ({"content_hash_names": True, "reloader": True}, "app/config: reloader=True waits for changes that immutable ConfigMaps never have"),
        ({"part_of": "a b"}, r"app/config: label app\.kubernetes\.io/part-of='a b' must be"),
    ],
)
def test_bad_options(chart: cdk8s.Chart, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SosConfig(chart, "config", **options)
    assert cdk8s.Testing.synth(chart) == []


def test_the_database_says_how_many_connections_there_are(chart: cdk8s.Chart) -> None:
    credentials = SosSecrets(chart, "secrets").postgres
    small = HaPostgres(chart, "db", credentials=credentials, parameters={"max_connections": 100})
    assert small.client_connections == 95
    assert HaPostgres(chart, "big", name="big", credentials=credentials).client_connections == 195
    with pytest.raises(
        ValueError,
        match=r"POSTGRES_SERVER_CONNECTIONS=95 \(layer 'wired'.*\): the pools .* \(15 processes x 10 connections = 150\).* \[rule pool-fits-server\]",
    ):
        SosConfig(chart, "config", postgres=small)
    config = SosConfig(chart, "config", postgres=small, layers=[Layer("mine", {"POSTGRES_CLIENT_PROCESSES": 9})])
    assert config.value("POSTGRES_SERVER_CONNECTIONS") == 95
    assert SosConfig(chart, "other", prefix="x", postgres=Endpoint("a", "b", 5432)).setting("POSTGRES_SERVER_CONNECTIONS").layer == "defaults"


def test_wiring_takes_the_keys_there_are(chart: cdk8s.Chart) -> None:
    host = Section("db", [Key("POSTGRES_HOST", HOST, "db", "Host of the database.", "the Service's name")])
    config = SosConfig(chart, "config", catalogue=Catalogue([host]), postgres=Endpoint("pg.example.com", "b", 5432))
    assert {key: setting.text for key, setting in config.settings.items()} == {"POSTGRES_HOST": "pg.example.com"}
    with pytest.raises(ValueError, match="app/other: postgres='Endpoint' cannot be wired: the catalogue has none of the keys POSTGRES_HOST, "):
        SosConfig(chart, "other", catalogue=OWN, environment="live", postgres=Endpoint("a", "b", 5432))


def hashed(*layers: Layer, **options: Any) -> tuple[SosConfig, dict[str, Any]]:
    chart = cdk8s.Chart(cdk8s.Testing.app(), "app", disable_resource_name_hashes=True)
    config = SosConfig(chart, "config", layers=layers, content_hash_names=True, **options)
    return config, objects(chart)


def test_immutable_config_maps_are_named_by_their_content() -> None:
    config, manifests = hashed()
    assert all(re.fullmatch(rf"sos-app-{section.suffix}-[0-9a-f]{{10}}", name) for section, name in zip(SOS.sections, manifests, strict=True))
    assert all(manifest["immutable"] is True for manifest in manifests.values())
    assert {manifest["metadata"]["annotations"]["argocd.argoproj.io/sync-options"] for manifest in manifests.values()} == {"PruneLast=true"}
    assert config.config_map_name("logging") == list(manifests)[1]
    assert hashed()[1] == manifests


def test_only_what_changed_gets_another_name() -> None:
    _, before = hashed()
    _, after = hashed(Layer("mine", {"LOG_LEVEL": "warn", "TZ": "UTC"}, reason="quieter"))
    assert [name.rpartition("-")[0] for name in before.keys() - after.keys()] == ["sos-app-logging"]
    assert len(after.keys() - before.keys()) == 1
    assert [name for name in before if name in after and before[name]["data"] != after[name]["data"]] == []


def test_without_the_option_nothing_is_immutable_and_names_are_fixed(chart: cdk8s.Chart) -> None:
    SosConfig(chart, "config")
    for manifest in objects(chart).values():
        assert "immutable" not in manifest
        assert set(manifest["metadata"]["annotations"]) == {"kubernetes.io/description", "sos-app/layers"}


@pytest.mark.parametrize("options", [{}, {"content_hash_names": True}, {"reloader": True}, {"prefix": "eu", "content_hash_names": True}])
def test_handles_name_the_config_maps_that_are_there(chart: cdk8s.Chart, options: dict[str, Any]) -> None:
    import cdk8s_plus_27 as kplus

    config = SosConfig(chart, "config", **options)
    container = kplus.ContainerProps(image="x", env_from=config.env_sources(), env_variables={"LEVEL": config.env_value("LOG_LEVEL")})
    kplus.Deployment(chart, "app", containers=[container], volumes=[kplus.Volume.from_config_map(chart, "volume", config.config_map("mqtt"))])
    (deployment,) = (manifest for manifest in cdk8s.Testing.synth(chart) if manifest["kind"] == "Deployment")
    pod = deployment["spec"]["template"]["spec"]
    names = list(objects(chart))
    assert [source["configMapRef"]["name"] for source in config.env_from()] == names
    assert pod["containers"][0]["envFrom"] == config.env_from()
    assert pod["containers"][0]["env"] == [config.env("LOG_LEVEL", "LEVEL")]
    assert config.env("LOG_LEVEL")["valueFrom"]["configMapKeyRef"]["name"] == names[1] == config.config_map_name("logging")
    assert pod["volumes"][0]["configMap"]["name"] == config.config_map_name("mqtt") in names
    assert sorted(config.objects) == sorted(("ConfigMap", name) for name in names)


def test_reloader_annotations(chart: cdk8s.Chart) -> None:
    config = SosConfig(chart, "config", reloader=True)
    assert {manifest["metadata"]["annotations"]["reloader.stakater.com/match"] for manifest in objects(chart).values()} == {"true"}
    assert config.reloader_annotations == {"reloader.stakater.com/search": "true"}
    assert SosConfig(chart, "other", prefix="x").reloader_annotations == {}


def test_a_rule_may_compare_with_seconds() -> None:
    quick = Rule(id="quick", keys=("BILLING_RETRY_MINUTES",), holds=lambda pause: pause < seconds(60), demand="d", reason="r", fix="f", source="s")
    with pytest.raises(InvalidOption, match=r"BILLING_RETRY_MINUTES=10 \(the default\): d, because r; f \[rule quick\]"):
        resolve(OWN + quick, ())


def test_the_catalogue_that_everybody_shares_cannot_be_changed() -> None:
    for name in ("sections", "rules", "environments"):
        with pytest.raises(AttributeError, match=f"{name} of a Catalogue cannot be set; make another"):
            setattr(SOS, name, ())
    assert SOS.rules
