"""`sosctl config`: what it says to people and to programs, and how it ends."""

from __future__ import annotations

import json
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

from sos_constructs.cli.app import app
from sos_constructs.cli.config import COMMANDS
from sos_constructs.config import docs
from sos_constructs.config import schema as schemas
from sos_constructs.config.bindings import render
from sos_constructs.config.catalogue import SOS
from sos_constructs.config.construct import _wire
from sos_constructs.config.environments import ENVIRONMENTS
from sos_constructs.config.explain import WIRED_KEYS, kind, notes
from sos_constructs.config.inspection import inspect
from sos_constructs.config.layers import Layer, resolve
from sos_constructs.config.model import Catalogue, Key, Section
from sos_constructs.config.values import BOOL, HOST, Choice, Int, Items

import pytest
from typer.testing import CliRunner, Result

EU = "# the EU region\nTZ: Europe/Berlin\nLOG_LEVEL: warn\nSESSION_TIMEOUT_MINUTES: 2h\n"
STAGING = Path(__file__).parents[2] / "sos_constructs" / "config" / "environments.py"
MADE = next(line for line, text in enumerate(STAGING.read_text().splitlines(), start=1) if text.startswith('    "staging": Layer('))
PLACE = f"sos_constructs/config/environments.py:{MADE}"


RULES = {rule.id: rule for rule in SOS.rules}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a layer file."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "eu.yaml").write_text(EU)
    return tmp_path


