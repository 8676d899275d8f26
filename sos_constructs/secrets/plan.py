"""What is due for rotation, in the order in which to do it. Values are looked at only to see when a certificate ends."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from sos_constructs.secrets import ages, certificates, holders
from sos_constructs.secrets.catalogue import SECRETS
from sos_constructs.secrets.catalogues import SecretCatalogue
from sos_constructs.secrets.check import NOTICE_DAYS
from sos_constructs.secrets.model import Key, SecretSpec
from sos_constructs.secrets.rings import next_of
from sos_constructs.secrets.rotation import SETTLE, StepName, next_step, previous

from attrs import frozen

Action = StepName | Literal["re-issue", "renew"]

_NOT_KNOWN = datetime.min.replace(tzinfo=UTC)


@frozen
class Item:
    """One thing to do.

    :param secret: name of the Secret.
    :param row: the key.
    :param action: a step of :mod:`rotation`, or what someone else must do.
    :param since: since when it has its value; ``None`` when that is not known.
    :param at_most: whether ``since`` is only the age of the Secret, which no value in it exceeds.
    :param due: when to do it; ``None`` when that cannot be known, which is as bad as overdue.
    """

    secret: str
    row: Key
    action: Action
    since: datetime | None
    at_most: bool
    due: datetime | None

    def is_due(self, now: datetime) -> bool:
        """Whether to do it now."""
        return self.due is None or self.due <= now


def plan(manifests: Iterable[Mapping[str, Any]], catalogue: SecretCatalogue = SECRETS) -> list[Item]:
    """Everything there is to do, sooner or later, for the Secrets and SealedSecrets among ``manifests``.

    First what is half done, then certificates, which end whatever happens; then the longest overdue; what only cleans up comes last.
    """
    by_name = {manifest["metadata"]["name"]: manifest for manifest in manifests if manifest.get("kind") in holders.KINDS}
    items = [item for secret in catalogue if secret.name in by_name for item in _items(secret, by_name[secret.name])]
    return sorted(items, key=_order)


def _order(item: Item) -> tuple[int, datetime]:
    half_done = item.action == "change" and item.row.rotation.staged
    rank = 0 if half_done else {"renew": 1, "retire": 3}.get(item.action, 2)
    return rank, item.due or _NOT_KNOWN


def _items(secret: SecretSpec, manifest: Mapping[str, Any]) -> Iterator[Item]:
    there, rotated, created = holders.keys(manifest), ages.read(manifest["metadata"]), ages.time(manifest["metadata"].get("creationTimestamp"))
    for row in secret.keys:
        if row.key not in there or row.rotation.days is None or row.origin == "derived" or row.form == "private-key":
            continue  # a private key is renewed with its certificate
        since = rotated.get(row.key) or created
        period = since and since + timedelta(days=row.rotation.days)
        at_most = row.key not in rotated
        if row.origin == "certificate":
            yield Item(secret.name, row, "renew", since, at_most, _ends(manifest, row) or period)
        elif row.origin != "generated":
            yield Item(secret.name, row, "re-issue", since, at_most, period)
        elif next_step(secret, row, there) == "change" and row.rotation.staged:
            staged = rotated.get(next_of(row.key))
            yield Item(secret.name, row, "change", since, at_most, staged and staged + SETTLE)
        else:
            yield Item(secret.name, row, next_step(secret, row, there), since, at_most, period)
        if row.origin == "generated" and previous(secret, row, there):
            changed = rotated.get(row.key)
            yield Item(secret.name, row, "retire", changed, False, changed and changed + row.rotation.overlap)


def _ends(manifest: Mapping[str, Any], row: Key) -> datetime | None:
    """When to renew a certificate that can be read."""
    if manifest["kind"] != "Secret":
        return None
    try:
        pem = base64.b64decode(manifest["data"][row.key]).decode()
        return certificates.ends(pem) - timedelta(days=NOTICE_DAYS)
    except (KeyError, ValueError):
        return None
