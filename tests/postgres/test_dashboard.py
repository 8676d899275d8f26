"""The Grafana dashboard: its model, that it looks at this installation only, and that promtool reads every query."""

from __future__ import annotations

import itertools
import json
import re
from typing import Any

from sos_constructs import HaPostgres, SosSecrets
from sos_constructs.postgres.dashboard.panels import ROWS
from sos_constructs.postgres.failover import FastFailover
from sos_constructs.postgres.monitoring import PrometheusOperator, grafana_dashboard
from sos_constructs.postgres.pooler import Pooler

import cdk8s
import jsonschema
import pytest
import yaml
from attrs import evolve

from tests import promql
from tests.postgres.example import series, spec
from tests.postgres.promtool import Promtool

#: Series of postgres_exporter's own collectors, Patroni, the agents and the kubelet; a test of tests/cluster asks a running cluster for them.
FOREIGN = re.compile(
    r"(patroni|pg_stat_(database|bgwriter|activity)|pg_locks|pg_database|pg_exporter|sos_agent|sos_pooler|kubelet_volume_stats)_\w+|pg_up|pg_wal_size_bytes"
)

SOURCE = {
    "type": "object",
    "additionalProperties": False,
    "required": ["type", "uid"],
    "properties": {"type": {"const": "prometheus"}, "uid": {"const": "${datasource}"}},
}
POSITION = {
    "type": "object",
    "additionalProperties": False,
    "required": ["h", "w", "x", "y"],
    "properties": {
        "h": {"type": "integer", "minimum": 1},
        "w": {"type": "integer", "minimum": 1, "maximum": 24},
        "x": {"type": "integer", "minimum": 0, "maximum": 23},
        "y": {"type": "integer", "minimum": 0},
    },
}
COLOUR = {
    "type": "object",
    "required": ["mode"],
    "properties": {"mode": {"enum": ["thresholds", "palette-classic", "palette-saturated", "continuous-GrYlRd", "fixed"]}},
}
THRESHOLDS = {
    "type": "object",
    "additionalProperties": False,
    "required": ["mode", "steps"],
    "properties": {
        "mode": {"enum": ["absolute", "percentage"]},
        "steps": {
            "type": "array",
            "minItems": 1,
            "items": {"type": "object", "required": ["color"], "properties": {"value": {"type": ["number", "null"]}, "color": {"type": "string"}}},
        },
    },
}
MAPPING = {
    "type": "object",
    "additionalProperties": False,
    "required": ["type", "options"],
    "properties": {
        "type": {"const": "value"},
        "options": {
            "type": "object",
            "additionalProperties": {
                "type": "object",
                "additionalProperties": False,
                "properties": {"text": {"type": "string"}, "color": {"type": "string"}, "icon": {"type": "string"}, "index": {"type": "integer"}},
            },
        },
    },
}
TARGET = {
    "type": "object",
    "additionalProperties": False,
    "required": ["datasource", "expr", "refId"],
    "properties": {
        "datasource": SOURCE,
        "expr": {"type": "string", "minLength": 1},
        "instant": {"type": "boolean"},
        "legendFormat": {"type": "string", "minLength": 1},
        "range": {"type": "boolean"},
        "refId": {"type": "string", "pattern": "^[A-Z]$"},
    },
}
PANEL = {
    "type": "object",
    "additionalProperties": False,
    "required": ["type", "id", "gridPos", "title", "datasource", "targets", "fieldConfig", "options"],
    "properties": {
        "datasource": SOURCE,
        "description": {"type": "string"},
        "fieldConfig": {
            "type": "object",
            "additionalProperties": False,
            "required": ["defaults", "overrides"],
            "properties": {
                "defaults": {
                    "type": "object",
                    "additionalProperties": False,
                    "properties": {
                        "color": COLOUR,
                        "custom": {"type": "object"},
                        "mappings": {"type": "array", "items": MAPPING},
                        "min": {"type": "number"},
                        "thresholds": THRESHOLDS,
                        "unit": {"enum": ["short", "s", "bytes", "Bps", "ops", "percentunit"]},
                    },
                },
                "overrides": {"type": "array", "maxItems": 0},
            },
        },
        "gridPos": POSITION,
        "id": {"type": "integer", "minimum": 1},
        "options": {"type": "object"},
        "targets": {"type": "array", "minItems": 1, "items": TARGET},
        "title": {"type": "string", "minLength": 1},
        "type": {"enum": ["stat", "state-timeline", "timeseries"]},
    },
}
ROW = {
    "type": "object",
    "additionalProperties": False,
    "required": ["type", "collapsed", "id", "panels", "title", "gridPos"],
    "properties": {
        "type": {"const": "row"},
        "collapsed": {"type": "boolean"},
        "id": {"type": "integer"},
        "panels": {"type": "array", "maxItems": 0},
        "title": {"type": "string"},
        "gridPos": POSITION,
    },
}
VARIABLE = {
    "type": "object",
    "required": ["name", "type", "query"],
    "properties": {"type": {"const": "datasource"}, "query": {"const": "prometheus"}, "hide": {"enum": [0, 1, 2]}, "name": {"const": "datasource"}},
}
SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": ["editable", "graphTooltip", "panels", "schemaVersion", "templating", "title", "uid"],
    "properties": {
        "annotations": {"type": "object", "properties": {"list": {"type": "array"}}},
        "editable": {"type": "boolean"},
        "fiscalYearStartMonth": {"type": "integer", "minimum": 0, "maximum": 11},
        "graphTooltip": {"enum": [0, 1, 2]},
        "links": {"type": "array", "maxItems": 0},
        "panels": {"type": "array", "minItems": 1, "items": {"oneOf": [PANEL, ROW]}},
        "refresh": {"type": "string", "pattern": "^[0-9]+[smhd]$"},
        "schemaVersion": {"type": "integer", "minimum": 36, "maximum": 65535},
        "tags": {"type": "array", "items": {"type": "string"}},
        "templating": {"type": "object", "properties": {"list": {"type": "array", "items": VARIABLE}}},
        "time": {"type": "object", "required": ["from", "to"], "properties": {"from": {"type": "string"}, "to": {"type": "string"}}},
        "timepicker": {"type": "object"},
        "timezone": {"type": "string"},
        "title": {"type": "string"},
        "uid": {"type": "string", "pattern": "^[a-zA-Z0-9_-]{8,40}$"},
        "version": {"type": "integer", "minimum": 0},
    },
}
"""Grafana's own definition of a dashboard (kinds/dashboard/dashboard_kind.cue), as far as ours goes, and stricter: a misspelt key is a fault."""


