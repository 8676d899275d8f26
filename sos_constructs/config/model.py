"""The shape of the catalogue: keys, sections, and the catalogue that holds them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, NoReturn

from sos_constructs import names
from sos_constructs.checked import checked
from sos_constructs.config.checks import Rule
from sos_constructs.config.values import DURATION_UNITS, SIZE_UNITS, Type, Value, suffix
from sos_constructs.errors import InvalidOption, did_you_mean
from sos_constructs.judging import MAY_BE_EMPTY

from attrs import Factory, field, frozen

if TYPE_CHECKING:
    from sos_constructs.config.layers import Layer

REQUIREMENT = "the requirement's value"
"""Reason of every value that the requirement document states."""
YOURS = "no service can be reached under this reserved name (RFC 2606): set your own in a layer"
"""Reason of every value that nobody can know in advance."""

_NAME = re.compile(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)*")
_OTHER_UNITS = {"PERCENT": "percent", "METERS": "metres", "RATIO": "fraction of 1"}


@checked
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
    doc: Annotated[str, MAY_BE_EMPTY]
    reason: Annotated[str, MAY_BE_EMPTY]
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

    @property
    def has_its_unit(self) -> bool:
        """Whether the name ends with a unit, if the type needs one."""
        try:
            return bool(self.allowed)
        except KeyError:
            return False


def _rows(keys: Iterable[Key]) -> tuple[Key, ...]:
    return tuple(keys)


@checked
@frozen(eq=False)
class Section:
    """The keys of one ConfigMap.

    :param name: by which users ask for it: ``config.env_from("logging")``.
    :param keys: its rows.
    :param suffix: of the ConfigMap's name, after the prefix; default: the name.
    :param title: heading in the docs; default: the name.
    :param doc: what it is for, in one sentence.
    """

    name: str
    keys: tuple[Key, ...] = field(converter=_rows)
    suffix: str = field(default=Factory(lambda self: self.name, takes_self=True), kw_only=True)
    title: str = field(default=Factory(lambda self: self.name.replace("-", " ").capitalize(), takes_self=True), kw_only=True)
    doc: str = field(default="", kw_only=True)

    def __attrs_post_init__(self) -> None:
        names.dns_label("suffix", self.suffix)


@checked
class Catalogue:
    """All sections, every key by name, and the rules between keys. Catalogues are added up: ``SOS + Section("billing", [...]) + Rule(...)``.

    :param sections: one per ConfigMap.
    :param rules: what must hold between keys.
    :param environments: name → layer over the defaults; the first is the one used when none is named. Default: none but the defaults.
    :raises ValueError: when a section's name or suffix, a key's name or a rule's id occurs twice; when a key's name is not UPPER_SNAKE. Also when it lacks the
        unit that its type needs, or when a rule or an environment names an unknown key.
    """

    __slots__ = ("_places", "environments", "rules", "sections")

    sections: tuple[Section, ...]
    rules: tuple[Rule, ...]
    environments: Mapping[str, Layer]
    _places: Mapping[str, tuple[Section, Key]]

    def __init__(self, sections: Iterable[Section], rules: Iterable[Rule] = (), environments: Mapping[str, Layer] | None = None) -> None:
        own = {"sections": tuple(sections), "rules": tuple(rules), "environments": MappingProxyType(dict(environments or {}))}
        for name, value in own.items():
            object.__setattr__(self, name, value)
        object.__setattr__(self, "_places", {key.name: (section, key) for section in self.sections for key in section.keys})
        for what, words in (
            ("key", [key.name for section in self.sections for key in section.keys]),
            ("section", [section.name for section in self.sections]),
            ("suffix", [section.suffix for section in self.sections]),
            ("rule", [rule.id for rule in self.rules]),
        ):
            if len(set(words)) != len(words):
                raise ValueError(f"{what} named twice in the catalogue: {', '.join(sorted({word for word in words if words.count(word) > 1}))}")
        if wrong := [name for name in self._places if not _NAME.fullmatch(name)]:
            raise ValueError(f"keys must be UPPER_SNAKE, as environment variables are: {', '.join(wrong)}")
        if wrong := [name for name, (_, key) in self._places.items() if not key.has_its_unit]:
            units = ", ".join(f"_{unit}" for unit in (*DURATION_UNITS, *SIZE_UNITS))
            raise ValueError(f"durations and sizes must end with their unit, one of {units}: {', '.join(wrong)}")
        users = [(f"rule {rule.id!r}", rule.keys) for rule in self.rules]
        users += [(f"environment {name!r}", tuple(layer.values)) for name, layer in self.environments.items()]
        if absent := [f"{user} names {key}{did_you_mean(key, self._places)}" for user, keys in users for key in keys if key not in self._places]:
            raise ValueError(f"keys that are not in the catalogue: {'; '.join(absent)}")

    def __setattr__(self, name: str, value: object) -> NoReturn:
        """A catalogue does not change: everybody shares ``SOS``."""
        raise AttributeError(f"{name} of a Catalogue cannot be set; make another: catalogue + Rule(…), catalogue.without('section')")

    def __add__(self, other: Catalogue | Section | Rule) -> Catalogue:
        """This catalogue and what is added; of environments with the same name the values of both."""
        if isinstance(other, Section):
            return Catalogue((*self.sections, other), self.rules, self.environments)
        if isinstance(other, Rule):
            return Catalogue(self.sections, (*self.rules, other), self.environments)
        if not isinstance(other, Catalogue):
            return NotImplemented
        environments = dict(self.environments)
        for name, layer in other.environments.items():
            mine = environments.get(name)
            environments[name] = mine.with_layer(layer) if mine else layer
        return Catalogue((*self.sections, *other.sections), (*self.rules, *other.rules), environments)

    @checked
    def without(self, *names: str) -> Catalogue:
        """This catalogue without the named sections, without the rules that read their keys and without what environments set in them.

        :raises InvalidOption: when there is no such section, with the nearest one that exists.
        """
        left_out = [self.section(name) for name in names]
        gone = {key.name for section in left_out for key in section.keys}
        environments = {
            name: layer.with_values({key: value for key, value in layer.values.items() if key not in gone}) for name, layer in self.environments.items()
        }
        rules = (rule for rule in self.rules if gone.isdisjoint(rule.keys))
        return Catalogue((section for section in self.sections if section not in left_out), rules, environments)

    @checked
    def environment(self, name: str) -> tuple[Layer, ...]:
        """The layers of the environment of that name: none where the catalogue has no environments and production, the defaults, is asked for.

        :raises InvalidOption: when there is no such environment, with the nearest one that exists.
        """
        known = list(self.environments) or ["production"]
        if name not in known:
            raise InvalidOption("environment", name, f"must be one of {', '.join(known)}{did_you_mean(str(name), known)}; for one of your own add a layer")
        return (self.environments[name],) if self.environments else ()

    @property
    def keys(self) -> Mapping[str, Key]:
        """Every key by name, in the order of the sections."""
        return MappingProxyType({name: key for name, (_, key) in self._places.items()})

    @checked
    def key(self, name: str) -> Key:
        """The key of that name; raises :class:`InvalidOption` with the nearest name if there is none."""
        return self._place(name)[1]

    @checked
    def section_of(self, name: str) -> Section:
        """The section that holds the key of that name; raises :class:`InvalidOption` with the nearest name if there is none."""
        return self._place(name)[0]

    @checked
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
