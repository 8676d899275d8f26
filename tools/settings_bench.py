"""What `tools/bench.py --pgbench` runs: three single servers with the same data and different settings, in turns, under pgbench.

* stock: PostgreSQL 15 as initdb leaves it.
* requirement: the settings that the requirement gives figures for, and nothing else.
* ours: postgresql.conf as HaPostgres writes it for the reference app, with what Patroni adds from its store, and data checksums as its initdb has them.

One machine, one disk, no replication: what is compared is what the settings do to a primary's own work. Rounds are interleaved, so a machine that
is busy with other things slows all three; the ratios of one run are what counts.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import attrs

from tests.postgres_live.conftest import Postgres, _bin_dir, _server_user

REQUIREMENT = {
    "max_connections": "200",
    "shared_buffers": "512MB",
    "effective_cache_size": "2GB",
    "wal_level": "replica",
    "max_wal_senders": "10",
    "hot_standby": "on",
    "log_min_duration_statement": "1s",
    "log_connections": "on",
    "log_checkpoints": "on",
    "autovacuum": "on",
    "timezone": "UTC",
}
"""The requirement's PostgreSQL section, word for word where it has a figure; "checkpoint tuning" has none."""
HERE = {"listen_addresses": "", "logging_collector": "off", "log_destination": "stderr"}
"""So that three servers fit beside each other on one machine."""
CLIENTS, THREADS = 8, 2
STORM = "checkpoints are occurring too frequently"

COLUMNS = (
    *("settings", "transactions/s, median", "ratio to stock (least to most)", "log per transaction", "ratio to stock (least to most)"),
    *("full-page images", "checkpoints timed", "forced by the log's size", "warnings about that"),
)
COUNTERS = """SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint, checkpoints_timed, checkpoints_req, (SELECT wal_fpi FROM pg_stat_wal)
FROM pg_stat_bgwriter"""


@attrs.define
class Tally:
    """What one server did over all rounds."""

    tps: list[float] = attrs.field(factory=list)
    latency: list[float] = attrs.field(factory=list)
    wal: list[float] = attrs.field(factory=list)
    """Bytes of write-ahead log per transaction, one figure a round."""
    images: int = 0
    timed: int = 0
    requested: int = 0
    storms: int = 0
    """Complaints of the server that checkpoints come too often."""


def ours() -> tuple[str, dict[str, str]]:
    """The reference app's postgresql.conf, and what goes through Patroni's store."""
    from tests.cluster import chart

    data = next(m["data"] for m in chart.reference() if m["kind"] == "ConfigMap" and "postgresql.conf" in m.get("data", {}))
    patroni = json.loads(data["patroni.json"])
    shared = {name: str(value) for name, value in patroni["bootstrap"]["dcs"]["postgresql"]["parameters"].items()}
    return str(data["postgresql.conf"]), shared


