"""Layer files: flat keys in YAML or TOML.

YAML is read by a strict reader of the flat subset that a layer needs, the same with or without PyYAML installed. General readers guess
types and drop errors: with YAML 1.1 ``010`` is 8 and ``1:30`` is 90, and cdk8s's loader takes the second of two equal keys silently.
Here every scalar stays the text that was written, and the catalogue decides what it means; what is not understood is an error with its line.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

from sos_constructs.errors import InvalidOption

_QUOTED = r""""[^"\\]*"|'(?:[^']|'')*'"""
_BLOCK_PLAIN = r"""(?:[^\s\-?:,\[\]{}#&*!|>'"%@`]|-(?=[^\s,\[\]{}]))(?:[^\s:#]|:(?=\S)|(?<=\S)#| +(?=[^\s#]))*"""
_FLOW_PLAIN = r"""(?:[^\s\-?:,\[\]{}#&*!|>'"%@`]|-(?=[^\s,\[\]{}]))(?:[^\s:#?,\[\]{}]|:(?=[^\s,\[\]{}])|(?<=\S)#| +(?=[^\s#?,\[\]{}]))*"""
_FLOW_ITEM = rf"{_QUOTED}|{_FLOW_PLAIN}"
_COMMENT = r"(?: *| +#.*)"
_PAIR = re.compile(rf"([A-Za-z_][A-Za-z0-9_.-]*) *:(?: +(?P<value>{_QUOTED}|{_BLOCK_PLAIN}|\[.*\]))?{_COMMENT}")
_FLOW = re.compile(rf"\[ *(?:(?:{_FLOW_ITEM})(?: *, *(?:{_FLOW_ITEM}))*)? *\]")
_ITEM = re.compile(rf"( *)- +(?P<value>{_QUOTED}|{_BLOCK_PLAIN}){_COMMENT}")
_NULL = ("~", "null", "Null", "NULL")
_NOTHING = re.compile(r" *(?:#.*)?")


def read_file(path: Path) -> tuple[dict[str, object], dict[str, str]]:
    """The values of a layer file, and where each stands (``site.yaml:3``; TOML readers tell no lines).

    :raises InvalidOption: for a file that does not exist, is not UTF-8, is neither ``.yaml``, ``.yml`` nor ``.toml``, or holds anything
        but flat keys; all lines that are wrong at once.
    """
    readers = {".yaml": _read_yaml, ".yml": _read_yaml, ".toml": _read_toml}
    if path.suffix not in readers:
        raise InvalidOption("path", str(path), f"must end with one of {', '.join(readers)}")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InvalidOption("path", str(path), f"cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InvalidOption("path", str(path), "is not UTF-8 text") from None
    return readers[path.suffix](path, text)


def _read_yaml(path: Path, text: str) -> tuple[dict[str, object], dict[str, str]]:
    values: dict[str, object] = {}
    lines: dict[str, int] = {}
    errors: dict[int, str] = {}
    opened: dict[str, list[str]] = {}  # keys without a value on their own line
    items: list[str] | None = None  # those of the key above, where a '- item' may come next
    indent, begun = "", False
    for number, line in enumerate(text.splitlines(), start=1):
        if _NOTHING.fullmatch(line):
            continue
        first, begun = not begun, True
        if first and line.rstrip(" ") == "---":
            continue
        item = _ITEM.fullmatch(line)
        if item and items is not None and (not items or item[1] == indent):
            items.append(_scalar(item["value"]))
            indent = item[1]
            continue
        pair, items = _PAIR.fullmatch(line), None
        value = _value(pair["value"]) if pair else None
        if not pair or value is None:
            errors[number] = f"{line.strip()!r} is not 'KEY: value', 'KEY: [a, b]' or a '- item' below a key; layer files are flat"
            continue
        key = pair[1]
        if isinstance(value, list) and pair["value"] is None:
            items = value
        if key in lines:
            errors[number] = f"{key} is set on line {lines[key]} already; leave one out"
            continue
        values[key], lines[key] = value, number
        if items is not None or pair["value"] in _NULL:
            opened[key] = [] if items is None else items
    errors |= {lines[key]: f"{key} has no value; write one, or leave the key out" for key, found in opened.items() if not found}
    if errors:
        raise InvalidOption("path", str(path), "is not a layer file:\n  " + "\n  ".join(f"line {number}: {errors[number]}" for number in sorted(errors)))
    return values, {key: f"{path}:{line}" for key, line in lines.items()}


def _value(text: str | None) -> str | list[str] | None:
    """What stands after the colon: an empty list if nothing does, ``None`` if it is not understood."""
    if text is None:
        return []
    if not text.startswith("["):
        return _scalar(text)
    return [_scalar(item[0]) for item in re.finditer(_FLOW_ITEM, text[1:-1])] if _FLOW.fullmatch(text) else None


def _scalar(text: str) -> str:
    if text.startswith('"'):
        return text[1:-1]
    return text[1:-1].replace("''", "'") if text.startswith("'") else text


def _read_toml(path: Path, text: str) -> tuple[dict[str, object], dict[str, str]]:
    toml = _toml(path)
    try:
        values: dict[str, object] = toml.loads(text)
    except toml.TOMLDecodeError as error:
        raise InvalidOption("path", str(path), f"is not TOML: {error}") from None
    if tables := [key for key, value in values.items() if isinstance(value, Mapping)]:
        raise InvalidOption("path", str(path), f"has tables ({', '.join(tables)}); layer files are flat: write every key at the top level")
    return values, dict.fromkeys(values, str(path))


def _toml(path: Path) -> ModuleType:
    """The standard library's reader from Python 3.11 on, else the package it came from."""
    for name in ("tomllib", "tomli"):
        if find_spec(name):
            return import_module(name)
    raise InvalidOption("path", str(path), "needs Python 3.11 or the package tomli; install it, or write the layer in YAML")
