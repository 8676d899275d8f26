"""A Secret or SealedSecret as a manifest: which keys it holds since when, and the same manifest after a rotation."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sos_constructs.secrets import ages, rotation
from sos_constructs.secrets.rotation import Step
from sos_constructs.secrets.stored import SecretInputError

KINDS = ("Secret", "SealedSecret")

_OWNERS = {
    "ExternalSecret": "rotate it in its store",
    "SealedSecret": "rotate it in its file: --file FILE",
    "Certificate": "cert-manager renews it: cmctl renew",
}
"""What makes Secrets, and would undo a change to one."""


DOCUMENT = "secret-document"
"""``app.kubernetes.io/component`` of a Secret that others are copies of."""


def check_shape(manifest: Mapping[str, Any], where: str) -> None:
    """Raise unless a Secret or SealedSecret is made as the API server wants it, as far as anything here looks at it.

    :raises SecretInputError: naming the field and what it should be.
    """
    metadata = manifest.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    if not isinstance(metadata, dict) or not isinstance(name, str):
        raise SecretInputError(f"{where}: an object has no metadata.name")
    if manifest.get("kind") not in KINDS:
        return
    sealed = manifest["kind"] == "SealedSecret"
    spec = manifest.get("spec") if sealed else {}
    if not isinstance(spec, dict):
        raise SecretInputError(f"{where}: spec of SealedSecret {name} is not a mapping")
    template = spec.get("template")
    inner = template if isinstance(template, dict) else {}
    fields = {
        "metadata.annotations": metadata.get("annotations"),
        **({"spec.encryptedData": spec.get("encryptedData"), "spec.template": template} if sealed else {}),
        **({"spec.template.metadata": inner.get("metadata"), "spec.template.data": inner.get("data")} if sealed else {}),
        **({} if sealed else {"data": manifest.get("data"), "stringData": manifest.get("stringData")}),
    }
    for field, value in fields.items():
        if value is not None and not isinstance(value, dict):
            raise SecretInputError(f"{where}: {field} of {manifest['kind']} {name} is not a mapping")
    for key, value in (spec.get("encryptedData") or {}).items():
        if not isinstance(value, str):
            raise SecretInputError(f"{where}: {name}/{key} is not a sealed value; rotate it if it is one in clear")


def keys(manifest: Mapping[str, Any]) -> set[str]:
    """Names of the keys with a value; a placeholder is none."""
    return {key for key, value in _values(manifest).items() if value and not value.lstrip().startswith("<")}


def is_copy(manifest: Mapping[str, Any]) -> bool:
    """Whether the External Secrets Operator copies this Secret from a store."""
    marks = manifest["metadata"].get("labels") or {}
    if any(reference.get("kind") == "ExternalSecret" for reference in manifest["metadata"].get("ownerReferences") or []):
        return True
    # `creationPolicy: Orphan` leaves no owner reference; a document in a KubernetesStore bears the mark too, but is the original
    return marks.get("reconcile.external-secrets.io/managed") == "true" and marks.get("app.kubernetes.io/component") != DOCUMENT


def owner(manifest: Mapping[str, Any]) -> str | None:
    """Who writes this Secret and would undo any change, with what to do; ``None`` when nobody does."""
    for reference in manifest["metadata"].get("ownerReferences") or []:
        kind, name = reference.get("kind"), reference.get("name")
        if kind in _OWNERS:
            return f"is written by {kind} {name}; {_OWNERS[kind]}"
        if reference.get("controller"):
            return f"is written by {kind} {name}; rotate it there"
    if is_copy(manifest):
        return f"is written by ExternalSecret {manifest['metadata'].get('name')}; {_OWNERS['ExternalSecret']}"
    certificate = (manifest["metadata"].get("annotations") or {}).get("cert-manager.io/certificate-name")
    return f"is written by Certificate {certificate}; {_OWNERS['Certificate']}" if certificate else None


def after(manifest: Mapping[str, Any], steps: Sequence[Step], encode: Callable[[str], str], now: datetime) -> dict[str, Any]:
    """The manifest after ``steps``.

    :param encode: makes of a new value what stands in the manifest: base64, or a sealed value.
    :param now: when that is.
    """
    values = rotation.apply(steps, _values(manifest), encode)
    times = rotation.times(steps, ages.read(manifest["metadata"]), now)
    result = {**manifest, "metadata": ages.stamped(manifest["metadata"], {key: time for key, time in times.items() if key in values})}
    if manifest["kind"] == "Secret":
        # kubectl's copy of what was last applied holds the values before: the old ones would stay readable in it
        annotations = {k: v for k, v in result["metadata"].get("annotations", {}).items() if k != "kubectl.kubernetes.io/last-applied-configuration"}
        result["metadata"] = {**result["metadata"], "annotations": annotations}
        return {key: value for key, value in result.items() if key not in ("data", "stringData")} | {"data": values}
    spec = manifest["spec"]
    template = {**(spec.get("template") or {})}
    template["metadata"] = ages.stamped(template.get("metadata") or {}, ages.read(result["metadata"]))  # so that the Secret says it, too
    return result | {"spec": {**spec, "encryptedData": values, "template": template}}


def base64_of(text: str) -> str:
    """A value as it stands in a Secret."""
    return base64.b64encode(text.encode()).decode()


def _values(manifest: Mapping[str, Any]) -> dict[str, str]:
    """Key → base64 or sealed value."""
    if manifest["kind"] == "SealedSecret":
        return dict((manifest.get("spec") or {}).get("encryptedData") or {})
    plain = {key: base64_of(value) if isinstance(value, str) else value for key, value in (manifest.get("stringData") or {}).items()}
    values = {**(manifest.get("data") or {}), **plain}
    for key, value in values.items():
        if value is not None and not isinstance(value, str):
            raise SecretInputError(f"{manifest['metadata']['name']}/{key} is not a string; quote it")
    return {key: value or "" for key, value in values.items()}
