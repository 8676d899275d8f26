"""How the comparison of settings is told; the measurement itself is `make bench BENCH_ARGS=--pgbench`."""

from __future__ import annotations

import pytest

from tools import settings_bench
from tools.settings_bench import Tally


def test_ratios_are_taken_round_by_round():
    """Round 2 ran on a machine twice as busy: that says nothing about the settings."""
    assert settings_bench.ratios([200.0, 110.0, 210.0], [100.0, 50.0, 100.0]) == "2.10 (2.00 to 2.20)"


def test_the_table_has_a_row_per_server():
    stock = Tally(tps=[100.0, 50.0], wal=[1000.0, 2000.0], images=10, timed=1, requested=7, storms=3)
    ours = Tally(tps=[120.0, 60.0], wal=[500.0, 1000.0], images=4, timed=2, requested=0, storms=0)
    rows = settings_bench.table({"stock": stock, "ours": ours})
    assert rows[2] == "| stock | 75 | 1.00 (1.00 to 1.00) | 1,500 B | 1.00 (1.00 to 1.00) | 10 | 1 | 7 | 3 |"
    assert rows[3] == "| ours | 90 | 1.20 (1.20 to 1.20) | 750 B | 0.50 (0.50 to 0.50) | 4 | 2 | 0 | 0 |"
    assert len({row.count("|") for row in rows}) == 1


def test_a_figure_that_pgbench_did_not_print_is_an_error():
    assert settings_bench.number("tps = 12.5 (without", r"tps = ([\d.]+)") == 12.5
    with pytest.raises(ValueError, match="nothing like"):
        settings_bench.number("", r"tps = ([\d.]+)")


def test_ours_is_what_the_construct_writes():
    conf, shared = settings_bench.ours()
    assert "shared_buffers = 512MB" in conf
    assert "max_wal_size = 4GB" in conf
    assert shared["wal_log_hints"] == "on"
    assert "max_connections" in shared
