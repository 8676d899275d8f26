"""Where the secrets of a chart come from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Protocol

from sos_constructs.checked import checked
from sos_constructs.labels import labels
from sos_constructs.secrets.forms import placeholder
from sos_constructs.secrets.model import SecretSpec

from attrs import frozen


class SecretSource(Protocol):
    """Anything that turns the catalogue into objects of the chart. Handles are the same for every source."""

    alone: ClassVar[bool]
    """Whether its objects must be in a chart, and so in a file, of their own."""

    def manifests(self, secrets: Sequence[SecretSpec]) -> list[dict[str, Any]]:
        """The objects to emit, if any."""
        ...


@checked
@frozen
class ExistingSecrets:
    """The Secrets are put into the cluster by someone else (``sosctl secrets generate``, for one): the chart only refers to them."""

    alone: ClassVar[bool] = False

    def manifests(self, secrets: Sequence[SecretSpec]) -> list[dict[str, Any]]:
        return []


@checked
@frozen
class TemplateSecrets:
    """All Secrets, with a placeholder for every value that says how to make it: for people to copy and fill in.

    No placeholder is valid base64, so the API server refuses a Secret that is not filled in. Templates need a chart of their own:
    ``SosSecrets(cdk8s.Chart(app, "secrets-template"), "secrets", source=TemplateSecrets())``.
    """

    alone: ClassVar[bool] = True

    def manifests(self, secrets: Sequence[SecretSpec]) -> list[dict[str, Any]]:
        return [manifest(secret, {row.key: placeholder(row) for row in secret.keys if row.origin != "ring"}) for secret in secrets]


def manifest(
    secret: SecretSpec, data: Mapping[str, str], *, namespace: str | None = None, type: str | None = None, annotations: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """A Secret whose ``data`` is given as it shall stand there, sorted by key."""
    metadata: dict[str, Any] = {"name": secret.name} | ({"namespace": namespace} if namespace else {})
    metadata |= {"annotations": dict(annotations)} if annotations else {}
    metadata["labels"] = labels("secrets", "sos-app", "secrets")
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": type or secret.type, "data": dict(sorted(data.items()))}
