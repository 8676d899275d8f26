"""What the commands of ``sosctl config`` share: environments and layers from the command line, completion, and clear refusals."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import sos_constructs
from sos_constructs.cli import code, common
from sos_constructs.config.catalogue import SOS
from sos_constructs.config.docs import PREFIX
from sos_constructs.config.layers import DEFAULTS, Layer, Setting, resolve
from sos_constructs.config.model import Catalogue, Section
from sos_constructs.errors import InvalidOption, did_you_mean

import typer

_PACKAGE = Path(sos_constructs.__file__).parent


def complete_key(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Keys that begin so, with what they do."""
    return [(key.name, key.doc) for key in _complete_from(ctx).keys.values() if key.name.startswith(incomplete.upper())]


def complete_section(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Sections that begin so, with what they are for."""
    return [(section.name, section.doc) for section in _complete_from(ctx).sections if section.name.startswith(incomplete)]


def complete_environment(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Environments that begin so, with what they are for."""
    return [(name, layer.reason) for name, layer in _complete_from(ctx).environments.items() if name.startswith(incomplete)]


def complete_set_by(ctx: typer.Context, incomplete: str) -> list[str]:
    """Layers that are always there and begin so."""
    return [name for name in (DEFAULTS, *_complete_from(ctx).environments) if name.startswith(incomplete)]


def complete_rule(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Rules that begin so, with what they demand."""
    return [(f"{rule.id}=", rule.demand) for rule in _complete_from(ctx).rules if rule.id.startswith(incomplete)]


EnvironmentOption = Annotated[str, typer.Option("--env", "-e", help="Environment to begin with.", autocompletion=complete_environment)]
LayersOption = Annotated[
    list[str] | None,
    typer.Option("--layer", "-l", help="A layer over it: a YAML or TOML file, or file.py:NAME. May be repeated; the last one holds.", metavar="LAYER"),
]
SectionsOption = Annotated[
    list[str] | None, typer.Option("--section", "-s", help="Only this section; may be repeated.", autocompletion=complete_section, metavar="SECTION")
]
WaiveOption = Annotated[
    list[str] | None,
    typer.Option("--waive", help="A rule that may be broken, and why; may be repeated.", autocompletion=complete_rule, metavar="RULE=REASON"),
]


def catalogue(ctx: typer.Context) -> Catalogue:
    """The catalogue that ``sosctl config --catalogue`` names; the platform's, where it does not.

    :raises InvalidOption: when there is none.
    """
    given = _of_group(ctx, "catalogue")
    if not given:
        return SOS
    found = code.load("catalogue", given)
    if not isinstance(found, Catalogue):
        raise InvalidOption("catalogue", given, f"must be a Catalogue; {code.name(given)} is {type(found).__name__}")
    return found


def prefix(ctx: typer.Context) -> str:
    """What ``sosctl config --prefix`` says: the first part of the ConfigMaps' names."""
    return _of_group(ctx, "prefix") or PREFIX


@contextmanager
def refusals() -> Iterator[None]:
    """End with one clear line, and the exit code for unusable input, when an option cannot be used."""
    try:
        yield
    except InvalidOption as error:
        common.stop(str(error))


def layers(given: Iterable[str] | None) -> list[Layer]:
    """The layers of ``--layer`` options, each under the name it was given by."""
    return [layer for each in given or () for layer in _layers(each)]


def settings(known: Catalogue, name: str, given: Iterable[str] | None, waive: Iterable[str] | None = None) -> dict[str, Setting]:
    """Every key with its value, in an environment and the layers over it."""
    return resolve(known, (*known.environment(name), *layers(given)), waive=waivers(known, waive))


def waivers(known: Catalogue, given: Iterable[str] | None) -> dict[str, str]:
    """Rule → reason of ``--waive`` options."""
    found = {each.partition("=")[0]: each.partition("=")[2] for each in given or ()}
    ids = [rule.id for rule in known.rules]
    for id, reason in found.items():
        if id not in ids or not reason.strip():
            fix = f"names no rule{did_you_mean(id, ids)}; there are: {', '.join(ids)}" if id not in ids else "must say why: RULE=REASON"
            raise InvalidOption("waive", id, fix)
    return found


def without_rules(known: Catalogue, ids: Iterable[str]) -> Catalogue:
    """The catalogue without some of its rules: where several layers are looked at one by one, a waiver that one of them needs is no fault of the others."""
    return Catalogue(known.sections, (rule for rule in known.rules if rule.id not in ids), known.environments)


def sections(known: Catalogue, names: Sequence[str] | None) -> list[Section]:
    """The sections of ``--section`` options, in the catalogue's order; all of them if there are none."""
    wanted = [known.section(name) for name in names or ()]
    return [section for section in known.sections if not wanted or section in wanted]


def place(origin: str) -> str:
    """Where a value was written, as short as it can be found by: paths below the working directory and in the package lose what is above."""
    path, _, line = origin.rpartition(":")
    for folder in (Path.cwd(), _PACKAGE.parent):
        if path and Path(path).is_relative_to(folder):
            return f"{Path(path).relative_to(folder).as_posix()}:{line}"
    return origin


def _layers(given: str) -> list[Layer]:
    if not code.named(given):
        return [Layer.from_file(given, name=given)]
    found = code.load("layer", given)
    made = [found] if isinstance(found, Layer) else list(found) if isinstance(found, list | tuple) else []
    if not made or not all(isinstance(layer, Layer) for layer in made):
        raise InvalidOption("layer", given, f"must be a Layer or a list of them; {code.name(given)} is {type(found).__name__}")
    return made


def _of_group(ctx: typer.Context, option: str) -> str | None:
    """An option of ``sosctl config`` itself, seen from one of its commands."""
    found: str | None = ctx.parent.params.get(option) if ctx.parent else None
    return found


def _complete_from(ctx: typer.Context) -> Catalogue:
    try:
        return catalogue(ctx)
    except InvalidOption:
        return SOS
