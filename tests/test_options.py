"""Every public option, found by introspection, is tried with what people give by mistake: it is refused with a ValueError, or what it takes makes sense.

A new public class or function needs a row in ``SAMPLES``, a new value object of HaPostgres one in ``USES``, a new method for users one in ``METHODS``.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import timedelta
from functools import lru_cache, partial
from itertools import count, product
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import sos_constructs
from sos_constructs import (
    DATABASES,
    PGBOUNCER,
    SECRETS,
    Clients,
    Database,
    HaPostgres,
    Key,
    Layer,
    Pooler,
    SecretHandle,
    Section,
    SosConfig,
    SosNamespace,
    SosSecrets,
)
from sos_constructs.config.values import BOOL
from sos_constructs.postgres.contents import manifests

import attrs
import cdk8s
import pytest
from constructs import Construct

GUID = "00000000-0000-0000-0000-000000000001"
POD = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "api", "labels": {"app": "api"}}, "spec": {"containers": [{"name": "main", "image": "a"}]}}
STORE = sos_constructs.KubernetesStore(namespace="vault")
HANDLE = SecretHandle("a", {"key": "KEY"})
ROW = Key("MINE_ENABLED", BOOL, True, "Mine.", "because")
FILE = Path(__file__).parent / "config/layer.yaml"
DSNS = sos_constructs.ExternalSecrets(store=STORE)


class Accepted(Exception):
    """Nothing was refused."""


class Nonsense:
    def __repr__(self) -> str:
        return "<nonsense>"


SAMPLES: dict[str, dict[str, Any]] = {
    "AwsSecretsManager": {"region": "eu-central-1"},
    "AzureKeyVault": {"vault_url": "https://sos.vault.azure.net", "client_id": GUID, "tenant_id": GUID},
    "Catalogue": {"sections": [Section("mine", [ROW])]},
    "CertManager": {"issuer": "ca"},
    "CertificateSecret": {},
    "Clients": {"pods": {"app": "api"}},
    "ClusterDns": {},
    "Database": {"name": "auth"},
    "DatabaseHandle": {
        "name": "auth",
        "user": "auth",
        "credentials": HANDLE,
        "username_key": "key",
        "password_key": "key",
        "primary_host": "postgres",
        "readonly_host": "postgres-ro",
        "port": 5432,
    },
    "ExistingSecrets": {},
    "ExporterImage": {"image": "exporter:1"},
    "ExternalDsns": {"source": DSNS},
    "ExternalSecrets": {"store": STORE},
    "FastFailover": {},
    "GcpSecretManager": {"project": "sos-project"},
    "HaPostgres": {},
    "ImageProfile": {"image": "postgres:1", "uid": 999, "gid": 999},
    "Key": {"name": "MINE_ENABLED", "type": BOOL, "default": True, "doc": "Mine.", "reason": "because"},
    "KubernetesStore": {"namespace": "vault"},
    "Layer": {"name": "mine", "values": {"LOG_LEVEL": "warn"}},
    "Locale": {},
    "PatroniTiming": {},
    "PodOptions": {},
    "Pooler": {},
    "PoolerImage": {"image": "pgbouncer:1", "uid": 998, "gid": 996},
    "PrometheusOperator": {},
    "Resources": {},
    "Role": {"name": "report"},
    "Rule": {"id": "mine", "keys": ["LOG_LEVEL"], "holds": lambda _: True, "demand": "d", "reason": "r", "fix": "f", "source": "s"},
    "SealedSecrets": {"path": Path("sealed.yaml")},
    "SecretAccess": {"readers": {"api": [HANDLE]}},
    "SecretAdmission": {"writers": ["system:serviceaccount:a:b"]},
    "SecretCatalogue": {"secrets": list(SECRETS)},
    "SecretHandle": {"name": "a", "keys": {"key": "KEY"}},
    "Section": {"name": "mine", "keys": [ROW]},
    "ServerCa": {"secret": "postgres-tls"},
    "ServiceOptions": {},
    "SosConfig": {},
    "SosNamespace": {},
    "SosSecrets": {},
    "TemplateSecrets": {},
    "Vault": {"server": "https://vault:8200", "role": "sos"},
    "postgres_secret": {"name": "shop", "databases": [Database("shop")]},
    "reload_on": {"secrets": HANDLE},
    "restricted": {"workload": POD},
    "version_annotations": {"secrets": HANDLE},
}
"""Public class or function → arguments that it takes."""

USES: dict[str, Callable[[Any], dict[str, Any]]] = {
    "CertManager": lambda value: {"tls": value},
    "CertificateSecret": lambda value: {"tls": value},
    "Clients": lambda value: {"allow_from": [value]},
    "Database": lambda value: {"databases": [value]},
    "ExporterImage": lambda value: {"exporter_image": value},
    "FastFailover": lambda value: {"failover": value, "synchronous_mode_strict": True},
    "ImageProfile": lambda value: {"image": value},
    "Locale": lambda value: {"locale": value},
    "PatroniTiming": lambda value: {"timing": value},
    "PodOptions": lambda value: {"pods": value},
    "Pooler": lambda value: {"pooler": value},
    "PoolerImage": lambda value: {"pooler": Pooler(image=value)},
    "PrometheusOperator": lambda value: {"monitoring": value},
    "Resources": lambda value: {"resources": value},
    "Role": lambda value: {"roles": [value]},
    "ServiceOptions": lambda value: {"service": value},
}
"""Value object → the options of HaPostgres that judge it; the others are judged where they are made."""

METHODS: dict[str, dict[str, Any]] = {
    "Catalogue.environment": {"name": "production"},
    "Catalogue.key": {"name": "LOG_LEVEL"},
    "Catalogue.section": {"name": "logging"},
    "Catalogue.section_of": {"name": "LOG_LEVEL"},
    "Catalogue.without": {"names": "kafka"},
    "DatabaseHandle.dsn_env": {},
    "DatabaseHandle.dsn_template": {},
    "DatabaseHandle.libpq_env": {},
    "HaPostgres.database": {"name": "auth"},
    "HaPostgres.grant": {"workload": POD, "database": "auth"},
    "Layer.from_file": {"path": FILE},
    "Layer.with_values": {"values": {}},
    "SecretAccess.service_account": {"service": "api"},
    "SecretCatalogue.without": {"names": "redis-credentials"},
    "SecretHandle.env": {"key": "key"},
    "SecretHandle.env_value": {"scope": None, "key": "key"},
    "SecretHandle.key_ref": {"key": "key"},
    "SecretHandle.secret": {"scope": None},
    "SecretHandle.volume": {"volume_name": "a"},
    "ServerCa.mount": {},
    "ServerCa.volume": {},
    "SosConfig.checksum": {"sections": "app"},
    "SosConfig.config_map": {"section": "app"},
    "SosConfig.config_map_name": {"section": "app"},
    "SosConfig.env": {"key": "LOG_LEVEL"},
    "SosConfig.env_from": {"sections": "app"},
    "SosConfig.env_sources": {"sections": "app"},
    "SosConfig.env_value": {"key": "LOG_LEVEL"},
    "SosConfig.setting": {"key": "LOG_LEVEL"},
    "SosConfig.value": {"key": "LOG_LEVEL"},
    "SosNamespace.allow_ingress": {"workload": POD, "ports": [8080]},
}
"""Method for users → arguments that it takes."""

INTERNAL = frozenset(
    """account agent_resources_for beside check declared derived describe fields initdb manifest manifests metadata peers periods pinned placement port
    provider push_metadata read remote_key resources seconds server_connections source version with_layer violation wait_seconds""".split()  # noqa: SIM905
)
"""Methods that the library itself calls."""

NUMBERS = count()


@lru_cache(maxsize=1)
def made() -> SimpleNamespace:
    """One app with one of each construct."""
    chart = cdk8s.Chart(cdk8s.App(), "sos-app", namespace="sos-app")
    secrets = SosSecrets(chart, "secrets")
    return SimpleNamespace(
        chart=chart,
        secrets=secrets,
        HaPostgres=HaPostgres(chart, "postgres", credentials=secrets.postgres),
        SosConfig=SosConfig(chart, "config"),
        SosNamespace=SosNamespace(chart, "foundation"),
        SecretAccess=sos_constructs.SecretAccess(chart, "access", readers={"api": [HANDLE]}),
        Catalogue=sos_constructs.SOS,
        SecretCatalogue=SECRETS,
        SecretHandle=HANDLE,
        Layer=Layer("mine", {}),
        ServerCa=sos_constructs.ServerCa(secret="postgres-tls"),
        DatabaseHandle=sos_constructs.DatabaseHandle(**SAMPLES["DatabaseHandle"]),
    )


def sample_options(name: str) -> dict[str, Any]:
    assert name in SAMPLES, f"add arguments that {name} takes to SAMPLES"
    own = {
        "ExternalDsns": lambda: {"databases": [made().HaPostgres.database("auth")]},
        "HaPostgres": lambda: {"credentials": made().secrets.postgres},
    }
    return SAMPLES[name] | own.get(name, dict)()


def call(target: Callable[..., Any], options: Mapping[str, Any]) -> Any:
    """The call with ``*names`` given as one positional argument."""
    parameters = inspect.signature(target).parameters
    several = [options[name] for name, each in parameters.items() if each.kind is each.VAR_POSITIONAL and name in options]
    named = {name: value for name, value in options.items() if parameters[name].kind is not inspect.Parameter.VAR_POSITIONAL}
    return target(*several, **named)


def make(name: str, /, **options: Any) -> Any:
    """A public thing, made and used as users do."""
    kind = getattr(sos_constructs, name)
    if not isinstance(kind, type) or not issubclass(kind, Construct):
        value = call(kind, sample_options(name) | options) if not isinstance(kind, type) else kind(**sample_options(name) | options)
        return use(value)
    scope = Construct(made().chart, f"n{next(NUMBERS)}")
    return kind(options.pop("scope", scope), options.pop("id", "it"), **sample_options(name) | options)


def use(value: Any) -> Any:
    """What judges it, with the value in it."""
    name = type(value).__name__
    if name == "Layer":
        return make("SosConfig", layers=[value])
    return make("HaPostgres", **USES[name](value)) if name in USES else value


def ask(name: str, /, **options: Any) -> Any:
    """A method, asked of the one in the app."""
    kind, method = name.split(".")
    scope = {"scope": made().chart} if "scope" in METHODS[name] else {}
    return use(call(getattr(getattr(made(), kind), method), METHODS[name] | scope | options))


def written(kind: Any) -> dict[str, str]:
    """Every option and its annotation as it is written."""
    function = vars(kind)["__init__"] if isinstance(kind, type) else kind
    fields = {field.alias: field.type for field in attrs.fields(kind)} if isinstance(kind, type) and attrs.has(kind) else {}
    found = {name: str(fields.get(name, parameter.annotation)) for name, parameter in inspect.signature(function).parameters.items()}
    return {name: text for name, text in found.items() if name not in ("self", "cls")}


def public() -> Iterator[tuple[str, dict[str, str], Callable[..., Any]]]:
    """Every public class, function and method: its name, options, and how it is called with some of them."""
    for name in sos_constructs.__all__:
        target = getattr(sos_constructs, name)
        if not callable(target):
            continue
        yield name, written(target), partial(make, name)
        for method, member in vars(target).items() if isinstance(target, type) else ():
            function = getattr(member, "__func__", member)
            if not method.startswith("_") and method not in INTERNAL and inspect.isfunction(function):
                key = f"{name}.{method}"
                assert key in METHODS, f"add arguments that {key} takes to METHODS, or its name to INTERNAL"
                yield key, written(function), partial(ask, key)


def mistakes() -> Iterator[object]:
    """What people give."""
    yield from (
        None,
        Nonsense(),
        Nonsense,
        True,
        5,
        "yes",
        "",
        " ",
        "\0",
        "\ud800",
        b"x",
        float("nan"),
        2**80,
        -1,
        1e308,
        (),
        {},
        [None],
        [b"x"],
        {"a": None},
        {1: 2},
    )
    yield from (DATABASES[0], Clients(), PGBOUNCER, HANDLE, ROW, timedelta(days=10**6), timedelta(0), timedelta(microseconds=1))


def makes_sense(annotation: str, value: object) -> bool:
    """Whether the annotation, read by a human, allows it; an oracle that shares nothing with what judges."""
    if annotation in ("object", "Value", "Type", "Any") or "Workload" in annotation:
        return True
    several = re.search(r"Sequence|Collection|Iterable|tuple|frozenset", annotation) is not None
    if value is None:
        return "None" in annotation
    if isinstance(value, bool):
        return "bool" in annotation
    if value == () and isinstance(value, tuple):
        return several
    if value == {} and isinstance(value, dict):
        return "Mapping" in annotation or several
    if isinstance(value, str):
        return value not in ("", "\0", "\ud800") and "str" in re.sub(r"\w+\[.*\]", "", annotation.replace("Annotated[", ""))
    if isinstance(value, int):
        return "int" in annotation and abs(value) < 2**63
    if isinstance(value, timedelta):
        return "timedelta" in annotation
    return type(value).__name__ in annotation and not several


ALLOWED: dict[tuple[str, str], str] = {
    **dict.fromkeys(product(("Database.sql",), ("''",)), "no SQL"),
    **dict.fromkeys(product(("ExternalSecrets.prefix",), ("''",)), "a store may be the installation's alone"),
    **dict.fromkeys(
        product(("Key.doc", "Key.reason", "Key.deprecated", "Layer.reason", "Layer.from_file.reason", "Section.doc", "SecretHandle.version"), ("''",)),
        "nothing to say",
    ),
    **dict.fromkeys(product(("ExternalSecrets.without", "ExternalSecrets.postgres", "Vault.audiences"), ("'yes'", "' '")), "one name may stand alone"),
    **dict.fromkeys(product(("ExternalSecrets.versions", "SealedSecrets.path"), ("'yes'", "' '")), "any text is a path"),
    **dict.fromkeys(
        product(("ExternalSecrets.without", "ExternalSecrets.postgres", "Rule.keys", "SealedSecrets.without", "Vault.audiences"), ("{'a': None}",)),
        "a mapping is the collection of its keys",
    ),
    **dict.fromkeys(product(("Rule.holds", "Rule.detail"), (repr(Nonsense),)), "a class can be called"),
}
"""Option and value that are taken although they look wrong → why."""


def test_every_option_refuses_what_it_cannot_take(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    made()

    def accepted(spec: Any) -> Any:
        manifests(spec)
        raise Accepted

    monkeypatch.setattr("sos_constructs.postgres.construct.manifests", accepted)
    options, tried, wrong = 0, 0, []
    for name, found, function in public():
        with suppress(Accepted):
            function()  # that the arguments alone are taken, so that what is refused below is the mistake
        for option, annotation in found.items():
            options += 1
            for value in mistakes():
                tried += 1
                try:
                    function(**{option: value})
                except ValueError as error:
                    if isinstance(error, UnicodeError) or not re.search(r"[\w\]']=.+ \w", str(error)):
                        wrong.append(f"{name}({option}={value!r}): {type(error).__name__}: {error}")
                    continue
                except Accepted:
                    pass
                except Exception as error:  # noqa: BLE001 (that is the test)
                    wrong.append(f"{name}({option}={value!r}): {type(error).__name__}: {str(error)[:200]}")
                    continue
                if not makes_sense(annotation, value) and (f"{name}.{option}", repr(value)) not in ALLOWED:
                    wrong.append(f"{name}({option}={value!r}): taken, although it is {annotation}")
    with capsys.disabled():
        print(f"\n{options} options, {tried} bad values")
    assert not wrong, "\n".join(wrong)
