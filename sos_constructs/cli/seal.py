"""``sosctl secrets seal``: Secrets that may be committed, for a Sealed Secrets controller to open."""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

from sos_constructs.cli import common, files, kubectl
from sos_constructs.cli.common import Context, Only
from sos_constructs.errors import did_you_mean
from sos_constructs.secrets import holders, sealing
from sos_constructs.secrets.sealing import Scope
from sos_constructs.secrets.stored import SecretInputError, StoredSecret, documents, dump, read, select

import typer
from attrs import evolve

CONTROLLER = "kube-system/sealed-secrets-controller"

Certificate = Annotated[
    Path | None, typer.Option(help="The controller's certificate, as kubeseal --fetch-cert prints it (default: ask the controller).", metavar="FILE")
]
Controller = Annotated[str, typer.Option(help="Which Sealed Secrets controller to ask for its certificate.", metavar="NAMESPACE/NAME")]


def seal_command(
    ctx: typer.Context,
    source: Annotated[str, typer.Argument(help="File with Secrets (YAML or JSON), or '-' for standard input.", metavar="FILE|-")],
    certificate: Certificate = None,
    scope: Annotated[
        Scope | None, typer.Option(help="Where the values can be unsealed: 'strict' is under their own name only (default: that, or as in --merge-into).")
    ] = None,
    namespace: Annotated[str, typer.Option("--namespace", "-n", help="Namespace of Secrets that name none.")] = "sos-app",
    only: Only = None,
    key: Annotated[list[str] | None, typer.Option("--key", help="Only this key; may be given several times.", metavar="KEY")] = None,
    merge_into: Annotated[
        Path | None, typer.Option(help="Replace the values in this file of SealedSecrets; all others stay as they are.", metavar="FILE")
    ] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write to this new file instead of standard output.", metavar="FILE")] = None,
    context: Context = None,
    controller: Controller = CONTROLLER,
) -> None:
    """Turn Secrets into SealedSecrets, which may be committed: only the controller in the cluster can open them.

    The first time:  sosctl secrets generate --existing none | sosctl secrets seal - -o sealed.yaml
    One value later: sosctl secrets seal issued.yaml --key sendgrid-api-key --merge-into sealed.yaml
    """
    target = merge_into or output
    catalogue = common.catalogue(ctx)
    now = datetime.now(UTC)
    try:
        if merge_into and output:
            raise SecretInputError("--merge-into writes its own file; leave out --output")
        if output and output.exists():
            raise SecretInputError(f"{output}: exists; keep its other values with --merge-into {output}, or remove it")
        old = _old(merge_into) if merge_into else []
        public_key = sealing.sealing_key(*certificate_of(certificate, controller, context), now=now)
        wanted = common.wanted(catalogue, only)
        stored = _chosen(select(read(common.text(source), common.called(source)), wanted, common.called(source)), key or (), common.called(source), now)
        sealed = _merged(old, [_sealed(secret, old, public_key, namespace, scope) for secret in stored.values()])
        if target:
            files.write_public(target, dump(sealed))
    except SecretInputError as error:
        common.stop(f"{error} – nothing was written.")
    except OSError as error:
        common.stop(f"{target}: {error.strerror} – nothing was written.")
    if target is None:
        sys.stdout.write(dump(sealed))
        sys.stdout.flush()
    values = sum(len(secret.values) for secret in stored.values())
    common.stderr().print(f"{values} values of {', '.join(stored)} sealed{f' into {target}' if target else ''}", markup=False)


def certificate_of(file: Path | None, controller: str, context: str | None) -> tuple[str, str]:
    """The certificate, and how to call it."""
    if file:
        return common.text(str(file)), str(file)
    namespace, slash, name = controller.partition("/")
    if not (namespace and slash and name):
        raise SecretInputError(f"--controller {controller}: must be NAMESPACE/NAME, for instance {CONTROLLER}")
    return kubectl.sealing_certificate(namespace, name, context=context), f"certificate of controller {controller}"


def _chosen(stored: Mapping[str, StoredSecret], keys: Collection[str], where: str, now: datetime) -> dict[str, StoredSecret]:
    """The Secrets with only ``keys`` in them, complete and readable."""
    if not stored:
        raise SecretInputError(f"{where}: has none of the platform's Secrets")
    there = [key for secret in stored.values() for key in (*secret.values, *secret.placeholders, *secret.broken)]
    for key in keys:
        if key not in there:
            raise SecretInputError(f"{where}: has no key {key}{did_you_mean(key, there)}")
    chosen: dict[str, StoredSecret] = {}
    for name, secret in stored.items():
        for key in sorted(secret.placeholders):
            if not keys or key in keys:
                raise SecretInputError(f"{where}: {name}/{key} is not filled in; fill it in or delete the line")
        for key, reason in secret.broken.items():
            if not keys or key in keys:
                raise SecretInputError(f"{where}: {name}/{key} {reason}")
        values = {key: value for key, value in secret.values.items() if not keys or key in keys}
        if values:
            known = {key: time for key, time in secret.rotated.items() if key in values}
            chosen[name] = evolve(secret, values=values, rotated=dict.fromkeys(keys and values, now) | known)  # keys that are named are new
    return chosen


def _sealed(secret: StoredSecret, old: Sequence[Mapping[str, Any]], public_key: Any, namespace: str, scope: Scope | None) -> dict[str, Any]:
    before = [document for document in old if document.get("metadata", {}).get("name") == secret.name]
    default: Scope = sealing.scope_of(before[0]) if before else "strict"
    return sealing.sealed_secret(secret, public_key, namespace=secret.namespace or namespace, scope=scope or default)


def _old(file: Path) -> list[dict[str, Any]]:
    """The SealedSecrets of a file, in its order."""
    old = documents(common.text(str(file)), str(file))
    for document in old:
        holders.check_shape(document, str(file))
        if document.get("kind") != "SealedSecret":
            raise SecretInputError(f"{file}: holds something else than SealedSecrets")
    return old


def _merged(old: Sequence[Mapping[str, Any]], new: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """``old`` in its order, with the values of ``new``; Secrets that are new come last."""
    by_name = {manifest["metadata"]["name"]: manifest for manifest in new}
    merged = [sealing.merge(document, by_name.pop(name)) if (name := document["metadata"].get("name")) in by_name else document for document in old]
    return [*merged, *by_name.values()]
