"""The shape of the catalogue: keys, sections, and the catalogue that holds them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from sos_constructs.config.values import DURATION_UNITS, SIZE_UNITS, Type, Value, suffix
from sos_constructs.errors import InvalidOption, did_you_mean

from attrs import Factory, field, frozen

REQUIREMENT = "the requirement's value"
"""Reason of every value that the requirement document states."""
YOURS = "no service can be reached under this reserved name (RFC 2606): set your own in a layer"
"""Reason of every value that nobody can know in advance."""

_NAME = re.compile(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)*")
_OTHER_UNITS = {"PERCENT": "percent", "METERS": "metres", "RATIO": "fraction of 1"}


@frozen(eq=False)
class Key:
    """One configuration key.

    Written as a row of a table, therefore positional.

    :param name: UPPER_SNAKE, unique over all ConfigMaps and over the environment variables of all secrets; ends with the unit, if there is one.
    :param type: kind of value with its bounds.
    :param default: the production value, typed or as text.
    :param doc: what it does, in one sentence.
    :param reason: why the default is what it is: :data:`REQUIREMENT`, :data:`YOURS`, or the consideration behind it.
    :param deprecated: if the key is going away: since when and what to set instead, in words that follow on "is deprecated".
    """

    name: str
    type: Type
    default: object
    doc: str
    reason: str
    deprecated: str = field(default="", kw_only=True)

    @property
    def unit(self) -> str:
        """The unit in words, from the suffix of the name; empty if there is none."""
        words = {**DURATION_UNITS, **SIZE_UNITS}.get(suffix(self.name))
        return words[0] if words else _OTHER_UNITS.get(suffix(self.name), "")

    def read(self, value: object) -> tuple[Value, str]:
        """The typed value and its text in the ConfigMap.

        :raises InvalidOption: naming key, value and what is allowed.
        """
        return self.type.read(self.name, value)

    @property
    def allowed(self) -> str:
        """What is allowed, in words that follow on "must be"."""
        return self.type.allowed(self.name)


@frozen(eq=False, kw_only=True)
class Section:
    """The keys of one ConfigMap.

    :param name: by which users ask for it: ``config.env_from("logging")``.
    :param suffix: of the ConfigMap's name, after the prefix; default: the name.
    :param title: heading in the docs.
    :param doc: what it is for, in one sentence.
    :param keys: its rows.
    """

    name: str
    suffix: str = field(default=Factory(lambda self: self.name, takes_self=True))
    title: str
    doc: str
    keys: tuple[Key, ...]


class Catalogue:
    """All sections, and every key by name.

    :raises ValueError: when a section's name or suffix or a key's name occurs twice, or a key's name is not UPPER_SNAKE.
    """

    __slots__ = ("_places", "sections")

    def __init__(self, sections: Iterable[Section]) -> None:
        self.sections: tuple[Section, ...] = tuple(sections)
        self._places = {key.name: (section, key) for section in self.sections for key in section.keys}
        names = [key.name for section in self.sections for key in section.keys]
        for what, words in (("key", names), ("section", [s.name for s in self.sections]), ("suffix", [s.suffix for s in self.sections])):
            if len(set(words)) != len(words):
                raise ValueError(f"{what} named twice in the catalogue: {', '.join(sorted({word for word in words if words.count(word) > 1}))}")
        if wrong := [name for name in names if not _NAME.fullmatch(name)]:
            raise ValueError(f"keys must be UPPER_SNAKE, as environment variables are: {', '.join(wrong)}")

    @property
    def keys(self) -> Mapping[str, Key]:
        """Every key by name, in the order of the sections."""
        return MappingProxyType({name: key for name, (_, key) in self._places.items()})

    def key(self, name: str) -> Key:
        """The key of that name; raises :class:`InvalidOption` with the nearest name if there is none."""
        return self._place(name)[1]

    def section_of(self, name: str) -> Section:
        """The section that holds the key of that name; raises :class:`InvalidOption` with the nearest name if there is none."""
        return self._place(name)[0]

    def section(self, name: str) -> Section:
        """The section of that name; raises :class:`InvalidOption` with the nearest name if there is none."""
        for section in self.sections:
            if section.name == name:
                return section
        names = [section.name for section in self.sections]
        raise InvalidOption("section", name, f"does not exist{did_you_mean(str(name), names)}; there are: {', '.join(names)}")

    def _place(self, name: str) -> tuple[Section, Key]:
        if name not in self._places:
            raise InvalidOption("key", name, f"does not exist{did_you_mean(str(name), self._places)}")
        return self._places[name]
