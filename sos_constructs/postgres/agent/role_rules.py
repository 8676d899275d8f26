"""Which names a role may have. One rule: synth reads this file too, so that it refuses what the pod would refuse."""

from __future__ import annotations

import re

LONGEST = 63 - len("_202611232130")
"""PostgreSQL keeps 63 bytes of a name, and a rotation adds the time to it (agent/logins.py)."""

OWN = ("monitoring", "pgbouncer", "postgres", "rewind", "standby")
"""Roles that the installation makes for itself."""


def problem(name: str) -> str | None:
    """What is wrong with the name, in words that follow on it; ``None`` when nothing is."""
    if not re.fullmatch(r"[a-z_][a-z0-9_]*", name):
        return "must be lower-case letters, digits and '_', not starting with a digit"
    if len(name) > LONGEST:
        return f"must have at most {LONGEST} characters: a rotation adds 13 (_202611232130), and PostgreSQL keeps 63"
    if name.startswith("pg_"):
        return "must not start with 'pg_': PostgreSQL keeps these names for itself"
    if name in ("none", "public"):
        return "is a word of PostgreSQL and no name of a role; choose another name"
    if re.search(r"_\d{12}$", name):
        return "must not end in twelve digits: the logins that a rotation makes are called so"
    return None
