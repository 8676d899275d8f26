"""What the commands of ``sosctl config`` share: environments and layers from the command line, completion, and clear refusals."""

from __future__ import annotations

import re
import runpy
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import sos_constructs
from sos_constructs.cli import common
from sos_constructs.config.catalogue import SOS
from sos_constructs.config.environments import ENVIRONMENTS
from sos_constructs.config.layers import DEFAULTS, Layer, Setting, resolve
from sos_constructs.config.model import Section
from sos_constructs.errors import InvalidOption, did_you_mean

import typer

_PYTHON = re.compile(r"(.+\.py):([A-Za-z_][A-Za-z0-9_]*)")
_PACKAGE = Path(sos_constructs.__file__).parent


def complete_key(incomplete: str) -> list[tuple[str, str]]:
    """Keys that begin so, with what they do."""
    return [(key.name, key.doc) for key in SOS.keys.values() if key.name.startswith(incomplete.upper())]


def complete_section(incomplete: str) -> list[tuple[str, str]]:
    """Sections that begin so, with what they are for."""
    return [(section.name, section.doc) for section in SOS.sections if section.name.startswith(incomplete)]


def complete_environment(incomplete: str) -> list[tuple[str, str]]:
    """Environments that begin so, with what they are for."""
    return [(name, layer.reason) for name, layer in ENVIRONMENTS.items() if name.startswith(incomplete)]


def complete_set_by(incomplete: str) -> list[str]:
    """Layers that are always there and begin so."""
    return [name for name in (DEFAULTS, *ENVIRONMENTS) if name.startswith(incomplete)]


EnvironmentOption = Annotated[str, typer.Option("--env", "-e", help="Environment to begin with.", autocompletion=complete_environment)]
LayersOption = Annotated[
    list[str] | None,
    typer.Option("--layer", "-l", help="A layer over it: a YAML or TOML file, or file.py:NAME. May be repeated; the last one holds.", metavar="LAYER"),
]
SectionsOption = Annotated[
    list[str] | None, typer.Option("--section", "-s", help="Only this section; may be repeated.", autocompletion=complete_section, metavar="SECTION")
]


@contextmanager
def refusals() -> Iterator[None]:
    """End with one clear line, and the exit code for unusable input, when an option cannot be used."""
    try:
        yield
    except InvalidOption as error:
        common.stop(str(error))


def environment(name: str) -> Layer:
    """The layer of a built-in environment; :class:`InvalidOption` for any other."""
    if name not in ENVIRONMENTS:
        raise InvalidOption("environment", name, f"must be one of {', '.join(ENVIRONMENTS)}{did_you_mean(name, ENVIRONMENTS)}")
    return ENVIRONMENTS[name]


def layers(given: Iterable[str] | None) -> list[Layer]:
    """The layers of ``--layer`` options, each under the name it was given by."""
    return [layer for each in given or () for layer in _layers(each)]


def settings(name: str, given: Iterable[str] | None) -> dict[str, Setting]:
    """Every key with its value, in an environment and the layers over it."""
    return resolve(SOS, (environment(name), *layers(given)))


def sections(names: Sequence[str] | None) -> list[Section]:
    """The sections of ``--section`` options, in the catalogue's order; all of them if there are none."""
    wanted = [SOS.section(name) for name in names or ()]
    return [section for section in SOS.sections if not wanted or section in wanted]


def place(origin: str) -> str:
    """Where a value was written, as short as it can be found by: paths below the working directory and in the package lose what is above."""
    path, _, line = origin.rpartition(":")
    for folder in (Path.cwd(), _PACKAGE.parent):
        if path and Path(path).is_relative_to(folder):
            return f"{Path(path).relative_to(folder).as_posix()}:{line}"
    return origin


def _layers(given: str) -> list[Layer]:
    code = _PYTHON.fullmatch(given)
    if not code:
        return [Layer.from_file(given, name=given)]
    path, name = code.groups()
    if not Path(path).is_file():
        raise InvalidOption("layer", given, f"cannot be read: there is no file {path}")
    try:
        found = runpy.run_path(path, run_name=Path(path).stem).get(name)
    except Exception as error:  # noqa: BLE001  # it is the user's code, which may raise anything
        raise InvalidOption("layer", given, f"cannot be read: {path} raised {type(error).__name__}: {error}") from None
    made = [found] if isinstance(found, Layer) else list(found) if isinstance(found, list | tuple) else []
    if not made or not all(isinstance(layer, Layer) for layer in made):
        raise InvalidOption("layer", given, f"must be a Layer or a list of them; {name} is {type(found).__name__}")
    return made
