"""Layers: values over the defaults, each with the reason for it; and what comes out, with the history of every value."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from sos_constructs.config.checks import RULES
from sos_constructs.config.model import Catalogue, Key
from sos_constructs.config.values import Value
from sos_constructs.errors import InvalidOption

from attrs import field, frozen

DEFAULTS = "defaults"
"""Name of the lowest layer: the catalogue."""


def _copy(values: Mapping[str, object]) -> dict[str, object]:
    return dict(values)


@frozen(eq=False)
class Layer:
    """Values that replace those of the layers before it.

    :param name: appears in errors, in provenance and on the ConfigMaps; unique among the layers in use.
    :param values: key → value, typed (``timedelta(minutes=10)``, ``True``, ``["a", "b"]``) or as text.
    :param reason: why these values are what they are.
    :param origins: key → where it was written, for instance ``site.yaml:3``; filled by :meth:`from_file`.
    """

    name: str
    values: Mapping[str, object] = field(converter=_copy)
    reason: str = field(default="", kw_only=True)
    origins: Mapping[str, str] = field(factory=dict[str, str], kw_only=True)

    def __attrs_post_init__(self) -> None:
        if not self.name.strip() or not self.name.isprintable() or "," in self.name:
            raise InvalidOption("name", self.name, "must be printable text without a comma: it says where a value comes from")

    @classmethod
    def from_file(cls, path: str | Path, *, name: str | None = None, reason: str = "") -> Layer:
        """Read a YAML or TOML file with flat keys, as in the docs.

        :param path: a ``.yaml``, ``.yml`` or ``.toml`` file. Of YAML only what a flat file needs is read: ``KEY: value``, lists, comments.
        :param name: default: the file's name.
        :param reason: why these values are what they are.
        :raises ValueError: naming the file and every line that is wrong.
        """
        from sos_constructs.config.files import read_file  # most apps have no layer files

        values, origins = read_file(Path(path))
        return cls(Path(path).name if name is None else name, values, reason=reason, origins=origins)

    def describe(self, key: str) -> str:
        """``layer 'site' (site.yaml:3)``: where this layer's value of the key comes from."""
        return f"layer {self.name!r}" + (f" ({self.origins[key]})" if key in self.origins else "")


@frozen(eq=False, kw_only=True)
class Assignment:
    """One value that some layer gave to a key.

    :param layer: the layer's name; ``defaults`` for the catalogue's value.
    :param reason: the layer's reason; for the default the row's.
    :param origin: file and line, for layers from files.
    """

    value: Value
    text: str
    layer: str
    reason: str
    origin: str = ""

    def __str__(self) -> str:
        where = f"layer {self.layer!r}" if self.layer != DEFAULTS else "the default"
        return f"{self.text} ({where}{f', {self.origin}' if self.origin else ''})"


@frozen(eq=False, kw_only=True)
class Setting:
    """A key with the value it has, and how it came to it.

    :param key: its row in the catalogue.
    :param history: every assignment, the default first; the last one holds.
    """

    key: Key
    history: tuple[Assignment, ...]

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


def resolve(catalogue: Catalogue, layers: Iterable[Layer], wired: Layer | None = None) -> dict[str, Setting]:
    """Every key of the catalogue with the value that the last layer gave it.

    :param wired: values that belong to another construct; no layer may set them.
    :raises InvalidOption: listing everything that is wrong in any layer: unknown keys, values that are not allowed, wired keys, broken rules.
    """
    layers = tuple(layers)
    _check_layers(layers, (DEFAULTS, wired.name) if wired else (DEFAULTS,))
    histories = {name: [_assign(key, key.default, DEFAULTS, key.reason)] for name, key in catalogue.keys.items()}
    errors: list[str] = []
    broken: set[str] = set()
    for layer in (*layers, *((wired,) if wired else ())):
        for name, value in layer.values.items():
            taken = wired is not None and layer is not wired and name in wired.values
            try:
                if wired and taken:
                    raise InvalidOption(name, value, f"is already {wired.reason}; leave it out of the layer, or wire nothing")
                assignment = _assign(catalogue.key(name), value, layer.name, layer.reason, layer.origins.get(name, ""))
                histories[name].append(assignment)
            except InvalidOption as error:
                broken.add(name)
                errors.append(f"{error} [{layer.describe(name)}]")
    settings = {name: Setting(key=catalogue.key(name), history=tuple(history)) for name, history in histories.items()}
    errors += _broken_rules({name: setting for name, setting in settings.items() if name not in broken})
    if errors:
        count = "an error" if len(errors) == 1 else f"{len(errors)} errors"
        raise InvalidOption("layers", [layer.name for layer in layers], f"have {count}:\n  - " + "\n  - ".join(errors))
    return settings


def _check_layers(layers: Sequence[object], reserved: Sequence[str]) -> None:
    if wrong := [layer for layer in layers if not isinstance(layer, Layer)]:
        raise InvalidOption("layers", wrong, "must be Layer objects; read a file with Layer.from_file(path)")
    names = [layer.name for layer in layers if isinstance(layer, Layer)]
    if twice := sorted({name for name in names if name in reserved or names.count(name) > 1}):
        raise InvalidOption("layers", names, f"must have names of their own, other than {' and '.join(reserved)}; taken: {', '.join(twice)}")


def _broken_rules(settings: Mapping[str, Setting]) -> list[str]:
    """Violations of the rules whose keys are all there, in words."""
    broken = [rule for rule in RULES if settings.keys() >= set(rule.keys) and not rule.holds(*(settings[key].value for key in rule.keys))]
    return [f"{', '.join(f'{key}={settings[key].history[-1]}' for key in rule.keys)}: {rule.demand} [rule {rule.id}]" for rule in broken]


def _assign(key: Key, value: object, layer: str, reason: str, origin: str = "") -> Assignment:
    typed, text = key.read(value)
    return Assignment(value=typed, text=text, layer=layer, reason=reason, origin=origin)
