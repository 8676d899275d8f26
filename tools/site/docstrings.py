"""Docstrings of the library as Markdown: sentences, a table of options, errors."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import sos_constructs

import attrs

_FIELD = re.compile(r"^:(?P<kind>param|raises?|returns?)(?: (?P<name>[\w.]+))?: ?(?P<text>.*(?:\n(?!:).*)*)", re.MULTILINE)
_CONSTANTS = {id(value): name for name in sos_constructs.__all__ if not callable(value := getattr(sos_constructs, name))}


def split(docstring: str | None) -> tuple[str, dict[str, str], list[str]]:
    """The sentences before the fields, the text of each option, and what is returned or raised."""
    text = markdown(inspect.cleandoc(docstring or ""))
    options: dict[str, str] = {}
    outcome = []
    for field in _FIELD.finditer(text):
        line = " ".join(field["text"].split())
        if field["kind"] == "param":
            options[field["name"]] = line
        else:
            outcome.append(f"Returns {line}" if field["kind"].startswith("return") else f"Raises `{field['name']}`: {line}")
    return _FIELD.sub("", text).strip(), options, outcome


def markdown(text: str) -> str:
    """Without the roles of reStructuredText: ``:class:`Name``` is code."""
    return re.sub(r":(?:\w+:)?\w+:`~?([^`]+)`", r"`\1`", re.sub(r"::\n\n((?:    .*\n?|\n)+)", _block, text))


def _block(match: re.Match[str]) -> str:
    return f":\n\n```python\n{inspect.cleandoc(match[1])}\n```\n"


def table(function: Callable[..., Any], options: dict[str, str], *, skip: tuple[str, ...] = ("self", "cls", "scope", "id")) -> list[str]:
    """One row for each parameter, with its type, default and meaning."""
    rows = [parameter for name, parameter in inspect.signature(function).parameters.items() if name not in skip]
    if not rows:
        return []
    lines = ["| option | type | default | meaning |", "|---|---|---|---|"]
    for row in rows:
        stars = "*" if row.kind is row.VAR_POSITIONAL else "**" if row.kind is row.VAR_KEYWORD else ""
        lines.append(f"| `{stars}{row.name}` | {_type(row.annotation)} | {_default(row.default)} | {_cell(options.get(row.name, ''))} |")
    return [*lines, ""]


def _type(annotation: object) -> str:
    shown = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", str(annotation))
    shown = shown.strip("'")
    return "" if annotation is inspect.Parameter.empty else f"`{_cell(shown)}`"


def _default(value: Any) -> str:
    if value is inspect.Parameter.empty:
        return "required"
    if value is attrs.NOTHING:
        return "see meaning"
    if id(value) in _CONSTANTS:
        return f"`{_CONSTANTS[id(value)]}`"
    if isinstance(value, timedelta):
        return f"`timedelta(seconds={value.total_seconds():g})`"
    if attrs.has(type(value)):
        changed = {
            field.name: getattr(value, field.name)
            for field in attrs.fields(type(value))
            if field.init and not hasattr(field.default, "factory") and getattr(value, field.name) != field.default
        }
        return f"`{type(value).__name__}({', '.join(f'{name}={shown!r}' for name, shown in changed.items())})`"
    return f"`{_cell(repr(value))}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
