"""Options that are right each by itself and cannot work together: PostgreSQL would not start, or the kernel would kill it."""

from __future__ import annotations

import re

from sos_constructs.errors import InvalidOption
from sos_constructs.postgres.spec import Spec
from sos_constructs.postgres.tuning import settings
from sos_constructs.quantities import parse_bytes

PRELOADED = frozenset({"citus", "pg_cron", "pg_qualstats", "pg_squeeze", "pg_stat_kcache", "pg_stat_statements", "pg_wait_sampling", "pgaudit", "timescaledb"})
"""Extensions that work only, or can be created only, where their library was loaded when the server started (each one's own manual)."""

_UNITS = {"": 8 * 1024, "B": 1, "kB": 1024, "MB": 1024**2, "GB": 1024**3, "TB": 1024**4}


def check_together(spec: Spec) -> None:
    """Raise :class:`InvalidOption` for the first pair of options that cannot work together."""
    values = {setting.name: setting.value for rows in settings(spec).values() for setting in rows}
    buffers, shared_memory = _bytes(values["shared_buffers"]), parse_bytes("shared_memory", spec.shared_memory)
    if buffers + shared_memory >= spec.memory_limit:
        raise InvalidOption(
            "parameters['shared_buffers']",
            values["shared_buffers"],
            f"must leave room in resources.memory_limit={spec.resources.memory_limit!r}, which also holds shared_memory={spec.shared_memory!r}",
        )
    reserved, connections = (round(float(values[name])) for name in ("superuser_reserved_connections", "max_connections"))
    if reserved >= connections:
        raise InvalidOption(
            "parameters['superuser_reserved_connections']", reserved, f"must be less than max_connections={connections}, or PostgreSQL does not start"
        )
    _check_huge_pages(spec, values["huge_pages"], buffers)
    loaded = {name.strip(" \"'") for name in values["shared_preload_libraries"].split(",")}
    for database in spec.databases:
        for extension in database.extensions:
            if extension in PRELOADED - loaded:
                wanted = ",".join(sorted({*loaded, extension} - {""}))
                raise InvalidOption(
                    f"databases[{database.name!r}].extensions",
                    extension,
                    f"needs its library from the start: add parameters={{'shared_preload_libraries': {wanted!r}}}, with an image that has it (pods restart)",
                )


def _check_huge_pages(spec: Spec, value: str, buffers: float) -> None:
    """Where a node has huge pages and the pod asked for none, the kernel hands one out and ends the server that touches it."""
    given = spec.resources.hugepages_2mi
    if value.lower() in ("off", "false", "no", "0"):
        return
    if given is None:
        fix = "needs resources=Resources(…, hugepages_2mi='1Gi'): a pod has only the huge pages that it requests"
        raise InvalidOption("parameters['huge_pages']", value, fix)
    if parse_bytes("resources.hugepages_2mi", given) <= buffers:
        fix = f"must be more than shared_buffers ({buffers / 1024**2:.0f} MiB): they hold other shared memory too"
        raise InvalidOption("resources.hugepages_2mi", given, fix)


def _bytes(value: str) -> float:
    match = re.fullmatch(r"([0-9.]+(?:e[-+]?[0-9]+)?) *([A-Za-z]*)", value)
    assert match, value  # checked by settings.check_parameters
    return float(match[1]) * _UNITS[match[2]]
