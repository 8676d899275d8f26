"""Secrets with their values: reading whatever is there, writing what we made. Messages never contain a value."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sos_constructs.secrets import ages

from attrs import Factory, evolve, frozen

_BASE64 = re.compile(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")


class SecretInputError(ValueError):
    """Input that cannot be worked with. Its text is one clear sentence without any secret value."""


def decode(text: str) -> bytes | None:
    """The bytes behind a value of ``data``, or ``None`` where the API server would refuse it.

    As Go's ``encoding/base64.StdEncoding``, with which the API server reads Secrets: carriage returns and line feeds are skipped, any
    other character outside the alphabet, missing padding or something after it is an error.
    """
    text = text.replace("\r", "").replace("\n", "")
    return base64.b64decode(text) if _BASE64.fullmatch(text) else None


@frozen
class StoredSecret:
    """A Secret that was read from a file or a cluster.

    :param name: its name.
    :param namespace: its namespace, empty when the manifest leaves it to the reader.
    :param type: its type.
    :param values: the decoded values.
    :param placeholders: keys with a value that is not base64 and begins with ``<``.
    :param broken: other keys whose value the API server would refuse, with the reason.
    :param rotated: when values were made, where that is known.
    :param created: when the Secret was.
    """

    name: str
    namespace: str = ""
    type: str = "Opaque"
    values: Mapping[str, bytes] = Factory(dict)
    placeholders: frozenset[str] = frozenset()
    broken: Mapping[str, str] = Factory(dict)
    rotated: Mapping[str, datetime] = Factory(dict)
    created: datetime | None = None

    def __repr__(self) -> str:
        """Without values: this ends up in tracebacks and test reports."""
        return f"StoredSecret({self.namespace}/{self.name}: {', '.join(self.values)})"


def read(text: str, where: str) -> list[StoredSecret]:
    """All Secrets in ``text``: YAML documents, JSON, or what ``kubectl get secret -o yaml`` prints. Other kinds are skipped.

    :param text: the documents.
    :param where: how to call them in a message.
    :raises SecretInputError: when the text is neither YAML nor JSON, a Secret in it is not shaped like one, or there is none, which
        usually means the wrong file or a command that failed. An empty list, as of a new namespace, is no error.
    """
    every = documents(text, where)
    found = [_stored(document, where) for document in every if document.get("kind") == "Secret"]
    if every and not found:
        raise SecretInputError(f"{where}: there is no Secret in it")
    return found


def select(stored: Iterable[StoredSecret], names: Iterable[str], where: str, *, namespace: str | None = None) -> dict[str, StoredSecret]:
    """The Secrets with one of ``names``, by name.

    :param namespace: the one they must be in; Secrets that name none count as being in it (default: any, if it is only one).
    :raises SecretInputError: when a Secret is there twice, or only in another namespace.
    """
    selected: dict[str, StoredSecret] = {}
    elsewhere: dict[str, str] = {}
    wanted = set(names)
    for secret in stored:
        if secret.name not in wanted:
            continue
        if namespace and secret.namespace not in ("", namespace):
            elsewhere[secret.name] = secret.namespace
        elif secret.name in selected:
            raise SecretInputError(f"{where}: {secret.name} is there twice; keep one" + ("" if namespace else ", or choose a namespace with --namespace"))
        else:
            selected[secret.name] = secret
    for name, other in elsewhere.items():
        if name not in selected:
            raise SecretInputError(f"{where}: {name} is in namespace {other}, not in {namespace}; choose it with --namespace {other}, or leave the Secret out")
    return selected


def merge(sets: Iterable[Mapping[str, StoredSecret]]) -> dict[str, StoredSecret]:
    """All Secrets of all sets; where a key is in several, the first set that has a value for it wins. An empty value is none."""
    merged: dict[str, StoredSecret] = {}
    for stored in sets:
        for name, later in stored.items():
            first = merged.get(name)
            merged[name] = later if first is None else _merged(first, later)
    return merged


def _merged(first: StoredSecret, later: StoredSecret) -> StoredSecret:
    """``first``, and for what it has no value for ``later``. An empty value is none: it must not hide a password that is in use."""
    has = {key for key, value in first.values.items() if value} | set(first.broken)
    return evolve(
        first,
        values={**first.values, **{key: value for key, value in later.values.items() if key not in has}},
        broken={**{key: problem for key, problem in later.broken.items() if key not in has}, **first.broken},
        rotated={**{key: time for key, time in later.rotated.items() if key not in has}, **{key: time for key, time in first.rotated.items() if key in has}},
    )


def dump(manifests: Iterable[Mapping[str, Any]]) -> str:
    """The manifests as a stream of YAML documents, one line per value."""
    import yaml

    text: str = yaml.safe_dump_all([dict(m) for m in manifests], sort_keys=False, width=2**31, explicit_start=True)
    return text


def documents(text: str, where: str) -> list[dict[str, Any]]:
    """The Kubernetes objects in ``text``, those of lists one by one.

    :raises SecretInputError: when it is neither YAML nor JSON, empty, or something else than mappings.
    """
    import yaml

    try:
        loaded = [json.loads(text)] if text.lstrip().startswith("{") else list(yaml.safe_load_all(text))
    except json.JSONDecodeError as error:
        raise SecretInputError(f"{where}: not JSON (line {error.lineno}, column {error.colno})") from None
    except yaml.YAMLError as error:  # its text quotes the line, and with it the value
        mark = getattr(error, "problem_mark", None)
        raise SecretInputError(f"{where}: not YAML" + (f" (line {mark.line + 1}, column {mark.column + 1})" if mark else "")) from None
    except (ValueError, RecursionError):  # of YAML's own scalars, such as a date 2026-13-45
        raise SecretInputError(f"{where}: not YAML") from None
    loaded = [document for document in loaded if document is not None]
    if not loaded:
        raise SecretInputError(f"{where}: is empty")
    every: list[dict[str, Any]] = []
    for document in loaded:
        if not isinstance(document, dict):
            raise SecretInputError(f"{where}: not Kubernetes manifests (a document is {type(document).__name__}, not a mapping)")
        items = document.get("items") if str(document.get("kind", "")).endswith("List") else None
        every += [item for item in items if isinstance(item, dict)] if isinstance(items, list) else [document]
    return every


def _stored(document: Mapping[str, Any], where: str) -> StoredSecret:
    metadata = document.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    if not isinstance(metadata, dict) or not isinstance(name, str) or not name:
        raise SecretInputError(f"{where}: a Secret has no metadata.name")
    values: dict[str, bytes] = {}
    placeholders: set[str] = set()
    broken: dict[str, str] = {}
    for field in ("data", "stringData"):  # in the API server's order: stringData wins
        entries = document.get(field)
        if entries is None:
            continue
        if not isinstance(entries, dict):
            raise SecretInputError(f"{where}: {field} of Secret {name} is not a mapping")
        for key, value in entries.items():
            if value is None:  # as the API server reads it: an empty value
                values[str(key)] = b""
            elif not isinstance(key, str) or not isinstance(value, str):
                broken[str(key)] = "is not a string; quote it"
            elif value.lstrip().startswith("<") and (field == "stringData" or decode(value) is None):
                placeholders.add(key)
            elif (decoded := decode(value) if field == "data" else value.encode()) is None:
                broken[key] = "is not base64, so that the API server refuses the Secret"
            else:
                values[key] = decoded
    namespace, type = str(metadata.get("namespace") or ""), str(document.get("type") or "Opaque")
    rotated, created = ages.read(metadata), ages.time(metadata.get("creationTimestamp"))
    return StoredSecret(name, namespace, type, values, frozenset(placeholders), broken, rotated, created)