def config(*arguments: str, **environment: str) -> Result:
    result = CliRunner(env=environment).invoke(app, ["config", *arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert "Traceback" not in result.output
    return result


def told(*arguments: str, code: int = 0) -> Any:
    result = config(*arguments, "--format", "json")
    assert (result.exit_code, result.stderr) == (code, "")
    return json.loads(result.stdout)


def test_explain_says_everything_of_a_key():
    result = config("explain", "LOG_LEVEL", "--env", "staging", "--layer", "eu.yaml")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == (
        "LOG_LEVEL=warn\n"
        "  meaning    Least important level that is still logged.\n"
        "  type       one of a few words\n"
        "  allowed    one of error, warn, info, http, verbose, debug, silly\n"
        "  ConfigMap  sos-app-logging (section logging)\n"
        "  set by     eu.yaml:3: the EU region\n"
        f"  overrode   debug from staging ({PLACE}): {ENVIRONMENTS['staging'].reason}\n"
        "  overrode   info from defaults: the requirement's value\n"
        f"  rule       production-debug-logging: {RULES['production-debug-logging'].demand}, because {RULES['production-debug-logging'].reason}"
        f" ({RULES['production-debug-logging'].source})\n"
    )


def test_explain_for_programs():
    assert told("explain", "SESSION_TIMEOUT_MINUTES", "--layer", "eu.yaml") == {
        "key": "SESSION_TIMEOUT_MINUTES",
        "value": "120",
        "layer": "eu.yaml",
        "reason": "the EU region",
        "origin": "eu.yaml:4",
        "larger_unit": "2 hours",
        "meaning": "A session ends after this time without use.",
        "type": "duration",
        "unit": "minutes",
        "allowed": "a whole number of minutes from 1 to 1440",
        "section": "security",
        "config_map": "sos-app-security",
        "overrode": [{"value": "30", "layer": "defaults", "reason": "the requirement's value", "origin": ""}],
        "rules": [
            {"id": rule.id, "keys": list(rule.keys), "demand": rule.demand, "reason": rule.reason, "source": rule.source}
            for rule in SOS.rules
            if "SESSION_TIMEOUT_MINUTES" in rule.keys
        ],
        "waived": [],
        "notes": [],
    }


def test_explain_names_unit_and_rules():
    text = config("explain", "JWT_ACCESS_TOKEN_TTL_MINUTES").stdout
    assert "  type       duration, in minutes\n" in text
    assert f"  rule       access-before-refresh: {RULES['access-before-refresh'].demand}, because " in text
    assert "in seconds (2 hours)" in config("explain", "CORS_MAX_AGE_SECONDS").stdout


def test_wired_keys_show_the_default_with_a_note(folder: Path):
    class Endpoint:
        primary_host = readonly_host = "db"
        port = 5432
        client_connections = 90

    assert set(_wire(Endpoint(), SOS).values) == set(WIRED_KEYS)
    for key in WIRED_KEYS:
        (note,) = told("explain", key)["notes"]
        assert note.startswith("this is the catalogue's default; where SosConfig gets postgres=")
    assert re.search(r"^POSTGRES_HOST +postgres-service +defaults, unless wired$", config("list", "--section", "database").stdout, re.MULTILINE)
    (folder / "db.yaml").write_text("POSTGRES_HOST: db\n")
    assert told("explain", "POSTGRES_HOST", "-l", "db.yaml")["notes"][0].startswith("where SosConfig gets postgres=")


def test_layers_in_python_tell_the_line_that_made_them(folder: Path):
    (folder / "mine.py").write_text(
        "from datetime import timedelta\nfrom sos_constructs.config.layers import Layer\n\n"
        "LOAD = Layer('load-test', {'LOG_LEVEL': 'error'}, reason='one client plays a thousand')\n"
        "BOTH = [\n    LOAD,\n    Layer('long', {'SESSION_TIMEOUT_MINUTES': timedelta(hours=1)}),\n]\nNUMBER = 5\nNONE = []\n"
    )
    assert "  set by     load-test (mine.py:4): one client plays a thousand\n" in config("explain", "LOG_LEVEL", "-l", "mine.py:LOAD").stdout
    both = told("list", "--layer", "mine.py:BOTH", "--set-by", "long")
    assert [(found["key"], found["value"], found["origin"]) for found in both] == [("SESSION_TIMEOUT_MINUTES", "60", "mine.py:7")]


def test_list():
    rows = config("list").stdout.splitlines()
    assert rows[0].split() == ["KEY", "VALUE", "UNIT", "SET", "BY", "OVERRODE"]
    assert [row.split()[0] for row in rows[1:]] == list(SOS.keys)
    assert [row["key"] for row in told("list", "-s", "logging", "-s", "app")] == [key.name for name in ("app", "logging") for key in SOS.section(name).keys]
    staging = told("list", "--env", "staging", "--set-by", "staging")
    assert {row["key"]: row["value"] for row in staging}.keys() == ENVIRONMENTS["staging"].values.keys()
    assert {row["origin"] for row in staging} == {PLACE}
    assert told("list", "--set-by", "production") == []
    assert told("list", "--section", "retry")[0] == told("explain", told("list", "--section", "retry")[0]["key"])
    assert re.search(r"^TZ +Europe/Berlin +eu\.yaml:2 +UTC \(defaults\)$", config("list", "-l", "eu.yaml", "--set-by", "eu.yaml").stdout, re.MULTILINE)


def test_diff_of_environments():
    result = config("diff", "staging", "production")
    assert result.exit_code == 1
    rows = [re.split("  +", row) for row in result.stdout.splitlines()]
    assert rows[0] == ["KEY", "STAGING", "SET BY", "PRODUCTION", "SET BY"]
    assert {row[0] for row in rows[1:]} == ENVIRONMENTS["staging"].values.keys()
    assert ["LOG_LEVEL", "debug", f"staging ({PLACE})", "info", "defaults"] in rows
    found = told("diff", "staging", "production", code=1)
    assert (found["left"], found["right"]) == ("staging", "production")
    level = next(each for each in found["differences"] if each["key"] == "LOG_LEVEL")
    assert (level["left"]["origin"], level["left"]["reason"]) == (PLACE, ENVIRONMENTS["staging"].reason)
    assert (level["right"]["layer"], level["right"]["reason"]) == ("defaults", "the requirement's value")


def test_diff_of_layers(folder: Path):
    (folder / "us").mkdir()
    (folder / "us" / "eu.yaml").write_text("LOG_LEVEL: warn\nTZ: America/New_York\n")
    result = config("diff", "--layer", "eu.yaml", "--layer", "us/eu.yaml")
    assert [re.split("  +", row) for row in result.stdout.splitlines()] == [
        ["KEY", "eu.yaml", "SET BY", "us/eu.yaml", "SET BY"],
        ["TZ", "Europe/Berlin", "eu.yaml:2", "America/New_York", "us/eu.yaml:2"],
        ["SESSION_TIMEOUT_MINUTES", "120", "eu.yaml:4", "30", "defaults"],
    ]
    assert result.exit_code == 1


def test_diff_of_the_same():
    result = config("diff", "staging", "staging")
    assert (result.exit_code, result.stdout) == (0, "no difference\n")
    assert told("diff", "--layer", "eu.yaml", "--layer", "eu.yaml", "--env", "staging") == {"left": "eu.yaml", "right": "eu.yaml", "differences": []}


def test_check_finds_everything_at_once(folder: Path):
    (folder / "bad.yaml").write_text("LOG_LEVL: warn\nTZ:\nSESSION_TIMEOUT_MINUTES: 90s\nA: {b: c}\nPOSTGRES_POOL_MIN_CONNECTIONS: 20\nTZ: UTC\n")
    (folder / "bad.toml").write_text("LOG_FORMAT = 'xml'\n")
    (folder / "worse.toml").write_text("A = 1\nA = 2\n")
    result = config("check", "eu.yaml", "bad.yaml", "bad.toml", "worse.toml", "none.yaml")
    assert result.exit_code == 1
    assert [line.split("=")[0] if "toml" in line else line[:70] for line in result.stdout.splitlines()] == [
        "bad.yaml:1: key='LOG_LEVL' does not exist (did you mean 'LOG_LEVEL'?)",
        "bad.yaml:2: TZ has no value; write one, or leave the key out",
        "bad.yaml:3: SESSION_TIMEOUT_MINUTES='90s' must be a whole number of minutes"[:70],
        "bad.yaml:4: 'A: {b: c}' is not 'KEY: value', 'KEY: [a, b]' or a '- item' b"[:70],
        "bad.yaml:5: POSTGRES_POOL_MIN_CONNECTIONS=20 (layer 'bad.yaml', bad.yaml:5"[:70],
        "bad.yaml:6: TZ is set on line 2 already; leave one out",
        "bad.toml:1: LOG_FORMAT",
        "worse.toml:2: is not TOML: Cannot overwrite a value (at line 2, column 6)",
        "none.yaml: cannot be read: No such file or directory",
        "5 files: 9 errors",
    ]
    found = told("check", "bad.yaml", code=1)
    assert [(each["file"], each["line"], each["problem"]) for each in found] == [("bad.yaml", line, "error") for line in range(1, 7)]


def test_check_of_what_is_right(folder: Path):
    assert (config("check", "eu.yaml").exit_code, config("check", "eu.yaml").stdout) == (0, "1 file: nothing wrong\n")
    assert told("check", "eu.yaml") == []
    (folder / "odd.yaml").write_text("API_VERSION: v1\nPOSTGRES_HOST: db\n")
    result = config("check", "odd.yaml")
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "odd.yaml:1: note: API_VERSION is v1 in every environment already; leave it out",
        "odd.yaml:2: note: POSTGRES_HOST: where SosConfig gets postgres=, the value is taken from there, and no layer may set it",
        "1 file: nothing wrong",
    ]


def test_check_over_other_layers(folder: Path):
    """A rule that the file breaks only with what lies below it."""
    (folder / "below.yaml").write_text("POSTGRES_POOL_MAX_CONNECTIONS: 3\n")
    (folder / "above.yaml").write_text("POSTGRES_POOL_MIN_CONNECTIONS: 4\n")
    assert config("check", "above.yaml").exit_code == 0
    assert config("check", "above.yaml", "--layer", "below.yaml").exit_code == 1
    (folder / "below.yaml").write_text("LOG_LEVEL: loud\n")
    assert config("check", "above.yaml", "--layer", "below.yaml").exit_code == 0, "what is wrong below is not this file's"


def test_deprecated_keys_are_noted(folder: Path):
    old = Key("OLD_ENABLED", BOOL, True, "What was.", "it was so", deprecated="since 0.2: set NEW_ENABLED")
    catalogue = Catalogue([Section(name="a", title="A", doc="A.", keys=(old,))])
    (folder / "old.yaml").write_text("OLD_ENABLED: false\n")
    assert [str(found) for found in inspect(catalogue, Path("old.yaml"))] == ["old.yaml:1: note: OLD_ENABLED is deprecated since 0.2: set NEW_ENABLED"]
    assert notes(resolve(catalogue, ())["OLD_ENABLED"]) == ["is deprecated since 0.2: set NEW_ENABLED"]


def test_kinds_in_words():
    assert kind(Items(HOST)) == "list, each item a text"
    assert kind(Items(Int(1, 2))) == "list, each item a whole number"
    assert kind(Items(Choice("a"))) == "list, each item one of a few words"


def test_schema(folder: Path):
    assert told("schema") == json.loads(config("schema").stdout) == schemas.schema(SOS, [ENVIRONMENTS["development"], ENVIRONMENTS["staging"]])
    assert config("schema", "--format", "table").stdout.splitlines()[2].split()[:2] == ["APP_ENVIRONMENT", "production"]


def test_docs():
    assert config("docs").stdout == docs.markdown()
    rows = told("docs")
    assert [row["key"] for row in rows] == list(SOS.keys)
    assert all(row["meaning"] and row["reason"] and row["allowed"] for row in rows)


def test_env(folder: Path):
    text = config("env").stdout
    assert text.startswith("# sosctl config env --env development\n")
    assert "\nLOG_LEVEL=debug\n" in text
    text = config("env", "--env", "production", "--layer", "eu.yaml").stdout
    assert text.startswith("# sosctl config env --env production --layer eu.yaml\n")
    assert "\nTZ=Europe/Berlin\n" in text
    assert told("env", "-e", "staging") == {key: setting.text for key, setting in resolve(SOS, (ENVIRONMENTS["staging"],)).items()}


@pytest.mark.parametrize("language", ["python", "typescript"])
def test_bindings(language: str):
    assert config("bindings", language).stdout == render(language, SOS.sections)
    assert config("bindings", language, "-s", "kafka").stdout == render(language, [SOS.section("kafka")])
    assert [row["key"] for row in told("bindings", language, "-s", "logging")] == [key.name for key in SOS.section("logging").keys]


DEBUG = ["--waive", "production-debug-logging=we look for a fault this week"]


def test_waived_rules_show_with_their_reason(folder: Path):
    (folder / "debug.yaml").write_text("LOG_LEVEL: debug\n")
    result = config("explain", "LOG_LEVEL", "--layer", "debug.yaml")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "[rule production-debug-logging]" in result.stderr
    text = config("explain", "LOG_LEVEL", "--layer", "debug.yaml", *DEBUG).stdout
    assert re.search(r"^  waived     production-debug-logging: we look for a fault this week\. What is broken: .*LOG_LEVEL=debug", text, re.MULTILINE)
    (waived,) = told("explain", "APP_ENVIRONMENT", "--layer", "debug.yaml", *DEBUG)["waived"]
    assert waived.keys() == {"id", "reason", "violation"}
    page = config("docs", "--layer", "debug.yaml", *DEBUG).stdout
    assert page.startswith(docs.markdown())
    assert "| `production-debug-logging` | we look for a fault this week | " in page.removeprefix(docs.markdown())
    assert told("list", "--layer", "debug.yaml", *DEBUG, "--set-by", "debug.yaml")[0]["key"] == "LOG_LEVEL"
    assert told("env", "-e", "production", "--layer", "debug.yaml", *DEBUG)["LOG_LEVEL"] == "debug"


def test_a_waiver_for_one_of_several_layers_is_no_fault_of_the_others(folder: Path):
    (folder / "debug.yaml").write_text("LOG_LEVEL: debug\n")
    assert config("check", "eu.yaml", "debug.yaml").exit_code == 1
    assert config("check", "eu.yaml", "debug.yaml", *DEBUG).exit_code == 0
    assert config("diff", "--layer", "eu.yaml", "--layer", "debug.yaml").exit_code == 2
    assert config("diff", "--layer", "eu.yaml", "--layer", "debug.yaml", *DEBUG).exit_code == 1


def test_another_catalogue(folder: Path):
    """A project with keys and environments of its own gets every command for them."""
    (folder / "shop.py").write_text(
        "from sos_constructs.config.model import Catalogue, Key, Section\nfrom sos_constructs.config.layers import Layer\n"
        "from sos_constructs.config.values import BOOL\n"
        "BARE = Catalogue([Section('tills', [Key('TILL_OPEN', BOOL, True, 'Opens.', 'trade')])])\n"
        "SHOP = Catalogue(BARE.sections, environments={'night': Layer('night', {'TILL_OPEN': False})})\n"
    )
    shop = ["--catalogue", "shop.py:SHOP", "--prefix", "shop"]

    def ask(*arguments: str) -> Result:
        return CliRunner().invoke(app, ["config", *shop, *arguments])

    assert ask("explain", "TILL_OPEN", "--env", "night").stdout == (
        "TILL_OPEN=false\n  meaning    Opens.\n  type       true or false\n  allowed    true or false\n"
        "  ConfigMap  shop-tills (section tills)\n  set by     night (shop.py:5)\n  overrode   true from defaults: trade\n"
    )
    assert ask("docs", "--env", "night").stdout == docs.markdown(runpy.run_path("shop.py")["SHOP"], prefix="shop")
    assert json.loads(ask("schema").stdout)["properties"].keys() == {"TILL_OPEN"}
    assert "TILL_OPEN=false\n" in ask("env", "--env", "night").stdout
    assert "tills: TillsSettings" in ask("bindings", "python").stdout
    assert ask("list").stderr.startswith("sosctl: environment='production' must be one of night")
    shop[1] = "shop.py:BARE"
    assert ask("list").stdout.splitlines()[1].split() == ["TILL_OPEN", "true", "defaults"]
    assert "TILL_OPEN=true" in config("explain", "TILL_OPEN", SOSCTL_CATALOGUE="shop.py:BARE").stdout
    (folder / "till.yaml").write_text("TILL_OPEN: true\nLOG_LEVEL: info\n")
    assert ask("check", "till.yaml").stdout.splitlines() == [
        "till.yaml:2: key='LOG_LEVEL' does not exist",
        "till.yaml:1: note: TILL_OPEN is true in every environment already; leave it out",
        "1 file: 1 error",
    ]
    for wrong, message in {"shop.py": "must be file.py:NAME", "shop.py:Key": "must be a Catalogue; Key is ", "none.py:X": "cannot be read"}.items():
        shop[1] = wrong
        assert ask("list").stderr.startswith(f"sosctl: catalogue='{wrong}' {message}")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["explain", "LOG_LEVL"], "key='LOG_LEVL' does not exist (did you mean 'LOG_LEVEL'?)"),
        (["explain", "TZ", "--env", "prodction"], "environment='prodction' must be one of development, staging, production (did you mean 'production'?)"),
        (["explain", "TZ", "--layer", "none.yaml"], "path='none.yaml' cannot be read: No such file or directory"),
        (["explain", "TZ", "--layer", "eu.json"], "path='eu.json' must end with one of .yaml, .yml, .toml"),
        (["explain", "TZ", "-l", "eu.yaml", "-l", "eu.yaml"], "layers=['production', 'eu.yaml', 'eu.yaml'] must have names of their own"),
        (["explain", "TZ", "-l", "wrong.yaml"], "layers=['production', 'wrong.yaml'] have an error:"),
        (["list", "--section", "loging"], "section='loging' does not exist (did you mean 'logging'?)"),
        (["list", "--set-by", "default"], "set-by='default' is no layer here (did you mean 'defaults'?); there are: defaults, production"),
        (["list", "--layer", "none.py:X"], "layer='none.py:X' cannot be read: there is no file none.py"),
        (["list", "--layer", "mine.py:X"], "layer='mine.py:X' cannot be read: mine.py has no X"),
        (["list", "--layer", "raises.py:X"], "layer='raises.py:X' cannot be read: raises.py raised ZeroDivisionError: division by zero"),
        (["list", "--layer", "exits.py:X"], "layer='exits.py:X' cannot be read: exits.py raised SystemExit: 0"),
        (["diff"], "diff=[] needs two things to compare"),
        (["diff", "staging"], "diff=['staging'] needs two things to compare"),
        (["diff", "staging", "production", "-l", "eu.yaml"], "diff=['staging', 'production'] needs two things"),
        (["diff", "staging", "prod"], "environment='prod' must be one of"),
        (["check", "eu.yaml", "--env", "prod"], "environment='prod' must be one of"),
        (["explain", "TZ", "--waive", "production-debug=x"], "waive='production-debug' names no rule (did you mean 'production-debug-logging'?)"),
        (["check", "eu.yaml", "--waive", "production-debug-logging"], "waive='production-debug-logging' must say why: RULE=REASON"),
        (["list", *DEBUG], "layers=['production'] have an error:"),
        (["env", "--env", "prod"], "environment='prod' must be one of"),
        (["bindings", "python", "-s", "x"], "section='x' does not exist"),
    ],
)
def test_bad_input_is_one_message_and_exit_code_2(arguments: list[str], message: str, folder: Path):
    (folder / "mine.py").write_text("")
    (folder / "raises.py").write_text("1 / 0\n")
    (folder / "exits.py").write_text("raise SystemExit(0)\n")
    (folder / "wrong.yaml").write_text("LOG_LEVEL: loud\n")
    result = config(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"sosctl: {message}")


