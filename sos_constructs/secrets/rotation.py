"""What changes in a Secret when a key of it is rotated. It works on names and copies: old values are never read, so they may be sealed.

A rotation takes up to three steps, each of which leaves every value that someone may still need:

- *stage*: the new value appears as ``KEY-next``, so that every reader accepts it before anybody uses it;
- *change*: the value is replaced, by the staged one or by a new one, and the old one becomes ``KEY-previous`` (or ``KEY-v1``, ``KEY-v2`` …);
- *retire*: the previous value goes, once nothing made with it is in use.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import count
from typing import Literal, TypeVar

from sos_constructs.secrets import certificates
from sos_constructs.secrets.forms import recipe
from sos_constructs.secrets.generate import new_value
from sos_constructs.secrets.model import Key, SecretSpec
from sos_constructs.secrets.rings import dated, next_of, previous_of, version_of
from sos_constructs.secrets.stored import SecretInputError

from attrs import Factory, frozen

T = TypeVar("T")

StepName = Literal["stage", "change", "retire"]

SETTLE = timedelta(hours=1)
"""Least time between staging and using a value: mounted files follow within two minutes, environments need their pods restarted."""


@frozen
class Step:
    """One step for one key and what is computed from it.

    :param row: the key.
    :param name: which step.
    :param copies: key → the key whose value, as it was before the step, it gets.
    :param makes: key → its new value.
    :param removes: keys that go.
    """

    row: Key
    name: StepName
    copies: Mapping[str, str] = Factory(dict)
    makes: Mapping[str, str] = Factory(dict)
    removes: frozenset[str] = frozenset()

    def __repr__(self) -> str:
        """Without values."""
        return f"Step({self.row.key}: {self.name}, makes {', '.join(self.makes)})"


def rotatable(secret: SecretSpec) -> list[Key]:
    """The keys of which we can make new values."""
    return [row for row in secret.keys if row.origin == "generated" and row.rotation.days is not None]


def refusal(secret: SecretSpec, row: Key) -> str | None:
    """Why we cannot make a new value of ``row``, and how one is had; ``None`` when we can."""
    if row in rotatable(secret):
        return None
    if row.origin == "derived":
        return f"is computed from {row.source}; rotate that"
    if row.origin == "certificate":
        return f"is a certificate or its key, which its CA renews: {recipe(row)}"
    if row.follows:
        return f"changes together with {row.follows}; rotate that"
    if row.origin == "ring":
        return "is the next or the previous value of another key; rotate that"
    if row.rotation.days is None:
        return "is not secret and never rotated"
    return (
        f"is issued elsewhere. Have a new one issued: {recipe(row)}; then store it with --value-from FILE, restart every consumer, and revoke the old one there"
    )


def next_step(secret: SecretSpec, row: Key, there: Collection[str]) -> StepName:
    """The step that rotates ``row`` further, given the keys that are there."""
    return "stage" if row.rotation.staged and next_of(row.key) not in there else "change"


def previous(secret: SecretSpec, row: Key, there: Collection[str]) -> frozenset[str]:
    """The previous values of ``row``, and of what is computed from it, that are there."""
    return frozenset(previous_of(each.key) for each in _family(secret, row)) & frozenset(there)


def not_before(
    secret: SecretSpec, row: Key, name: StepName, there: Collection[str], rotated: Mapping[str, datetime], overlap: timedelta | None = None
) -> datetime | None:
    """When the step may be taken without taking away a value that is still needed.

    :param overlap: how long the previous value is needed (default: the catalogue's).
    :raises SecretInputError: when that cannot be known.
    """
    waits: list[tuple[str, datetime | None, timedelta]] = []
    needed = row.rotation.overlap if overlap is None else overlap
    if name == "retire" or (name == "change" and previous(secret, row, there)):
        waits.append((row.key, rotated.get(row.key), needed))
    if name == "change" and row.rotation.staged:
        waits.append((next_of(row.key), rotated.get(next_of(row.key)), SETTLE))
    for key, since, _ in waits:
        if since is None:
            raise SecretInputError(
                f"{key}: since when it has this value is not known, so neither is who still needs the one before; if nobody does, use --force"
            )
    return max((since + wait for _, since, wait in waits if since), default=None)


def step(secret: SecretSpec, row: Key, name: StepName, there: Collection[str], value: str | None = None, *, now: datetime) -> Step:
    """What the step does.

    :param there: the keys that are there.
    :param value: the new value (default: a random one).
    :param now: when that is; user names that change with their password are made of it.
    :raises SecretInputError: when a key is missing, or there is nothing to retire.
    """
    family = _family(secret, row)
    derived = family[1:]
    if name == "retire":
        gone = previous(secret, row, there)
        if not gone:
            raise SecretInputError(f"{secret.name}/{row.key}: has no previous value to retire")
        return Step(row, name, removes=gone)
    missing = [each for each in family if each.key not in there]
    if missing:
        fix = recipe(missing[0]) if missing[0].origin in ("issued", "federated") else "sosctl secrets generate makes it"
        raise SecretInputError(f"{secret.name}/{missing[0].key}: is not there; {fix}")
    if name == "stage":
        return Step(row, name, makes={next_of(key): made for key, made in _values(row, derived, value, now).items()})
    keeps = {_kept(secret, each, row, there): each.key for each in family}
    keeps.pop("", None)
    if not row.rotation.staged:
        return Step(row, name, keeps, _values(row, derived, value, now))
    staged = {each.key: next_of(each.key) for each in family}
    for source in staged.values():
        if source not in there:
            raise SecretInputError(f"{secret.name}/{source}: is not there, although others of the new values are; remove them and stage again")
    return Step(row, name, keeps | staged, removes=frozenset(staged.values()))


def apply(steps: Sequence[Step], values: Mapping[str, T], encode: Callable[[str], T]) -> dict[str, T]:
    """``values`` after all ``steps``; ``encode`` makes of a text what ``values`` holds."""
    result = dict(values)
    for each in steps:
        before = dict(result)
        result |= {key: before[source] for key, source in each.copies.items()}
        result |= {key: encode(text) for key, text in each.makes.items()}
        result = {key: value for key, value in result.items() if key not in each.removes}
    return dict(sorted(result.items()))


def times(steps: Sequence[Step], rotated: Mapping[str, datetime], now: datetime) -> dict[str, datetime]:
    """The times of :mod:`ages` after all ``steps``. Copies of old values need none: the new value's says when they became old."""
    result = dict(rotated)
    for each in steps:
        new = {*each.makes, *(key for key, source in each.copies.items() if source == next_of(key))}
        result = {key: time for key, time in result.items() if key not in each.removes} | dict.fromkeys(new, now)
    return result


def _family(secret: SecretSpec, row: Key) -> list[Key]:
    """The key, those computed from it, and the user name that changes with it."""
    return [row, *(other for other in secret.keys if (other.source == row.key and other.origin == "derived") or other.follows == row.key)]


def _values(row: Key, derived: Sequence[Key], value: str | None, now: datetime) -> dict[str, str]:
    made = {row.key: new_value(row.form) if value is None else value}
    compute = {"rsa-public-key": certificates.public_key, "key-id": certificates.key_id}
    return made | {each.key: dated(each.value, now) if each.follows else compute[each.form](made[row.key]) for each in derived}


def _kept(secret: SecretSpec, row: Key, rotated: Key, there: Collection[str]) -> str:
    """Where the old value of ``row`` goes when ``rotated`` is rotated; empty for nowhere."""
    if rotated.rotation.keeps == "all":
        return next(name for number in count(1) if (name := version_of(row.key, number)) not in there)
    name = previous_of(row.key)
    return name if rotated.rotation.keeps == "previous" and any(other.key == name for other in secret.keys) else ""