EVERYTHING = spec(pooler=Pooler(), failover=FastFailover(), synchronous_mode_strict=True)


def model(**options: Any) -> dict[str, Any]:
    manifest = grafana_dashboard(evolve(EVERYTHING, **options), PrometheusOperator(dashboard=True))
    ((_, text),) = manifest["data"].items()
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def queries() -> list[tuple[str, str, str]]:
    return [(panel.title, expr, legend) for panels in ROWS.values() for panel in panels for expr, legend in panel.queries]


def test_it_is_a_config_map_that_grafana_finds() -> None:
    operator = PrometheusOperator(dashboard=True, labels={"release": "prometheus"})
    manifest = grafana_dashboard(evolve(spec(), name="orders", namespace="shop"), operator)
    assert (manifest["kind"], manifest["metadata"]["name"], manifest["metadata"]["namespace"]) == ("ConfigMap", "orders-dashboard", "shop")
    assert manifest["metadata"]["labels"].items() >= {"grafana_dashboard": "1", "release": "prometheus"}.items()
    assert list(manifest["data"]) == ["shop-orders.json"]
    assert grafana_dashboard(evolve(spec(), name="orders", namespace="shop"), operator) == manifest


def test_it_is_there_when_asked_for() -> None:
    chart = cdk8s.Chart(cdk8s.Testing.app(), "c", namespace="sos-app", disable_resource_name_hashes=True)
    credentials = SosSecrets(chart, "secrets").postgres
    without = HaPostgres(chart, "a", name="a", credentials=credentials, monitoring=PrometheusOperator())
    shown = HaPostgres(chart, "b", name="b", credentials=credentials, monitoring=PrometheusOperator(dashboard=True))
    assert shown.objects["ConfigMap", "b-dashboard"].name == "b-dashboard"
    with pytest.raises(KeyError):
        without.objects["ConfigMap", "a-dashboard"]


