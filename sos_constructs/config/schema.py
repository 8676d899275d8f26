"""The JSON Schema (2020-12) of a layer file: with it editors complete keys, show what they mean and underline what would be refused.

It describes what an editor's YAML parser makes of the file, while layers read the text itself, so the two differ in a few corners.

The schema takes, and layers refuse:

- text in a unit smaller than the key's that is no whole number of the key's (``90s`` where the key is in minutes);
- a number with more than six decimals, and ``1.0`` for a whole number, which JSON does not tell from ``1``;
- the same item twice within comma-separated text, or once as number and once as text;
- values that are right by themselves and break a rule between keys: that is what ``sosctl config check`` is for.

Layers take, and the schema refuses: unquoted words that YAML reads as something else (``APP_NAME: true``). Write quotes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from sos_constructs.config import ranges
from sos_constructs.config.layers import Layer
from sos_constructs.config.model import Catalogue, Key, Section
from sos_constructs.config.values import (
    DURATION_SYMBOLS,
    DURATION_UNITS,
    LONGEST,
    MICROSECOND,
    SIZE_SYMBOLS,
    SIZE_UNITS,
    Bool,
    Choice,
    Duration,
    Float,
    Int,
    Items,
    Size,
    Text,
    Type,
    Value,
    suffix,
)

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema(catalogue: Catalogue, examples: Iterable[Layer] = ()) -> dict[str, Any]:
    """The schema of a layer file for the catalogue.

    :param examples: layers to show as examples; they must be valid.
    """
    properties = {key.name: _property(section, key) for section in catalogue.sections for key in section.keys}
    shown = [{name: plain(catalogue.key(name), catalogue.key(name).read(value)[0]) for name, value in layer.values.items()} for layer in examples]
    return {
        "$schema": DIALECT,
        "title": "Configuration layer",
        "description": "Flat keys whose values replace those of the layers before. Keys that are left out keep their value.",
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
        **({"examples": shown} if shown else {}),
    }


def plain(key: Key, value: Value) -> str | int | float | bool | list[str | int]:
    """A typed value as JSON has it: durations and sizes as numbers of the key's unit, lists as lists."""
    if isinstance(value, timedelta):
        return value // MICROSECOND // DURATION_UNITS[suffix(key.name)][1]
    return list(value) if isinstance(value, tuple) else value


def constraints(key: Key) -> dict[str, Any]:
    """What JSON Schema can say of a value of the key."""
    return _of(key.type, key.name)


def _property(section: Section, key: Key) -> dict[str, Any]:
    typed, text = key.read(key.default)
    deprecated = f" Deprecated: {key.deprecated}." if key.deprecated else ""
    return {
        "title": f"{section.title}{f' ({key.unit})' if key.unit else ''}",
        "description": f"{key.doc} Must be {key.allowed}. Default {text or '(empty)'}: {key.reason}.{deprecated}",
        **constraints(key),
        "default": plain(key, typed),
        **({"deprecated": True} if key.deprecated else {}),
        "patternErrorMessage": f"must be {key.allowed}",  # shown by Visual Studio Code and yaml-language-server; others pass over it
    }


def _of(type: Type, name: str) -> dict[str, Any]:
    match type:
        case Choice(options=options):
            return {"enum": [*options, *(value for option in options if (value := _unquoted(option)) is not None)]}
        case Bool():
            return {"type": ["boolean", "string"], "pattern": _whole(type, name)}
        case Int(least=least, most=most):
            return {"type": ["integer", "string"], "minimum": least, "maximum": most, "pattern": _whole(type, name)}
        case Float(least=least, most=most):
            return {"type": ["number", "string"], "minimum": least, "maximum": most, "pattern": _whole(type, name)}
        case Duration() | Size():
            least, most, unit, _ = _amounts(type, name)
            return {"type": ["integer", "string"], "minimum": -(-least // unit), "maximum": most // unit, "pattern": _whole(type, name)}
        case Text():
            return {"type": "string", "maxLength": LONGEST, "pattern": _whole(type, name)}
        case Items(of=of, at_least=at_least):
            item = _of(of, name)
            alone: dict[str, Any] = {bound: item[bound] for bound in ("minimum", "maximum") if bound in item}  # a list of one, written as a number
            types = ["array", "string", *(["integer"] if alone else [])]
            return {"type": types, "items": item, "minItems": at_least, "uniqueItems": True, **alone, "pattern": _whole(type, name)}
        case _:
            return {}  # a kind of value that this module does not know: the layer decides


def _whole(type: Type, name: str) -> str:
    """A pattern of the whole text. ``$`` would let Python's readers pass a line end after it."""
    return f"^(?:{_text(type, name)})(?![\\s\\S])"


def _text(type: Type, name: str) -> str:
    """A pattern of the value as text, in the part of the language that Python and ECMAScript share."""
    match type:
        case Choice(options=options):
            return "|".join(ranges.literal(option) for option in options)
        case Bool():
            return "true|false"
        case Int(least=least, most=most):
            return ranges.integers(least, most)
        case Float(least=least, most=most):
            return ranges.decimals(least, most, places=6)
        case Duration() | Size():
            least, most, unit, symbols = _amounts(type, name)
            return ranges.amounts(least, most, unit, symbols)
        case Text(pattern=pattern):
            return pattern
        case Items(of=of, at_least=at_least):
            item = f"(?:{_text(of, name)})"
            items = rf" *{item} *(?:, *{item} *){{{max(at_least - 1, 0)},}}"
            return items if at_least else f"(?:{items})?"
        case _:
            return r"[\s\S]*"


def _amounts(type: Duration | Size, name: str) -> tuple[int, int, int, Mapping[str, int]]:
    """Least, most and the key's unit in the smallest unit there is, and the symbols that text may use."""
    if isinstance(type, Duration):
        return type.least // MICROSECOND, type.most // MICROSECOND, DURATION_UNITS[suffix(name)][1], DURATION_SYMBOLS
    unit = SIZE_UNITS[suffix(name)][1]
    return type.least * unit, type.most * unit, unit, SIZE_SYMBOLS


def _unquoted(option: str) -> int | bool | None:
    """What YAML makes of the word without quotes, where that is not text; a layer takes the word as it was written."""
    return int(option) if ranges.is_integer(option) else {"true": True, "false": False}.get(option)
