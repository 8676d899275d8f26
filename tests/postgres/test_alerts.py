"""The alerts: well-formed, narrowed to one installation, and each one seen firing, and not before, by promtool."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sos_constructs.postgres.alerts import GROUPS, Alert
from sos_constructs.postgres.monitoring import PrometheusOperator, prometheus_rule

import pytest
import yaml
from attrs import evolve, field, frozen

from tests import crds
from tests.postgres.example import series, spec

#: Series that other parties send: Patroni >= 4.0.4 (patroni/api.py), the agent, the exporter itself, the kubelet.
FOREIGN_SERIES = {
    *("patroni_primary", "patroni_standby_leader", "patroni_replica", "patroni_postgres_running", "patroni_postgres_streaming", "patroni_postgres_timeline"),
    *("patroni_is_paused", "patroni_dcs_last_seen", "patroni_failsafe_mode_is_active", "patroni_pending_restart"),
    *("sos_agent_reconcile_success", "sos_agent_last_success_timestamp_seconds"),
    *("pg_exporter_last_scrape_error", "pg_exporter_user_queries_load_error"),
    *("kubelet_volume_stats_available_bytes", "kubelet_volume_stats_capacity_bytes"),
}

PODS = ("postgres-0", "postgres-1", "postgres-2")
MINUTES = 130

#: A series is its name, its pod, and what else it is labelled with; None for values takes it away.
Series = dict[tuple[str, str, str], "str | None"]


def healthy() -> Series:
    """Two hours in the life of three members: postgres-0 is the primary. One sample a minute, in promtool's notation."""
    now, one, zero = f"0+60x{MINUTES}", f"1x{MINUTES}", f"0x{MINUTES}"
    found: Series = {}
    for pod in PODS:
        primary = pod == "postgres-0"
        values = {
            **dict.fromkeys(("patroni_standby_leader", "patroni_is_paused", "patroni_failsafe_mode_is_active", "patroni_pending_restart"), zero),
            "patroni_primary": one if primary else zero,
            "patroni_replica": zero if primary else one,
            "patroni_postgres_running": one,
            "patroni_postgres_streaming": zero if primary else one,
            "patroni_postgres_timeline": one,
            "patroni_dcs_last_seen": now,
            "sos_agent_last_success_timestamp_seconds": now,
            "pg_exporter_last_scrape_error": zero,
            "pg_exporter_user_queries_load_error": zero,
            "sos_pg_postmaster_in_recovery": zero if primary else one,
            "sos_pg_connections_used_ratio": f"0.5x{MINUTES}",
            **dict.fromkeys(("sos_pg_replication_lag_seconds", "sos_pg_archive_failing"), zero),
            **dict.fromkeys(("sos_pg_transactions_oldest_seconds", "sos_pg_transactions_oldest_idle_seconds", "sos_pg_lock_waits_oldest_seconds"), zero),
            **({"sos_pg_sync_standbys": f"2x{MINUTES}"} if primary else {}),
        }
        found |= {(name, pod, ""): value for name, value in values.items()}
        found |= {("sos_agent_reconcile_success", pod, f'step="{step}"'): one for step in ("databases", "settings")}
        found |= {("sos_agent_last_success_timestamp_seconds", pod, 'step="databases"'): now if primary else zero}
        found |= {("sos_pg_slot_retained_bytes", pod, 'slot_name="postgres_9"'): zero, ("sos_pg_slot_wal_lost", pod, 'slot_name="postgres_9"'): zero}
        found |= {("sos_pg_database_xid_age", pod, 'datname="auth"'): zero, ("sos_pg_database_checksum_failures", pod, 'datname="auth"'): zero}
        found |= {(f"kubelet_volume_stats_{what}_bytes", pod, ""): f"{size}x{MINUTES}" for what, size in (("available", 50), ("capacity", 100))}
    return found


@frozen(kw_only=True)
class Case:
    """What goes wrong, the last minute at which nothing of the kind may fire, and the first at which exactly ``alerts`` fire."""

    alerts: str
    series: Series = field(repr=False)
    quiet: int
    fires: int


