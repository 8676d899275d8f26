"""``sosctl secrets plan`` and ``rotate``: what is due, and doing it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

from sos_constructs.cli import common, files, kubectl, seal, store
from sos_constructs.cli.common import FOUND, Context, Namespace, Only
from sos_constructs.errors import did_you_mean
from sos_constructs.secrets import ages, consumers, holders, rotation, sealing
from sos_constructs.secrets.catalogues import SecretCatalogue
from sos_constructs.secrets.check import problem
from sos_constructs.secrets.model import Key, SecretSpec
from sos_constructs.secrets.plan import Item, plan
from sos_constructs.secrets.rings import next_of
from sos_constructs.secrets.rotation import Step
from sos_constructs.secrets.stored import SecretInputError, documents, dump

import typer
from rich.console import Console

_ACTIONS = {
    "stage": "stage the next value",
    "change": "change it",
    "retire": "retire the previous value",
    "re-issue": "issue it anew",
    "renew": "renew the certificate",
}

File = Annotated[Path | None, typer.Option("--file", help="File of Secrets or SealedSecrets (default: the cluster's Secrets).", metavar="FILE")]


def plan_command(
    ctx: typer.Context,
    file: File = None,
    workloads: Annotated[
        Path | None, typer.Option(help="Manifests of the workloads that use them (default: the cluster's, unless --file is given).", metavar="FILE")
    ] = None,
    within: Annotated[int, typer.Option(help="Also what becomes due within so many days.", min=0, metavar="DAYS")] = 0,
    only: Only = None,
    namespace: Namespace = "sos-app",
    context: Context = None,
) -> None:
    """Say what is due for rotation, in the order in which to do it, and what each of it restarts.

    Exit code 0: nothing is due. 1: something is. 2: the input cannot be read.
    """
    catalogue = common.catalogue(ctx)
    wanted = common.wanted(catalogue, only)
    now = datetime.now(UTC)
    try:
        manifests = _manifests(file, wanted, namespace, context)
        using, unknown = _workloads(file, workloads, namespace, context)
        items = plan((manifest for manifest in manifests if manifest["metadata"]["name"] in wanted), catalogue)
    except SecretInputError as error:
        common.stop(f"{error}.")
    due = [item for item in items if item.is_due(now + timedelta(days=within))]
    console = Console(highlight=False, soft_wrap=True)
    for number, item in enumerate(due, start=1):
        effect = unknown or _effect(consumers.uses(using, item.secret, item.row.key))
        console.print(f"{number:>3}. {item.secret}/{item.row.key}: {_ACTIONS[item.action]}; {_age(item, now)}; {effect}", markup=False)
    later = min((item.due for item in items if item.due and item not in due), default=None)
    console.print(f"{len(due)} due{f', the next on {later:%Y-%m-%d}' if later else ''}", markup=False)
    raise typer.Exit(FOUND if due else 0)


def rotate_command(
    ctx: typer.Context,
    secret: Annotated[str, typer.Argument(help="Name of the Secret.", metavar="SECRET")],
    key: Annotated[list[str] | None, typer.Option("--key", help="Only this key; may be given several times (default: all we can make).", metavar="KEY")] = None,
    file: File = None,
    value_from: Annotated[
        str | None, typer.Option(help="Take the new value of an issued key from this file, or from '-' (standard input).", metavar="FILE|-")
    ] = None,
    retire: Annotated[bool, typer.Option("--retire", help="Remove the previous values that nobody needs any more.")] = False,
    overlap: Annotated[int | None, typer.Option(help="Days the previous value is needed, if not the catalogue's.", min=0, metavar="DAYS")] = None,
    force: Annotated[bool, typer.Option("--force", help="Do not wait until everyone has the new value, or nobody needs the old one.")] = False,
    versions: Annotated[
        Path | None, typer.Option(help="File that pins documents to versions: make the next version, and have it say so.", metavar="FILE")
    ] = None,
    certificate: seal.Certificate = None,
    controller: seal.Controller = seal.CONTROLLER,
    namespace: Namespace = "sos-app",
    context: Context = None,
) -> None:
    """Rotate a Secret by one step: stage the next value where readers must know it first, else change it; the old value stays where it is needed.

    A Secret that is a copy of a document in a store is rotated there, and follows.

    Run it again for the next step; 'sosctl secrets plan' says when. Values in SealedSecrets are replaced without opening the old ones.
    """
    now = datetime.now(UTC)
    catalogue = common.catalogue(ctx)
    where = str(file) if file else "cluster"
    try:
        spec = _spec(catalogue, secret)
        every = _manifests(file, [secret], namespace, context)
        manifest = _one(every, secret, namespace, where)
        place = None if file else store.place_of(manifest, namespace, context, versions)
        if place is None and (owner := holders.owner(manifest)):
            raise SecretInputError(f"{secret} {owner}")
        manifest = place.current() if place else manifest
        if file and manifest["kind"] == "Secret":
            files.refuse(file)
        value = _value(spec, key or [], value_from, now)
        steps = _steps(spec, key or [], manifest, value, retire=retire, overlap=None if overlap is None else timedelta(days=overlap), force=force, now=now)
        changed = holders.after(manifest, steps, _encoder(manifest, namespace, certificate, controller, context), now)
        if place:
            place.write(changed)
        elif file is None:
            kubectl.replace(changed, namespace=namespace, context=context)
        else:
            write = files.write_public if all(other.get("kind") == "SealedSecret" for other in every) else files.write_private
            write(file, dump(changed if other is manifest else other for other in every))
    except SecretInputError as error:
        common.stop(f"{error} – nothing was changed.")
    except kubectl.UnknownOutcomeError as error:
        common.stop(f"{error}.")
    except OSError as error:
        common.stop(f"{where}: {error.strerror} – nothing was changed.")
    _report(spec, steps, overlap, now)
    if place:
        common.stderr().print(f"{secret}: {place.report()}", markup=False)


def _manifests(file: Path | None, names: Sequence[str], namespace: str, context: str | None) -> list[dict[str, Any]]:
    """Every object of the file, or the Secrets of the cluster with one of the names."""
    if file is None:
        return kubectl.read_manifests(["secret", *names], namespace=namespace, context=context)
    every = documents(common.text(str(file)), str(file))
    for manifest in every:
        holders.check_shape(manifest, str(file))
    if not any(manifest.get("kind") in holders.KINDS for manifest in every):
        raise SecretInputError(f"{file}: there is no Secret and no SealedSecret in it")
    return every


def _workloads(file: Path | None, workloads: Path | None, namespace: str, context: str | None) -> tuple[list[dict[str, Any]], str]:
    """The workloads, and why they are not known."""
    if workloads:
        found = documents(common.text(str(workloads)), str(workloads))
        try:
            consumers.uses(found, "", "")
        except (AttributeError, KeyError, TypeError):
            raise SecretInputError(f"{workloads}: a workload in it is not made as Kubernetes wants it") from None
        return found, ""
    if file:
        return [], "what it restarts: see --workloads"
    try:
        kinds = ",".join(f"{kind.lower()}s" for kind in consumers.KINDS)
        return kubectl.read_manifests([kinds], namespace=namespace, context=context), ""
    except SecretInputError as error:  # the right to read workloads is not needed for anything else
        return [], f"what it restarts is not known ({error})"


def _effect(uses: Sequence[consumers.Use]) -> str:
    restart = [use.workload for use in uses if use.restart]
    live = [use.workload for use in uses if not use.restart]
    parts = ([f"restarts {', '.join(restart)}"] if restart else []) + ([f"seen without a restart by {', '.join(live)}"] if live else [])
    return "; ".join(parts) or "no workload here uses it"


def _age(item: Item, now: datetime) -> str:
    if item.action == "renew" and item.due:
        return f"by {item.due:%Y-%m-%d}"
    if item.since is None:
        return "age not known"
    days = (now - item.since).days
    return f"{'at most ' if item.at_most else ''}{days} days old" + (f", every {item.row.rotation.days}" if item.action != "retire" else "")


def _spec(catalogue: SecretCatalogue, name: str) -> SecretSpec:
    if name not in catalogue:
        raise SecretInputError(f"{name}: {common.unknown(catalogue, name, catalogue.names)}")
    return catalogue[name]


def _one(manifests: Sequence[dict[str, Any]], name: str, namespace: str, where: str) -> dict[str, Any]:
    """The one Secret or SealedSecret to change."""
    found = [
        m for m in manifests if m.get("kind") in holders.KINDS and m["metadata"]["name"] == name and m["metadata"].get("namespace", namespace) == namespace
    ]
    if len(found) != 1:
        raise SecretInputError(f"{where}: {name} is {'there twice; keep one' if found else f'not there in namespace {namespace}'}")
    if found[0].get("immutable"):
        raise SecretInputError(f"{name} is immutable: make a Secret with another name")
    return found[0]


def _value(spec: SecretSpec, keys: Sequence[str], source: str | None, now: datetime) -> str | None:
    """The value given for one issued key, if any."""
    if source is None:
        return None
    if len(keys) != 1:
        raise SecretInputError("--value-from is for one key; say which with --key")
    row = _row(spec, keys[0])
    if row.origin not in ("issued", "federated"):
        raise SecretInputError(f"{spec.name}/{row.key}: is not issued by anyone; leave out --value-from")
    text = common.text(source)
    text = text if "PRIVATE KEY" in text else text.strip("\r\n")
    if found := problem(row, text.encode(), now):
        raise SecretInputError(f"{common.called(source)}: {row.key} {found[1]}")
    return text


def _row(spec: SecretSpec, key: str) -> Key:
    rows = {row.key: row for row in spec.keys}
    if key not in rows:
        raise SecretInputError(f"{spec.name} has no key {key}{did_you_mean(key, rows)}")
    return rows[key]


def _steps(
    spec: SecretSpec,
    keys: Sequence[str],
    manifest: Mapping[str, Any],
    value: str | None,
    *,
    retire: bool,
    overlap: timedelta | None,
    force: bool,
    now: datetime,
) -> list[Step]:
    there, rotated = holders.keys(manifest), ages.read(manifest["metadata"])
    rows = [_row(spec, key) for key in keys] or [
        row for row in rotation.rotatable(spec) if row.key in there and (not retire or rotation.previous(spec, row, there))
    ]
    if not keys and not retire:
        rows = [row for row in rows if row.rotation.staged and next_of(row.key) in there] or rows  # first what is half done
    steps = []
    for row in rows:
        if value is None and (reason := rotation.refusal(spec, row)):
            raise SecretInputError(f"{spec.name}/{row.key} {reason}")
        name = "retire" if retire else rotation.next_step(spec, row, there)
        try:
            wait = None if force else rotation.not_before(spec, row, name, there, rotated, overlap)
        except SecretInputError as error:
            raise SecretInputError(f"{spec.name}/{error}") from None
        if wait and wait > now:
            raise SecretInputError(
                f"{spec.name}/{row.key}: {_ACTIONS[name]} not before {wait:%Y-%m-%d %H:%M} UTC; until then {_WHY[name]}. --force does not wait"
            )
        steps.append(rotation.step(spec, row, name, there, value, now=now))
    if not steps:
        raise SecretInputError(f"{spec.name}: has no {'previous value to retire' if retire else 'value that we can make'}")
    return steps


_WHY = {"stage": "", "change": "someone may not have the new value yet, or may need the one before", "retire": "someone may need it"}


def _encoder(manifest: Mapping[str, Any], namespace: str, certificate: Path | None, controller: str, context: str | None) -> Callable[[str], str]:
    if manifest["kind"] == "Secret":
        return holders.base64_of
    key = sealing.sealing_key(*seal.certificate_of(certificate, controller, context), now=datetime.now(UTC))
    label = sealing.label_of(namespace, manifest["metadata"]["name"], sealing.scope_of(manifest))
    return lambda text: sealing.seal(text.encode(), key, label)


def _report(spec: SecretSpec, steps: Sequence[Step], overlap: int | None, now: datetime) -> None:
    console = common.stderr()
    for step in steps:
        needed = step.row.rotation.overlap if overlap is None else timedelta(days=overlap)
        old = sorted(name for name in step.copies if name not in {row.key for row in spec.keys if row.origin != "ring"})
        settled = f"{now + rotation.SETTLE:%H:%M} UTC"
        text = {
            "stage": f"the next value is there as {next_of(step.row.key)}; when every consumer has it, not before {settled}, run this again",
            "change": "has a new value" + (f"; the old one stays as {', '.join(old)}" if old else ""),
            "retire": f"{', '.join(sorted(step.removes))} removed",
        }[step.name]
        until = f" until {now + needed:%Y-%m-%d} at least" if old and step.row.rotation.keeps == "previous" else ""
        until = " for good: data encrypted with it stays readable" if old and step.row.rotation.keeps == "all" else until
        console.print(f"{spec.name}/{step.row.key}: {text}{until}", markup=False)
