"""The requirement's values at its size, published formulas at any other, and never a value that PostgreSQL refuses."""

from __future__ import annotations

import re
from typing import Any

from sos_constructs.postgres import tuning
from sos_constructs.postgres.containers import Resources
from sos_constructs.postgres.settings import SHARED, catalogue, check_parameters, needs_restart
from sos_constructs.postgres.spec import Spec
from sos_constructs.postgres.tuning import local_settings, postgresql_conf, restart_settings, shared_settings
from sos_constructs.quantities import GiB, KiB, MiB, bytes_quantity

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.generated import examples
from tests.postgres.example import spec

UNITS = {"kB": KiB, "MB": MiB, "GB": GiB}


def values(**options: Any) -> dict[str, str]:
    return {s.name: s.value for rows in tuning.settings(spec(**options).check()).values() for s in rows}


def size(text: str) -> int:
    """Bytes of ``512MB``."""
    match = re.fullmatch(r"(\d+)(kB|MB|GB)", text)
    assert match, text
    return int(match[1]) * UNITS[match[2]]


def guaranteed(memory: str, cpu: str = "2") -> Resources:
    return Resources(cpu_request=cpu, cpu_limit=cpu, memory_request=memory, memory_limit=memory)


def test_the_requirements_values_at_its_size():
    assert (
        values().items()
        >= {
            "max_connections": "200",
            "shared_buffers": "512MB",
            "effective_cache_size": "2GB",
            "wal_level": "replica",
            "max_wal_senders": "10",
            "checkpoint_completion_target": "0.9",
            "log_min_duration_statement": "1s",
            "log_connections": "on",
            "log_checkpoints": "on",
            "autovacuum": "on",
            "lc_messages": "en_US.UTF-8",
            "lc_monetary": "en_US.UTF-8",
            "lc_numeric": "en_US.UTF-8",
            "lc_time": "en_US.UTF-8",
            "TimeZone": "UTC",
        }.items()
    )


@pytest.mark.parametrize(
    ("resources", "expected"),
    [
        (Resources(), {"shared_buffers": "512MB", "effective_cache_size": "2GB", "work_mem": "4MB", "maintenance_work_mem": "128MB"}),
        (guaranteed("8Gi"), {"shared_buffers": "2GB", "effective_cache_size": "4GB", "work_mem": "9MB", "maintenance_work_mem": "512MB"}),
        (guaranteed("64Gi", "16"), {"shared_buffers": "16GB", "effective_cache_size": "32GB", "work_mem": "75MB", "maintenance_work_mem": "2GB"}),
        (guaranteed("512Mi", "500m"), {"shared_buffers": "128MB", "effective_cache_size": "256MB", "work_mem": "4MB", "maintenance_work_mem": "32MB"}),
        (guaranteed("8Gi", "500m"), {"max_worker_processes": "8", "max_parallel_workers": "1", "max_parallel_workers_per_gather": "1"}),
        (guaranteed("8Gi", "3"), {"max_worker_processes": "8", "max_parallel_workers": "3", "max_parallel_workers_per_gather": "2"}),
        (guaranteed("8Gi", "16"), {"max_worker_processes": "16", "max_parallel_workers": "16", "max_parallel_workers_per_gather": "4"}),
        (guaranteed("8Gi", "2500m"), {"max_parallel_workers": "2"}),
    ],
)
def test_formulas_of_memory_and_cpu(resources: Resources, expected: dict[str, str]):
    assert values(resources=resources).items() >= expected.items()


@pytest.mark.parametrize(
    ("storage", "expected"),
    [
        ("50Gi", {"min_wal_size": "1GB", "max_wal_size": "4GB", "max_slot_wal_keep_size": "10GB"}),
        ("10Gi", {"min_wal_size": "204MB", "max_wal_size": "1GB", "max_slot_wal_keep_size": "2GB"}),
        ("1Gi", {"min_wal_size": "32MB", "max_wal_size": "102MB", "max_slot_wal_keep_size": "204MB"}),
    ],
)
def test_formulas_of_storage(storage: str, expected: dict[str, str]):
    assert values(storage=storage).items() >= expected.items()


def test_work_mem_follows_the_users_connections():
    assert size(values(resources=guaranteed("8Gi"), parameters={"max_connections": 50})["work_mem"]) == 35 * MiB
    assert values(resources=guaranteed("8Gi"), parameters={"max_connections": 50})["max_connections"] == "50"


