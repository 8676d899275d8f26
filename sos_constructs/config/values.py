"""What a configuration value may be: one small class per kind of value, each turning input into a typed value and its text.

A ConfigMap holds text and services read text, so units live in the key's name: ``_MS``, ``_SECONDS``, ``_MINUTES``, ``_HOURS``, ``_DAYS``
for durations and ``_BYTES``, ``_KB``, ``_KIB``, ``_MB``, ``_MIB`` for sizes. Input is converted to the key's unit without loss or refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import NoReturn, Protocol, TypeAlias

from sos_constructs.errors import InvalidOption

from attrs import frozen

Value: TypeAlias = str | int | float | bool | timedelta | tuple[str | int, ...]
"""A typed value: durations are ``timedelta``, lists are tuples, sizes are whole numbers of the key's unit."""

MICROSECOND = timedelta(microseconds=1)

#: Suffix of a key → its unit in words and in microseconds.
DURATION_UNITS = {
    "MS": ("milliseconds", 10**3),
    "SECONDS": ("seconds", 10**6),
    "MINUTES": ("minutes", 60 * 10**6),
    "HOURS": ("hours", 3600 * 10**6),
    "DAYS": ("days", 86400 * 10**6),
}
#: Suffix of a key → its unit in words and in bytes.
SIZE_UNITS = {"BYTES": ("bytes", 1), "KB": ("kB", 10**3), "KIB": ("KiB", 2**10), "MB": ("MB", 10**6), "MIB": ("MiB", 2**20)}

#: Unit in text → microseconds.
DURATION_SYMBOLS = {"ms": 10**3, "s": 10**6, "m": 60 * 10**6, "h": 3600 * 10**6, "d": 86400 * 10**6}
#: Unit in text → bytes.
SIZE_SYMBOLS = {"B": 1, "kB": 10**3, "KB": 10**3, "KiB": 2**10, "MB": 10**6, "MiB": 2**20}

#: At most 15 digits, so that nothing a reader does with the number can lose precision; no leading zeros, which some readers take for octal.
_WHOLE = re.compile(r"-?(?:0|[1-9][0-9]{0,14})")
#: Characters of a text.
LONGEST = 1024


class Type(Protocol):
    """A kind of value with its bounds."""

    def read(self, key: str, value: object) -> tuple[Value, str]:
        """The typed value and its text in the ConfigMap; raises :class:`InvalidOption` for anything not allowed."""
        ...

    def allowed(self, key: str) -> str:
        """What is allowed, in words that follow on "must be"."""
        ...


@frozen(eq=False)
class Bool:
    """``true`` or ``false``, and nothing else: ``yes``, ``on`` and ``1`` mean different things to different readers."""

    def read(self, key: str, value: object) -> tuple[Value, str]:
        typed = {"true": True, "false": False}.get(value) if isinstance(value, str) else value
        if not isinstance(typed, bool):
            _refuse(self, key, value)
        return typed, "true" if typed else "false"

    def allowed(self, key: str) -> str:
        return "true or false"


@frozen(eq=False, init=False)
class Choice:
    """One of a few words."""

    options: tuple[str, ...]

    def __init__(self, *options: str) -> None:
        object.__setattr__(self, "options", options)  # the class is frozen

    def read(self, key: str, value: object) -> tuple[Value, str]:
        option = next((option for option in self.options if value == option), None)
        if option is None:
            _refuse(self, key, value)
        return option, option

    def allowed(self, key: str) -> str:
        return f"one of {', '.join(self.options)}"


@frozen(eq=False)
class Int:
    """A whole number with both bounds included."""

    least: int
    most: int

    def read(self, key: str, value: object) -> tuple[Value, str]:
        typed = int(value) if isinstance(value, str) and _WHOLE.fullmatch(value) else value
        if not isinstance(typed, int) or isinstance(typed, bool) or not self.least <= typed <= self.most:
            _refuse(self, key, value)
        return int(typed), str(int(typed))

    def allowed(self, key: str) -> str:
        return f"a whole number from {self.least} to {self.most}"


@frozen(eq=False)
class Float:
    """A number with both bounds included and at most six decimals, written without an exponent."""

    least: float
    most: float

    def read(self, key: str, value: object) -> tuple[Value, str]:
        typed = float(value) if isinstance(value, str) and re.fullmatch(rf"{_WHOLE.pattern}(?:\.[0-9]{{1,6}})?", value) else value
        if not isinstance(typed, int | float) or isinstance(typed, bool) or not self.least <= typed <= self.most or typed != round(typed, 6):
            _refuse(self, key, value)
        typed = float(typed) + 0.0  # -0.0 + 0.0 is 0.0
        return typed, str(int(typed)) if typed.is_integer() else format(Decimal(repr(typed)), "f")

    def allowed(self, key: str) -> str:
        return f"a number from {self.least:g} to {self.most:g} with at most six decimals"


