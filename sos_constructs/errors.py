"""How bad input is reported: always a ``ValueError`` that names the construct path, the option, the value and the fix.

Functions deep inside the library know the option and the value but not where in the construct tree they are called from.
They raise :class:`InvalidOption`; the construct that called them adds its path with :func:`located`.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # importing it starts Node, which the command line tool can do without
    from constructs import Construct


SHOWN = 200
"""Characters of a value that an error shows; a ConfigMap's can be a whole file."""


class InvalidOption(ValueError):
    """One option has a value that cannot work.

    :param option: the option as the caller wrote it, for instance ``storage``.
    :param value: the value that was given.
    :param fix: what to write instead, in words that follow on "storage='50 GB' …".
    """

    def __init__(self, option: str, value: object, fix: str) -> None:
        self.option, self.value, self.fix = option, value, fix
        shown = repr(value)
        super().__init__(f"{option}={shown if len(shown) <= SHOWN else f'{shown[:SHOWN]}…'} {fix}")


class InvalidApp(ValueError, RuntimeError):
    """What synth found wrong with the whole app: one line for each problem, which begins with a construct path.

    Also a RuntimeError, because that is what cdk8s raises when a validation fails.
    """


@contextmanager
def located(scope: Construct, id: str) -> Iterator[None]:
    """Add the construct path to every :class:`InvalidOption` raised inside, before anything reaches jsii."""
    try:
        yield
    except InvalidOption as error:
        parent: str = scope.node.path
        where = f"{parent}/{id}" if parent else id
        raise ValueError(f"{where}: {error}") from None


@contextmanager
def located_at(construct: Construct) -> Iterator[None]:
    """The same for what is asked of a construct that is there."""
    try:
        yield
    except InvalidOption as error:
        raise ValueError(f"{construct.node.path}: {error}") from None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`` (did you mean 'x'?)`` for the nearest known word, or an empty string."""
    words = list(known)
    near = [other for other in words if other.lower() == word.lower()] or difflib.get_close_matches(word, words, n=1, cutoff=0.6)
    return f" (did you mean {near[0]!r}?)" if near else ""
