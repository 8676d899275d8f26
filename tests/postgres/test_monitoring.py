"""Exporter, PodMonitor and alerts as plain manifests; what real servers and the real exporter make of them is in tests/postgres_live."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

from sos_constructs.postgres import monitoring
from sos_constructs.postgres.monitoring import PrometheusOperator, exporter_config, exporter_container, pod_monitor

import pytest
import yaml

from tests import crds
from tests.postgres.example import queries, series, spec

#: Name prefixes of every series of postgres_exporter v0.19.1: its collectors (on or off by default), its older built-in maps,
#: and the series about itself. From collector/*.go, exporter/postgres_exporter.go and exporter/pg_setting.go of that tag.
BUILT_IN = (
    *("pg_buffercache_summary", "pg_database", "pg_database_wraparound", "pg_locks", "pg_long_running_transactions", "pg_postmaster"),
    *("pg_process_idle", "pg_replication", "pg_replication_slot", "pg_replication_slots", "pg_roles", "pg_stat_activity", "pg_stat_activity_autovacuum"),
    *("pg_stat_archiver", "pg_stat_bgwriter", "pg_stat_checkpointer", "pg_stat_database", "pg_stat_database_conflicts", "pg_stat_progress_vacuum"),
    *("pg_stat_replication", "pg_stat_statements", "pg_stat_user_tables", "pg_stat_wal_receiver", "pg_statio_user_indexes", "pg_statio_user_tables"),
    *(
        "pg_wal",
        "pg_xlog_location",
        "pg_settings",
        "pg_static",
        "pg_up",
        "pg_exporter",
        "pg_scrape_collector",
        "postgres_exporter",
        "go",
        "process",
        "promhttp",
    ),
)

# --- queries ---------------------------------------------------------------------------------------------------------


def test_no_series_can_be_a_built_in_one() -> None:
    for name in series():
        assert not any(name == prefix or name.startswith(f"{prefix}_") for prefix in BUILT_IN), name


def test_no_series_is_declared_twice() -> None:
    """YAML readers keep the last of two equal keys without a word, and prefix + column can meet in one name."""
    tops = re.findall(r"^(\w+):", monitoring.queries(), re.MULTILINE)
    assert len(tops) == len(set(tops)) == len(queries())
    columns = [column for query in queries().values() for metric in query["metrics"] for column, options in metric.items() if options["usage"] != "LABEL"]
    assert len(series()) == len(columns)


@pytest.mark.parametrize("prefix", sorted(queries()))
def test_query_is_well_formed(prefix: str) -> None:
    query = queries()[prefix]
    assert set(query) <= {"query", "metrics", "master", "cache_seconds"}, "the exporter ignores keys it does not know"
    assert query["query"].strip().upper().startswith("SELECT")
    assert ";" not in query["query"]
    for metric in query["metrics"]:
        ((_, options),) = metric.items()
        assert options["usage"] in {"GAUGE", "COUNTER", "LABEL"}, "the exporter drops the column for any other word, silently"
        assert options["description"]
    if not query.get("master"):
        assert "datname" in {column for metric in query["metrics"] for column in metric}, "else every database sends the same series"


def test_the_required_metrics_are_there() -> None:
    assert {"sos_pg_replication_lag_seconds", "sos_pg_postmaster_uptime_seconds"} <= series().keys()
    assert {
        f"sos_pg_table_{column}" for column in ("seq_scan", "idx_scan", "n_tup_ins", "n_live_tup", "n_dead_tup", "autovacuum_count", "autoanalyze_count")
    } <= series().keys()


# --- manifests -------------------------------------------------------------------------------------------------------


def test_exporter_config_holds_the_file() -> None:
    manifest = exporter_config(spec())
    assert (manifest["kind"], manifest["metadata"]["name"], manifest["metadata"]["namespace"]) == ("ConfigMap", "postgres-exporter-config", "sos-app")
    assert yaml.safe_load(manifest["data"]["queries.yaml"]) == queries()


def test_exporter_logs_in_by_peer_without_a_password() -> None:
    container = exporter_container(resources={})
    (env,) = container["env"]
    source = dict(pair.split("=") for pair in env["value"].split(" "))
    assert env["name"] == "DATA_SOURCE_NAME"
    assert source.items() >= {"user": "monitoring", "host": "/var/run/postgresql", "dbname": "postgres", "sslmode": "disable"}.items()
    assert "password" not in source
    assert "," not in env["value"], "the exporter would take it for several servers"
    assert {mount["mountPath"] for mount in container["volumeMounts"]} >= {"/var/run/postgresql", "/etc/postgres-exporter"}


def test_exporter_container() -> None:
    container = exporter_container(resources={"limits": {"cpu": "200m"}})
    assert container["image"] == "quay.io/prometheuscommunity/postgres-exporter:v0.19.1"
    assert container["resources"] == {"limits": {"cpu": "200m"}}
    assert container["ports"] == [{"name": "metrics", "containerPort": 9187, "protocol": "TCP"}]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
        "runAsGroup": 65534,
        "runAsNonRoot": True,
        "runAsUser": 65534,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert "readinessProbe" not in container, "a failing exporter would take the database out of its Services"
    assert "--extend.query-path=/etc/postgres-exporter/queries.yaml" in container["args"]
    assert "--auto-discover-databases" in container["args"]


def test_pod_monitor() -> None:
    manifest = pod_monitor(spec(), PrometheusOperator(interval=timedelta(seconds=45), labels={"release": "prometheus"}))
    crds.validate_custom_resource(manifest)
    crds.typed_second_opinion(manifest)
    assert manifest["metadata"]["labels"].items() >= {"release": "prometheus", "app.kubernetes.io/instance": "postgres"}.items()
    assert manifest["spec"]["selector"] == {"matchLabels": {"app.kubernetes.io/instance": "postgres", "app.kubernetes.io/name": "postgres"}}
    endpoints = manifest["spec"]["podMetricsEndpoints"]
    assert [endpoint["port"] for endpoint in endpoints] == ["metrics", "patroni", "agent"]
    for endpoint in endpoints:
        assert (endpoint["path"], endpoint["interval"], endpoint["scrapeTimeout"]) == ("/metrics", "45s", "10s")
        assert endpoint["relabelings"] == [{"action": "replace", "replacement": "postgres", "targetLabel": "postgres_cluster"}]


def test_scrape_timeout_never_exceeds_the_interval() -> None:
    """Prometheus refuses its whole configuration otherwise."""
    manifest = pod_monitor(spec(), PrometheusOperator(interval=timedelta(seconds=5)))
    assert {endpoint["scrapeTimeout"] for endpoint in manifest["spec"]["podMetricsEndpoints"]} == {"5s"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"interval": timedelta(seconds=4)}, "monitoring.interval='0:00:04' must be a whole number of seconds, at least 5"),
        ({"interval": timedelta(seconds=7.5)}, "monitoring.interval='0:00:07.500000' must be"),
        ({"namespace": "Monitoring"}, "monitoring.namespace='Monitoring' must be a DNS-1123 label"),
        ({"labels": {"release": "a b"}}, "label release='a b'"),
        ({"runbooks": "wiki page"}, "monitoring.runbooks='wiki page' must be an address without spaces and '#'"),
        ({"runbooks": "https://wiki.example/#postgres"}, "monitoring.runbooks='https://wiki.example/#postgres' must be"),
        ({"backup_cronjob": "Backup"}, "monitoring.backup_cronjob='Backup' must be"),
        ({"backup_max_age": timedelta(minutes=59)}, "monitoring.backup_max_age='0:59:00' must be at least one hour"),
    ],
)
def test_wrong_options(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match="^" + re.escape(message)):
        PrometheusOperator(**options).check()
