"""The table that options are checked with is what a server says of itself."""

from __future__ import annotations

from typing import Any

from sos_constructs.postgres.settings import catalogue

import pytest

from tests.postgres_live.conftest import Postgres

ROWS = """
SELECT name, context, vartype, coalesce(unit, ''), coalesce(min_val, ''), coalesce(max_val, ''), coalesce(array_to_string(enumvals, ','), '')
FROM pg_settings WHERE context <> 'internal' AND name NOT LIKE '%.%'
"""


def described(row: str) -> tuple[str, dict[str, Any]]:
    name, context, kind, unit, low, high, words = row.split("|")
    found: dict[str, Any] = {"context": context, "type": kind}
    found |= {"unit": unit} if unit else {}
    found |= {"min": float(low), "max": float(high)} if low else {}
    return name, found | ({"enum": words.split(",")} if words else {})


def test_names_contexts_types_units_and_bounds(postgres: Postgres):
    live = dict(map(described, postgres.psql(ROWS).splitlines()))
    ours = {name: row | {bound: float(row[bound]) for bound in ("min", "max") if bound in row} for name, row in catalogue().items()}
    assert ours == live


@pytest.mark.parametrize(
    ("name", "value", "accepted"),
    [
        ("work_mem", "63kB", False),
        ("work_mem", "1.5GB", True),
        ("work_mem", "64KB", False),
        ("statement_timeout", "24d", True),
        ("statement_timeout", "25d", False),
        ("jit", "yes", True),
        ("ssl_min_protocol_version", "tlsv1.2", True),
        ("autovacuum_vacuum_scale_factor", "1e-05", True),
        ("max_wal_size", "2048 kB", True),
    ],
)
def test_our_checks_and_the_servers_agree(name: str, value: str, accepted: bool, postgres: Postgres):
    from sos_constructs.errors import InvalidOption
    from sos_constructs.postgres.settings import check_parameters

    done = postgres.run(["psql", "-X", "-h", postgres.socket_dir, "-U", "postgres", "-c", f"ALTER SYSTEM SET {name} = '{value}'"], check=False)
    postgres.psql(f"ALTER SYSTEM RESET {name}")
    assert (done.returncode == 0) is accepted, done.stderr
    if accepted:
        assert check_parameters("p", {name: value})
    else:
        with pytest.raises(InvalidOption):
            check_parameters("p", {name: value})
