"""Where the secrets of a chart come from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from attrs import frozen

from sos_constructs.secrets.model import SecretSpec


class SecretSource(Protocol):
    """Anything that turns the catalogue into objects of the chart. Handles are the same for every source."""

    def manifests(self, secrets: Sequence[SecretSpec]) -> list[dict[str, Any]]:
        """The objects to emit, if any."""
        ...


@frozen
class ExistingSecrets:
    """The Secrets are put into the cluster by someone else (``sosctl secrets generate``, for one): the chart only refers to them."""

    def manifests(self, secrets: Sequence[SecretSpec]) -> list[dict[str, Any]]:
        return []