@pytest.mark.parametrize("arguments", [["bindings", "perl"], ["explain"], ["check"], ["list", "--format", "xml"], ["nonsense"]])
def test_bad_usage_has_exit_code_2(arguments: list[str]):
    assert config(*arguments).exit_code == 2


def test_every_command_takes_a_format_and_documents_its_exit_codes():
    assert [name for name, _ in COMMANDS] == ["explain", "list", "diff", "check", "schema", "docs", "env", "bindings"]
    for name, _ in COMMANDS:
        text = config(name, "--help", COLUMNS="200").output
        assert "table|json" in text, name
        assert "Exit code" in text, name


def test_a_terminal_gets_a_table_that_fits():
    result = config("diff", "staging", "production", FORCE_COLOR="1", COLUMNS="90", TERM="xterm-256color")
    assert "\x1b[1m" in result.stdout
    plain = re.sub(r"\x1b\[[0-9;]*m", "", result.stdout).splitlines()
    assert max(map(len, plain)) <= 90
    assert any(line.startswith("FEATURE_WEARABLE_INTEGRATION_ENABLED ") for line in plain), "keys are never broken"
    card = config("explain", "LOG_LEVEL", FORCE_COLOR="1", COLUMNS="60", TERM="xterm-256color").stdout
    assert max(len(re.sub(r"\x1b\[[0-9;]*m", "", line)) for line in card.splitlines()) <= 60


