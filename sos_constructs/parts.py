"""Parts of Kubernetes objects that users write in Kubernetes' own spelling, checked before the API server sees them.

A shape is a function that takes the option's name and its value, and raises :class:`InvalidOption` for what the API server would refuse or
what would silently do nothing. Shapes are put together like the API's own types (Kubernetes API reference, core/v1).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from sos_constructs import names
from sos_constructs.errors import InvalidOption, did_you_mean

Item = TypeVar("Item")

Shape = Callable[[str, object], None]

ANNOTATION_BYTES = 256 * 1024
"""All annotations of one object together (Kubernetes, "Annotations")."""


def copied(value: Any) -> Any:
    """The same of dicts, lists and scalars of its own: who gave it may change theirs. What is none of these stays, and is refused later."""
    if isinstance(value, Mapping):
        return {key: copied(item) for key, item in value.items()}
    return [copied(item) for item in value] if isinstance(value, (list, tuple)) else value


def sequence(option: str, value: Sequence[Item]) -> tuple[Item, ...]:
    """The items of a list. One text alone is none: it would become its letters."""
    given: object = value
    if isinstance(given, (str, bytes)) or not isinstance(given, Sequence):
        raise InvalidOption(option, given, f"must be a list, for instance ({given!r},)")
    return tuple(value)


def text(option: str, value: object) -> None:
    """A string that is not empty."""
    if not isinstance(value, str) or not value:
        raise InvalidOption(option, value, "must be text that is not empty")


def any_text(option: str, value: object) -> None:
    """A string."""
    if not isinstance(value, str):
        raise InvalidOption(option, value, "must be text; put it into quotes")


def one_of(*words: str) -> Shape:
    """One of the API's own words."""

    def check(option: str, value: object) -> None:
        if not isinstance(value, str) or value not in words:
            raise InvalidOption(option, value, f"must be one of {', '.join(words)}{did_you_mean(str(value), words)}")

    return check


def number(least: int, most: int = 2**31 - 1) -> Shape:
    """A whole number."""

    def check(option: str, value: object) -> None:
        if type(value) is not int or not least <= value <= most:
            raise InvalidOption(option, value, f"must be a whole number from {least} to {most}")

    return check


def items(shape: Shape, *, least: int = 0) -> Shape:
    """A list, each of whose items has the shape."""

    def check(option: str, value: object) -> None:
        if isinstance(value, (str, bytes)) or not isinstance(value, Sequence):
            raise InvalidOption(option, value, "must be a list")
        if len(value) < least:
            raise InvalidOption(option, value, f"must have at least {least} item")
        for index, item in enumerate(value):
            shape(f"{option}[{index}]", item)

    return check


def fields(shapes: Mapping[str, Shape], *, required: Sequence[str] = ()) -> Shape:
    """A mapping with these fields and no other."""

    def check(option: str, value: object) -> None:
        if not isinstance(value, Mapping):
            raise InvalidOption(option, value, f"must be a mapping with {', '.join(shapes)}")
        for name, item in value.items():
            if name not in shapes:
                raise InvalidOption(f"{option}.{name}", item, f"is no field that Kubernetes knows here{did_you_mean(str(name), shapes)}")
            shapes[name](f"{option}.{name}", item)
        for name in required:
            if name not in value:
                raise InvalidOption(option, value, f"must have the field {name}")

    return check


def labels(option: str, value: object) -> None:
    """Labels, or a selector by equality."""
    _pairs(option, value)
    assert isinstance(value, Mapping)
    for key, item in value.items():
        try:
            names.label_pair(key, item)
        except InvalidOption as error:
            raise InvalidOption(f"{option}[{key!r}]", item, error.fix) from None


def label_key(option: str, value: object) -> None:
    """The key of a label."""
    text(option, value)
    try:
        names.label_pair(str(value), "")
    except InvalidOption as error:
        raise InvalidOption(option, value, error.fix) from None


def annotation_map(option: str, value: object) -> None:
    """Annotations: keys like those of labels, any text as values."""
    _pairs(option, value)
    assert isinstance(value, Mapping)
    for key, item in value.items():
        label_key(option, key.lower())  # the API server compares the prefix in lower case
        any_text(f"{option}[{key!r}]", item)
    if sum(len(key) + len(item.encode()) for key, item in value.items()) > ANNOTATION_BYTES:
        raise InvalidOption(option, value, f"must have at most {ANNOTATION_BYTES} bytes in all")


def cidr(option: str, value: object) -> None:
    """A range of addresses, such as ``203.0.113.0/24``."""
    try:
        ipaddress.ip_network(value if isinstance(value, str) and "/" in value else "none")
    except ValueError:
        raise InvalidOption(option, value, "must be a range of addresses such as '203.0.113.0/24', with no bit set after the prefix") from None


def port(option: str, value: object) -> None:
    """The number of a port."""
    number(1, 65535)(option, value)


def not_ours(option: str, given: Mapping[str, str], ours: Mapping[str, str]) -> None:
    """Refuse keys that the library sets itself: selectors, Patroni and the agents find objects by them."""
    for key in given:
        if key in ours:
            raise InvalidOption(f"{option}[{key!r}]", given[key], f"is set by this library to {ours[key]!r}; choose another key")


def _pairs(option: str, value: object) -> None:
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise InvalidOption(option, value, 'must be a mapping of text to text, for instance {"team": "sos"}')
