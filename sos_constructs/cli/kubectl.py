"""Reading and changing a cluster through ``kubectl``: whatever log-in the user has set up for it works here too."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from sos_constructs.secrets.stored import SecretInputError, StoredSecret, documents, read

REQUEST_TIMEOUT = "10s"
PROCESS_TIMEOUT = 60
"""Seconds; longer than all requests, since a log-in plugin may ask its server first."""


def read_secrets(names: Iterable[str], *, namespace: str, context: str | None = None) -> list[StoredSecret]:
    """The Secrets of ``namespace`` that exist; a namespace that does not exist has none.

    :param names: the Secrets wanted, each asked for by name: no right to list is needed.
    :param namespace: where they are.
    :param context: kubeconfig context (default: the current one).
    :raises SecretInputError: when the cluster does not answer, or not as one may go on with.
    """
    where = f"cluster (context {context or current_context()}, namespace {namespace})"
    text = _answer(["get", "secret", *names, "--ignore-not-found", "--output", "json"], where, context, namespace)
    return read(text, where) if text.strip() else []


def read_manifests(what: Sequence[str], *, namespace: str, context: str | None = None) -> list[dict[str, Any]]:
    """The objects of ``namespace`` that ``kubectl get WHAT`` finds, as they are.

    :raises SecretInputError: when the cluster does not answer, or not as one may go on with.
    """
    where = f"cluster (context {context or current_context()}, namespace {namespace})"
    text = _answer(["get", *what, "--ignore-not-found", "--output", "json"], where, context, namespace)
    return documents(text, where) if text.strip() else []


class UnknownOutcomeError(Exception):
    """A change was sent, and whether it was made is not known."""


def replace(manifest: Mapping[str, Any], *, namespace: str, context: str | None = None) -> None:
    """Replace an object by another version of it, unless it was changed since it was read.

    :raises SecretInputError: when the cluster refused it.
    :raises UnknownOutcomeError: when there was no answer.
    """
    send("replace", manifest, namespace=namespace, context=context)


def send(verb: Literal["create", "replace"], manifest: Mapping[str, Any], *, namespace: str, context: str | None = None, there_is_fine: bool = False) -> None:
    """Create or replace an object.

    The manifest goes over standard input, and only the kind of error is reported: the text of kubectl may contain values.

    :param there_is_fine: an object of that name, which stays as it is, is no error.
    :raises SecretInputError: when the cluster refused it.
    :raises UnknownOutcomeError: when there was no answer.
    """
    name = manifest["metadata"]["name"]
    where = f"cluster (context {context or current_context()}, namespace {namespace}): {name}"
    command = ["kubectl", *_options(context, namespace), verb, "--filename", "-"]
    try:
        done = subprocess.run(command, input=json.dumps(manifest), capture_output=True, text=True, encoding="utf-8", timeout=PROCESS_TIMEOUT, check=False)
    except FileNotFoundError:
        raise SecretInputError(f"{where}: kubectl is not installed") from None
    except subprocess.TimeoutExpired:
        raise UnknownOutcomeError(
            f"{where}: no answer within {PROCESS_TIMEOUT} seconds; whether it was changed is not known, sosctl secrets plan shows it"
        ) from None
    if done.returncode != 0:
        reason = re.search(r"Error from server \((\w+)\)", done.stderr)
        if reason is None or reason[1] in ("InternalError", "ServerTimeout", "Timeout"):
            raise UnknownOutcomeError(f"{where}: kubectl failed; whether it was changed is not known, sosctl secrets plan shows it")
        if reason[1] == "AlreadyExists" and there_is_fine:
            return
        known = {"Conflict": "was changed meanwhile; run the command again", "Forbidden": f"you may not {'update' if verb == 'replace' else verb} it"}
        raise SecretInputError(f"{where} {known.get(reason[1], f'was refused ({reason[1]})')}")


def delete(what: Sequence[str], *, namespace: str, context: str | None = None) -> None:
    """Delete objects that may not be there.

    :raises SecretInputError: when the cluster does not answer, or refuses.
    """
    where = f"cluster (context {context or current_context()}, namespace {namespace})"
    _answer(["delete", *what, "--ignore-not-found", "--wait=true", "--timeout=30s"], where, context, namespace)


def annotate(kind: str, name: str, annotation: str, *, namespace: str, context: str | None = None) -> None:
    """Give an object an annotation.

    :raises SecretInputError: when the cluster does not answer, or refuses.
    """
    where = f"cluster (context {context or current_context()}, namespace {namespace})"
    _answer(["annotate", kind, name, "--overwrite", annotation], where, context, namespace)


def sealing_certificate(namespace: str, name: str, *, context: str | None = None) -> str:
    """The certificate that a Sealed Secrets controller seals with at present, PEM.

    :param namespace: where the controller is.
    :param name: name of its Service.
    :raises SecretInputError: when the cluster or the controller does not answer.
    """
    where = f"cluster (context {context or current_context()}), certificate of controller {namespace}/{name}"
    # by port number: older manifests of the controller give the port no name
    return _answer(["get", "--raw", f"/api/v1/namespaces/{namespace}/services/http:{name}:8080/proxy/v1/cert.pem"], where, context)


def _answer(arguments: Sequence[str], where: str, context: str | None, namespace: str | None = None) -> str:
    command = ["kubectl", *_options(context, namespace), *arguments]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, encoding="utf-8", timeout=PROCESS_TIMEOUT, check=False)
    except FileNotFoundError:
        raise SecretInputError(f"{where}: kubectl is not installed") from None
    except subprocess.TimeoutExpired:
        raise SecretInputError(f"{where}: kubectl did not answer within {PROCESS_TIMEOUT} seconds") from None
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
        raise SecretInputError(f"{where}: {reason}")
    return done.stdout


def _options(context: str | None, namespace: str | None) -> list[str]:
    return [*(["--context", context] if context else []), *(["--namespace", namespace] if namespace else []), "--request-timeout", REQUEST_TIMEOUT]


def current_context() -> str:
    """Name of kubectl's current context, for messages."""
    try:
        done = subprocess.run(
            ["kubectl", "config", "current-context"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PROCESS_TIMEOUT, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    return done.stdout.strip() or "none"