def test_it_is_a_dashboard_as_grafana_defines_it() -> None:
    jsonschema.validate(model(), SCHEMA)
    assert model()["uid"] != model(name="orders")["uid"]


def shown(**options: Any) -> set[str]:
    return {panel["title"] for panel in model(**options)["panels"]}


def test_what_is_not_there_is_not_shown() -> None:
    everything = shown()
    assert everything == {panel.title for panels in ROWS.values() for panel in panels} | ROWS.keys()
    assert everything - shown(tls=None) == {"Certificate ends in"}
    assert everything - shown(failover=None) == {"Fast failover", *(panel.title for panel in ROWS["Fast failover"])}
    with_pooler = everything - shown(pooler=None)
    assert with_pooler >= {"Pooler", "PgBouncer answers", "Longest wait"}
    assert with_pooler <= {"Pooler", *(panel.title for panel in ROWS["Pooler"])}
    jsonschema.validate(model(pooler=None, failover=None, tls=None), SCHEMA)


def test_panels_neither_overlap_nor_share_a_number() -> None:
    panels = model()["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    cells = [
        (x, y)
        for panel in panels
        for x, y in itertools.product(
            range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"]),
            range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"]),
        )
    ]
    assert len(set(cells)) == len(cells)
    assert max(x for x, _ in cells) == 23


def test_it_shows_what_was_asked_for() -> None:
    titles = " ".join(title for title, _, _ in queries()).lower()
    for subject in (
        "roles",
        "lag",
        "streaming",
        "connections by state",
        "transactions",
        "cache",
        "checkpoints",
        "wal",
        "locks",
        "volumes",
        "steps of the agent",
        "certificate",
        "cut off",
        "longest wait",
        "clients get a server",
    ):
        assert subject in titles, subject


