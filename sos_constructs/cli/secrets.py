"""``sosctl secrets``: make the Secrets of the platform, and find what is wrong with them."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from sos_constructs.cli import common, files
from sos_constructs.cli.common import FOUND, ONLY_ISSUED, Context, Namespace, Only, Postgres
from sos_constructs.secrets import docs
from sos_constructs.secrets.check import Finding, check
from sos_constructs.secrets.generate import Generated, generate
from sos_constructs.secrets.servers import by_name
from sos_constructs.secrets.stored import SecretInputError, dump, merge, read, select

import typer
from rich.console import Console

app = typer.Typer(no_args_is_help=True)

_COLOURS = {"missing": "red", "placeholder": "red", "weak": "yellow", "malformed": "red", "note": "dim"}


@app.callback()
def secrets(
    catalogue: Annotated[
        str | None, typer.Option(help="Another catalogue than the platform's: file.py:NAME.", envvar="SOSCTL_SECRETS_CATALOGUE", metavar="CATALOGUE")
    ] = None,
) -> None:
    """Make the platform's Secrets, and find what is wrong with them."""


@app.command("docs")
def docs_command(ctx: typer.Context) -> None:
    """Write the page about all Secrets and their keys, as Markdown."""
    sys.stdout.write(docs.markdown(common.catalogue(ctx)))


@app.command("generate")
def generate_command(
    ctx: typer.Context,
    namespace: Namespace = "sos-app",
    existing: Annotated[
        list[str] | None,
        typer.Option(
            help="Where values to keep are: 'cluster' (default), a FILE, '-' (standard input), or 'none'. May be repeated; the first value wins.",
            metavar="SOURCE",
        ),
    ] = None,
    context: Context = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write to this file, mode 0600, instead of standard output.", metavar="FILE")] = None,
    only: Only = None,
    postgres: Postgres = None,
) -> None:
    """Print every Secret that can be made, complete and ready for kubectl.

    Values that exist are kept: sosctl secrets generate | kubectl apply -f - may be run again and again. To know them it asks the cluster;
    when it gets no answer it prints nothing and stops. Keys that a vendor must issue are left out and listed on standard error.
    """
    catalogue = common.catalogue(ctx)
    servers = common.servers(catalogue, postgres, namespace)
    wanted = common.wanted(catalogue, only, list(by_name(servers)))
    sources = existing or ["cluster"]
    try:
        if output:
            files.refuse(output)
            if output.exists() and str(output) not in sources:
                raise SecretInputError(f"{output}: exists; keep its values with --existing {output}, or remove it")
        stored = merge(common.stored(source, wanted, namespace, context) for source in sources)
        result = generate(stored, now=datetime.now(UTC), namespace=namespace, only=wanted, servers=servers, catalogue=catalogue)
        text = dump(result.manifests)
        if output:
            files.write_private(output, text)
    except SecretInputError as error:
        common.stop(f"{error} – nothing was written." + _way_out(sources))
    except OSError as error:
        common.stop(f"{output}: {error.strerror} – nothing was written.")
    if output is None:
        sys.stdout.write(text)
        sys.stdout.flush()
    _report(result, sources, output)


@app.command("check")
def check_command(
    ctx: typer.Context,
    source: Annotated[str | None, typer.Argument(help="File with Secrets (YAML or JSON), or '-' for standard input.", metavar="FILE|-")] = None,
    cluster: Annotated[bool, typer.Option("--cluster", help="Check the Secrets that are in the cluster, wherever they came from.")] = False,
    context: Annotated[str | None, typer.Option(help="With --cluster: kubeconfig context (default: the current one).")] = None,
    namespace: Annotated[
        str | None, typer.Option("--namespace", "-n", help="Namespace of the Secrets (default: with --cluster sos-app, else any, if it is only one).")
    ] = None,
    only: Only = None,
    postgres: Postgres = None,
) -> None:
    """Find missing, placeholder, weak and malformed values; no value is ever shown.

    What is missing is listed with how to get it and what does not work without it.

    Exit code 0: nothing wrong. 1: something is. 2: the input cannot be read. 3: only what vendors must issue is missing.
    """
    catalogue = common.catalogue(ctx)
    servers = common.servers(catalogue, postgres, namespace or "sos-app")
    wanted = common.wanted(catalogue, only, list(by_name(servers)))
    if cluster == (source is not None):
        common.stop("say what to check: a FILE, '-' for standard input, or --cluster" + (", not two of them." if cluster else "."))
    if context and not cluster:
        common.stop(f"--context {context}: belongs to --cluster; add it.")
    try:
        if source is None:
            stored = common.stored("cluster", wanted, namespace or "sos-app", context)
        else:
            stored = select(read(common.text(source), common.called(source)), [*catalogue.names, *by_name(servers)], common.called(source), namespace=namespace)
    except SecretInputError as error:
        common.stop(f"{error}.")
    findings = check(stored, now=datetime.now(UTC), only=wanted, servers=servers, catalogue=catalogue)
    console = Console(highlight=False, soft_wrap=True)
    for finding in findings:
        console.print(f"{finding.problem:<11}", style=_COLOURS[finding.problem], end=" ", markup=False)
        console.print(f"{finding.secret}{'/' if finding.key else ''}{finding.key} {finding.detail}", markup=False)
    console.print(_summary(findings, len([name for name in wanted if name in catalogue or name in stored])), markup=False)
    raise typer.Exit(_exit_code(findings))


def _exit_code(findings: Sequence[Finding]) -> int:
    wrong = [finding for finding in findings if finding.problem != "note"]
    if not wrong:
        return 0
    return ONLY_ISSUED if all(finding.issued for finding in wrong) else FOUND


def _summary(findings: Sequence[Finding], secrets: int) -> str:
    counts = Counter(finding.problem for finding in findings if finding.problem != "note")
    wrong = ", ".join(f"{count} {problem}" for problem, count in sorted(counts.items()))
    return f"{_count(secrets)}: {wrong or 'nothing wrong'}"


def _count(secrets: int) -> str:
    return f"{secrets} secret{'' if secrets == 1 else 's'}"


def _way_out(sources: Sequence[str]) -> str:
    if "cluster" not in sources:
        return ""
    return " Values that exist must be known to be kept: for a first set use --existing none, else --existing FILE."


def _report(result: Generated, sources: Sequence[str], output: Path | None) -> None:
    """What happened, on standard error, so that standard output can be piped."""
    console = common.stderr()
    required = [left for left in result.left_out if not left.row.optional]
    optional = [left for left in result.left_out if left.row.optional]
    if required:
        console.print("Left out; get these and add them to their Secret:", style="bold")
    for left in required:
        console.print(f"  {left.secret}/{left.row.key}: {left.reason}. Without it: {left.row.breaks}", markup=False)
    if optional:
        console.print(f"Left out; optional: {', '.join(left.row.key for left in optional)}", markup=False)
    console.print(f"{_count(len(result.manifests))}: {result.made} values are new, {result.kept} were kept{f', in {output}' if output else ''}", markup=False)
    if set(sources) == {"none"}:
        console.print("A fresh set: use kubectl create, which does not replace Secrets that exist; kubectl apply would.", style="yellow")
    if output and files.may_be_committed(output):
        console.print(f"{output} is in a Git work tree and not ignored there: keep it out of commits", style="yellow", markup=False)
