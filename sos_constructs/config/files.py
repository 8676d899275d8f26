"""Layer files: flat keys in YAML or TOML.

YAML is read by a strict reader of the flat subset that a layer needs, the same with or without PyYAML installed. General readers guess
types and drop errors: with YAML 1.1 ``010`` is 8 and ``1:30`` is 90, and cdk8s's loader takes the second of two equal keys silently.
Here every scalar stays the text that was written, and the catalogue decides what it means; what is not understood is an error with its line.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import takewhile
from pathlib import Path

from sos_constructs.errors import InvalidOption

from attrs import frozen

_QUOTED = r""""[^"\\]*"|'(?:[^']|'')*'"""
_BLOCK_PLAIN = r"""(?:[^\s\-?:,\[\]{}#&*!|>'"%@`]|-(?=[^\s,\[\]{}]))(?:[^\s:#]|:(?=\S)|(?<=\S)#| +(?=[^\s#]))*"""
_FLOW_PLAIN = r"""(?:[^\s\-?:,\[\]{}#&*!|>'"%@`]|-(?=[^\s,\[\]{}]))(?:[^\s:#?,\[\]{}]|:(?=[^\s,\[\]{}])|(?<=\S)#| +(?=[^\s#?,\[\]{}]))*"""
_FLOW_ITEM = rf"{_QUOTED}|{_FLOW_PLAIN}"
_COMMENT = r"(?: *| +#.*)"
_PAIR = re.compile(rf"([A-Za-z_][A-Za-z0-9_.-]*) *:(?: +(?P<value>{_QUOTED}|{_BLOCK_PLAIN}|\[.*\]))?{_COMMENT}")
_FLOW = re.compile(rf"\[ *(?:(?:{_FLOW_ITEM})(?: *, *(?:{_FLOW_ITEM}))*)? *\]")
_ITEM = re.compile(rf"( *)- +(?P<value>{_QUOTED}|{_BLOCK_PLAIN}){_COMMENT}")
_NULL = ("~", "null", "Null", "NULL")
_LINE_BREAK = re.compile(r"\r\n|\r|\n")
_NO_YAML = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
"""What a flat file does not hold: control characters, and what some readers take for a line break or a byte order mark."""
_NOTHING = re.compile(r" *(?:#.*)?")
_TOML_KEY = re.compile(r"""\s*["']?([A-Za-z0-9_-]+)["']?\s*=""")
_FOR_EDITORS = re.compile(r"yaml-language-server:|:schema |vim?:|-\*-|SPDX-|Copyright\b")


@frozen(eq=False, kw_only=True)
class LayerFile:
    """What stands in a layer file.

    :param values: key → text as written, or list of it; from TOML typed.
    :param lines: key → line, where it is known.
    :param errors: line → what is wrong with it; of the values, those of the lines that are right.
    :param comment: what the comment at the head of the file says: why its values are what they are.
    """

    values: dict[str, object]
    lines: dict[str, int]
    errors: dict[int, str]
    comment: str

    def origins(self, path: Path) -> dict[str, str]:
        """Key → where it is set: ``site.yaml:3``."""
        return {key: f"{path}:{self.lines[key]}" if key in self.lines else str(path) for key in self.values}


def scan(path: Path) -> LayerFile:
    """What stands in a layer file, right or wrong.

    :raises InvalidOption: for a file that does not exist, is not UTF-8, is neither ``.yaml``, ``.yml`` nor ``.toml``, or is not TOML.
    """
    scanners = {".yaml": _scan_yaml, ".yml": _scan_yaml, ".toml": _scan_toml}
    if path.suffix not in scanners:
        raise InvalidOption("path", str(path), f"must end with one of {', '.join(scanners)}")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InvalidOption("path", str(path), f"cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InvalidOption("path", str(path), "is not UTF-8 text") from None
    return scanners[path.suffix](path, text)


def read_file(path: Path) -> LayerFile:
    """:func:`scan`, for a file that must be right.

    :raises InvalidOption: as there, and naming all lines that are wrong at once.
    """
    file = scan(path)
    if file.errors:
        raise InvalidOption(
            "path", str(path), "is not a layer file:\n  " + "\n  ".join(f"line {number}: {file.errors[number]}" for number in sorted(file.errors))
        )
    return file


def _scan_yaml(_: Path, text: str) -> LayerFile:
    values: dict[str, object] = {}
    lines: dict[str, int] = {}
    errors: dict[int, str] = {}
    opened: dict[str, list[str]] = {}  # keys without a value on their own line
    items: list[str] | None = None  # those of the key above, where a '- item' may come next
    indent, begun = "", False
    for number, line in enumerate(_LINE_BREAK.split(text), start=1):
        if found := _NO_YAML.search(line):
            errors[number] = (
                f"{line.strip()!r} contains U+{ord(found[0]):04X} in column {found.start() + 1}, which readers of YAML refuse or take for a line break"
            )
            items = None
            continue
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
            tab = f"{line.strip()!r} has a tab in column {line.index(chr(9)) + 1}; write spaces" if "\t" in line else ""
            errors[number] = tab or f"{line.strip()!r} is not 'KEY: value', 'KEY: [a, b]' or a '- item' below a key; layer files are flat"
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
    for key in [key for key, found in opened.items() if not found]:
        errors[lines[key]] = f"{key} has no value; write one, or leave the key out"
        del values[key]
    return LayerFile(values=values, lines=lines, errors=errors, comment=_comment(text))


def _comment(text: str) -> str:
    """The comment at the head, but for what it tells an editor."""
    head = takewhile(lambda line: line.startswith("#") or line.rstrip() == "---", text.splitlines())
    words = (line.lstrip("#").strip() for line in head if line.startswith("#"))
    return " ".join(line for line in words if line and not _FOR_EDITORS.match(line))


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


def _scan_toml(path: Path, text: str) -> LayerFile:
    import tomllib

    try:
        values: dict[str, object] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidOption("path", str(path), f"is not TOML: {error}") from None
    if tables := [key for key, value in values.items() if isinstance(value, Mapping)]:
        raise InvalidOption("path", str(path), f"has tables ({', '.join(tables)}); layer files are flat: write every key at the top level")
    # Readers of TOML tell no lines. A flat file sets a key once, at the beginning of a line.
    found = {match[1]: number for number, line in enumerate(text.splitlines(), start=1) if (match := _TOML_KEY.match(line))}
    return LayerFile(values=values, lines={key: found[key] for key in values if key in found}, errors={}, comment=_comment(text))
