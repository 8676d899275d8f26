"""What the commands of ``sosctl secrets`` share: options, reading input, and stopping with one clear line."""

from __future__ import annotations

import sys
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Annotated, NoReturn

from sos_constructs.cli import code, kubectl
from sos_constructs.errors import InvalidOption, did_you_mean
from sos_constructs.names import service_name
from sos_constructs.secrets.catalogue import SECRETS
from sos_constructs.secrets.catalogues import SecretCatalogue
from sos_constructs.secrets.servers import Server, pooler_server, postgres_server
from sos_constructs.secrets.stored import SecretInputError, StoredSecret, read, select

import typer
from rich.console import Console

FOUND, UNUSABLE, ONLY_ISSUED = 1, 2, 3
"""Exit codes beside 0: something is wrong; the input or an option cannot be used; only what vendors must issue is missing."""

Namespace = Annotated[str, typer.Option("--namespace", "-n", help="Namespace of the Secrets.")]
Only = Annotated[list[str] | None, typer.Option("--only", help="Only this Secret; may be given several times.", metavar="SECRET")]
Postgres = Annotated[
    list[str] | None,
    typer.Option(
        "--postgres", help="Name of a HaPostgres, for its certificates (default: those of the catalogue); may be given several times.", metavar="NAME"
    ),
]
Context = Annotated[str | None, typer.Option(help="kubeconfig context to look in (default: the current one).")]


def catalogue(ctx: typer.Context) -> SecretCatalogue:
    """The catalogue that ``sosctl secrets --catalogue`` names; the platform's, where it does not."""
    given: str | None = ctx.parent.params.get("catalogue") if ctx.parent else None
    if not given:
        return SECRETS
    try:
        found = code.load("catalogue", given)
        if not isinstance(found, SecretCatalogue):
            raise InvalidOption(
                "catalogue", given, f"must be a SecretCatalogue, such as SECRETS + postgres_secret(…); {code.name(given)} is {type(found).__name__}"
            )
    except InvalidOption as error:
        stop(f"{error}.")
    return found


def unknown(known: SecretCatalogue, name: str, names: Sequence[str]) -> str:
    """That there is no Secret of this name, and how there would be."""
    own = ". For a database of your own: sosctl secrets --catalogue FILE.py:NAME" if known is SECRETS else ""
    return f"no such secret{did_you_mean(name, names)}; there are {', '.join(names)}{own}"


def wanted(known: SecretCatalogue, only: Sequence[str] | None, more: Sequence[str] = ()) -> list[str]:
    """The names given with ``--only``, or all, in the catalogue's order, and then those in ``more``."""
    names = [*known.names, *more]
    for name in only or ():
        if name not in names:
            stop(f"--only {name}: {unknown(known, name, names)}.")
    return [name for name in names if not only or name in only]


def servers(known: SecretCatalogue, postgres: Sequence[str] | None, namespace: str) -> list[Server]:
    """The databases named with ``--postgres``, or those whose credentials are in the catalogue, each with its pooler."""
    try:
        names = [service_name("--postgres", name) for name in postgres or known.postgres]
    except InvalidOption as error:
        stop(f"{error}.")
    return [server(name, namespace) for name in names for server in (postgres_server, pooler_server)]


def stored(source: str, names: Collection[str], namespace: str, context: str | None) -> dict[str, StoredSecret]:
    """The Secrets of a SOURCE: ``cluster``, ``none``, a file or ``-``.

    :raises SecretInputError: when it cannot be read.
    """
    if source == "none":
        return {}
    if source == "cluster":
        return select(kubectl.read_secrets(names, namespace=namespace, context=context), names, "cluster", namespace=namespace)
    return select(read(text(source), called(source)), names, called(source), namespace=namespace)


def called(source: str) -> str:
    """A FILE argument as messages call it."""
    return "standard input" if source == "-" else source


def text(source: str) -> str:
    """The text of a FILE argument.

    :raises SecretInputError: when it cannot be read.
    """
    try:
        data = sys.stdin.buffer.read() if source == "-" else Path(source).read_bytes()
        return data.decode("utf-8-sig")
    except OSError as error:
        raise SecretInputError(f"{source}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise SecretInputError(f"{called(source)}: is not text (UTF-8)") from None


def stderr() -> Console:
    """Where everything goes that is not the result."""
    return Console(stderr=True, highlight=False, soft_wrap=True)


def stop(message: str) -> NoReturn:
    """Say why, and end with the exit code for unusable input."""
    stderr().print(f"sosctl: {message}", style="red", markup=False)
    raise typer.Exit(UNUSABLE)
