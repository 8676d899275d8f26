"""The commands of ``sosctl``, put together."""

from __future__ import annotations

from importlib.metadata import version
from typing import Annotated

from sos_constructs.cli import config, secrets
from sos_constructs.cli.diff import diff
from sos_constructs.cli.graph import graph
from sos_constructs.cli.rotate import plan_command, rotate_command
from sos_constructs.cli.seal import seal_command

import typer

#: Tracebacks with local variables would print secret values.
app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, pretty_exceptions_show_locals=False)
secrets.app.command("seal")(seal_command)
secrets.app.command("plan")(plan_command)
secrets.app.command("rotate")(rotate_command)
app.add_typer(config.app, name="config")
app.add_typer(secrets.app, name="secrets")
app.command("diff")(diff)
app.command("graph")(graph)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"sosctl {version('sos-constructs')}")
        raise typer.Exit


@app.callback()
def sosctl(show_version: Annotated[bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and stop.")] = False) -> None:
    """Day-to-day tasks of the SOS platform on Kubernetes."""
