"""Whether a value is what an annotation says, in words that a user understands, and a copy of it that its giver cannot change later.

typeguard, beartype and cattrs were looked at. They name Python's types instead of the option and the fix ("is not an instance of collections.abc.Sequence").
They take a text for a list of texts, and True for 1. pydantic would be a new dependency that converts instead of refusing.
"""

from __future__ import annotations

import builtins
import collections.abc as abc
import inspect
import math
import sys
import types
import typing
from collections.abc import Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

from sos_constructs.errors import InvalidOption, did_you_mean

MAY_BE_EMPTY = "may be empty"
"""``Annotated[str, MAY_BE_EMPTY]``: the empty text has a meaning. Otherwise it is refused, but where it is the default."""

LARGEST = 2**63 - 1
"""Of a whole number: what every reader of JSON and YAML in a cluster can hold."""

_LISTS = (abc.Sequence, abc.Collection, abc.Iterable, list, tuple)
_SETS = (abc.Set, frozenset, set)
_MAPPINGS = (abc.Mapping, dict)
_PLAIN = {str: "text", int: "a whole number", float: "a number", bool: "True or False", type(None): "None", Path: "a path"}
_MANY = {int: "whole numbers", float: "numbers"}


class _AnyMeta(type):
    def __getattr__(cls, name: str) -> type:
        if name.startswith("__"):
            raise AttributeError(name)
        return cls


class Unknown(metaclass=_AnyMeta):
    """Stands for a class that is not loaded, such as one of cdk8s-plus: the function itself judges the value."""


class _Mismatch(Exception):
    """``near``: the value is of the right kind, so that this says more than "must be one of all kinds"."""

    def __init__(self, option: str, value: object, fix: str, *, near: bool = False) -> None:
        self.option, self.value, self.fix, self.near = option, value, fix, near


class _Names(dict[str, Any]):
    """Names of a module. Those that it imports for type checkers only are looked up where the package has loaded them."""

    def __missing__(self, name: str) -> Any:
        if hasattr(builtins, name):
            raise KeyError(name)
        package = sys.modules["sos_constructs"]
        if name in package.__all__:
            return getattr(package, name)
        loaded = (module for key, module in list(sys.modules.items()) if key.startswith("sos_constructs."))
        return next((vars(module)[name] for module in loaded if name in vars(module)), Unknown)


def resolved(annotation: Any, module: str) -> Any:
    """The annotation as types; :class:`Unknown` for what is not loaded."""
    if isinstance(annotation, typing.ForwardRef):
        annotation = annotation.__forward_arg__
    if isinstance(annotation, str):
        annotation = eval(annotation, {}, _Names(vars(sys.modules[module])))  # noqa: S307 (our own source)
    if get_origin(annotation) in (typing.Union, types.UnionType):
        return typing.Union[tuple(resolved(part, module) for part in get_args(annotation))]  # noqa: UP007 (made at run time)
    if isinstance(annotation, typing.TypeVar):
        return resolved(annotation.__bound__ or Any, module)
    return annotation


def judged(option: str, value: object, hint: Any, *, may_be_empty: bool = False, example: object = None) -> Any:
    """The value, or :class:`InvalidOption`. Lists come back as tuples, sets as frozensets and mappings as dicts of their own.

    :param hint: what :func:`resolved` gives.
    :param may_be_empty: whether the empty text is a value.
    :param example: what the option is when nobody sets it.
    """
    try:
        if isinstance(value, str) and value == "" and not may_be_empty and hint not in (Any, object) and not _says_empty(hint):
            raise _Mismatch(option, value, f"must be {words(hint)}, not an empty text")
        return _judge(option, value, hint)
    except _Mismatch as error:
        shown = f", for instance {example!r}" if hint is str and example and not isinstance(value, str) else ""
        raise InvalidOption(error.option, error.value, f"{error.fix}{shown}") from None


