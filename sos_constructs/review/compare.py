"""Comparing two values field by field, as Kubernetes would merge them: lists by the key of their elements where they have one."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sos_constructs.review import text
from sos_constructs.review.model import MISSING, Difference, Hidden, Path, Step

#: Fields whose elements Kubernetes matches by keys (``x-kubernetes-list-map-keys`` or ``x-kubernetes-patch-merge-key`` in its OpenAPI
#: description), and a few that a reader would match so. The first row whose keys all elements have, and have only once, is taken.
LIST_KEYS: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "conditions": (("type",),),
    "containers": (("name",),),
    "env": (("name",),),
    "ephemeralContainers": (("name",),),
    "groups": (("name",),),
    "hostAliases": (("ip",),),
    "imagePullSecrets": (("name",),),
    "initContainers": (("name",),),
    "items": (("key",),),
    "ports": (("containerPort", "protocol"), ("port", "protocol"), ("name",)),
    "resourceClaims": (("name",),),
    "rules": (("host",), ("alert",), ("record",)),
    "secrets": (("name",),),
    "subjects": (("kind", "namespace", "name"),),
    "topologySpreadConstraints": (("topologyKey", "whenUnsatisfiable"),),
    "versions": (("name",),),
    "volumeClaimTemplates": (("metadata.name",),),
    "volumeDevices": (("devicePath",),),
    "volumeMounts": (("mountPath",),),
    "volumes": (("name",),),
    "webhooks": (("name",),),
}

#: Keys that may be left out, with what Kubernetes takes then; left out of the name that is shown, too.
_DEFAULTS = {"protocol": "TCP", "namespace": ""}

ORDER = Step("order", item=True)
"""Stands for the order of a list whose elements are matched by key."""


def differences(before: Any, after: Any, path: Path = ()) -> Iterator[Difference]:
    """Every difference between two values; none if and only if they are the same JSON."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for name in sorted({*before, *after}):
            yield from differences(before.get(name, MISSING), after.get(name, MISSING), (*path, Step(name)))
    elif isinstance(before, list) and isinstance(after, list):
        yield from _lists(before, after, path)
    elif not same(before, after):
        yield from text.differences(before, after, path, differences)


def same(before: Any, after: Any) -> bool:
    """Equality as in JSON: ``true`` is not 1, and 1 is not 1.0."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        return before.keys() == after.keys() and all(same(value, after[name]) for name, value in before.items())
    if isinstance(before, list) and isinstance(after, list):
        return len(before) == len(after) and all(map(same, before, after))
    return type(before) is type(after) and bool(before == after or (before != before and after != after))  # the last: .nan


def _lists(before: list[Any], after: list[Any], path: Path) -> Iterator[Difference]:
    keys = next((keys for keys in LIST_KEYS.get(path[-1].name, ()) if _keyed(before, keys) and _keyed(after, keys)), None) if path else None
    if keys is None:
        yield from _sequences(before, after, path)
        return
    old, new = ({_label(item, keys): item for item in items} for items in (before, after))
    for label in [*old, *(label for label in new if label not in old)]:
        yield from differences(old.get(label, MISSING), new.get(label, MISSING), (*path, Step(label, item=True)))
    order = [label for label in old if label in new], [label for label in new if label in old]
    if order[0] != order[1]:
        yield Difference((*path, ORDER), *order)


def _keyed(items: Sequence[Any], keys: tuple[str, ...]) -> bool:
    labels = [_label(item, keys) for item in items]
    return all(labels) and len({*labels}) == len(labels)


def _label(item: Any, keys: tuple[str, ...]) -> str:
    """The name of a list element, empty where it lacks a key."""
    values = []
    for key in keys:
        value: Any = item
        for part in key.split("."):
            value = value.get(part, _DEFAULTS.get(part)) if isinstance(value, Mapping) else None
        if isinstance(value, bool) or not isinstance(value, (str, int)) or (value == "" and _DEFAULTS.get(key) != ""):
            return ""
        if value != _DEFAULTS.get(key):
            values.append(str(value))
    return "/".join(values)


def _sequences(before: list[Any], after: list[Any], path: Path) -> Iterator[Difference]:
    """Lists without keys: what was put in, taken out or replaced, by position."""
    matcher = difflib.SequenceMatcher(None, [_canonical(item) for item in before], [_canonical(item) for item in after], autojunk=False)
    for operation, start, end, new_start, new_end in matcher.get_opcodes():
        if operation == "equal":
            continue
        paired = min(end - start, new_end - new_start)
        for i in range(paired):
            yield from differences(before[start + i], after[new_start + i], (*path, Step(str(new_start + i), item=True)))
        for i in range(start + paired, end):
            yield Difference((*path, Step(str(i), item=True)), before[i], MISSING)
        for i in range(new_start + paired, new_end):
            yield Difference((*path, Step(str(i), item=True)), MISSING, after[i])


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=_hidden)


def _hidden(value: object) -> str:
    return f"{value!r}{hash(value)}" if isinstance(value, Hidden) else repr(value)
