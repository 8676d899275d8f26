"""``sosctl diff``: what a change of manifests does once it is applied."""

from __future__ import annotations

import sys
from enum import StrEnum
from io import TextIOWrapper
from typing import Annotated

from sos_constructs.review import Consequence, Review, ReviewInputError, load, render, review

import typer
from rich.console import Console

UNUSABLE = 2
"""Exit code for input or options that cannot be used; those of consequences are 10 and more."""

_STYLES = {
    "none": "dim",
    "reload": "green",
    "restart": "yellow",
    "recreate": "bold yellow",
    "forbidden": "red",
    "removal": "bold red",
    "data-loss": "bold white on red",
    "secret": "bold white on red",
    "title": "bold",
    "+": "green",
    "-": "red",
}


class Format(StrEnum):
    """How to print."""

    table = "table"
    markdown = "markdown"
    json = "json"


class Threshold(StrEnum):
    """For --fail-on: a consequence, or that there is to be none that fails."""

    NONE = "none"
    RELOAD = "reload"
    RESTART = "restart"
    RECREATE = "recreate"
    FORBIDDEN = "forbidden"
    REMOVAL = "removal"
    DATA_LOSS = "data-loss"
    SECRET = "secret"
    NEVER = "never"


def diff(
    old: Annotated[str, typer.Argument(help="Manifests as they are: a folder, a file, or a Git revision (main, HEAD~1:dist).", metavar="OLD")],
    new: Annotated[str, typer.Argument(help="Manifests as they will be, given in the same ways.", metavar="NEW")] = "dist",
    form: Annotated[Format, typer.Option("--format", help="How to print it.")] = Format.table,
    fail_on: Annotated[
        Threshold, typer.Option(help="The least consequence that makes the exit code other than 0; 'never': none does.", metavar="CONSEQUENCE")
    ] = Threshold.RELOAD,
) -> None:
    """Compare manifests object by object, and say what each change comes to when it is applied.

    Consequences, from harmless to grave: none, reload, restart, recreate, forbidden, removal, data-loss, secret.
    Exit code 0: nothing that --fail-on asks for. Else by the worst consequence: none 10, reload 11, restart 12, recreate 13, forbidden 14,
    removal 15, data-loss 16, secret 17. 2: the input cannot be used. Values of Secrets are never shown.
    """
    try:
        result = review(load(old), load(new))
    except ReviewInputError as error:
        Console(stderr=True, highlight=False, soft_wrap=True).print(f"sosctl: {error}.", style="red", markup=False)
        raise typer.Exit(UNUSABLE) from None
    _print(result, form)
    if result.objects and fail_on is not Threshold.NEVER and result.worst >= Consequence[fail_on.name]:
        raise typer.Exit(result.worst.exit_code)


def _print(result: Review, form: Format) -> None:
    if isinstance(sys.stdout, TextIOWrapper):  # whatever the locale: programs read UTF-8, and a terminal without arrows shows question marks
        if form is Format.table:
            sys.stdout.reconfigure(errors="replace")
        else:
            sys.stdout.reconfigure(encoding="utf-8")
    if form is Format.json:
        typer.echo(render.dump(result))
    elif form is Format.markdown:
        for line in render.markdown(result):
            typer.echo(line)
    else:
        console = Console(highlight=False, soft_wrap=True)
        for line, style in render.text(result):
            console.print(line, style=_STYLES.get(style), markup=False)
