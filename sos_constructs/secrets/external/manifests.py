"""The operator's objects, one function each.

Every default that the API server would fill in is written out: inside a list Argo CD would call it a difference for ever.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from sos_constructs.labels import labels
from sos_constructs.secrets import ages
from sos_constructs.secrets.model import SecretSpec

API = "external-secrets.io/v1"

TIMES = f'{{{{ index . "{ages.DOCUMENT_KEY}" | default "{{}}" }}}}'
"""Template of the annotation that says when each value was made: the document says so itself."""

WAVE_STORE, WAVE_BOOTSTRAP, WAVE_SECRET = -4, -3, -2
"""Argo CD's sync waves: each is healthy before the next is applied, and workloads are in wave 0."""


def metadata(name: str, namespace: str | None, wave: int) -> dict[str, Any]:
    """Name, namespace (none of a cluster-scoped object), labels and sync wave of an object."""
    result: dict[str, Any] = {"name": name} | ({"namespace": namespace} if namespace else {})
    annotations = {"argocd.argoproj.io/sync-wave": str(wave)} if wave else {}
    return result | {"labels": labels("secrets", "sos-app", "secrets")} | ({"annotations": annotations} if annotations else {})


def go_duration(value: timedelta) -> str:
    """As the operator writes it back: ``1h0m0s``, ``15m0s``, ``30s``. Anything else would be a difference to Argo CD for ever."""
    minutes, seconds = divmod(int(value.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h{minutes}m{seconds}s"
    return f"{minutes}m{seconds}s" if minutes else f"{seconds}s"


def service_account(name: str, namespace: str, annotations: Mapping[str, str]) -> dict[str, Any]:
    """Whom the operator acts as. No pod runs under it."""
    head = metadata(name, namespace, WAVE_STORE)
    head["annotations"] = {**head["annotations"], **annotations}
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": head, "automountServiceAccountToken": False}


def store(name: str, namespace: str, provider: Mapping[str, Any]) -> dict[str, Any]:
    """A SecretStore."""
    return {"apiVersion": API, "kind": "SecretStore", "metadata": metadata(name, namespace, WAVE_STORE), "spec": {"provider": dict(provider)}}


def cluster_store(name: str, namespaces: Sequence[str], provider: Mapping[str, Any]) -> dict[str, Any]:
    """A ClusterSecretStore that only ``namespaces`` may use: without conditions every namespace could read every document."""
    spec = {"conditions": [{"namespaces": list(namespaces)}], "provider": dict(provider)}
    return {"apiVersion": API, "kind": "ClusterSecretStore", "metadata": metadata(name, None, WAVE_STORE), "spec": spec}


def extract(remote_key: str, version: str | None = None) -> list[dict[str, Any]]:
    """``spec.dataFrom``: every key of one document, in its newest version or in this one."""
    # `None` is the word, not the absence
    found = {"conversionStrategy": "Default", "decodingStrategy": "None", "key": remote_key, "metadataPolicy": "None"}
    return [{"extract": found | ({"version": version} if version else {})}]


def external_secret(
    secret: SecretSpec, namespace: str, *, store: Mapping[str, str], remote_key: str, refresh: timedelta, version: str | None = None
) -> dict[str, Any]:
    """The Secret, as a copy of its document.

    ``Orphan`` and ``Retain``: where the ExternalSecret or the document is deleted, the Secret stays as it is, and what runs goes on running.
    """
    random = any(row.origin == "generated" for row in secret.keys)
    # What only vendors can complete must not keep the database from being applied.
    wave = WAVE_SECRET if random else 0
    template = {
        "engineVersion": "v2",
        "mergePolicy": "Merge",
        "metadata": {"annotations": {ages.ANNOTATION: TIMES}, "labels": labels("secrets", "sos-app", "secrets")},
        "type": secret.type,
    }
    return copy(secret.name, namespace, store=store, data_from=extract(remote_key, version), refresh=refresh, template=template, wave=wave)


def derived(
    name: str, namespace: str, *, store: Mapping[str, str], data_from: Sequence[Mapping[str, Any]], refresh: timedelta, data: Mapping[str, str]
) -> dict[str, Any]:
    """A Secret of nothing but what ``data`` computes from a document."""
    template = {
        "data": dict(sorted(data.items())),
        "engineVersion": "v2",
        "mergePolicy": "Replace",
        "metadata": {"labels": labels("secrets", "sos-app", "secrets")},
        "type": "Opaque",
    }
    return copy(name, namespace, store=store, data_from=data_from, refresh=refresh, template=template, wave=WAVE_SECRET)


def copy(
    name: str,
    namespace: str,
    *,
    store: Mapping[str, str],
    data_from: Sequence[Mapping[str, Any]],
    refresh: timedelta,
    template: Mapping[str, Any],
    wave: int,
) -> dict[str, Any]:
    """An ExternalSecret whose Secret outlives it and its document."""
    return {
        "apiVersion": API,
        "kind": "ExternalSecret",
        "metadata": metadata(name, namespace, wave),
        "spec": {
            "dataFrom": list(data_from),
            "refreshInterval": go_duration(refresh),
            "secretStoreRef": dict(store),
            "target": {"creationPolicy": "Orphan", "deletionPolicy": "Retain", "name": name, "template": dict(template)},
        },
    }