def hashable(value: object) -> object:
    """The same of hashable parts: equal values give equal ones."""
    if isinstance(value, Mapping):
        return frozenset((key, hashable(item)) for key, item in value.items())
    if isinstance(value, list | tuple):
        return tuple(map(hashable, value))
    return frozenset(value) if isinstance(value, abc.Set) else value


def words(hint: Any) -> str:
    """What a value must be; follows on "must be"."""
    origin: Any = get_origin(hint) or hint
    parts: tuple[Any, ...] = get_args(hint)
    if origin is Annotated:
        return words(parts[0])
    if origin in (typing.Union, types.UnionType):
        kinds = [words(part) for part in parts]
        return f"{', '.join(kinds[:-1])} or {kinds[-1]}"
    if origin is Literal:
        return f"{'one of ' if len(parts) > 1 else ''}{', '.join(map(repr, parts))}"
    if origin in _LISTS or origin in _SETS:
        return f"a list of {_MANY.get(parts[0]) or words(parts[0]).removeprefix('made with ')}" if parts and parts[0] not in (Any, object) else "a list"
    if origin in _MAPPINGS:
        return f"a mapping of {words(parts[0])} to {words(parts[1])}" if parts and parts[1] not in (Any, object) else "a mapping"
    if origin is abc.Callable:
        return "a function"
    if hint in _PLAIN:
        return _PLAIN[hint]
    name = getattr(hint, "__made_with__", None) or getattr(hint, "__name__", str(hint))
    if hint is timedelta:
        return "a timedelta, for instance timedelta(seconds=20)"
    if hint.__module__ in ("datetime", "constructs") or _is_protocol(hint):
        return f"a {name}"
    return " or ".join(f"{maker}(…)" for maker in (f"made with {name}", *(f"{name}.{member}" for member in vars(hint) if member.startswith("from_"))))


def _judge(option: str, value: Any, hint: Any) -> Any:
    origin, parts = get_origin(hint) or hint, get_args(hint)
    if hint in (Any, object, Unknown):
        return value
    if origin is Annotated:
        return _judge(option, value, parts[0])
    if origin in (typing.Union, types.UnionType):
        return _one_of_several(option, value, hint)
    if origin is Literal:
        return _literal(option, value, hint)
    if origin in _LISTS or origin in _SETS:
        return _list(option, value, hint)
    if origin in _MAPPINGS:
        return _mapping(option, value, hint)
    if hint in _PLAIN:
        return _plain(option, value, hint)
    fits = callable(value) if origin is abc.Callable else _has_members(value, hint) if _is_protocol(hint) else isinstance(value, origin)
    if not fits:
        tip = f"; write {value.__name__}(…), not {value.__name__}" if isinstance(value, type) else ""
        raise _Mismatch(option, value, f"must be {words(hint)}{tip}")
    for name, field_hint in getattr(type(value), "__fields_in_use__", dict)().items():
        _judge_near(f"{option}.{name}", getattr(value, name), field_hint)
    return value


def _judge_near(option: str, value: Any, hint: Any) -> None:
    try:
        _judge(option, value, hint)
    except _Mismatch as error:
        error.near = True
        raise


def _one_of_several(option: str, value: Any, hint: Any) -> Any:
    near: _Mismatch | None = None
    parts = get_args(hint)
    if len(parts) == 2 and type(None) in parts and value is not None:
        (part,) = (part for part in parts if part is not type(None))
        try:
            return _judge(option, value, part)
        except _Mismatch as error:
            if not error.near and error.option == option:
                error.fix = error.fix.replace(words(part), words(hint), 1)
            raise
    for part in parts:
        try:
            return _judge(option, value, part)
        except _Mismatch as error:
            near = error if error.near or error.option != option else near
    raise near or _Mismatch(option, value, f"must be {words(hint)}")


def _literal(option: str, value: Any, hint: Any) -> Any:
    for word in get_args(hint):
        if (type(value) is type(word) and value == word) or (isinstance(value, str) and value == word):
            return word
    tip = did_you_mean(value, get_args(hint)) if isinstance(value, str) else ""
    raise _Mismatch(option, value, f"must be {words(hint)}{tip}", near=isinstance(value, str))


