"""What a row of the table may ask besides kind and field."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import lru_cache
from importlib import resources
from typing import Any

from sos_constructs.review.model import MISSING, Difference, Key, Manifest
from sos_constructs.review.sources import secret_values
from sos_constructs.review.usage import Use, get, mapping

from attrs import frozen

NOTHING: Manifest = {}

#: Kubernetes API reference, "Quantity": a number with a decimal or binary suffix or an exponent.
_QUANTITY = re.compile(r"([+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+))((?:[numkMGTPE]|[KMGTPE]i)?|[eE][+-]?[0-9]{1,2})")
_FACTORS = {suffix: Decimal(1000) ** power for power, suffix in enumerate(("n", "u", "m", "", "k", "M", "G", "T", "P", "E"), start=-3)} | {
    f"{suffix}i": Decimal(1024) ** power for power, suffix in enumerate("KMGTPE", start=1)
}


@frozen
class Context:
    """A change and what it must be seen together with.

    :param key: the object.
    :param old: the object as it was, empty where it is new.
    :param new: the object as it will be, empty where it is gone.
    :param difference: what differs.
    :param readers: how pods of the new manifests read the object, where it is a ConfigMap or Secret.
    :param replaced: objects whose pods are replaced by the same set of changes.
    :param added: objects that are new, and so are their pods.
    """

    key: Key
    old: Manifest
    new: Manifest
    difference: Difference
    readers: tuple[Use, ...] = ()
    replaced: frozenset[Key] = frozenset()
    added: frozenset[Key] = frozenset()

    @property
    def before(self) -> Any:
        return self.difference.before

    @property
    def after(self) -> Any:
        return self.difference.after

    @property
    def own_readers(self) -> list[Use]:
        """Those that read the key that differs."""
        path = self.difference.path
        name = path[1].name if len(path) > 1 else None
        return [use for use in self.readers if use.key is None or name is None or use.key == name]

    def read(self, *, live: bool) -> bool:
        """Whether a pod that goes on running reads it: as a file, or once, when it starts."""
        return any(use.live is live and use.by not in self.replaced | self.added and use.by.kind != "CronJob" for use in self.own_readers)


def amount(value: object) -> Decimal | None:
    """The number behind a quantity, ``None`` where it is none."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return None
    match = _QUANTITY.fullmatch(str(value))
    if not match:
        return None
    return Decimal(match[1]) * (_FACTORS[match[2]] if match[2] in _FACTORS else Decimal(10) ** int(match[2][1:]))


def _ordered(context: Context, sign: int) -> bool:
    before, after = amount(context.before), amount(context.after)
    return before is not None and after is not None and (after - before) * sign > 0


def _selector_misses(context: Context) -> bool:
    wanted = get(context.new, "spec", "selector", "matchLabels")
    labels = mapping(get(context.new, "spec", "template", "metadata", "labels"))
    return any(labels.get(name) != value for name, value in mapping(wanted).items())


def _new_name(context: Context) -> bool:
    return bool(context.old and context.new) and get(context.old, "metadata", "name") != get(context.new, "metadata", "name")


def _external_name(context: Context) -> bool:
    return "ExternalName" in (get(context.old, "spec", "type"), get(context.new, "spec", "type"))


def _is_hapostgres(context: Context, *files: str) -> bool:
    """Whether this is a ConfigMap of HaPostgres, known by its label and its files."""
    manifest = context.new or context.old
    data = get(manifest, "data")
    return get(manifest, "metadata", "labels", "app.kubernetes.io/name") == "postgres" and isinstance(data, Mapping) and all(file in data for file in files)


def _is_set_of_hapostgres(context: Context) -> bool:
    """Whether this is the StatefulSet of HaPostgres, whose agent replaces pods: known by its label, the checksum and the strategy."""
    labelled = get(context.new, "metadata", "labels", "app.kubernetes.io/name") == "postgres"
    checksum = get(context.new, "spec", "template", "metadata", "annotations", "sos-constructs/restart-checksum")
    return labelled and bool(checksum) and get(context.new, "spec", "updateStrategy", "type") == "OnDelete"


def _setting_needs_restart(context: Context) -> bool:
    name = context.difference.path[-1].name
    return _is_hapostgres(context, "patroni.json", "postgresql.conf") and name in _restart_settings()


@lru_cache(maxsize=1)
def _restart_settings() -> frozenset[str]:
    """Settings of PostgreSQL that need a restart. Read as a file: importing the database's package would start Node."""
    text = resources.files("sos_constructs").joinpath("postgres/files/postgresql-15-settings.json").read_text("utf-8")
    table: dict[str, dict[str, Any]] = json.loads(text)
    return frozenset(name for name, row in table.items() if row["context"] == "postmaster")


CONDITIONS: Mapping[str, Callable[[Context], bool]] = {
    "agent of HaPostgres": lambda c: _is_hapostgres(c, "reconcile.py"),
    "becomes Delete": lambda c: c.after == "Delete",
    "becomes OnDelete from the default": lambda c: c.after == "OnDelete" and get(c.old, "spec", "updateStrategy", "type") is None,
    "fewer, and claims are deleted": lambda c: _ordered(c, -1) and get(c.new, "spec", "persistentVolumeClaimRetentionPolicy", "whenScaled") == "Delete",
    "first set or lower": lambda c: c.before is MISSING or _ordered(c, -1),
    "from or to ExternalName": _external_name,
    "has a new name": _new_name,
    "had claims": lambda c: bool(get(c.old, "spec", "volumeClaimTemplates")),
    "has values": lambda c: any(secret_values(c.new)),
    "larger": lambda c: _ordered(c, 1),
    "left out now": lambda c: c.after is MISSING,
    "not Indexed": lambda c: get(c.new, "spec", "completionMode") != "Indexed",
    "of HaPostgres": lambda c: _is_hapostgres(c, "patroni.json", "postgresql.conf"),
    "read as a file": lambda c: c.read(live=True),
    "read at start": lambda c: c.read(live=False),
    "read by new objects or the next run": lambda c: bool(c.own_readers),
    "read by nobody": lambda c: not c.readers,
    "read by pods that are replaced": lambda c: any(use.by in c.replaced for use in c.own_readers),
    "replaced on delete": lambda c: get(c.new, "spec", "updateStrategy", "type") == "OnDelete",
    "same amount": lambda c: (before := amount(c.before)) is not None and before == amount(c.after),
    "selector no longer matches": _selector_misses,
    "set of HaPostgres": _is_set_of_hapostgres,
    "setting of HaPostgres that needs a restart": _setting_needs_restart,
    "smaller": lambda c: _ordered(c, -1),
    "stays a LoadBalancer": lambda c: get(c.old, "spec", "type") == get(c.new, "spec", "type") == "LoadBalancer",
    "storage version gone": lambda c: c.after is MISSING and get(c.before, "storage") is True,
    "strategy Recreate": lambda c: get(c.new, "spec", "strategy", "type") == "Recreate",
    "was immutable": lambda c: get(c.old, "immutable") is True and not _new_name(c),
    "was not there": lambda c: c.before is MISSING,
    "was there": lambda c: c.before is not MISSING,
}
"""By the name that rows give."""

__all__ = ["CONDITIONS", "NOTHING", "Context", "amount"]
