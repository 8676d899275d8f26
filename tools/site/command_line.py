"""Reference of ``sosctl``, made from the help that the commands print."""

from __future__ import annotations

from collections.abc import Iterator
from inspect import cleandoc
from typing import Any

from sos_constructs.cli.app import app

import typer

from tools.site.docstrings import markdown


def page() -> str:
    """Every command with its arguments and options."""
    root: Any = typer.main.get_command(app)
    introduction = "# sosctl: commands\n\n<!-- Made from the commands' own help by tools/site/command_line.py. -->\n\n"
    introduction += "`sosctl` comes with `pip install 'sos-constructs[cli]'`. `sosctl COMMAND --help` prints the same as this page.\n"
    return "\n".join([introduction, *_command("sosctl", root)])


def _command(name: str, command: Any) -> Iterator[str]:
    children = getattr(command, "commands", {})
    if name != "sosctl":
        yield f"{'##' if name.count(' ') == 1 else '###'} {name}\n"
    yield f"{markdown(cleandoc(command.help or ''))}\n"
    context = typer.Context(command, info_name=name)
    if not children:
        yield f"```text\n{' '.join(command.get_usage(context).split()).removeprefix('Usage: ')}\n```\n"
    rows = [row for parameter in command.params if (row := _row(parameter, context))]
    if rows:
        yield "\n".join(["| argument or option | meaning |", "|---|---|", *rows, ""])
    for child, inner in children.items():
        yield from _command(f"{name} {child}", inner)


def _row(parameter: Any, context: Any) -> str:
    record = None if parameter.name in ("help", "install_completion", "show_completion") else parameter.get_help_record(context)
    if not record:
        return ""
    return f"| `{_cell(record[0])}` | {_cell(markdown(record[1]))} |"


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())