def _list(option: str, value: Any, hint: Any) -> Any:
    origin, parts = get_origin(hint) or hint, get_args(hint)
    item_hint = parts[0] if parts else Any
    wide = {abc.Iterable: abc.Iterable, abc.Collection: abc.Collection}.get(origin, abc.Set if origin in _SETS else abc.Sequence)
    if isinstance(value, (str, bytes, bytearray, memoryview, type)) or (isinstance(value, Mapping) and wide is abc.Sequence) or not isinstance(value, wide):
        raise _Mismatch(option, value, f"must be {words(hint)}{_as_list(option, value, item_hint)}")
    items = [_item(f"{option}[{_called(item, number)!r}]", item, item_hint) for number, item in enumerate(value)]
    return frozenset(items) if isinstance(value, abc.Set) or origin in _SETS else tuple(items)


def _called(item: object, number: int) -> str | int:
    """What an item of a list goes under in errors: its name, where it has one."""
    name = getattr(item, "name", None) if hasattr(type(item), "__fields_in_use__") else None
    return name if isinstance(name, str) and name else number


def _item(option: str, item: Any, hint: Any) -> Any:
    if isinstance(item, str) and item == "" and hint is str:
        raise _Mismatch(option, item, "must not be empty", near=True)
    return _judge(option, item, hint)


def _as_list(option: str, value: Any, item_hint: Any) -> str:
    """How the single thing that was given becomes a list."""
    try:
        _judge(option, value, item_hint)
    except _Mismatch:
        return ""
    if isinstance(value, str | int) and value:
        return f"; put it into a list: [{value!r}]"
    return "" if isinstance(value, str | bytes | Mapping) else "; put it into a list"


def _mapping(option: str, value: Any, hint: Any) -> dict[Any, Any]:
    if not isinstance(value, Mapping):
        raise _Mismatch(option, value, f"must be {words(hint)}")
    parts = get_args(hint) or (Any, Any)
    for key in value if parts[1] is not object else ():  # whose values are judged one by one, so are its keys
        _item(f"{option}: key", key, parts[0])
    return {key: _judge(f"{option}[{key!r}]", item, parts[1]) for key, item in value.items()}


def _plain(option: str, value: Any, hint: Any) -> Any:
    kinds: tuple[type, ...] = {float: (int, float), Path: (str, Path)}.get(hint, (hint,))
    if not isinstance(value, kinds) or (isinstance(value, bool) and hint is not bool):
        raise _Mismatch(option, value, f"must be {words(hint)}{_tip(value, hint)}")
    if isinstance(value, float) and not math.isfinite(value):
        raise _Mismatch(option, value, "must be a finite number", near=True)
    if isinstance(value, int) and abs(value) > LARGEST:
        raise _Mismatch(option, value, "must be a number that fits into 64 bits", near=True)
    if isinstance(value, str) and ("\0" in value or not (value.isascii() or _is_unicode(value))):
        raise _Mismatch(option, value, "must be text without NUL characters and lone surrogates", near=True)
    return value


def _tip(value: object, hint: Any) -> str:
    if hint is bool and isinstance(value, str) and value:
        return ", without quotes"
    if hint is str and isinstance(value, int | float):
        return f": write {str(value)!r}" if not isinstance(value, bool) else ""
    if hint is int and isinstance(value, str) and value.isdecimal():
        return ", without quotes"
    return ""


def _is_unicode(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_protocol(hint: Any) -> bool:
    return bool(getattr(hint, "_is_protocol", False))


def _has_members(value: object, protocol: type) -> bool:
    if isinstance(value, type):
        return False
    own = [base for base in protocol.__mro__ if _is_protocol(base)]
    members: Iterable[str] = {name for base in own for name in (*vars(base), *inspect.get_annotations(base)) if not name.startswith("_")}
    return all(hasattr(value, name) for name in members)


def _says_empty(hint: Any) -> bool:
    return MAY_BE_EMPTY in get_args(hint) or any(_says_empty(part) for part in get_args(hint))
