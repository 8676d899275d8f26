"""The shape of the table of consequences, and how a row is found."""

from __future__ import annotations

from fnmatch import fnmatchcase

from sos_constructs.review.model import Consequence, Key, Path

from attrs import frozen

ANY = ("*",)


@frozen(kw_only=True)
class Row:
    """One line of the table. Of all rows that match a change, the first counts.

    :param id: its name, in reports and tests.
    :param kinds: ``group/Kind``, with ``*`` for any; the core group is empty: ``/Service``.
    :param fields: paths of fields, their steps apart by blanks: ``*`` stands for part of a step, ``[]`` for an element of a list, a last
        ``**`` for the field itself and everything below. For an object as a whole: ``+`` where it is new, ``-`` where it is gone.
    :param when: name of a condition in :mod:`~sos_constructs.review.conditions` that must hold besides.
    :param consequence: what the change comes to.
    :param refused: whether the API server refuses the update; what is called forbidden always is.
    :param why: one sentence; ``{readers}`` is replaced by the pods that read a ConfigMap or Secret.
    :param source: where that is written.
    """

    id: str
    kinds: tuple[str, ...]
    fields: tuple[str, ...]
    consequence: Consequence
    why: str
    source: str
    when: str = ""
    refused: bool = False


def matches_kind(row: Row, key: Key) -> bool:
    """Whether the row speaks of objects of this kind."""
    return any(fnmatchcase(f"{key.group}/{key.kind}", pattern) for pattern in row.kinds)


def matches_path(row: Row, path: Path) -> bool:
    """Whether the row speaks of this field."""
    return any(_matches(pattern.split(" "), path) for pattern in row.fields)


def _matches(pattern: list[str], path: Path) -> bool:
    below = pattern[-1] == "**"
    steps = pattern[:-1] if below else pattern
    if len(path) < len(steps) or (len(path) > len(steps) and not below):
        return False
    return all(step.item if wanted == "[]" else fnmatchcase(step.name, wanted) for wanted, step in zip(steps, path, strict=False))