@contextmanager
def servers(scale: int) -> Iterator[dict[str, Postgres]]:
    """The three of them, filled, and gone afterwards."""
    conf, shared = ours()
    variants: dict[str, tuple[str, Mapping[str, str], tuple[str, ...]]] = {
        "stock": ("", {}, ()),
        "requirement": ("", REQUIREMENT, ()),
        "ours": (conf, shared, ("--data-checksums",)),
    }
    user, as_user = _server_user()
    root = Path(tempfile.mkdtemp(prefix="sos-bench-", dir=os.environ.get("SOS_BENCH_DIR")))
    root.chmod(0o755)
    made: dict[str, Postgres] = {}
    try:
        for name, (text, settings, options) in variants.items():
            home = root / name
            for folder in (home, home / "socket"):
                folder.mkdir()
                if as_user:
                    os.chown(folder, as_user["user"], as_user["group"])
            server = Postgres(bin_dir=_bin_dir(), data_dir=home / "data", socket_dir=home / "socket", user=user, as_user=as_user)
            server.run(["initdb", "-D", server.data_dir, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", *options])
            server.append_conf(re.sub(r"^(lc_|ssl).*$", "", text, flags=re.MULTILINE))  # locales and certificates are the pod's
            server.append_conf(
                "".join(f"{key} = '{value}'\n" for key, value in {**settings, **HERE, "unix_socket_directories": str(server.socket_dir)}.items())
            )
            made[name] = server
            server.start()
            pgbench(server, "-i", "-q", "-s", str(scale))
            server.psql("CHECKPOINT")
        yield made
    finally:
        for server in made.values():
            server.run(["pg_ctl", "stop", "-m", "immediate", "-D", server.data_dir], check=False)
        shutil.rmtree(root, ignore_errors=True)


def pgbench(server: Postgres, *options: str) -> str:
    """Run pgbench to its end."""
    command = [str(server.bin_dir / "pgbench"), "-h", str(server.socket_dir), "-U", "postgres", *options, "postgres"]
    done: subprocess.CompletedProcess[str] = subprocess.run(command, capture_output=True, text=True, check=False, cwd=server.data_dir.parent, **server.as_user)
    if done.returncode:
        sys.exit(f"{' '.join(command)}\n{done.stderr}")
    return done.stdout


def turn(server: Postgres, seconds: int, tally: Tally) -> None:
    """One server's turn of a round."""
    before = counters(server)
    text = pgbench(server, "-n", "-M", "prepared", "-c", str(CLIENTS), "-j", str(THREADS), "-T", str(seconds))
    after = counters(server)
    tally.tps.append(number(text, r"tps = ([\d.]+)"))
    tally.latency.append(number(text, r"latency average = ([\d.]+) ms"))
    tally.wal.append((after[0] - before[0]) / number(text, r"transactions actually processed: (\d+)"))
    tally.timed, tally.requested, tally.images = after[1:]


def counters(server: Postgres) -> list[int]:
    """Bytes of log so far, checkpoints timed and requested, full-page images."""
    return [int(value) for value in server.psql(COUNTERS).split("|")]


def number(text: str, pattern: str) -> float:
    """A figure of pgbench's report."""
    found = re.search(pattern, text)
    if not found:
        raise ValueError(f"pgbench said nothing like {pattern}:\n{text}")
    return float(found[1])


def measure(rounds: int, seconds: int, scale: int) -> str:
    """The table."""
    with servers(scale) as three:
        tallies = {name: Tally() for name in three}
        for server in three.values():
            server.psql("SELECT pg_stat_reset_shared('bgwriter'), pg_stat_reset_shared('wal')")
        for number_of_round in range(rounds):
            names = list(three)
            for name in names[number_of_round % 3 :] + names[: number_of_round % 3]:  # nobody always goes first
                turn(three[name], seconds, tallies[name])
                print(
                    f"round {number_of_round + 1}/{rounds} {name}: {tallies[name].tps[-1]:.0f} tps, {tallies[name].wal[-1]:.0f} bytes a transaction", flush=True
                )
        for name, server in three.items():
            tallies[name].storms = (server.data_dir.parent / "log").read_text(errors="replace").count(STORM)
        size = three["ours"].psql("SELECT pg_size_pretty(pg_database_size('postgres'))")
        version = three["ours"].psql("SHOW server_version")
    return "\n".join([*table(tallies), "", caption(version, rounds, seconds, scale, size)])


def table(tallies: Mapping[str, Tally]) -> list[str]:
    """A row per server; ratios are to stock, round by round."""
    stock = tallies["stock"]
    rows = [f"| {' | '.join(COLUMNS)} |", "|---" * len(COLUMNS) + "|"]
    for name, tally in tallies.items():
        speed, volume = ratios(tally.tps, stock.tps), ratios(tally.wal, stock.wal)
        rows.append(
            f"| {name} | {statistics.median(tally.tps):.0f} | {speed} | {statistics.median(tally.wal):,.0f} B | {volume} "
            f"| {tally.images:,} | {tally.timed} | {tally.requested} | {tally.storms} |"
        )
    return rows


def ratios(mine: list[float], theirs: list[float]) -> str:
    """Median of the rounds' ratios, and their range."""
    each = [one / other for one, other in zip(mine, theirs, strict=True)]
    return f"{statistics.median(each):.2f} ({min(each):.2f} to {max(each):.2f})"


def caption(version: str, rounds: int, seconds: int, scale: int, size: str) -> str:
    """How it was measured."""
    return (
        f"PostgreSQL {version}, {rounds} interleaved rounds of {seconds} s each, pgbench's own transaction, prepared, {CLIENTS} clients, "
        f"scale {scale} ({size} at the end), three single servers on one disk without replication, fsync on. "
        "The machine was shared, so only the ratios within this run mean anything. "
        "Ours has data checksums and wal_log_hints, which pg_rewind needs and which cost log; stock and the requirement have neither. "
        "Log per transaction is highest right after a checkpoint; ours comes every 10 minutes, theirs every 5, so a short run flatters ours. "
        "Warnings are counted from the start, the filling included."
    )
