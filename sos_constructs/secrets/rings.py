"""The names under which the next and the old values of a key stand beside it, and the catalogue rows for them."""

from __future__ import annotations

import re
from datetime import datetime

from sos_constructs.secrets.model import NEVER, Key, Rotation, SecretSpec

_OLD = re.compile(r"(.+)-v[1-9]\d*")


def next_of(key: str) -> str:
    """Where the value stands that will replace it."""
    return f"{key}-next"


def previous_of(key: str) -> str:
    """Where the value stands that it replaced."""
    return f"{key}-previous"


def version_of(key: str, number: int) -> str:
    """Where the first, second, … value it ever had stands."""
    return f"{key}-v{number}"


def old_version(secret: SecretSpec, name: str) -> Key | None:
    """The row of which ``name`` (``pii-encryption-key-v2``) is an old version."""
    found = _OLD.fullmatch(name)
    return next((row for row in secret.keys if found and row.key == found[1] and row.rotation.keeps == "all"), None)


def with_rings(*keys: Key) -> tuple[Key, ...]:
    """``keys``, each followed by the rows of its next and previous value where its rotation has them.

    The last value of a private key is not kept: nothing is signed with it any more.
    """
    by_name = {key.key: key for key in keys}
    return tuple(row for key in keys for row in (key, *_ring(key, by_name.get(key.follows, key).rotation)))


def dated(user: str, now: datetime) -> str:
    """The name under which ``user`` logs in with a password made at ``now``: ``auth_202611232130``."""
    return f"{user}_{now:%Y%m%d%H%M}"


def dated_pattern(user: str) -> str:
    """A regular expression of the names that ``user`` logs in under."""
    return rf"{re.escape(user)}(_\d{{12}})?"


def _ring(key: Key, rotation: Rotation) -> list[Key]:
    rows = []
    if rotation.staged:
        source = next_of(key.source) if key.source else ""
        rows.append(_row(next_of(key.key), key, f"The value that will replace {key.key}: to be accepted, not yet used.", source))
    if rotation.keeps == "previous" and key.form != "rsa-private-key":
        rows.append(_row(previous_of(key.key), key, f"The value that {key.key} replaced: still accepted, not used any more.", ""))
    return rows


def _row(name: str, key: Key, meaning: str, source: str) -> Key:
    return Key(
        key=name,
        env=key.env + name.removeprefix(key.key).upper().replace("-", "_"),
        origin="ring",
        form=key.form,
        rotation=NEVER,
        source=source,
        pattern=key.pattern,
        optional=True,
        meaning=meaning,
        breaks="Nothing, except while it is being rotated.",
        obtain="sosctl secrets rotate",
        added="rotation without an outage needs two values for a while",
    )
