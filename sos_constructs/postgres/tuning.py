"""PostgreSQL settings and where each value comes from.

At the requirement's size (1Gi requested, 4Gi limit, 50Gi volume) they are exactly the requirement's; other sizes follow the formulas
named beside each row. "(restart)" marks what a running server cannot take over.
"""

from __future__ import annotations

import math
import re

from sos_constructs.postgres.failover import LIBRARY_PATH, PRELOADED
from sos_constructs.postgres.locale import Locale
from sos_constructs.postgres.names import LOG_DIR, SOCKET_DIR
from sos_constructs.postgres.settings import SHARED, check_parameters, needs_restart
from sos_constructs.postgres.spec import Spec
from sos_constructs.quantities import GiB, MiB, parse_bytes, parse_millicores

import attrs


@attrs.frozen
class Setting:
    """One line of postgresql.conf."""

    name: str
    value: str
    why: str


def settings(spec: Spec) -> dict[str, list[Setting]]:
    """Every setting by group, the user's overrides in place of the defaults (and, where we have none, in a group of their own)."""
    overrides = check_parameters("parameters", spec.parameters)
    groups = _defaults(spec, round(float(overrides.get("max_connections", "200"))))
    ours = {s.name for rows in groups.values() for s in rows}
    for rows in groups.values():
        rows[:] = [Setting(s.name, overrides[s.name], "option parameters") if s.name in overrides else s for s in rows]
    rest = [Setting(name, value, "option parameters") for name, value in sorted(overrides.items()) if name not in ours]
    if spec.failover is not None:
        groups["Fast failover"] = [Setting(LIBRARY_PATH, PRELOADED, "where the agent keeps WAL receivers from starting while it must")]
    return groups | ({"Set by the option parameters": rest} if rest else {})


def local_settings(spec: Spec) -> dict[str, list[Setting]]:
    """What stands in postgresql.conf."""
    return {group: rows for group, all_rows in settings(spec).items() if (rows := [s for s in all_rows if s.name not in SHARED])}


def shared_settings(spec: Spec) -> dict[str, str]:
    """What Patroni takes from its store only."""
    return {s.name: s.value for rows in settings(spec).values() for s in rows if s.name in SHARED}


def restart_settings(spec: Spec) -> dict[str, str]:
    """What a running server cannot take over: a change must roll the pods."""
    return {s.name: s.value for rows in settings(spec).values() for s in rows if needs_restart(s.name)}


def client_connections(spec: Spec) -> int:
    """Connections left to those who are no superusers."""
    values = {s.name: s.value for s in settings(spec)["Connections"]}
    return round(float(values["max_connections"])) - round(float(values["superuser_reserved_connections"]))


def postgresql_conf(spec: Spec) -> str:
    """The text of ``postgresql.conf``, with a reason on every line."""
    lines = [
        "# PostgreSQL 15 settings of this cluster. The agent has them reloaded when this file changes; those marked (restart) need new pods,",
        "# which a new checksum in the pod template brings.",
    ]
    for group, rows in local_settings(spec).items():
        lines += ["", f"# {group}"]
        lines += [_line(s) for s in rows]
    lines += [
        "",
        "# The same on every member: Patroni takes these from its store (postgresql.parameters in `patronictl show-config`), where the agent",
        "# keeps them as declared. Listed here for the reader; a value in this file would be ignored.",
    ]
    lines += [f"#   {name} = {value}" for name, value in sorted(shared_settings(spec).items())]
    return "\n".join(lines) + "\n"


def _line(setting: Setting) -> str:
    bare = re.fullmatch(r"[A-Za-z]+|[0-9]+(\.[0-9]+)?[A-Za-z]*", setting.value)
    value = setting.value if bare else "'" + setting.value.replace("\\", "\\\\").replace("'", "''") + "'"
    return f"{setting.name} = {value}  # {'(restart) ' if needs_restart(setting.name) else ''}{setting.why}"


