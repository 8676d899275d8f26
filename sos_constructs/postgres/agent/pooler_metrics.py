"""The pooler's metrics: PgBouncer's own tables, asked when Prometheus asks."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping

from .pooler_console import Console, ConsoleError, Table
from .pooler_watch import Watch

CLIENT_STATES = {"active": "cl_active", "waiting": "cl_waiting"}
SERVER_STATES = {"active": "sv_active", "idle": "sv_idle", "used": "sv_used", "tested": "sv_tested", "login": "sv_login"}
TOTALS = {
    "transactions_total": ("total_xact_count", 1.0, "Transactions."),
    "queries_total": ("total_query_count", 1.0, "Queries."),
    "received_bytes_total": ("total_received", 1.0, "Bytes from clients."),
    "sent_bytes_total": ("total_sent", 1.0, "Bytes to clients."),
    "transaction_seconds_total": ("total_xact_time", 1e-6, "Time that server connections were in a transaction."),
    "query_seconds_total": ("total_query_time", 1e-6, "Time that server connections were busy with a query."),
    "client_wait_seconds_total": ("total_wait_time", 1e-6, "Time that clients waited for a server connection."),
}
"""Of SHOW STATS: metric, column, factor, meaning."""


class PoolerMetrics:
    """What the agent knows itself, and what PgBouncer says."""

    def __init__(self, consoles: Mapping[str, Console]) -> None:
        self._consoles = dict(consoles)
        self._lock = threading.Lock()
        self._round = self._watch = time.monotonic()
        self._own: dict[str, float] = {"config_current": 1, "password_current": 1, "paused": 0, "pauses_total": 0}
        self._serves: dict[str, bool] = {}
        self._certificate_ends: float | None = None

    def round(self) -> None:
        """Note that the agent looked at its files."""
        self._round = time.monotonic()

    def config_current(self, is_so: bool) -> None:
        """Whether PgBouncer has the configuration and password that are mounted."""
        self._own["config_current"] = int(is_so)

    def certificate_ends(self, moment: float) -> None:
        """Note when the certificate in use ends."""
        self._certificate_ends = moment

    def password_current(self, is_so: bool) -> None:
        """Whether the Secret's password is in use."""
        self._own["password_current"] = int(is_so)

    def serves(self, side: str, is_so: bool) -> None:
        """Whether a client's question was answered."""
        self._serves[side] = is_so

    def watched(self, watching: Watch | None) -> None:
        """Note a look at the primary; ``None`` after one that failed."""
        self._watch = time.monotonic()
        if watching:
            self._own["paused"], self._own["pauses_total"] = int(watching.paused), watching.pauses

    def alive(self, within: float) -> bool:
        """Whether both threads went round within so many seconds."""
        return time.monotonic() - min(self._round, self._watch) < within

    def text(self) -> str:
        """Prometheus text format."""
        with self._lock:  # one scrape at a time
            page = Page()
            page.add("config_current", "gauge", "Whether PgBouncer has what is mounted.", {}, self._own["config_current"])
            page.add(
                "password_current", "gauge", "Whether PgBouncer has the Secret's password; it waits until the server has it.", {}, self._own["password_current"]
            )
            if self._certificate_ends is not None:
                meaning = "When the certificate that clients are shown ends."
                page.add("certificate_expiry_timestamp_seconds", "gauge", meaning, {}, round(self._certificate_ends))
            page.add("paused", "gauge", "Whether clients are held because there is no primary.", {"side": "primary"}, self._own["paused"])
            page.add("pauses_total", "counter", "How often clients were held.", {"side": "primary"}, self._own["pauses_total"])
            for side, is_so in sorted(self._serves.items()):
                page.add("serves", "gauge", "Whether a client of this PgBouncer gets an answer from a server.", {"side": side}, int(is_so))
            for side, console in self._consoles.items():
                try:
                    answers = _of_side(side, console)
                except (ConsoleError, LookupError, ValueError):  # no answer, or not the table that we know
                    answers = None
                page.add("up", "gauge", "Whether PgBouncer answers on its console.", {"side": side}, int(answers is not None))
                if answers:
                    page.take(answers)
        return page.text()


class Page:
    """Samples by family, each family with its help once."""

    def __init__(self) -> None:
        self._families: dict[str, list[str]] = {}

    def add(self, name: str, kind: str, meaning: str, labels: Mapping[str, str], value: float) -> None:
        """One sample of ``sos_pooler_<name>``."""
        full = f"sos_pooler_{name}"
        lines = self._families.setdefault(full, [f"# HELP {full} {meaning}", f"# TYPE {full} {kind}"])
        inside = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
        lines.append(f"{full}{{{inside}}} {value:.15g}" if inside else f"{full} {value:.15g}")

    def take(self, other: Page) -> None:
        """Add another page's samples."""
        for full, lines in other._families.items():
            self._families.setdefault(full, lines[:2]).extend(lines[2:])

    def text(self) -> str:
        """Everything, one family after the other."""
        return "".join(f"{line}\n" for lines in self._families.values() for line in lines)


def _of_side(side: str, console: Console) -> Page:
    pools, databases, stats, lists, config = console.ask("SHOW POOLS", "SHOW DATABASES", "SHOW STATS", "SHOW LISTS", "SHOW CONFIG")
    page = Page()
    _clients(page, side, lists, config)
    _pools(page, side, [row for row in pools if row["database"] != "pgbouncer"])
    _databases(page, side, [row for row in databases if row["name"] != "pgbouncer"])
    _totals(page, side, [row for row in stats if row["database"] != "pgbouncer"])
    return page


def _clients(page: Page, side: str, lists: Table, config: Table) -> None:
    used = {row["list"]: row["items"] for row in lists}["used_clients"]
    most = {row["key"]: row["value"] for row in config}["max_client_conn"]
    page.add("client_connections", "gauge", "Client connections, those that still log in included.", {"side": side}, float(used))
    page.add("client_connections_limit", "gauge", "Client connections beyond which clients are refused.", {"side": side}, float(most))


def _pools(page: Page, side: str, pools: Table) -> None:
    for row in pools:
        where = {"side": side, "database": row["database"], "user": row["user"]}
        for state, column in CLIENT_STATES.items():
            page.add("clients", "gauge", "Client connections of a pool; waiting ones want a server connection.", {**where, "state": state}, float(row[column]))
        for state, column in SERVER_STATES.items():
            page.add("servers", "gauge", "Server connections of a pool.", {**where, "state": state}, float(row[column]))
        waited = float(row["maxwait"]) + float(row["maxwait_us"]) / 1e6
        page.add("longest_wait_seconds", "gauge", "How long the first client of a pool has waited for a server connection.", where, waited)


def _databases(page: Page, side: str, databases: Table) -> None:
    for row in databases:
        page.add("pool_size", "gauge", "Server connections that a pool may have.", {"side": side, "database": row["name"]}, float(row["pool_size"]))


def _totals(page: Page, side: str, stats: Table) -> None:
    for row in stats:
        for name, (column, factor, meaning) in TOTALS.items():
            page.add(name, "counter", meaning, {"side": side, "database": row["database"]}, float(row[column]) * factor)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
