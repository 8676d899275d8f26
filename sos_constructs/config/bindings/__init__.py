"""Typed settings for the services, generated from the catalogue: in Python and in TypeScript, from the standard library alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from sos_constructs.config.bindings import python, typescript
from sos_constructs.config.bindings.fields import Group, groups
from sos_constructs.config.model import Section
from sos_constructs.config.values import Type
from sos_constructs.errors import InvalidOption, did_you_mean

from attrs import frozen


@frozen(eq=False, kw_only=True)
class Language:
    """How a language spells things.

    :param name: a name from its words.
    :param type: the type of a value.
    :param render: the source text of a module.
    """

    name: Callable[[list[str]], str]
    type: Callable[[Type], str]
    render: Callable[[Sequence[Group]], str]


LANGUAGES = {
    "python": Language(name=python.spell, type=python.spell_type, render=python.render),
    "typescript": Language(name=typescript.spell, type=typescript.spell_type, render=typescript.render),
}


def render(language: str, sections: Iterable[Section]) -> str:
    """The source text of a module.

    :param language: ``python`` or ``typescript``.
    :param sections: what the service loads.
    :raises InvalidOption: for any other language.
    """
    spoken = _language(language)
    return spoken.render(groups(sections, spoken.name))


def table(language: str, sections: Iterable[Section]) -> list[dict[str, str]]:
    """Every key, and the name and type it gets; parameters as for :func:`render`."""
    spoken = _language(language)
    return [
        {"key": field.key.name, "section": group.section.name, "name": f"{group.name}.{field.name}", "type": spoken.type(field.key.type)}
        for group in groups(sections, spoken.name)
        for field in group.fields
    ]


def _language(name: str) -> Language:
    if name not in LANGUAGES:
        raise InvalidOption("language", name, f"must be one of {', '.join(LANGUAGES)}{did_you_mean(name, LANGUAGES)}")
    return LANGUAGES[name]
