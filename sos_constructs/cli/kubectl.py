"""Reading from a cluster through ``kubectl``: whatever log-in the user has set up for it works here too."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Sequence

from sos_constructs.secrets.stored import SecretInputError, StoredSecret, read

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
    options = [*(["--context", context] if context else []), *(["--namespace", namespace] if namespace else []), "--request-timeout", REQUEST_TIMEOUT]
    command = ["kubectl", *options, *arguments]
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


def current_context() -> str:
    """Name of kubectl's current context, for messages."""
    try:
        done = subprocess.run(
            ["kubectl", "config", "current-context"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PROCESS_TIMEOUT, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    return done.stdout.strip() or "none"
