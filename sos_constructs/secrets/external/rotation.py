"""Writing a rotated document to its store through the operator, which has the rights and the client of every store."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from sos_constructs.secrets import ages, holders
from sos_constructs.secrets.external import manifests as m
from sos_constructs.secrets.external.pins import number_of
from sos_constructs.secrets.stored import SecretInputError

from attrs import frozen

SUFFIX = "-rotation"
"""Of the two objects that are there while one document is written."""


@frozen(kw_only=True)
class Source:
    """Where a Secret is copied from, as its ExternalSecret says.

    :param name: of the Secret and of the ExternalSecret.
    :param store: ``kind`` and ``name`` of the store object.
    :param document: the document's name in the store.
    :param number: its version, where its name has one (``NAME-v7``).
    """

    name: str
    store: Mapping[str, str]
    document: str
    number: int | None

    @property
    def next(self) -> str:
        """The document that a rotation writes: the same, or the one with the next version."""
        found = number_of(self.document)
        return f"{found[0]}-v{found[1] + 1}" if found and self.number is not None else self.document


def source_of(external: Mapping[str, Any], *, pinned: bool) -> Source:
    """What an ExternalSecret reads.

    :param pinned: whether a version at the end of the document's name counts.
    :raises SecretInputError: when this library did not make it, or it is pinned to a version that only the store can make.
    """
    name, spec = external["metadata"]["name"], external.get("spec") or {}
    found = [entry.get("extract") for entry in spec.get("dataFrom") or []]
    if len(found) != 1 or not found[0] or spec.get("data"):
        raise SecretInputError(f"ExternalSecret {name} does not copy one whole document; rotate it in its store")
    if version := found[0].get("version"):
        raise SecretInputError(f"ExternalSecret {name} is pinned to the store's version {version}; write the new one there and put its version into the file")
    number = number_of(found[0]["key"])
    return Source(name=name, store=spec["secretStoreRef"], document=found[0]["key"], number=number[1] if number and pinned else None)


def payload(secret: Mapping[str, Any], document: str, namespace: str, *, labels: Mapping[str, str] | None = None) -> dict[str, Any]:
    """A Secret of its own with the values and the times of ``secret``, which is to become ``document``."""
    times = (secret["metadata"].get("annotations") or {}).get(ages.ANNOTATION, "{}")
    data = {**secret["data"], ages.DOCUMENT_KEY: holders.base64_of(times)}
    head = {"name": document, "namespace": namespace, "labels": dict(labels or {}), "annotations": {ages.ANNOTATION: times}}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": head, "type": "Opaque", "data": dict(sorted(data.items()))}


def push(source: Source, namespace: str, about: Mapping[str, Any]) -> dict[str, Any]:
    """The PushSecret that writes :func:`payload`: over the document, or as a new one, which is never written over."""
    data: dict[str, Any] = {"conversionStrategy": "None", "match": {"remoteRef": {"remoteKey": source.next}}}
    return {
        "apiVersion": "external-secrets.io/v1alpha1",
        "kind": "PushSecret",
        "metadata": m.metadata(f"{source.name}{SUFFIX}", namespace, 0),
        "spec": {
            "data": [data | ({"metadata": dict(about)} if about else {})],
            "deletionPolicy": "None",
            "refreshInterval": "0s",
            "secretStoreRefs": [dict(source.store)],
            "selector": {"secret": {"name": f"{source.name}{SUFFIX}"}},
            "updatePolicy": "Replace" if source.number is None else "IfNotExists",
        },
    }


def ready(manifest: Mapping[str, Any]) -> tuple[bool, str]:
    """Whether the operator is done with an object, and what it says; its messages name documents and never hold values."""
    for condition in (manifest.get("status") or {}).get("conditions") or []:
        if condition.get("type") == "Ready":
            return condition.get("status") == "True", re.sub(r"\s+", " ", str(condition.get("message") or condition.get("reason")))
    return False, "the External Secrets Operator has not acted"