@frozen(eq=False)
class Duration:
    """A time span in the unit of the key's suffix: a ``timedelta``, a number of that unit, or text such as ``90s``, ``15m``, ``7d``."""

    least: timedelta
    most: timedelta

    def read(self, key: str, value: object) -> tuple[Value, str]:
        unit = DURATION_UNITS[suffix(key)][1]
        amount = value // MICROSECOND if isinstance(value, timedelta) else _amount(value, DURATION_SYMBOLS, unit)
        if amount is None or not self.least // MICROSECOND <= amount <= self.most // MICROSECOND or amount % unit:
            example = f"{self.most // MICROSECOND // unit}{_symbol(unit, DURATION_SYMBOLS)}"
            _refuse(self, key, value, also=f", a timedelta, or text with a unit such as {example!r}")
        return amount * MICROSECOND, str(amount // unit)

    def allowed(self, key: str) -> str:
        words, unit = DURATION_UNITS[suffix(key)]
        least, most = (bound // MICROSECOND // unit for bound in (self.least, self.most))
        return f"a whole number of {words} from {least} to {most}"


@frozen(eq=False)
class Size:
    """An amount of data in the unit of the key's suffix: a number of that unit, or text such as ``20MB`` or ``1MiB``."""

    least: int
    most: int

    def read(self, key: str, value: object) -> tuple[Value, str]:
        unit = SIZE_UNITS[suffix(key)][1]
        amount = _amount(value, SIZE_SYMBOLS, unit)
        if amount is None or amount % unit or not self.least <= amount // unit <= self.most:
            _refuse(self, key, value, also=f", or text with a unit such as '{self.most}{_symbol(unit, SIZE_SYMBOLS)}'")
        return amount // unit, str(amount // unit)

    def allowed(self, key: str) -> str:
        return f"a whole number of {SIZE_UNITS[suffix(key)][0]} from {self.least} to {self.most}"


@frozen(eq=False)
class Text:
    """Text of one shape.

    :param pattern: a regular expression that matches it in full. It must let nothing pass that a YAML reader could take for a number.
    :param words: the same in words, with an example.
    """

    pattern: str
    words: str

    def read(self, key: str, value: object) -> tuple[Value, str]:
        if not isinstance(value, str) or len(value) > LONGEST or not re.fullmatch(self.pattern, value):
            _refuse(self, key, value)
        text = str.__str__(value)  # the plain text of a member of a str Enum
        return text, text

    def allowed(self, key: str) -> str:
        return self.words


@frozen(eq=False)
class Items:
    """A list without duplicates, in the order given; comma-separated as text. Takes a list, a tuple or comma-separated text.

    :param of: what each item is; items contain no comma.
    :param at_least: the smallest number of items.
    """

    of: Type
    at_least: int = 1

    def read(self, key: str, value: object) -> tuple[Value, str]:
        parts = ([part.strip() for part in value.split(",")] if value else []) if isinstance(value, str) else value
        if not isinstance(parts, list | tuple) or len(parts) < self.at_least:
            _refuse(self, key, value)
        try:
            items = [self.of.read(key, part) for part in parts]
        except InvalidOption:
            _refuse(self, key, value)
        texts = [text for _, text in items]
        if len(set(texts)) != len(texts):
            raise InvalidOption(key, value, "names an item twice; leave one out")
        return tuple(typed for typed, _ in items if isinstance(typed, str | int)), ",".join(texts)

    def allowed(self, key: str) -> str:
        return f"a list{'' if self.at_least else ' (it may be empty)'}, each item {self.of.allowed(key)}"


BOOL = Bool()
PORT = Int(1, 65535)
# A host begins with a letter or is an IPv4 address: neither can be read as a number.
_HOST = r"(?:[a-z](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*|(?:[0-9]{1,3}\.){3}[0-9]{1,3})"
HOST = Text(_HOST, "a host name such as postgres-service")
HOST_PORT = Text(rf"{_HOST}:[1-9][0-9]{{0,4}}", "host:port such as kafka-0.kafka-headless:9092")
URL = Text(
    r"https?://[a-z0-9.-]+(?::[1-9][0-9]{0,4})?(?:/[A-Za-z0-9._~/-]*)?", "an http or https URL without user, query or fragment, such as https://sos-app.example"
)
PATH = Text(r"/[A-Za-z0-9._~/-]*", "a path such as /metrics")
WORD = Text(r"[A-Za-z][A-Za-z0-9._-]*", "a letter, then letters, digits, '.', '_' and '-'")


def ms(amount: int) -> timedelta:
    """Milliseconds."""
    return timedelta(milliseconds=amount)


def seconds(amount: int) -> timedelta:
    """Seconds."""
    return timedelta(seconds=amount)


def minutes(amount: int) -> timedelta:
    """Minutes."""
    return timedelta(minutes=amount)


def hours(amount: int) -> timedelta:
    """Hours."""
    return timedelta(hours=amount)


def days(amount: int) -> timedelta:
    """Days."""
    return timedelta(days=amount)


def suffix(key: str) -> str:
    """The last word of a key's name: its unit, if it has one."""
    return key.rpartition("_")[2]


def _refuse(type: Type, key: str, value: object, *, also: str = "") -> NoReturn:
    raise InvalidOption(key, value, f"must be {type.allowed(key)}{also}")


def _amount(value: object, symbols: Mapping[str, int], unit: int) -> int | None:
    """The value in the smallest unit, or ``None`` if it is neither a whole number of ``unit`` nor text with a unit of its own."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value * unit
    match = re.fullmatch(rf"({_WHOLE.pattern})([A-Za-z]*)", value) if isinstance(value, str) else None
    if not match or (match[2] and match[2] not in symbols):
        return None
    return int(match[1]) * (symbols[match[2]] if match[2] else unit)


def _symbol(unit: int, symbols: Mapping[str, int]) -> str:
    return next(symbol for symbol, factor in symbols.items() if factor == unit)
