"""Layers: values over the defaults, each with the reason for it; and what comes out, with the history of every value."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from inspect import currentframe
from pathlib import Path
from typing import Annotated

from sos_constructs.checked import checked
from sos_constructs.config.checks import Waiver, check
from sos_constructs.config.model import Catalogue, Key
from sos_constructs.config.values import Value
from sos_constructs.errors import InvalidOption
from sos_constructs.judging import MAY_BE_EMPTY

from attrs import evolve, field, frozen

_OURS = (__file__, str(checked.__code__.co_filename))

DEFAULTS = "defaults"
"""Name of the lowest layer: the catalogue."""


def _copy(values: Mapping[str, object]) -> dict[str, object]:
    return dict(values)


def _call_site() -> str:
    """The line, outside this module and what wraps it, that is making a layer."""
    frame = currentframe()
    while frame and (frame.f_code.co_filename in _OURS or frame.f_code.co_filename.startswith("<attrs generated")):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}" if frame else ""


@checked
@frozen(eq=False)
class Layer:
    """Values that replace those of the layers before it.

    :param name: appears in errors, in provenance and on the ConfigMaps; unique among the layers in use.
    :param values: key → value, typed (``timedelta(minutes=10)``, ``True``, ``["a", "b"]``) or as text.
    :param reason: why these values are what they are.
    :param origins: key → where it was written, for instance ``site.yaml:3``; filled by :meth:`from_file`.
    :ivar site: where in Python the layer was made, ``/path/main.py:12``.
    :ivar added: values of another layer of this name that were put over this one's, with that layer's reason and places.
    """

    name: str
    values: Mapping[str, object] = field(converter=_copy)
    reason: str = field(default="", kw_only=True)
    origins: Mapping[str, str] = field(factory=dict[str, str], kw_only=True)
    site: str = field(init=False, factory=_call_site)
    added: tuple[Layer, ...] = field(init=False, default=())

    def __attrs_post_init__(self) -> None:
        if not self.name.strip() or not self.name.isprintable() or "," in self.name:
            raise InvalidOption("name", self.name, "must be printable text without a comma: it says where a value comes from")

    @checked
    def with_values(self, values: Mapping[str, object]) -> Layer:
        """This layer with other values: same name, reason and places."""
        other = copy(self)
        object.__setattr__(other, "values", dict(values))  # the class is frozen, and a new one would be made here
        return other

    def with_layer(self, other: Layer) -> Layer:
        """This layer with the values of ``other`` over its own; each value keeps the reason and the place of the layer it comes from."""
        both = self.with_values({**self.values, **other.values})
        object.__setattr__(both, "added", (*self.added, other))
        return both

    def source(self, key: str) -> Layer:
        """The layer that gave this one its value of the key: another one's where they were put together, else itself."""
        return next((layer.source(key) for layer in reversed(self.added) if key in layer.values), self)

    @classmethod
    @checked
    def from_file(cls, path: str | Path, *, name: str | None = None, reason: Annotated[str | None, MAY_BE_EMPTY] = None) -> Layer:
        """Read a YAML or TOML file with flat keys, as in the docs.

        :param path: a ``.yaml``, ``.yml`` or ``.toml`` file. Of YAML only what a flat file needs is read: ``KEY: value``, lists, comments.
        :param name: default: the file's name.
        :param reason: why these values are what they are (default: what the comment at the head of the file says).
        :raises ValueError: naming the file and every line that is wrong.
        """
        from sos_constructs.config.files import read_file  # most apps have no layer files

        path = Path(path)
        file = read_file(path)
        return cls(path.name if name is None else name, file.values, reason=file.comment if reason is None else reason, origins=file.origins(path))

    def describe(self, key: str) -> str:
        """``layer 'site' (site.yaml:3)``: where this layer's value of the key comes from."""
        origins = self.source(key).origins
        return f"layer {self.name!r}" + (f" ({origins[key]})" if key in origins else "")


@frozen(eq=False, kw_only=True)
class Assignment:
    """One value that some layer gave to a key.

    :param layer: the layer's name; ``defaults`` for the catalogue's value.
    :param reason: the layer's reason; for the default the row's.
    :param origin: file and line, for layers from files.
    :param site: where in Python the layer was made; empty for the default.
    """

    value: Value
    text: str
    layer: str
    reason: str
    origin: str = ""
    site: str = ""

    def __str__(self) -> str:
        where = f"layer {self.layer!r}" if self.layer != DEFAULTS else "the default"
        return f"{self.text} ({where}{f', {self.origin}' if self.origin else ''})"


