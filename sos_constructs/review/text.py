"""Texts of several lines, as ConfigMaps hold them: by setting or field where the form is known, else line by line."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from sos_constructs.review.model import Difference, Path, Step

Differences = Callable[[Any, Any, Path], Iterator[Difference]]

#: ``name = value  # comment``, the value perhaps in single quotes (PostgreSQL manual, "Parameter Interaction via the Configuration File").
_SETTING = re.compile(r"\s*([A-Za-z_][A-Za-z0-9_.]*)\s*(?:=\s*|\s)\s*('(?:[^'\\]|''|\\.)*'|[^\s#']+)\s*(?:#.*)?")

COMMENTS = Step("comments and order", item=True)
LAYOUT = Step("layout", item=True)


def differences(before: Any, after: Any, path: Path, compare: Differences) -> Iterator[Difference]:
    """The differences of two values that are not the same and are not both mappings or both lists."""
    if not (isinstance(before, str) and isinstance(after, str) and ("\n" in before or "\n" in after)):
        yield Difference(path, before, after)
        return
    name = path[-1].name if path else ""
    if name.endswith("postgresql.conf"):
        yield from _settings(before, after, path)
    elif name.endswith(".json") and (parsed := _parsed(before, after)):
        found = list(compare(*parsed, path))
        yield from found or [Difference((*path, LAYOUT), before, after, lines(before, after))]
    else:
        yield Difference(path, before, after, lines(before, after))


def lines(before: str, after: str) -> tuple[str, ...]:
    """A unified diff without context and headers; a line break that only one text ends with is a line of its own."""
    old, new = (value.replace("\r", "\\r").split("\n") for value in (before, after))
    return tuple(list(difflib.unified_diff(old, new, lineterm="", n=0))[2:])


def _parsed(before: str, after: str) -> tuple[Any, Any] | None:
    try:
        return json.loads(before), json.loads(after)
    except (ValueError, RecursionError):
        return None


def _settings(before: str, after: str, path: Path) -> Iterator[Difference]:
    from sos_constructs.review.model import MISSING

    old, new = _values(before), _values(after)
    changed = {name for name in {*old, *new} if old.get(name) != new.get(name)}
    for name in sorted(changed):
        yield Difference((*path, Step(name)), old.get(name, MISSING), new.get(name, MISSING))
    rest = [_without(value, changed) for value in (before, after)]
    if rest[0] != rest[1]:
        yield Difference((*path, COMMENTS), before, after, lines(*rest))


def _values(value: str) -> dict[str, str]:
    """Settings by name; of two with the same name the last one counts, as in PostgreSQL."""
    return {match[1]: match[2] for line in value.split("\n") if (match := _SETTING.fullmatch(line))}


def _without(value: str, names: set[str]) -> str:
    return "\n".join(line for line in value.split("\n") if not ((match := _SETTING.fullmatch(line)) and match[1] in names))