SHOWS = {
    ("Now", "Primary"): "patroni_primary",
    ("Now", "Members running"): "patroni_postgres_running",
    ("Now", "Standbys streaming"): "sos_pg_sync_streaming_standbys",
    ("Now", "Standbys that confirm commits"): "sos_pg_sync_standbys",
    ("Now", "Paused"): "patroni_is_paused",
    ("Now", "Without the Kubernetes API"): "patroni_failsafe_mode_is_active",
    ("Roles and replication", "Roles"): "patroni_primary patroni_replica",
    ("Roles and replication", "Timeline"): "patroni_postgres_timeline",
    ("Roles and replication", "Streaming"): "patroni_postgres_streaming patroni_replica",
    ("Roles and replication", "Lag"): "sos_pg_replication_lag_seconds",
    ("Roles and replication", "Not yet replayed on the standby"): "sos_pg_stream_replay_lag_bytes",
    ("Roles and replication", "WAL kept by slots"): "sos_pg_slot_retained_bytes",
    ("Connections and transactions", "Connections by state"): "pg_stat_activity_count",
    ("Connections and transactions", "Connections used"): "sos_pg_connections_used_ratio",
    ("Connections and transactions", "Transactions per second"): "pg_stat_database_xact_commit pg_stat_database_xact_rollback",
    ("Connections and transactions", "Rows written per second"): "pg_stat_database_tup_deleted pg_stat_database_tup_inserted pg_stat_database_tup_updated",
    ("Connections and transactions", "Oldest transaction"): "sos_pg_transactions_oldest_idle_seconds sos_pg_transactions_oldest_seconds",
    ("Connections and transactions", "Locks"): "pg_locks_count sos_pg_lock_waits_sessions",
    ("Connections and transactions", "Longest wait for a lock"): "sos_pg_lock_waits_oldest_seconds",
    ("Connections and transactions", "Deadlocks per hour"): "pg_stat_database_deadlocks",
    ("Memory, WAL and checkpoints", "Cache hits"): "pg_stat_database_blks_hit pg_stat_database_blks_read",
    ("Memory, WAL and checkpoints", "Temporary files per second"): "pg_stat_database_temp_bytes",
    ("Memory, WAL and checkpoints", "Checkpoints per hour"): "pg_stat_bgwriter_checkpoints_req_total pg_stat_bgwriter_checkpoints_timed_total",
    ("Memory, WAL and checkpoints", "Pages written per second"): (
        "pg_stat_bgwriter_buffers_backend_total "
        "pg_stat_bgwriter_buffers_checkpoint_total "
        "pg_stat_bgwriter_buffers_clean_total"
    ),
    ("Memory, WAL and checkpoints", "WAL written per second"): "sos_pg_wal_position_bytes",
    ("Memory, WAL and checkpoints", "WAL on disk"): "pg_wal_size_bytes",
    ("Memory, WAL and checkpoints", "Segments waiting for the archive"): "sos_pg_archive_pending_segments",
    ("Storage", "Volumes used"): "kubelet_volume_stats_available_bytes kubelet_volume_stats_capacity_bytes",
    ("Storage", "Databases"): "pg_database_size_bytes",
    ("Storage", "Dead rows, ten worst tables"): "sos_pg_table_n_dead_tup",
    ("Storage", "Transactions since the oldest unfrozen row"): "sos_pg_database_xid_age",
    ("Agent and exporter", "Steps of the agent"): "sos_agent_reconcile_success",
    ("Agent and exporter", "Failed steps per hour"): "sos_agent_reconcile_failures_total",
    ("Agent and exporter", "Exporter"): "pg_up",
    ("Agent and exporter", "Certificate ends in"): "sos_agent_certificate_expiry_timestamp_seconds",
    ("Agent and exporter", "Time of a scrape"): "pg_exporter_last_scrape_duration_seconds",
    ("Fast failover", "Cut off from the primary"): "sos_agent_cut_off",
    ("Fast failover", "Steps within five minutes"): "sos_agent_failover_steps_total",
    ("Pooler", "PgBouncer answers"): "sos_pooler_up",
    ("Pooler", "Clients get a server"): "sos_pooler_serves",
    ("Pooler", "Client connections"): "sos_pooler_client_connections",
    ("Pooler", "Clients that wait"): "sos_pooler_clients",
    ("Pooler", "Longest wait"): "sos_pooler_longest_wait_seconds",
    ("Pooler", "Time that clients wait, per second"): "sos_pooler_client_wait_seconds_total",
    ("Pooler", "Pools used"): "sos_pooler_pool_size sos_pooler_servers",
    ("Pooler", "Server connections"): "sos_pooler_servers",
    ("Pooler", "Transactions per second"): "sos_pooler_transactions_total",
    ("Pooler", "Clients held"): "sos_pooler_paused",
}  # fmt: skip
"""The series that each panel stands for; whether a server runs as a standby only narrows them."""


def test_each_panel_shows_what_its_title_says() -> None:
    found = {
        (row, panel.title): " ".join(sorted(set().union(*(promql.series(expr) for expr, _ in panel.queries)) - {"sos_pg_postmaster_in_recovery"}))
        for row, panels in ROWS.items()
        for panel in panels
    }
    assert found == SHOWS


def test_every_series_exists_and_is_narrowed_to_the_cluster() -> None:
    for title, expr, _ in queries():
        names = promql.series(expr)
        assert names, title
        for name in names:
            assert name in series() or FOREIGN.fullmatch(name), f"{title}: nobody sends {name}"
        assert len(re.findall(r"\{\$(?:cluster|volumes)[,}]", expr)) >= len(names), f"{title} would also read other clusters"
    text = json.dumps(model(name="orders", namespace="shop"))
    assert not re.search(r"\$(cluster|volumes)", text)
    assert r"postgres_cluster=\"orders\"" in text


def test_promtool_reads_every_query(promtool: Promtool) -> None:
    exprs = [target["expr"] for panel in model()["panels"] for target in panel.get("targets", [])]
    assert len(exprs) == len(queries())
    rules = [{"record": f"panel:{number}", "expr": expr} for number, expr in enumerate(exprs)]
    (promtool.folder / "queries.yaml").write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    promtool("check", "rules", "queries.yaml")