def one(name: str, values: str | None, pod: str = "postgres-1", labels: str = "") -> Series:
    return {(name, pod, labels): values}


def everywhere(name: str, values: str | None) -> Series:
    return {(name, pod, ""): values for pod in PODS}


SLOT, DATABASE, STEP = 'slot_name="postgres_9"', 'datname="auth"', 'step="databases"'

CASES = (
    Case(alerts="NoLeader", series=one("patroni_primary", "1x4 0x99", "postgres-0"), quiet=5, fires=6),
    Case(alerts="MultiplePrimaries", series=one("patroni_primary", "0x4 1x99"), quiet=5, fires=6),
    Case(alerts="MultiplePrimaries", series=one("sos_pg_postmaster_in_recovery", "1x4 0x99"), quiet=5, fires=6),
    Case(alerts="Blind", series=everywhere("patroni_primary", None), quiet=4, fires=5),
    Case(alerts="MemberDown", series=one("patroni_postgres_running", "1x4 0x99"), quiet=9, fires=10),
    Case(alerts="MemberDown", series=one("patroni_postgres_running", "1x4 stale"), quiet=9, fires=10),
    Case(alerts="FailoverHappened", series=one("patroni_postgres_timeline", "1x19 2x99"), quiet=19, fires=20),
    Case(alerts="PatroniPaused", series=everywhere("patroni_is_paused", "1x130"), quiet=59, fires=60),
    Case(alerts="ApiServerUnreachable", series=one("patroni_dcs_last_seen", "0x99"), quiet=2, fires=3),
    Case(alerts="FailsafeActive", series=one("patroni_failsafe_mode_is_active", "1x99"), quiet=1, fires=2),
    Case(alerts="PendingRestart", series=one("patroni_pending_restart", "1x99"), quiet=59, fires=60),
    Case(alerts="AgentFailing", series=one("sos_agent_reconcile_success", "0x99", labels=STEP), quiet=9, fires=10),
    Case(alerts="AgentStuck", series=one("sos_agent_last_success_timestamp_seconds", "0x99"), quiet=20, fires=21),
    Case(alerts="ReplicaNotStreaming", series=one("patroni_postgres_streaming", "1x4 0x99"), quiet=14, fires=15),
    Case(alerts="ReplicaNotStreaming", series=one("patroni_postgres_streaming", None), quiet=9, fires=10),
    Case(alerts="SyncStandbyMissing", series=one("sos_pg_sync_standbys", "1x4 0x99", "postgres-0"), quiet=6, fires=7),
    Case(alerts="ReplicationLag", series=one("sos_pg_replication_lag_seconds", "61x99"), quiet=4, fires=5),
    Case(alerts="SlotRetainsWal", series=one("sos_pg_slot_retained_bytes", "5400000000x99", labels=SLOT), quiet=9, fires=10),
    Case(alerts="SlotLostWal", series=one("sos_pg_slot_wal_lost", "1x99", labels=SLOT), quiet=4, fires=5),
    Case(alerts="ConnectionsHigh", series=one("sos_pg_connections_used_ratio", "0.81x99"), quiet=4, fires=5),
    Case(alerts="ConnectionsExhausted", series=one("sos_pg_connections_used_ratio", "0.96x99"), quiet=0, fires=1),
    Case(alerts="ConnectionsExhausted ConnectionsHigh", series=one("sos_pg_connections_used_ratio", "0.96x99"), quiet=0, fires=5),
    Case(alerts="LongTransaction", series=one("sos_pg_transactions_oldest_seconds", "1801x99"), quiet=4, fires=5),
    Case(alerts="LongTransaction", series=one("sos_pg_transactions_oldest_idle_seconds", "601x99"), quiet=4, fires=5),
    Case(alerts="LockWait", series=one("sos_pg_lock_waits_oldest_seconds", "61x99"), quiet=1, fires=2),
    Case(alerts="TransactionIdAge", series=one("sos_pg_database_xid_age", "500000001x130", labels=DATABASE), quiet=59, fires=60),
    Case(alerts="VolumeFilling", series=one("kubelet_volume_stats_available_bytes", "19x99"), quiet=9, fires=10),
    Case(alerts="VolumeFull", series=one("kubelet_volume_stats_available_bytes", "4x99"), quiet=1, fires=2),
    Case(alerts="ArchiveFailing", series=one("sos_pg_archive_failing", "1x99"), quiet=9, fires=10),
    Case(alerts="ChecksumFailure", series=one("sos_pg_database_checksum_failures", "0x4 1x99", labels=DATABASE), quiet=4, fires=5),
    Case(alerts="ExporterErrors", series=one("pg_exporter_last_scrape_error", "1x99"), quiet=9, fires=10),
    Case(alerts="ExporterErrors", series=one("pg_exporter_user_queries_load_error", "1x99"), quiet=9, fires=10),
)