@examples(150)
@given(
    st.integers(min_value=512 * MiB, max_value=16 * 1024 * GiB),
    st.floats(min_value=0.0001, max_value=1),
    st.integers(min_value=1, max_value=2_000_000),
    st.integers(min_value=GiB, max_value=64 * 1024 * GiB),
    st.integers(min_value=25, max_value=262143),
)
def test_any_size_gives_values_that_postgresql_takes(limit: int, share: float, millicores: int, storage: int, connections: int):
    resources = Resources(cpu_request="1m", cpu_limit=f"{millicores}m", memory_request=str(max(1, int(limit * share))), memory_limit=str(limit))
    made = spec(resources=resources, storage=bytes_quantity(storage), shared_memory="1Mi", parameters={"max_connections": connections}).check()
    rows = {s.name: s.value for group in tuning.settings(made).values() for s in group}
    owned = {"log_directory", "log_filename", "unix_socket_directories", "wal_log_hints"}
    password = {"password_encryption"}
    assert check_parameters("computed", {name: value for name, value in rows.items() if name not in owned | password})
    memory = {name: size(rows[name]) for name in ("shared_buffers", "effective_cache_size", "work_mem", "maintenance_work_mem", "min_wal_size", "max_wal_size")}
    assert memory["shared_buffers"] <= limit // 2
    assert memory["effective_cache_size"] <= limit
    assert memory["min_wal_size"] >= 32 * MiB, "two segments, or the server does not start"
    assert memory["min_wal_size"] <= memory["max_wal_size"] <= storage
    assert int(rows["max_parallel_workers_per_gather"]) <= int(rows["max_parallel_workers"]) <= int(rows["max_worker_processes"])


def names(groups: dict[str, list[tuning.Setting]]) -> list[str]:
    return [s.name for rows in groups.values() for s in rows]


def test_no_setting_stands_twice_and_all_exist():
    found = names(tuning.settings(spec()))
    assert len(found) == len(set(found))
    assert set(found) <= catalogue().keys()


def test_shared_settings_go_to_the_store_and_all_others_to_the_file():
    made = spec(parameters={"max_wal_senders": 20, "work_mem": "8MB", "vacuum_cost_delay": "1ms"})
    assert shared_settings(made).keys() == SHARED
    assert not SHARED & set(names(local_settings(made)))
    assert SHARED | set(names(local_settings(made))) == set(names(tuning.settings(made)))
    assert shared_settings(made)["max_wal_senders"] == "20"


def test_overrides_stand_in_their_place_and_new_ones_in_a_group_of_their_own():
    text = postgresql_conf(spec(parameters={"work_mem": "8MB", "pg_stat_statements.track": "all", "bgwriter_delay": "100ms", "max_connections": 300}))
    assert "\nwork_mem = 8MB  # option parameters\n" in text
    assert text.count("work_mem = ") == 2, "its own line and that of maintenance_work_mem"
    assert "\n# Set by the option parameters\nbgwriter_delay = 100ms  # option parameters\npg_stat_statements.track = all  # option parameters\n" in text
    assert "\n#   max_connections = 300\n" in text


def test_restart_settings_are_those_of_postgresqls_own_table():
    made = spec(parameters={"max_files_per_process": 2000, "work_mem": "8MB"})
    found = restart_settings(made)
    assert found.items() >= {"max_connections": "200", "shared_buffers": "512MB", "max_files_per_process": "2000"}.items()
    assert all(needs_restart(name) for name in found)
    assert {"work_mem", "checkpoint_timeout"}.isdisjoint(found)


def test_every_line_says_why_and_what_needs_a_restart():
    lines = [line for line in postgresql_conf(spec()).splitlines() if line and not line.startswith("#")]
    assert len(lines) > 50
    for line in lines:
        match = re.fullmatch(r"([A-Za-z_.]+) = ('(?:[^']|'')*'|[A-Za-z0-9.]+)  # (\(restart\) )?\S.*", line)
        assert match, line
        assert bool(match[3]) == needs_restart(match[1]), line


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("on", "on"),
        ("64MB", "64MB"),
        ("0.5", "0.5"),
        ("1e-05", "'1e-05'"),
        ("", "''"),
        ("a b", "'a b'"),
        ("it's", "'it''s'"),
        ("a\\b", "'a\\\\b'"),
        ("1.2.3", "'1.2.3'"),
        ("1a2", "'1a2'"),
        ("a#b", "'a#b'"),
        ("scram-sha-256", "'scram-sha-256'"),
    ],
)
def test_values_are_written_so_that_postgresql_reads_them_back(value: str, written: str):
    """A live server reads them in tests/postgres_live."""
    assert f"\nsos.x = {written}  # " in postgresql_conf(spec(parameters={"sos.x": value}))


def test_the_shared_memory_volume_is_named():
    made: Spec = spec(shared_memory="1Gi")
    assert "/dev/shm is a volume of 1Gi" in postgresql_conf(made)


def test_vacuum_cancels_no_read_on_a_standby():
    """A long read through postgres-readonly-service would end with "canceling statement due to conflict with recovery"."""
    assert re.search(r"^hot_standby_feedback = on\b", tuning.postgresql_conf(spec()), re.MULTILINE)
