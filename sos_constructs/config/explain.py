"""Where values come from, as plain data: one key with its history, and what differs between two sets of settings."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from sos_constructs.config.layers import DEFAULTS, Assignment, Setting
from sos_constructs.config.model import Catalogue
from sos_constructs.config.values import Bool, Choice, Duration, Float, Int, Items, Size, Text, Type

WIRED_KEYS = ("POSTGRES_HOST", "POSTGRES_READONLY_HOST", "POSTGRES_PORT_NUMBER", "POSTGRES_SERVER_CONNECTIONS")
"""Keys that ``SosConfig(..., postgres=db)`` sets; no layer may set them then."""
WIRED_NOTE = "where SosConfig gets postgres=, the value is taken from there, and no layer may set it"

_KINDS = {Bool: "true or false", Choice: "one of a few words", Int: "whole number", Float: "number", Duration: "duration", Size: "amount of data", Text: "text"}


def kind(type: Type) -> str:
    """The kind of a value in words, without its bounds."""
    if isinstance(type, Items):
        return f"list, each item a {kind(type.of)}" if not isinstance(type.of, Choice | Bool) else f"list, each item {kind(type.of)}"
    return _KINDS.get(type.__class__, "text")


def assigned(assignment: Assignment) -> dict[str, str]:
    """One assignment: value, layer, the layer's reason, and where it was written: file and line, or the line of Python that made the layer."""
    return {"value": assignment.text, "layer": assignment.layer, "reason": assignment.reason, "origin": assignment.origin or assignment.site}


def explanation(catalogue: Catalogue, setting: Setting, *, prefix: str = "sos-app") -> dict[str, Any]:
    """Everything there is to know of a key and its value.

    :param prefix: first part of the ConfigMap's name.
    """
    key, section = setting.key, catalogue.section_of(setting.key.name)
    return {
        "key": key.name,
        **assigned(setting.history[-1]),
        "larger_unit": larger_unit(setting),
        "meaning": key.doc,
        "type": kind(key.type),
        "unit": key.unit,
        "allowed": key.allowed,
        "section": section.name,
        "config_map": f"{prefix}-{section.suffix}",
        "overrode": [assigned(assignment) for assignment in setting.overrode],
        "rules": [
            {"id": rule.id, "keys": list(rule.keys), "demand": rule.demand, "reason": rule.reason, "source": rule.source}
            for rule in catalogue.rules
            if key.name in rule.keys
        ],
        "waived": [{"id": waiver.rule.id, "reason": waiver.reason, "violation": waiver.violation} for waiver in setting.waivers],
        "notes": notes(setting),
    }


def notes(setting: Setting) -> list[str]:
    """What else one should know of the key: that it is wired elsewhere, or going away."""
    wired = f"this is the catalogue's default; {WIRED_NOTE}" if setting.layer == DEFAULTS else WIRED_NOTE
    return [wired] * (setting.key.name in WIRED_KEYS) + ([f"is deprecated {setting.key.deprecated}"] if setting.key.deprecated else [])


def differences(left: Mapping[str, Setting], right: Mapping[str, Setting]) -> list[tuple[Setting, Setting]]:
    """The keys whose values differ, with both settings, in the catalogue's order."""
    return [(left[name], right[name]) for name in left if left[name].text != right[name].text]


def larger_unit(setting: Setting) -> str:
    """A duration of a minute or more in the largest unit that fits (``2 hours``), where that is not the key's own; else nothing."""
    if isinstance(setting.value, timedelta) and setting.value:
        for word, unit in (("day", timedelta(days=1)), ("hour", timedelta(hours=1)), ("minute", timedelta(minutes=1))):
            if not setting.value % unit:
                amount = setting.value // unit
                return "" if f"{word}s" == setting.key.unit else f"{amount} {word}{'' if amount == 1 else 's'}"
    return ""


def set_by(settings: Mapping[str, Setting]) -> list[str]:
    """Names of the layers that set a value, the defaults first."""
    return list(dict.fromkeys((DEFAULTS, *(assignment.layer for setting in settings.values() for assignment in setting.history))))
