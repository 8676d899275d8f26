"""One place where what users give is judged: ``@checked`` on constructs, on value objects and on the methods that users call.

It reads the annotations that are there already. What they cannot say (a port's range, a label's form) the options' own checks say.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import wraps
from typing import Any, TypeVar, cast

from sos_constructs.errors import located, located_at
from sos_constructs.judging import hashable, judged, resolved

import attrs

Target = TypeVar("Target", bound=Callable[..., Any])
"""A class or a function."""


def checked(target: Target) -> Target:
    """Judge arguments by their annotations before the function, or the class's ``__init__``, sees them.

    Containers arrive as copies. A frozen attrs class also becomes hashable, whatever its fields hold. Annotations are resolved at the first call.

    :raises InvalidOption: from the wrapped function; a ``ValueError`` with the path where a construct is made or asked.
    """
    if not isinstance(target, type):
        return cast("Target", _judging(target, prefix="", fields={}))
    kind: Any = target
    fields = {field.alias: field for field in attrs.fields(kind)} if attrs.has(kind) else {}
    kind.__init__ = _judging(kind.__init__, prefix=f"{kind.__name__}.", fields=fields)
    if fields and all(field.eq for field in fields.values()) and kind.__eq__ is not object.__eq__:
        kind.__hash__ = lambda self: hash(tuple(hashable(getattr(self, field.name)) for field in fields.values()))
    return cast("Target", kind)


def checked_in_use(kind: Target) -> Target:
    """For a value object that options hold: its fields are judged where it is used, so that an error has the construct's path and the whole option.

    It becomes hashable, as with :func:`checked`.
    """
    target: Any = kind
    target.__fields_in_use__ = lambda: {field.name: resolved(field.type, target.__module__) for field in attrs.fields(target)}
    target.__hash__ = lambda self: hash(tuple(hashable(getattr(self, field.name)) for field in attrs.fields(target)))
    return kind


class Option:
    """One parameter.

    :ivar hint: what its value must be.
    :ivar default: what it is when it is left out. A default that is the empty text makes that a value.
    """

    __slots__ = ("default", "hint", "label")

    def __init__(self, label: str, hint: Any, default: object) -> None:
        self.label, self.hint, self.default = label, hint, default

    def judged(self, value: object) -> Any:
        """The value, or ``InvalidOption``."""
        return judged(
            self.label,
            value,
            self.hint,
            may_be_empty=isinstance(self.default, str) and not self.default,
            example=self.default if isinstance(self.default, str) else None,
        )


def _judging(function: Callable[..., Any], *, prefix: str, fields: Mapping[str, attrs.Attribute[Any]]) -> Callable[..., Any]:
    plan: list[tuple[list[Option], Option | None, dict[str, Option]]] = []
    makes_construct = list(inspect.signature(function).parameters)[:3] == ["self", "scope", "id"]

    @wraps(function)
    def judging(*args: Any, **kwargs: Any) -> Any:
        if not plan:
            plan.append(_plan(function, prefix, fields))
        positional, rest, named = plan[0]
        first = 0 if not makes_construct else min(3, len(args))
        before = [option.judged(value) for option, value in zip(positional, args[:first], strict=False)]
        with _place(args, makes_construct=makes_construct):
            options = iter(_options(positional, rest))
            taken = [option.judged(value) if option else value for option, value in zip(options, args, strict=False)]
            args = (*before, *taken[first:], *args[len(taken) :])
            kwargs = {name: named[name].judged(value) if name in named else value for name, value in kwargs.items()}
        return function(*args, **kwargs)

    judging.__options__ = lambda: _plan(function, prefix, fields)  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
    return judging


def _options(positional: list[Option], rest: Option | None) -> Iterator[Option | None]:
    yield from positional
    while True:  # what is one too many is Python's to refuse
        yield rest


def _place(args: tuple[Any, ...], *, makes_construct: bool) -> AbstractContextManager[None]:
    """What adds the construct's path to an error."""
    if makes_construct and len(args) >= 3:
        return located(args[1], args[2])
    return located_at(args[0]) if args and not makes_construct and hasattr(type(args[0]), "__jsii_type__") else nullcontext()


def _plan(function: Callable[..., Any], prefix: str, fields: Mapping[str, attrs.Attribute[Any]]) -> tuple[list[Option], Option | None, dict[str, Option]]:
    positional: list[Option] = []
    rest: Option | None = None
    named: dict[str, Option] = {}
    for name, parameter in inspect.signature(function).parameters.items():
        annotation = Any if name in ("self", "cls") else parameter.annotation
        if (field := fields.get(name)) is not None and annotation in (inspect.Parameter.empty, "Any", Any):
            annotation = field.type  # what a converter for anything takes
        default = field.default if field is not None else parameter.default
        hint = Any if annotation in (inspect.Parameter.empty, None) else resolved(annotation, function.__module__)
        option = Option(f"{prefix}{name}", hint, default)
        if parameter.kind is parameter.VAR_POSITIONAL:
            rest = option
        elif parameter.kind is not parameter.VAR_KEYWORD:
            named[name] = option
            if parameter.kind is not parameter.KEYWORD_ONLY:
                positional.append(option)
    return positional, rest, named
