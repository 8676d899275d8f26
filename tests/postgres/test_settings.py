"""PostgreSQL settings are checked as PostgreSQL and Patroni would, before anything is emitted."""

from __future__ import annotations

from typing import Any

from sos_constructs.errors import InvalidOption
from sos_constructs.postgres.settings import LEAST, OWNED, SHARED, catalogue, check_parameters, needs_restart

import pytest


def refused(name: str, value: Any) -> str:
    with pytest.raises(InvalidOption) as raised:
        check_parameters("parameters", {name: value})
    message = str(raised.value)
    assert message.startswith(f"parameters[{name!r}]=")
    return message.partition(" ")[2] if " " not in str(value) else message


def test_the_table_is_whole():
    assert len(catalogue()) > 300
    assert {row["context"] for row in catalogue().values()} == {"postmaster", "sighup", "superuser-backend", "backend", "superuser", "user"}
    for name, row in catalogue().items():
        assert row["type"] in {"bool", "enum", "integer", "real", "string"}, name
        assert ("enum" in row) == (row["type"] == "enum"), name
        assert ("min" in row) == ("max" in row) == (row["type"] in {"integer", "real"}), name
        assert row.get("unit", "") in {"", "B", "kB", "8kB", "MB", "ms", "s", "min"}, name


def test_shared_settings_are_patronis_own_list(patroni_options: dict[str, Any]):
    """Those it passes on the command line, except the ones it computes itself or that PostgreSQL 15 no longer has."""
    theirs = set(patroni_options)
    assert theirs - {"cluster_name", "hot_standby", "listen_addresses", "port", "wal_keep_segments"} == SHARED
    assert {"cluster_name", "hot_standby", "listen_addresses", "port"} <= OWNED.keys()


def test_least_values_are_patronis_own(patroni_options: dict[str, Any]):
    bounds = {name: getattr(validator, "min", None) for name, (_, validator, _) in patroni_options.items() if name in SHARED}
    assert {name: least for name, least in bounds.items() if least} == LEAST


def test_owned_settings_exist_and_say_why():
    assert OWNED.keys() <= catalogue().keys() | {"config_file", "include_dir"}
    for name, reason in OWNED.items():
        assert refused(name, "x") == f"must be left out: {reason}"


@pytest.mark.parametrize("name", ["recovery_target_lsn", "recovery_target_name", "recovery_target_xid", "recovery_target_action"])
def test_recovery_targets_are_owned_too(name: str):
    assert refused(name, "x") == "must be left out: recovery is configured by Patroni"


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("jit", True, "on"),
        ("jit", False, "off"),
        ("jit", "TRUE", "TRUE"),
        ("jit", 1, "1"),
        ("work_mem", "64MB", "64MB"),
        ("work_mem", "64 MB", "64 MB"),
        ("work_mem", "1.5GB", "1.5GB"),
        ("work_mem", 64, "64"),
        ("random_page_cost", 1.1, "1.1"),
        ("autovacuum_vacuum_scale_factor", 1e-05, "1e-05"),
        ("statement_timeout", "5min", "5min"),
        ("statement_timeout", 0, "0"),
        ("log_min_duration_statement", -1, "-1"),
        ("shared_buffers", "128kB", "128kB"),  # 16 blocks of 8 kB, the least
        ("wal_level", "logical", "logical"),
        ("ssl_min_protocol_version", "TLSv1.3", "TLSv1.3"),
        ("synchronous_commit", True, "on"),
        ("search_path", '"$user", public', '"$user", public'),
        ("pg_stat_statements.track", "all", "all"),
        ("sos.Any_thing.at.all", "ünïcode 'quoted'", "ünïcode 'quoted'"),
    ],
)
def test_accepted(name: str, value: Any, text: str):
    assert check_parameters("parameters", {name: value}) == {name: text}


def test_the_order_stays():
    assert list(check_parameters("parameters", {"work_mem": 64, "jit": True, "a.b": 1})) == ["work_mem", "jit", "a.b"]


@pytest.mark.parametrize(
    ("name", "value", "fix"),
    [
        ("max_conections", 5, "is no setting of PostgreSQL 15 (did you mean 'max_connections'?)"),
        ("timezone", "UTC", "is no setting of PostgreSQL 15 (did you mean 'TimeZone'?)"),
        ("server_version", "15", "is no setting of PostgreSQL 15"),  # read-only
        ("zzzzzz", 5, "is no setting of PostgreSQL 15"),
        (".x", 5, "is no setting of PostgreSQL 15"),
        ("a.b\nport", 5, "is no setting of PostgreSQL 15"),
        ("jit", "maybe", "must be on or off"),
        ("jit", 2, "must be on or off"),
        ("wal_compression", "best", "must be one of"),
        ("wal_level", "minimal", "leaves out what standbys need; use replica or logical"),
        ("work_mem", "64KB", "has an unknown unit; PostgreSQL takes B, kB, MB, GB, TB here (as written: kB, not KB)"),
        ("work_mem", "64ms", "has an unknown unit"),
        ("work_mem", "63kB", "must be from 64 to 2147483647 (kB)"),
        ("work_mem", "3TB", "must be from 64 to 2147483647 (kB)"),
        ("work_mem", "much", "must be a number with an optional unit"),
        ("work_mem", True, "must be a number with an optional unit"),
        ("shared_buffers", "127kB", "must be from 16 to 1073741823 (8kB)"),
        ("statement_timeout", "25d", "must be from 0 to 2147483647 (ms)"),
        ("statement_timeout", "1kB", "has an unknown unit; PostgreSQL takes us, ms, s, min, h, d here"),
        ("max_connections", "200MB", "must be a number without a unit"),
        ("max_connections", 200.5, "must be a whole number"),
        ("max_connections", 24, "must be from 25 to 262143"),
        ("max_connections", None, "must be a number"),
        ("max_connections", "٣٠", "must be a number"),
        ("wal_keep_size", "15MB", "must be from 16 to 2147483647 (MB)"),
        ("random_page_cost", -1, "must be from 0"),
        ("search_path", "a\nport = 1", "must be one line"),
        ("a.b", "x\0", "must be one line"),
    ],
)
def test_refused(name: str, value: Any, fix: str):
    assert fix in refused(name, value)


@pytest.mark.parametrize(
    ("name", "restart"),
    [("shared_buffers", True), ("max_connections", True), ("shared_preload_libraries", True), ("work_mem", False), ("pg_stat_statements.track", False)],
)
def test_needs_restart(name: str, restart: bool):
    assert needs_restart(name) is restart


def test_units_are_converted():
    """One kilobyte is 1024 bytes, one minute 60 seconds."""
    assert check_parameters("p", {"autovacuum_naptime": "1min", "log_rotation_age": "0.5h", "checkpoint_timeout": "0.5min", "max_wal_size": "2048kB"})
    assert "must be from 30 to 86400 (s)" in refused("checkpoint_timeout", "0.49min")
    assert "must be from 2 to 2147483647 (MB)" in refused("max_wal_size", "2047kB")