def test_shells_complete_keys_environments_and_sections():
    def complete(words: str) -> list[str]:
        environment = os.environ | {"_SOSCTL_COMPLETE": "complete_bash", "COMP_WORDS": f"sosctl config {words}", "COMP_CWORD": str(len(words.split()) + 1)}
        done = subprocess.run(
            [sys.executable, "-c", "from sos_constructs.cli import main; main()"],
            env=environment | {"PYTHONPATH": str(Path(docs.__file__).parents[2])},
            capture_output=True,
            text=True,
        )
        return done.stdout.split()

    assert complete("explain KAFKA_TOPIC_DE") == ["KAFKA_TOPIC_DEVICE_STATUS", "KAFKA_TOPIC_DEVICE_ALERT", "KAFKA_TOPIC_DEAD_LETTER"]
    assert complete("list --env st") == ["staging"]
    assert complete("explain TZ --waive production-d") == ["production-debug-logging="]


def test_reading_the_catalogue_starts_no_node():
    """Every command answers at once: cdk8s and jsii are not loaded."""
    program = "import sys; from sos_constructs.cli.app import app\n"
    program += "app(['config', 'explain', 'TZ'], standalone_mode=False); print('jsii' in sys.modules, 'cdk8s' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], env=os.environ | {"PYTHONPATH": str(Path(docs.__file__).parents[2])}, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "False False", done.stderr


def test_what_is_explained_is_what_the_layers_say():
    expected = resolve(SOS, (ENVIRONMENTS["staging"], Layer.from_file("eu.yaml")))
    for row in told("list", "--env", "staging", "--layer", "eu.yaml"):
        assert (row["value"], row["layer"], row["reason"]) == (expected[row["key"]].text, expected[row["key"]].layer, expected[row["key"]].reason)
