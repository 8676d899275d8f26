"""What users may rely on: the names, their documentation, and that importing them costs next to nothing."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import sos_constructs

import attrs
import pytest
from constructs import Construct

ROOT = Path(__file__).resolve().parent.parent

PINNED = [
    "DATABASES",
    "OFFICIAL",
    "PGBOUNCER",
    "POSTGRES_EXPORTER",
    "SECRETS",
    "SOS",
    "SPILO",
    "AwsSecretsManager",
    "AzureKeyVault",
    "Catalogue",
    "CertManager",
    "CertificateSecret",
    "Clients",
    "ClusterDns",
    "Database",
    "DatabaseHandle",
    "ExistingSecrets",
    "ExporterImage",
    "ExternalDsns",
    "ExternalSecrets",
    "FastFailover",
    "GcpSecretManager",
    "HaPostgres",
    "ImageProfile",
    "Key",
    "KubernetesStore",
    "Layer",
    "Locale",
    "PatroniTiming",
    "PodOptions",
    "Pooler",
    "PoolerImage",
    "PrometheusOperator",
    "Resources",
    "Role",
    "Rule",
    "SealedSecrets",
    "SecretAccess",
    "SecretAdmission",
    "SecretCatalogue",
    "SecretHandle",
    "Section",
    "ServerCa",
    "ServiceOptions",
    "SosConfig",
    "SosNamespace",
    "SosSecrets",
    "TemplateSecrets",
    "Vault",
    "postgres_secret",
    "reload_on",
    "restricted",
    "version_annotations",
]
"""Adding a name is a minor version, removing one a major."""

CONSTRUCTS = ["ExternalDsns", "HaPostgres", "SecretAccess", "SecretAdmission", "SosConfig", "SosNamespace", "SosSecrets"]
HANDED_OUT = {"DatabaseHandle", "SecretHandle", "ServerCa"}
"""Made by constructs, not by users: their fields are described as attributes."""


def test_names():
    assert sos_constructs.__all__ == PINNED == sorted(PINNED, key=lambda name: (not name.isupper(), name[0].islower(), name))
    assert dir(sos_constructs) == sorted(PINNED)
    with pytest.raises(AttributeError, match="has no attribute 'HaPostgre'"):
        sos_constructs.__getattr__("HaPostgre")


def test_every_name_is_there_and_documented():
    for name in PINNED:
        value = getattr(sos_constructs, name)
        if isinstance(value, type) or inspect.isfunction(value):
            assert inspect.getdoc(value), name


@pytest.mark.parametrize("name", CONSTRUCTS)
def test_constructs(name: str):
    """``Construct(scope, id, *, options)``, every option with a default that works unless none can exist, and with its sentence."""
    kind: Any = getattr(sos_constructs, name)
    assert issubclass(kind, Construct)
    _, scope, identity, *options = inspect.signature(kind.__init__).parameters.values()
    assert (scope.name, identity.name) == ("scope", "id")
    described = set(re.findall(r":param (\w+):", inspect.getdoc(kind) or "") + re.findall(r":param (\w+):", inspect.getdoc(kind.__init__) or ""))
    for option in options:
        assert option.kind is option.KEYWORD_ONLY, option.name
        assert option.default is not option.empty or option.name in ("credentials", "databases", "readers", "source"), option.name
        assert option.name in described, f"{name}({option.name}=) is not described"
        assert option.annotation is not option.empty, option.name
    assert described - {"scope", "id"} == {option.name for option in options}, "described but gone"
    assert kind.__bases__ == (Construct,), "no inheritance for reuse"


def test_no_construct_is_forgotten():
    assert [name for name in PINNED if isinstance(kind := getattr(sos_constructs, name), type) and issubclass(kind, Construct)] == CONSTRUCTS


@pytest.mark.parametrize("name", [name for name in PINNED if attrs.has(kind := getattr(sos_constructs, name)) and isinstance(kind, type)])
def test_value_objects(name: str):
    """Frozen, and every field described in the docstring: meaning, unit, default."""
    kind: Any = getattr(sos_constructs, name)
    assert kind.__setattr__ is not object.__setattr__, "frozen"
    text = inspect.getdoc(kind) or ""
    if name not in HANDED_OUT and len(attrs.fields(kind)) > 1:
        for field in attrs.fields(kind):
            assert field.name.startswith("_") or re.search(f":(param|ivar) {field.name}:", text), f"{name}.{field.name}"


@pytest.mark.parametrize("name", CONSTRUCTS)
def test_public_methods_are_documented(name: str):
    kind: Any = getattr(sos_constructs, name)
    for member, value in vars(kind).items():
        if inspect.isfunction(value) and not member.startswith("_"):
            assert inspect.getdoc(value), f"{name}.{member}"
            assert "return" in inspect.get_annotations(value), f"{name}.{member}"


HEAVY = {"cdk8s_plus_27", "yaml", "typer", "rich", "cryptography", "hypothesis", "pytest"}


def loaded(code: str) -> set[str]:
    """Top-level modules that a fresh process has loaded after some code."""
    script = f"import sys\n{code}\nprint(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_importing_loads_nothing_heavy():
    assert loaded("import sos_constructs") & (HEAVY | {"cdk8s", "constructs", "jsii"}) == set()


def test_using_every_name_loads_nothing_but_cdk8s():
    found = loaded(f"from sos_constructs import {', '.join(PINNED)}")
    assert {"cdk8s", "constructs"} <= found
    assert found & HEAVY == set()


def test_synthesizing_the_reference_chart_loads_nothing_heavy(tmp_path: Path):
    code = f"import os\nos.environ['CDK8S_OUTDIR'] = {str(tmp_path)!r}\nimport main\nmain.main()"
    assert loaded(code) & HEAVY == set()
    assert list(tmp_path.iterdir())


def test_granting_to_a_plain_manifest_loads_nothing_heavy():
    manifest = {"kind": "Pod", "metadata": {"name": "a", "labels": {"app": "a"}}, "spec": {"containers": [{"name": "a"}]}}
    code = "from sos_constructs import HaPostgres, SosSecrets\nimport cdk8s\nchart = cdk8s.Chart(cdk8s.App(), 'a')\n"
    code += "db = HaPostgres(chart, 'db', credentials=SosSecrets(chart, 'secrets').postgres)\n"
    assert loaded(f"{code}db.grant({manifest}, database='auth')\ncdk8s.Testing.synth(chart)") & HEAVY == set()


def test_it_says_that_it_is_typed():
    assert (ROOT / "sos_constructs" / "py.typed").exists()
