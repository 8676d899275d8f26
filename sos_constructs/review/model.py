"""The words of a review: objects, paths, differences, and what they come to."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, IntEnum
from typing import Any, NamedTuple

from attrs import field, frozen

Manifest = Mapping[str, Any]


class Consequence(IntEnum):
    """What a change comes to, the worse the higher. :attr:`word` is how commands and reports spell it."""

    NONE = 0
    RELOAD = 1
    RESTART = 2
    RECREATE = 3
    FORBIDDEN = 4
    REMOVAL = 5
    DATA_LOSS = 6
    SECRET = 7

    @property
    def word(self) -> str:
        return self.name.lower().replace("_", "-")

    @property
    def meaning(self) -> str:
        return _MEANING[self]

    @property
    def exit_code(self) -> int:
        """Apart from 0, 1 and 2, which mean success, a crash and unusable input."""
        return 10 + self.value


_MEANING = {
    Consequence.NONE: "nothing that runs changes",
    Consequence.RELOAD: "takes effect at once, without a restart",
    Consequence.RESTART: "pods, or the servers in them, restart, one after the other where there are several",
    Consequence.RECREATE: "takes effect only when something is re-created by hand: pods, a volume or the object",
    Consequence.FORBIDDEN: "the API server refuses it: the field is immutable",
    Consequence.REMOVAL: "something goes that runs or is used; with pruning at once, with plain kubectl apply when somebody deletes it",
    Consequence.DATA_LOSS: "data may be lost or no longer be seen",
    Consequence.SECRET: "a Secret with values stands in the manifests, and so in version control",
}


class Key(NamedTuple):
    """What makes two manifests the same object. The version of the API does not: it is another spelling of it."""

    group: str
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}" + (f" ({self.namespace})" if self.namespace else "")


Manifests = Mapping[Key, Manifest]


class Missing(Enum):
    """The value of a field that is not there; ``None`` is YAML's null."""

    MISSING = "missing"

    def __repr__(self) -> str:
        return "MISSING"


MISSING = Missing.MISSING


@frozen
class Hidden:
    """A secret value: it can be compared and never shown."""

    _fingerprint: str = field(repr=False)

    def __str__(self) -> str:
        return "(hidden)"


class Step(NamedTuple):
    """One step of a path: a field, or (``item``) an element of a list under the name by which it is matched."""

    name: str
    item: bool = False


Path = tuple[Step, ...]


def show_path(path: Path) -> str:
    """``spec.containers[postgres].image``; a name that has a dot or a slash stands in brackets."""
    text = ""
    for step in path:
        if step.item or not step.name or any(character in "./[] " for character in step.name):
            text += f"[{step.name}]"
        else:
            text += f".{step.name}" if text else step.name
    return text


@frozen
class Difference:
    """One field that is not the same.

    :param path: where it is.
    :param before: its old value, :data:`MISSING` where it is new.
    :param after: its new value, :data:`MISSING` where it is gone.
    :param lines: for a text of several lines, what differs, as a unified diff without context.
    """

    path: Path
    before: Any
    after: Any
    lines: tuple[str, ...] = ()


@frozen
class Change:
    """A difference and what it comes to.

    :param difference: what differs; the object as a whole (an empty path) where it is new or gone.
    :param consequence: what it comes to.
    :param why: one sentence about that.
    :param row: id of the row of the table that said so.
    :param source: where that is written.
    """

    difference: Difference
    consequence: Consequence
    why: str
    row: str
    source: str


@frozen
class ObjectChange:
    """All changes of one object."""

    key: Key
    api_version: str
    event: str
    """``added``, ``removed``, ``changed``, or ``replaced``: under a name with another hash of the content at its end."""
    changes: tuple[Change, ...]

    @property
    def consequence(self) -> Consequence:
        return max(change.consequence for change in self.changes)


@frozen
class Review:
    """Everything that differs between two sets of manifests, the worst first."""

    objects: tuple[ObjectChange, ...]

    @property
    def worst(self) -> Consequence:
        return max((changed.consequence for changed in self.objects), default=Consequence.NONE)
