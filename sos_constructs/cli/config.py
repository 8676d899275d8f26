"""``sosctl config``: what every key is set to and why, what differs, and what is wrong with a layer file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from sos_constructs.cli import artefacts
from sos_constructs.cli import settings as given
from sos_constructs.cli.settings import EnvironmentOption, LayersOption, SectionsOption, WaiveOption, place, refusals
from sos_constructs.cli.tables import Format, FormatOption, write, write_card, write_json, write_table
from sos_constructs.config.docs import PREFIX
from sos_constructs.config.explain import WIRED_KEYS, assigned, differences, explanation, notes, set_by
from sos_constructs.config.inspection import Finding, inspect
from sos_constructs.config.layers import Setting
from sos_constructs.errors import InvalidOption, did_you_mean

import typer

DIFFERENT = WRONG = 1
"""Exit codes beside 0, and 2 for options that cannot be used."""


def explain(
    ctx: typer.Context,
    key: Annotated[str, typer.Argument(help="The key, for instance LOG_LEVEL.", autocompletion=given.complete_key, metavar="KEY")],
    env: EnvironmentOption = "production",
    layer: LayersOption = None,
    waive: WaiveOption = None,
    form: FormatOption = Format.TABLE,
) -> None:
    """Show one key: its value, what it means and may be, the layer that set it, and every value that layer overrode.

    Exit code 0: shown. 2: there is no such key, or an option cannot be used.
    """
    with refusals():
        catalogue = given.catalogue(ctx)
        catalogue.key(key)
        setting = given.settings(catalogue, env, layer, waive)[key]
    facts = explanation(catalogue, setting, prefix=given.prefix(ctx))
    if form is Format.JSON:
        write_json(_placed(facts))
        return
    write_card(f"{key}={setting.text}", _card(facts))


def list_command(
    ctx: typer.Context,
    section: SectionsOption = None,
    env: EnvironmentOption = "production",
    layer: LayersOption = None,
    set_by_layer: Annotated[
        str | None, typer.Option("--set-by", help="Only keys whose value this layer set.", autocompletion=given.complete_set_by, metavar="LAYER")
    ] = None,
    waive: WaiveOption = None,
    form: FormatOption = Format.TABLE,
) -> None:
    """List keys with their values and the layers that set them.

    Exit code 0: listed. 2: an option cannot be used.
    """
    with refusals():
        catalogue = given.catalogue(ctx)
        settings = given.settings(catalogue, env, layer, waive)
        names = [key.name for wanted in given.sections(catalogue, section) for key in wanted.keys]
        known = dict.fromkeys((*set_by(settings), env))
        if set_by_layer is not None and set_by_layer not in known:
            raise InvalidOption("set-by", set_by_layer, f"is no layer here{did_you_mean(set_by_layer, known)}; there are: {', '.join(known)}")
    shown = [settings[name] for name in names if set_by_layer in (None, settings[name].layer)]
    if form is Format.JSON:
        write_json([_placed(explanation(catalogue, setting, prefix=given.prefix(ctx))) for setting in shown])
        return
    rows = ((setting.key.name, setting.text, setting.key.unit, _source(setting), _overrode(setting)) for setting in shown)
    write_table(("KEY", "VALUE", "UNIT", "SET BY", "OVERRODE"), rows)


def diff(
    ctx: typer.Context,
    environments: Annotated[
        list[str] | None, typer.Argument(help="Two environments.", autocompletion=given.complete_environment, metavar="ENV ENV", show_default=False)
    ] = None,
    layer: Annotated[
        list[str] | None, typer.Option("--layer", "-l", help="Instead of environments: the two layers to compare, each over --env.", metavar="LAYER")
    ] = None,
    env: EnvironmentOption = "production",
    waive: WaiveOption = None,
    form: FormatOption = Format.TABLE,
) -> None:
    """Show the keys whose values differ between two environments or two layers, and where both values come from.

    Exit code 0: nothing differs. 1: something does. 2: an option cannot be used.
    """
    names = environments or layer or []
    with refusals():
        if len(names) != 2 or (environments and layer):
            raise InvalidOption("diff", names, "needs two things to compare: two environments, or --layer A --layer B")
        known = given.catalogue(ctx)
        catalogue = given.without_rules(known, given.waivers(known, waive))
        sides = ((name, ()) if environments else (env, (name,)) for name in names)
        left, right = (given.settings(catalogue, name, over) for name, over in sides)
    found = differences(left, right)
    if form is Format.JSON:
        write_json({"left": names[0], "right": names[1], "differences": [{"key": a.key.name, "left": _plain(a), "right": _plain(b)} for a, b in found]})
    elif found:
        head = ("KEY", names[0].upper() if environments else names[0], "SET BY", names[1].upper() if environments else names[1], "SET BY")
        write_table(head, ((a.key.name, a.text, _source(a), b.text, _source(b)) for a, b in found))
    else:
        write("no difference")
    raise typer.Exit(DIFFERENT if found else 0)


def check(
    ctx: typer.Context,
    files: Annotated[list[Path], typer.Argument(help="Layer files, YAML or TOML.", metavar="FILE...")],
    env: EnvironmentOption = "production",
    layer: LayersOption = None,
    waive: WaiveOption = None,
    form: FormatOption = Format.TABLE,
) -> None:
    """Find everything that is wrong with layer files, each over --env (and --layer) alone, without building anything.

    One line per finding, file:line first. Notes, about keys that change nothing or are going away, do not count as wrong.
    Exit code 0: nothing wrong. 1: something is. 2: an option cannot be used.
    """
    with refusals():
        known = given.catalogue(ctx)
        catalogue = given.without_rules(known, given.waivers(known, waive))
        below = [*catalogue.environment(env), *given.layers(layer)]
        findings = [finding for path in files for finding in inspect(catalogue, path, below)]
    wrong = sum(finding.problem == "error" for finding in findings)
    if form is Format.JSON:
        write_json([_finding(finding) for finding in findings])
    else:
        for finding in findings:
            write(str(finding))
        what = "nothing wrong" if not wrong else "1 error" if wrong == 1 else f"{wrong} errors"
        write(f"{len(files)} file{'' if len(files) == 1 else 's'}: {what}")
    raise typer.Exit(WRONG if wrong else 0)


def _placed(facts: dict[str, Any]) -> dict[str, Any]:
    """An explanation with the places as short as they can be found by."""
    return {**facts, "origin": place(facts["origin"]), "overrode": [{**old, "origin": place(old["origin"])} for old in facts["overrode"]]}


def _overrode(setting: Setting) -> str:
    return ", ".join(f"{old.text or '(empty)'} ({old.layer})" for old in setting.overrode)


def _card(facts: dict[str, Any]) -> list[tuple[str, str]]:
    """What there is to say of a key, a word in front of each."""
    unit = f", in {facts['unit']}" if facts["unit"] else ""
    larger = f" ({facts['larger_unit']})" if facts["larger_unit"] else ""
    return [
        ("meaning", facts["meaning"]),
        ("type", f"{facts['type']}{unit}{larger}"),
        ("allowed", facts["allowed"]),
        ("ConfigMap", f"{facts['config_map']} (section {facts['section']})"),
        ("set by", _told(facts)),
        *(("overrode", f"{old['value'] or '(empty)'} from {_told(old)}") for old in facts["overrode"]),
        *(("rule", f"{rule['id']}: {rule['demand']}, because {rule['reason']} ({rule['source']})") for rule in facts["rules"]),
        *(("waived", f"{waiver['id']}: {waiver['reason']}. What is broken: {waiver['violation']}") for waiver in facts["waived"]),
        *(("note", note) for note in facts["notes"]),
    ]


def _told(assignment: dict[str, str]) -> str:
    reason = assignment["reason"]
    return _where(assignment["layer"], place(assignment["origin"])) + (f": {reason}" if reason else "")


def _plain(setting: Setting) -> dict[str, Any]:
    facts = assigned(setting.history[-1])
    return {**facts, "origin": place(facts["origin"]), "notes": notes(setting)}


def _source(setting: Setting) -> str:
    assignment = setting.history[-1]
    wired = ", unless wired" if setting.key.name in WIRED_KEYS else ""
    return _where(assignment.layer, place(assignment.origin or assignment.site)) + wired


def _where(layer: str, origin: str) -> str:
    """The layer and where it was written; a file's name once."""
    return origin if origin.startswith(f"{layer}:") else f"{layer}{f' ({origin})' if origin else ''}"


def _finding(finding: Finding) -> dict[str, str | int]:
    return {"file": finding.path, "line": finding.line, "problem": finding.problem, "message": finding.message}


app = typer.Typer(no_args_is_help=True)


@app.callback()
def config(
    catalogue: Annotated[
        str | None, typer.Option(help="Another catalogue than the platform's: file.py:NAME.", envvar="SOSCTL_CATALOGUE", metavar="CATALOGUE")
    ] = None,
    prefix: Annotated[str, typer.Option(help="First part of the ConfigMaps' names.")] = PREFIX,
) -> None:
    """Explain, compare and check the platform's configuration, and make files from it."""


COMMANDS: Sequence[tuple[str, Any]] = (
    ("explain", explain),
    ("list", list_command),
    ("diff", diff),
    ("check", check),
    ("schema", artefacts.schema),
    ("docs", artefacts.docs),
    ("env", artefacts.env),
    ("bindings", artefacts.bindings),
)
for name, command in COMMANDS:
    app.command(name)(command)