def _defaults(spec: Spec, max_connections: int) -> dict[str, list[Setting]]:
    limit = spec.memory_limit
    request = parse_bytes("resources.memory_request", spec.resources.memory_request)
    # A Burstable pod may count on more than its request and less than its limit; the geometric mean lies between, and is the RAM itself when
    # request equals limit, where the published formulas then hold as they stand.
    ram = math.isqrt(request * limit)
    shared_buffers = ram // 4
    storage = parse_bytes("storage", spec.storage)
    cpus = max(1, parse_millicores("resources.cpu_limit", spec.resources.cpu_limit) // 1000)
    workers = max(8, cpus)
    why = "requirement" if spec.locale == Locale() else "option locale"
    keep = min(512 * MiB, storage // 10)
    work_mem = max(4 * MiB, (ram - shared_buffers) // ((max_connections + workers) * 3))
    return {
        "Connections": [
            Setting("max_connections", str(max_connections), "requirement"),
            Setting("superuser_reserved_connections", "5", "Patroni, the agent and a human at the terminal when clients use up the rest"),
            Setting("password_encryption", "scram-sha-256", "the only method that pg_hba accepts"),
            Setting("tcp_keepalives_idle", "30s", "a vanished client frees its connection after about a minute instead of two hours"),
            Setting("tcp_keepalives_interval", "10s", "see tcp_keepalives_idle"),
            Setting("tcp_keepalives_count", "3", "see tcp_keepalives_idle"),
        ],
        "Memory": [
            Setting("shared_buffers", _mb(shared_buffers), "requirement; a quarter of RAM (PostgreSQL manual, resource consumption)"),
            Setting("effective_cache_size", _mb(limit // 2), "requirement; half of the limit (PostgreSQL wiki: the conservative setting)"),
            Setting("work_mem", _mb(work_mem), "(RAM - shared_buffers) / (3 * (max_connections + workers)), at least 4MB (pgtune)"),
            Setting("maintenance_work_mem", _mb(min(ram // 16, 2 * GiB)), "RAM / 16, at most 2GB (pgtune)"),
            Setting("huge_pages", "off", "pods see them only when they request them; 'try' crashes where the node has some and the pod has none"),
            Setting("dynamic_shared_memory_type", "posix", f"/dev/shm is a volume of {spec.shared_memory}, counted in the memory limit"),
        ],
        "Write-ahead log and checkpoints": [
            Setting("wal_level", "replica", "requirement"),
            Setting("wal_log_hints", "on", "pg_rewind needs it (or data checksums; both are on)"),
            Setting("wal_compression", "on", "pglz: every build has it; full-page images shrink"),
            Setting("min_wal_size", _mb(min(1 * GiB, max(32 * MiB, storage // 50))), "1GB (pgtune, web), at most 2 % of the volume, at least two segments"),
            Setting("max_wal_size", _mb(min(4 * GiB, storage // 10)), "4GB (pgtune, web), at most 10 % of the volume"),
            Setting("checkpoint_timeout", "10min", "fewer full-page images than with 5min; a crash fails over instead of waiting for recovery"),
            Setting("checkpoint_completion_target", "0.9", "spread the writes (PostgreSQL's own default since 14)"),
        ],
        "Replication": [
            Setting("max_wal_senders", "10", "requirement"),
            Setting("max_replication_slots", "10", "one per member up to nine, one spare"),
            Setting("wal_keep_size", _mb(keep), "a standby that was away for a moment finds its place without its slot (CloudNativePG)"),
            Setting("max_slot_wal_keep_size", _mb(storage // 5), "20 % of the volume: a dead standby's slot must not fill the disk"),
            _sender_timeout(spec.failover is not None),
            Setting("wal_receiver_timeout", "5s", "the same seen from the standby (CloudNativePG)"),
            Setting("wal_retrieve_retry_interval", "500ms", "commits wait for a standby: it asks a restarted primary again after half a second, not after 5 s"),
            Setting("hot_standby_feedback", "on", "long reads on postgres-readonly-service are not cancelled by vacuum; costs bloat while they run"),
            Setting("max_worker_processes", str(workers), "PostgreSQL's default of 8, or the CPU limit if that is more (pgtune)"),
            Setting("max_locks_per_transaction", "64", "PostgreSQL's default, named because all members must agree"),
            Setting("max_prepared_transactions", "0", "PostgreSQL's default: two-phase commit is off"),
            Setting("track_commit_timestamp", "off", "PostgreSQL's default, named because all members must agree"),
        ],
        "Queries": [
            Setting("random_page_cost", "1.1", "solid-state storage (pgtune)"),
            Setting("effective_io_concurrency", "200", "solid-state storage (pgtune)"),
            Setting("default_statistics_target", "100", "PostgreSQL's default (pgtune, web)"),
            Setting("max_parallel_workers", str(min(cpus, 1024)), "the CPU limit (pgtune)"),
            Setting("max_parallel_workers_per_gather", str(min(4, max(1, math.ceil(cpus / 2)))), "half of the CPU limit, at most 4 (pgtune)"),
            Setting("jit", "off", "short queries pay more for compiling than they win (pgtune, web)"),
            Setting("shared_preload_libraries", "pg_stat_statements", "which queries cost most; adding it later would need a restart"),
        ],
        "Autovacuum": [
            Setting("autovacuum", "on", "requirement"),
            Setting("autovacuum_max_workers", "3", "PostgreSQL's default"),
            Setting("autovacuum_naptime", "30s", "twice as often as the default: small hot tables (locations, device states) bloat quickly"),
            Setting("autovacuum_vacuum_scale_factor", "0.05", "at 5 % dead rows instead of 20 %"),
            Setting("autovacuum_analyze_scale_factor", "0.02", "at 2 % changed rows instead of 10 %"),
            Setting("autovacuum_vacuum_cost_limit", "1000", "solid-state storage takes it; five times the default of 200"),
        ],
        "Logging": [
            Setting("logging_collector", "on", "PostgreSQL writes its JSON log through it only"),
            Setting("log_destination", "jsonlog", "one JSON object per event"),
            Setting("log_directory", LOG_DIR, "named pipes, which the container's first process reads: nothing is kept on a disk"),
            Setting("log_filename", "postgres.log", "the pipes' name; the collector writes postgres.json beside it"),
            Setting("log_rotation_age", "0", "a pipe is never full"),
            Setting("log_rotation_size", "0", "see log_rotation_age"),
            Setting("log_line_prefix", "%m [%p] %q%u@%d/%a ", "of the lines before the collector runs; the container's first process reads them"),
            Setting("log_min_duration_statement", "1s", "requirement: queries over 1 s"),
            Setting("log_connections", "on", "requirement"),
            Setting("log_disconnections", "on", "requirement: the other half of it, with the session's length"),
            Setting("log_checkpoints", "on", "requirement"),
            Setting("log_lock_waits", "on", "who waits for a lock for longer than deadlock_timeout"),
            Setting("log_temp_files", "10MB", "sorts that spill"),
            Setting("log_autovacuum_min_duration", "1s", "what autovacuum does to large tables"),
            Setting("log_parameter_max_length_on_error", "0", "bind values may be patient data and stay out of the log"),
            Setting("log_parameter_max_length", "0", "bind values may be patient data and stay out of the log"),
        ],
        "Locale": [
            Setting("lc_messages", "en_US.UTF-8", "requirement"),
            Setting("lc_monetary", spec.locale.name, why),
            Setting("lc_numeric", spec.locale.name, why),
            Setting("lc_time", spec.locale.name, why),
            Setting("TimeZone", "UTC", "requirement"),
            Setting("log_timezone", "UTC", "requirement"),
        ],
        "Sockets": [
            Setting("unix_socket_directories", SOCKET_DIR, "shared with the agent and the exporter, which log in by peer"),
        ],
    }


def _sender_timeout(fast_failover: bool) -> Setting:
    if fast_failover:
        return Setting("wal_sender_timeout", "12s", "a primary that no voter hears must not change its voters before they have taken its lock")
    return Setting("wal_sender_timeout", "5s", "a silent standby is noticed at once and not after 60 s, so commits go on (CloudNativePG)")


def _mb(number: int) -> str:
    megabytes = max(1, number // MiB)
    return f"{megabytes // 1024}GB" if megabytes % 1024 == 0 else f"{megabytes}MB"
