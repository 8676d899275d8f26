"""``sosctl graph``: a picture of what will run."""

from __future__ import annotations

import sys
from enum import StrEnum
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated

from sos_constructs.review import ReviewInputError, load
from sos_constructs.review.graph import build, mermaid, svg

import typer
from rich.console import Console

UNUSABLE = 2


class Format(StrEnum):
    """What to draw it as."""

    mermaid = "mermaid"
    svg = "svg"


def graph(
    manifests: Annotated[str, typer.Argument(help="Manifests: a folder, a file, or a Git revision (main, HEAD~1:dist).", metavar="DIST")] = "dist",
    form: Annotated[Format, typer.Option("--format", help="Mermaid, for Markdown, or SVG.")] = Format.mermaid,
    rights: Annotated[bool, typer.Option("--rights", help="Draw ServiceAccounts and what they may do, too.")] = False,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write to this file instead of standard output.", metavar="FILE")] = None,
) -> None:
    """Draw what will run: Services, the pods behind them, what those read and store, and the traffic that NetworkPolicies allow.

    The same manifests give the same bytes. Values of Secrets are never shown. Exit code 2: the input cannot be used.
    """
    try:
        picture = build(load(manifests), rights=rights)
        text = svg(picture) if form is Format.svg else mermaid(picture)
        if output:
            output.write_text(text, encoding="utf-8", newline="\n")
            return
    except ReviewInputError as error:
        _stop(f"{error}.")
    except OSError as error:
        _stop(f"{output}: {error.strerror}.")
    else:
        if isinstance(sys.stdout, TextIOWrapper):  # whatever the locale
            sys.stdout.reconfigure(encoding="utf-8")
        sys.stdout.write(text)


def _stop(message: str) -> None:
    Console(stderr=True, highlight=False, soft_wrap=True).print(f"sosctl: {message}", style="red", markup=False)
    raise typer.Exit(UNUSABLE)