@frozen(eq=False, kw_only=True)
class Setting:
    """A key with the value it has, and how it came to it.

    :param key: its row in the catalogue.
    :param history: every assignment, the default first; the last one holds.
    :param waivers: broken rules that read this key, with the reason why they may be.
    """

    key: Key
    history: tuple[Assignment, ...]
    waivers: tuple[Waiver, ...] = ()

    @property
    def value(self) -> Value:
        """The typed value: a ``timedelta`` for durations, a tuple for lists."""
        return self.history[-1].value

    @property
    def text(self) -> str:
        """The value as it stands in the ConfigMap."""
        return self.history[-1].text

    @property
    def layer(self) -> str:
        """Name of the layer that set it."""
        return self.history[-1].layer

    @property
    def reason(self) -> str:
        """That layer's reason."""
        return self.history[-1].reason

    @property
    def overrode(self) -> tuple[Assignment, ...]:
        """Assignments that do not hold any more, the latest first."""
        return self.history[-2::-1]


@frozen(eq=False, kw_only=True)
class Problem:
    """Something that is wrong in the layers.

    :param message: what, and what to write instead.
    :param keys: the keys it is about: one, all that a broken rule reads, or none where a waiver is wrong.
    :param layer: the layer that has it; ``None`` for a broken rule or a wrong waiver.
    """

    message: str
    keys: tuple[str, ...]
    layer: Layer | None = None

    def __str__(self) -> str:
        return f"{self.message} [{self.layer.describe(self.keys[0])}]" if self.layer else self.message


def resolve(catalogue: Catalogue, layers: Iterable[Layer], wired: Layer | None = None, waive: Mapping[str, str] | None = None) -> dict[str, Setting]:
    """Every key of the catalogue with the value that the last layer gave it.

    :param wired: values that belong to another construct; no layer may set them.
    :param waive: id of a rule that may be broken → why.
    :raises InvalidOption: listing everything that is wrong in any layer: unknown keys, values that are not allowed, wired keys, broken rules,
        waivers of rules that do not exist or hold.
    """
    layers = tuple(layers)
    settings, problems = examine(catalogue, layers, wired, waive)
    if problems:
        count = "an error" if len(problems) == 1 else f"{len(problems)} errors"
        raise InvalidOption("layers", [layer.name for layer in layers], f"have {count}:\n  - " + "\n  - ".join(map(str, problems)))
    return settings


def examine(
    catalogue: Catalogue, layers: Iterable[Layer], wired: Layer | None = None, waive: Mapping[str, str] | None = None
) -> tuple[dict[str, Setting], list[Problem]]:
    """:func:`resolve`, but problems are returned, beside the settings as far as they could be read.

    :raises InvalidOption: when what was given are not layers with names of their own.
    """
    layers = tuple(layers)
    _check_layers(layers, (DEFAULTS, wired.name) if wired else (DEFAULTS,))
    histories = {name: [_assign(key, key.default, DEFAULTS, key.reason)] for name, key in catalogue.keys.items()}
    problems: list[Problem] = []
    for layer in (*layers, *((wired,) if wired else ())):
        for name, value in layer.values.items():
            taken = wired is not None and layer is not wired and name in wired.values
            try:
                if wired and taken:
                    raise InvalidOption(name, value, f"is already {wired.reason}; leave it out of the layer, or wire nothing")
                source = layer.source(name)
                assignment = _assign(catalogue.key(str(name)), value, layer.name, source.reason, source.origins.get(name, ""), source.site)
                histories[name].append(assignment)
            except InvalidOption as error:
                problems.append(Problem(message=str(error), keys=(name,), layer=layer))
    settings = {name: Setting(key=catalogue.key(name), history=tuple(history)) for name, history in histories.items()}
    broken = {key for problem in problems for key in problem.keys}
    violations, waivers = check(catalogue.rules, {name: setting for name, setting in settings.items() if name not in broken}, waive or {})
    for waiver in waivers:
        for name in waiver.rule.keys:
            settings[name] = evolve(settings[name], waivers=(*settings[name].waivers, waiver))
    return settings, problems + [Problem(message=message, keys=keys) for message, keys in violations]


def _check_layers(layers: Sequence[object], reserved: Sequence[str]) -> None:
    if wrong := [layer for layer in layers if not isinstance(layer, Layer)]:
        raise InvalidOption("layers", wrong, "must be Layer objects; read a file with Layer.from_file(path)")
    names = [layer.name for layer in layers if isinstance(layer, Layer)]
    if twice := sorted({name for name in names if name in reserved or names.count(name) > 1}):
        raise InvalidOption("layers", names, f"must have names of their own, other than {' and '.join(reserved)}; taken: {', '.join(twice)}")


def _assign(key: Key, value: object, layer: str, reason: str, origin: str = "", site: str = "") -> Assignment:
    typed, text = key.read(value)
    return Assignment(value=typed, text=text, layer=layer, reason=reason, origin=origin, site=site)
