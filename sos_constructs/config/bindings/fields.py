"""The catalogue's keys as fields of generated code, and the part of that code which is always the same."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from importlib.resources import files

from sos_constructs.config.model import Key, Section
from sos_constructs.config.values import DURATION_UNITS, MICROSECOND, SIZE_UNITS, Duration, Size, suffix

from attrs import frozen

_PIECES = re.compile(r"(?m)^(?=def |function )")
_FUNCTION = re.compile(r"\A(?:def|function) (\w+)")


@frozen(eq=False, kw_only=True)
class Field:
    """A key as a field of the generated code.

    :param key: its row in the catalogue.
    :param name: the field's name; durations and sizes have types of their own and lose the unit.
    """

    key: Key
    name: str


@frozen(eq=False, kw_only=True)
class Group:
    """A section as a type of the generated code.

    :param section: where its fields come from.
    :param name: the name of the field that holds it.
    :param type: the name of its type.
    """

    section: Section
    name: str
    type: str
    fields: tuple[Field, ...]


def groups(sections: Iterable[Section], spell: Callable[[list[str]], str]) -> list[Group]:
    """Sections and keys under the names that they get.

    :param spell: a name from its words, in the manner of the language.
    """
    return [
        Group(
            section=section,
            name=spell(_words(section.name)),
            type="".join(word.capitalize() for word in _words(section.name)) + "Settings",
            fields=tuple(_fields(section.keys, spell)),
        )
        for section in sections
    ]


def amount(key: Key) -> tuple[int, int, int]:
    """Least and most of a duration or size in the key's unit, and that unit in milliseconds or bytes."""
    if isinstance(key.type, Duration):
        unit = DURATION_UNITS[suffix(key.name)][1]
        return -(-(key.type.least // MICROSECOND) // unit), key.type.most // MICROSECOND // unit, timedelta(microseconds=unit) // timedelta(milliseconds=1)
    if isinstance(key.type, Size):
        return key.type.least, key.type.most, SIZE_UNITS[suffix(key.name)][1]
    raise TypeError(f"{key.name} is neither a duration nor a size")


def runtime(name: str, generated: str) -> str:
    """The part that is the same in all generated modules of a language, but for the functions that this one does not call."""
    pieces = [
        (match[1] if (match := _FUNCTION.search(piece)) else "", piece)
        for piece in _PIECES.split(files("sos_constructs.config.bindings").joinpath(name).read_text(encoding="utf-8"))
    ]
    called: set[str] = set()
    text = generated
    while found := {name for name, _ in pieces if name not in called and re.search(rf"\b{name}\b", text)} - {""}:
        called |= found
        text = "".join(piece for name, piece in pieces if name in found)
    return "".join(piece for name, piece in pieces if not name or name in called)


def _fields(keys: Iterable[Key], spell: Callable[[list[str]], str]) -> Iterator[Field]:
    keys = list(keys)
    short = [spell(_words(key.name)[:-1] if isinstance(key.type, Duration | Size) else _words(key.name)) for key in keys]
    for key, name in zip(keys, short, strict=True):  # X_MS and X_SECONDS would both be x
        yield Field(key=key, name=name if short.count(name) == 1 else spell(_words(key.name)))


def _words(name: str) -> list[str]:
    return [word for word in name.lower().replace("-", "_").split("_") if word]