def rules(manifest: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    return {rule["alert"]: rule for group in manifest["spec"]["groups"] for rule in group["rules"]}


def all_alerts() -> list[Alert]:
    return [alert for alerts in GROUPS.values() for alert in alerts]


def test_alerts_have_what_people_need_at_night() -> None:
    names = [alert.name for alert in all_alerts()]
    assert len(names) == len(set(names))
    for alert in all_alerts():
        assert re.fullmatch(r"[A-Z][A-Za-z]+", alert.name)
        assert re.fullmatch(r"\d+[mh]", alert.lasting)
        assert all((alert.summary, alert.description, alert.runbook))


def test_every_series_of_an_alert_exists_and_is_narrowed_to_the_cluster() -> None:
    ours = series()
    for alert in all_alerts():
        used = re.findall(r"\b((?:patroni|pg|sos_pg|sos_agent|kubelet)_\w+)(\{\$(?:cluster|volumes)\})?", alert.expr)
        assert used
        for name, matcher in used:
            assert name in ours or name in FOREIGN_SERIES, f"{alert.name}: nobody sends {name}"
            assert matcher, f"{alert.name}: {name} would also be read from other clusters"


def test_rules_speak_of_this_installation_only() -> None:
    manifest = prometheus_rule(evolve(spec(), name="orders", namespace="shop", instances=5), PrometheusOperator(labels={"release": "prometheus"}))
    crds.validate_custom_resource(manifest)
    crds.typed_second_opinion(manifest)
    assert (manifest["metadata"]["name"], manifest["metadata"]["namespace"], manifest["metadata"]["labels"]["release"]) == ("orders", "shop", "prometheus")
    found = rules(manifest)
    for rule in found.values():
        assert 'namespace="shop"' in rule["expr"]
        assert not re.search(r"\$(cluster|members|volumes)", json.dumps(rule))
    assert found["SosPostgresNoLeader"]["expr"].count('postgres_cluster="orders"') == 2
    assert found["SosPostgresMemberDown"]["expr"].endswith("< 5")
    assert 'persistentvolumeclaim=~"data-orders-[0-9]+"' in found["SosPostgresVolumeFull"]["expr"]


def test_alerts_that_cannot_come_true_are_left_out() -> None:
    full = rules(prometheus_rule(spec(), PrometheusOperator())).keys()
    assert full == {f"SosPostgres{alert.name}" for alert in all_alerts()}
    asynchronous = rules(prometheus_rule(spec(synchronous_mode="off"), PrometheusOperator())).keys()
    assert full - asynchronous == {"SosPostgresSyncStandbyMissing"}
    single = rules(prometheus_rule(spec(instances=1), PrometheusOperator())).keys()
    assert asynchronous - single == {f"SosPostgres{name}" for name in ("FailoverHappened", "FailsafeActive", "ReplicaNotStreaming", "ReplicationLag")}


def test_no_alert_is_without_a_case() -> None:
    """Where promtool is missing the cases do not run; that there is one for each alert is checked always."""
    assert {name for case in CASES for name in case.alerts.split()} == {alert.name for alert in all_alerts()}


@pytest.fixture
def promtool(tmp_path: Path) -> Any:
    """``promtool("check", …)`` in a folder that holds rules.yaml, the rules of three members."""
    home = Path(os.environ.get("SOS_CLUSTER_HOME") or Path.home() / ".cache" / "sos-cluster")
    program = shutil.which("promtool") or shutil.which(home / "bin" / "promtool")
    if not program:
        pytest.skip(f"no promtool on PATH or in {home}/bin")
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(prometheus_rule(spec(), PrometheusOperator())["spec"]))

    def run(*arguments: str) -> None:
        done = subprocess.run([program, *arguments], cwd=tmp_path, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr

    return run


def test_promtool_accepts_the_rules(promtool: Any) -> None:
    promtool("check", "rules", "--lint=all", "--lint-fatal", "rules.yaml")


def test_alerts_fire_when_they_should_and_no_other_does(promtool: Any, tmp_path: Path) -> None:
    cases = [
        _promtool_case(f"case {number}: {case.alerts}", healthy() | case.series, {case.quiet: "", case.fires: case.alerts}) for number, case in enumerate(CASES)
    ]
    cases.append(_promtool_case("all is well", healthy(), dict.fromkeys((0, 1, 10, 60, 120), "")))
    neighbour: Series = {key: values for case in CASES for key, values in case.series.items() if values}
    cases.append(_promtool_case("a neighbour is unwell", healthy(), {60: ""}, neighbour))
    (tmp_path / "tests.yaml").write_text(yaml.safe_dump({"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": cases}, sort_keys=False))
    promtool("test", "rules", "tests.yaml")


def test_annotations_are_filled_in(promtool: Any, tmp_path: Path) -> None:
    rule = rules(prometheus_rule(spec(), PrometheusOperator()))["SosPostgresReplicationLag"]
    case = _promtool_case("lag", one("sos_pg_replication_lag_seconds", "150x20"), {})
    labels = {"severity": "warning", "namespace": "sos-app", "postgres_cluster": "postgres", "pod": "postgres-1"}
    annotations = rule["annotations"] | {"summary": "postgres-1 is 2m 30s behind"}
    case["alert_rule_test"] = [
        {"eval_time": "10m", "alertname": "SosPostgresReplicationLag", "exp_alerts": [{"exp_labels": labels, "exp_annotations": annotations}]}
    ]
    (tmp_path / "tests.yaml").write_text(yaml.safe_dump({"rule_files": ["rules.yaml"], "tests": [case]}))
    promtool("test", "rules", "tests.yaml")


def _promtool_case(name: str, inputs: Series, expected: Mapping[int, str], neighbour: Series | None = None) -> dict[str, Any]:
    """``expected``: minute → names of all alerts that fire then. Series of a neighbour get another cluster's labels."""
    found: list[dict[str, str]] = [{"series": _selector(key, "postgres"), "values": values} for key, values in inputs.items() if values]
    found += [{"series": _selector(key, "other"), "values": values} for key, values in (neighbour or {}).items() if values]
    checks = [
        {
            "expr": 'count by (alertname) (ALERTS{alertstate="firing"})',
            "eval_time": f"{minute}m",
            "exp_samples": [{"labels": f'{{alertname="SosPostgres{alert}"}}', "value": 1} for alert in alerts.split()],
        }
        for minute, alerts in expected.items()
    ]
    return {"name": name, "interval": "1m", "input_series": found, "promql_expr_test": checks}


def _selector(key: tuple[str, str, str], cluster: str) -> str:
    name, pod, labels = key
    if name.startswith("kubelet_"):
        return f'{name}{{namespace="sos-app",persistentvolumeclaim="data-{pod.replace("postgres", cluster)}"}}'
    return f'{name}{{namespace="sos-app",postgres_cluster="{cluster}",pod="{pod}"{"," + labels if labels else ""}}}'
