"""What PostgreSQL 15 itself knows of its settings: context, type, unit, bounds. Used to check options before anything is emitted.

The table in ``files/postgresql-15-settings.json`` is ``pg_settings`` of a PostgreSQL 15 server without the internal (read-only) rows;
a test compares it with a live server.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from importlib import resources
from typing import Any

from sos_constructs.errors import InvalidOption, did_you_mean

SHARED = frozenset(
    {
        "max_connections",
        "max_locks_per_transaction",
        "max_prepared_transactions",
        "max_replication_slots",
        "max_wal_senders",
        "max_worker_processes",
        "track_commit_timestamp",
        "wal_keep_size",
        "wal_level",
        "wal_log_hints",
    }
)
"""Settings that Patroni takes from its store only, because all members must agree on them; local values are ignored.

Source: Patroni documentation, "Patroni configuration", PostgreSQL parameters controlled by Patroni.
"""

OWNED: Mapping[str, str] = {
    "archive_cleanup_command": "recovery is configured by Patroni",
    "cluster_name": "Patroni sets it to the scope",
    "config_file": "Patroni writes it",
    "data_directory": "it is the mounted volume",
    "fsync": "without it a crash destroys the data directory",
    "full_page_writes": "without it a crash destroys pages",
    "hba_file": "use the construct's own rules",
    "hot_standby": "standbys serve reads and must answer the agent",
    "ident_file": "the agent and the exporter log in through it",
    "include_dir": "settings that are not in the manifest cannot be reviewed",
    "listen_addresses": "Services and Patroni need it",
    "log_directory": "named pipes, which the container's first process reads",
    "log_filename": "named pipes, which the container's first process reads",
    "password_encryption": "pg_hba takes scram-sha-256 only",
    "port": "Services and Patroni need it",
    "primary_conninfo": "Patroni sets it at every change of leader",
    "primary_slot_name": "Patroni sets it at every change of leader",
    "promote_trigger_file": "only Patroni promotes",
    "recovery_end_command": "recovery is configured by Patroni",
    "recovery_min_apply_delay": "a delayed standby cannot take over without loss of time",
    "recovery_target": "recovery is configured by Patroni",
    "recovery_target_timeline": "Patroni follows the latest timeline",
    "restore_command": "recovery is configured by Patroni",
    **dict.fromkeys(
        ("ssl", *(f"ssl_{what}" for what in ("ca_file", "cert_file", "crl_dir", "crl_file", "key_file"))),
        "TLS is not set up by single settings",
    ),
    "synchronous_standby_names": "Patroni sets it; use synchronous_mode",
    "unix_socket_directories": "agent, exporter and Patroni share the directory",
    "unix_socket_permissions": "agent, exporter and Patroni share the directory",
    "wal_log_hints": "pg_rewind needs it",
}
"""Settings that a user must not change, with the reason that the error names."""

LEAST: Mapping[str, int] = {
    "max_connections": 25,
    "max_locks_per_transaction": 32,
    "max_replication_slots": 4,
    "max_wal_senders": 3,
    "max_worker_processes": 2,
    "wal_keep_size": 16,
}
"""What Patroni would silently replace by its own default where it is less, although PostgreSQL takes it (patroni/postgresql/config.py, CMDLINE_OPTIONS)."""

_MEMORY = {"B": 1, "kB": 1024, "MB": 1024**2, "GB": 1024**3, "TB": 1024**4}
_TIME = {"us": 1, "ms": 1000, "s": 1000**2, "min": 60 * 1000**2, "h": 3600 * 1000**2, "d": 86400 * 1000**2}
_AMOUNT = re.compile(r"(-?[0-9]+(?:\.[0-9]+)?(?:e[-+]?[0-9]+)?) *([A-Za-z]*)")
_BOOLEANS = frozenset({"on", "off", "true", "false", "yes", "no", "1", "0"})


@lru_cache(maxsize=1)
def catalogue() -> dict[str, dict[str, Any]]:
    """Every setting that a configuration file may contain, by name."""
    text = resources.files("sos_constructs.postgres").joinpath("files/postgresql-15-settings.json").read_text("utf-8")
    table: dict[str, dict[str, Any]] = json.loads(text)
    return table


def needs_restart(name: str) -> bool:
    """Whether a changed value takes effect only when the server restarts."""
    return bool(catalogue().get(name, {}).get("context") == "postmaster")


def check_parameters(option: str, parameters: Mapping[str, str | int | float | bool]) -> dict[str, str]:
    """Return the parameters as text for a configuration file, in the order given.

    :raises InvalidOption: unknown name (names with a dot belong to extensions and are taken as they are), a value outside PostgreSQL's
        own type or bounds, or a setting of :data:`OWNED`.
    """
    return {name: _check(f"{option}[{name!r}]", name, value) for name, value in parameters.items()}


def _check(option: str, name: str, value: str | int | float | bool) -> str:
    if name in OWNED or name.startswith("recovery_target"):
        raise InvalidOption(option, value, f"must be left out: {OWNED.get(name, 'recovery is configured by Patroni')}")
    text = ("on" if value else "off") if isinstance(value, bool) else str(value)
    if "\n" in text or "\x00" in text:
        raise InvalidOption(option, value, "must be one line")
    if re.fullmatch(r"[a-z_][a-z0-9_]*\.[A-Za-z_][A-Za-z0-9_.]*", name):
        return text
    row = catalogue().get(name)
    if row is None:
        raise InvalidOption(option, value, f"is no setting of PostgreSQL 15{did_you_mean(name, catalogue())}")
    kind = row["type"]
    if kind == "bool" and text.lower() not in _BOOLEANS:
        raise InvalidOption(option, value, "must be on or off")
    if name == "wal_level" and text.lower() == "minimal":
        raise InvalidOption(option, value, "leaves out what standbys need; use replica or logical")
    if kind == "enum" and text.lower() not in map(str.lower, row["enum"]):
        raise InvalidOption(option, value, f"must be one of {', '.join(row['enum'])}")
    if kind in ("integer", "real"):
        _check_number(option, text, row | {"min": LEAST.get(name, row["min"])})
    return text


def _check_number(option: str, text: str, row: Mapping[str, Any]) -> None:
    match, unit = _AMOUNT.fullmatch(text), str(row.get("unit", ""))
    if not match:
        raise InvalidOption(option, text, "must be a number" + (" with an optional unit" if unit else ""))
    amount, suffix = float(match[1]), match[2]
    if not suffix and row["type"] == "integer" and not amount.is_integer():
        raise InvalidOption(option, text, "must be a whole number")
    if suffix:
        units = next((u for u in (_MEMORY, _TIME) if unit.lstrip("0123456789") in u), None)
        if units is None:
            raise InvalidOption(option, text, "must be a number without a unit")
        if suffix not in units:
            raise InvalidOption(option, text, f"has an unknown unit; PostgreSQL takes {', '.join(units)} here (as written: kB, not KB)")
        word = unit.lstrip("0123456789")  # of "8kB"
        amount = amount * units[suffix] / (int(unit.removesuffix(word) or 1) * units[word])
    if not row["min"] <= amount <= row["max"]:
        raise InvalidOption(option, text, f"must be from {row['min']} to {row['max']}" + (f" ({unit})" if unit else ""))
