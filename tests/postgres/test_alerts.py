"""The alerts: well-formed, narrowed to one installation, and each one seen firing, and not before, by promtool."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from sos_constructs.postgres.alerts import GROUPS, Alert, Need
from sos_constructs.postgres.failover import FastFailover
from sos_constructs.postgres.monitoring import PrometheusOperator, prometheus_rule
from sos_constructs.postgres.pooler import Pooler
from sos_constructs.postgres.tls import NOTICE, CertificateSecret, CertManager, renewal
from sos_constructs.secrets.check import NOTICE_DAYS

import pytest
import yaml
from attrs import evolve

from tests import crds
from tests.postgres.alert_cases import CASES, QUIET, Series, crashed, healthy, lives, one, poolers_gone, poolers_say, promoted, steps
from tests.postgres.example import series, spec
from tests.postgres.promtool import Promtool

#: Series that other parties send: Patroni >= 4.0.4 (patroni/api.py), the agent, the exporter itself, the kubelet, kube-state-metrics.
#: A test of tests/cluster asks a running cluster for them.
FOREIGN_SERIES = {
    *("patroni_primary", "patroni_standby_leader", "patroni_replica", "patroni_postgres_running", "patroni_postgres_streaming", "patroni_postgres_timeline"),
    *("patroni_is_paused", "patroni_dcs_last_seen", "patroni_failsafe_mode_is_active", "patroni_pending_restart"),
    *("sos_agent_reconcile_success", "sos_agent_last_success_timestamp_seconds", "sos_agent_last_action_timestamp_seconds"),
    *("sos_agent_certificate_start_timestamp_seconds", "sos_agent_certificate_expiry_timestamp_seconds", "sos_agent_cut_off", "sos_agent_failover_steps_total"),
    *(f"sos_pooler_{name}" for name in ("up", "serves", "config_current", "password_current", "client_connections", "client_connections_limit")),
    *(f"sos_pooler_{name}" for name in ("clients", "servers", "pool_size", "longest_wait_seconds")),
    *("pg_up", "pg_exporter_last_scrape_error", "pg_exporter_user_queries_load_error", "pg_stat_database_deadlocks", "pg_stat_archiver_last_archive_age"),
    *("pg_stat_bgwriter_checkpoints_req_total", "pg_stat_bgwriter_checkpoints_timed_total"),
    *("kubelet_volume_stats_available_bytes", "kubelet_volume_stats_capacity_bytes"),
    "kube_cronjob_status_last_successful_time",
}


WITH_BACKUP = PrometheusOperator(backup_cronjob="backup", backup_max_age=timedelta(hours=1))
FAST: dict[str, Any] = {"failover": FastFailover(), "synchronous_mode_strict": True}
EVERYTHING = spec(pooler=Pooler(), **FAST)


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
        assert all((alert.summary, alert.description, alert.look, alert.act))


def test_every_series_of_an_alert_exists_and_is_narrowed_to_the_cluster() -> None:
    ours = series()
    for alert in all_alerts():
        used = re.findall(r"\b((?:patroni|pg|sos_pg|sos_agent|sos_pooler|kubelet|kube)_\w+)(\{\$(?:cluster|volumes)[,}]|\$cronjob)?", alert.expr)
        assert used
        for name, matcher in used:
            assert name in ours or name in FOREIGN_SERIES, f"{alert.name}: nobody sends {name}"
            assert matcher, f"{alert.name}: {name} would also be read from other clusters"


def test_annotations_name_this_installation_only() -> None:
    """At night somebody pastes what they say: with the reference chart's names it would reach another database."""
    orders = evolve(EVERYTHING, name="orders", namespace="shop", tls=CertManager(issuer="ca", name="orders-cert"))
    for rule in rules(prometheus_rule(orders, WITH_BACKUP)).values():
        text = " ".join(rule["annotations"][key] for key in ("summary", "description", "runbook"))
        assert not re.search(r"(?<![\w/])(postgres-(?!exporter)|sos-app)|\$(?!labels|value)", text), text
        assert all(options.startswith("-n shop ") for options in re.findall(r"kubectl ((?:-n|get|label|describe|logs job)\b.*)", text)), text
    assert (
        "kubectl -n shop describe certificate orders-cert"
        in rules(prometheus_rule(orders, WITH_BACKUP))["SosPostgresCertificateEndsSoon"]["annotations"]["runbook"]
    )


def test_rules_speak_of_this_installation_only() -> None:
    manifest = prometheus_rule(evolve(EVERYTHING, name="orders", namespace="shop", instances=5), PrometheusOperator(labels={"release": "prometheus"}))
    crds.validate_custom_resource(manifest)
    crds.typed_second_opinion(manifest)
    assert (manifest["metadata"]["name"], manifest["metadata"]["namespace"], manifest["metadata"]["labels"]["release"]) == ("orders", "shop", "prometheus")
    found = rules(manifest)
    for rule in found.values():
        assert 'namespace="shop"' in rule["expr"]
        assert not re.search(r"\$(cluster|members|volumes|cronjob|backup_age|renewal|poolers|wait)", json.dumps(rule))
    assert found["SosPostgresNoLeader"]["expr"].count('postgres_cluster="orders"') == 2
    assert found["SosPostgresMemberDown"]["expr"].endswith("< 5")
    assert 'persistentvolumeclaim=~"data-orders-[0-9]+"' in found["SosPostgresVolumeFull"]["expr"]


def test_the_runbook_has_a_section_for_every_alert_where_its_annotation_leads() -> None:
    runbook = (Path(__file__).resolve().parent.parent.parent / "docs" / "how-to" / "runbook.md").read_text(encoding="utf-8")
    anchors = {f"docs/how-to/runbook.md#{heading.lower()}" for heading in re.findall(r"^### (\w+)$", runbook, re.MULTILINE)}
    assert {rule["annotations"]["runbook_url"] for rule in rules(prometheus_rule(EVERYTHING, WITH_BACKUP)).values()} == anchors
    elsewhere = rules(prometheus_rule(spec(), PrometheusOperator(runbooks="https://wiki.example/postgres")))
    assert elsewhere["SosPostgresBlind"]["annotations"]["runbook_url"] == "https://wiki.example/postgres#sospostgresblind"


def test_the_backup_job_that_is_named_is_watched() -> None:
    rule = rules(prometheus_rule(spec(namespace="shop"), evolve(WITH_BACKUP, backup_max_age=timedelta(hours=2))))["SosPostgresBackupTooOld"]
    assert rule["expr"].count('{namespace="shop",cronjob="backup"}') == 2
    assert "> 7200 or" in rule["expr"]


def names(operator: PrometheusOperator = WITH_BACKUP, **options: Any) -> set[str]:
    return {name.removeprefix("SosPostgres") for name in rules(prometheus_rule(evolve(EVERYTHING, **options), operator))}


def needing(need: Need) -> set[str]:
    found = {alert.name for alert in all_alerts() if need in alert.needs}
    assert found
    return found


def test_alerts_that_cannot_come_true_are_left_out() -> None:
    full = names()
    assert full == {alert.name for alert in all_alerts()}
    assert full - names(PrometheusOperator()) == {"BackupTooOld"}
    assert full - names(synchronous_mode="off") == {"SyncStandbyMissing"}
    assert full - names(instances=1) == {
        *("CertificateDiffers", "FailoverFlapping", "FailoverHappened", "FailsafeActive", "ReplicaNotStreaming", "ReplicationLag", "SyncStandbyMissing"),
    }
    assert full - names(tls=None) == needing("a certificate") == {"CertificateDiffers", "CertificateEnds", "CertificateEndsSoon"}
    assert full - names(pooler=None) == needing("a pooler")
    assert full - names(failover=None) == needing("fast failover")
    assert {name for name in full if name.startswith("Pooler")} == needing("a pooler")
    bare = prometheus_rule(spec(tls=None), PrometheusOperator())
    assert all(group["rules"] for group in bare["spec"]["groups"]), "no group is empty"


@pytest.mark.parametrize(
    ("tls", "seconds"),
    [(CertificateSecret(), 30 * 86400), (CertManager(issuer="ca"), 30 * 86400), (CertManager(issuer="ca", renew_before=timedelta(days=10)), 10 * 86400)],
)
def test_a_certificate_is_due_as_its_renewal_says(tls: CertificateSecret | CertManager, seconds: int) -> None:
    found = rules(prometheus_rule(spec(tls=tls), PrometheusOperator()))
    assert renewal(tls).total_seconds() == seconds
    assert found["SosPostgresCertificateEndsSoon"]["expr"].endswith(f" / 3, {seconds}) * 2 / 3")
    assert found["SosPostgresCertificateEnds"]["expr"].endswith(f" / 3, {seconds}) / 10")
    assert timedelta(days=NOTICE_DAYS) == NOTICE, "as sosctl begins to note it"


def test_the_poolers_numbers_are_those_of_its_options() -> None:
    found = rules(prometheus_rule(spec(pooler=Pooler(replicas=3, query_wait_timeout=timedelta(seconds=60))), PrometheusOperator()))
    assert found["SosPostgresPoolerPodDown"]["expr"].endswith("< 3")
    assert found["SosPostgresPoolerClientsWait"]["expr"].endswith("> 60 / 2")
    assert "* (3 - 1)) > 0.8" in found["SosPostgresPoolerClientsHigh"]["expr"]


def test_no_alert_is_without_a_case() -> None:
    """Where promtool is missing the cases do not run; that there is one for each alert is checked always."""
    assert {name.partition("*")[0] for case in CASES for name in case.alerts.split()} == {alert.name for alert in all_alerts()}


@pytest.fixture
def rules_file(promtool: Promtool) -> Promtool:
    """promtool beside rules.yaml, the rules of three members and two poolers."""
    (promtool.folder / "rules.yaml").write_text(yaml.safe_dump(prometheus_rule(EVERYTHING, WITH_BACKUP)["spec"]))
    return promtool


def test_promtool_accepts_the_rules(rules_file: Promtool) -> None:
    rules_file("check", "rules", "--lint=all", "--lint-fatal", "rules.yaml")


def test_alerts_fire_when_they_should_and_no_other_does(rules_file: Promtool, tmp_path: Path) -> None:
    cases = [
        _promtool_case(f"case {number}: {case.alerts}", healthy() | case.series, {case.quiet: "", case.fires: case.alerts}) for number, case in enumerate(CASES)
    ]
    cases.append(_promtool_case("all is well", healthy(), dict.fromkeys((0, 1, 10, 60, 120), "")))
    cases += [
        _promtool_case(
            name, healthy() | series, {minute: "FailoverHappened" if "switchover" in name and 10 <= minute < 20 else "" for minute in range(0, 120, 5)}
        )
        for name, series in QUIET
    ]
    neighbour: Series = {key: values for case in CASES for key, values in case.series.items() if values}
    cases.append(_promtool_case("a neighbour is unwell", healthy(), {60: ""}, neighbour))
    (tmp_path / "tests.yaml").write_text(yaml.safe_dump({"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": cases}, sort_keys=False))
    rules_file("test", "rules", "tests.yaml")


def test_a_crashed_node_is_told_and_hides_nothing(rules_file: Promtool, tmp_path: Path) -> None:
    """Its member's series end, all at once: the alerts that count members or ask for absence fire, the others neither fire nor fall silent."""
    away = crashed("postgres-0", 5)
    moved = healthy() | away | promoted("postgres-1", 6)
    cases = [
        _promtool_case("the primary's node, a standby takes over", moved, {10: "FailoverHappened", 11: "FailoverHappened MemberDown", 30: "MemberDown"}),
        _promtool_case("the primary's node, nobody takes over", healthy() | away, {6: "", 7: "NoLeader", 11: "NoLeader MemberDown", 60: "NoLeader MemberDown"}),
        _promtool_case("a standby's node", healthy() | crashed("postgres-2", 5), {10: "", 11: "MemberDown", 120: "MemberDown"}),
        _promtool_case(
            "all nodes of the database",
            healthy() | crashed("postgres-0", 5) | crashed("postgres-1", 5) | crashed("postgres-2", 5),
            {10: "", 11: "Blind", 60: "Blind"},
        ),
        _promtool_case(
            "the node of a member and of a pooler",
            healthy() | crashed("postgres-2", 5) | poolers_gone(5, ("postgres-pooler-a",)),
            {10: "", 11: "MemberDown", 20: "MemberDown", 21: "MemberDown PoolerPodDown"},
        ),
    ]
    (tmp_path / "tests.yaml").write_text(yaml.safe_dump({"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": cases}, sort_keys=False))
    rules_file("test", "rules", "tests.yaml")


@pytest.mark.deep
def test_a_node_that_is_away_hides_no_other_fault(rules_file: Promtool, tmp_path: Path) -> None:
    """The same faults in a cluster that has lost a node before they began."""
    cases = []
    for number, case in enumerate(CASES):
        fires = set(case.alerts.split()) | ({"MemberDown"} if case.fires >= 6 else set())
        cases.append(
            _promtool_case(
                f"case {number} with a node away: {case.alerts}", healthy() | crashed("postgres-2", 0) | case.series, {case.fires: " ".join(sorted(fires))}
            )
        )
    (tmp_path / "tests.yaml").write_text(yaml.safe_dump({"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": cases}, sort_keys=False))
    rules_file("test", "rules", "tests.yaml")


OF_ALL = {"namespace": "sos-app", "postgres_cluster": "postgres"}


@pytest.mark.parametrize(
    ("alert", "series", "labels", "summary"),
    [
        ("ReplicationLag", one("sos_pg_replication_lag_seconds", "150x20"), {"pod": "postgres-1"}, "postgres-1 is 2m 30s behind"),
        (
            "CertificateEnds",
            lives("-7776000x20", "0x20"),
            {},
            "The certificate of sos-app/postgres ends in -10m 0s (negative: it has ended)",
        ),
        ("PoolerDown", {}, {}, "No pooler of sos-app/postgres answers"),
        (
            "PoolerDown",
            poolers_say("sos_pooler_up", "0x20", 'side="readonly"'),
            {"side": "readonly"},
            "No pooler of sos-app/postgres answers (side readonly)",
        ),
        (
            "FailoverFalseAlarms",
            steps("cuts", "0 1 2 3x20", "postgres-1") | steps("releases", "0x20", "postgres-1"),
            {},
            "A standby of sos-app/postgres was cut off for nothing 3 times within six hours",
        ),
    ],
)
def test_annotations_are_filled_in(rules_file: Promtool, alert: str, series: Series, labels: dict[str, str], summary: str) -> None:
    rule = rules(prometheus_rule(EVERYTHING, PrometheusOperator()))[f"SosPostgres{alert}"]
    case = _promtool_case(alert, series, {})
    expected = {"exp_labels": rule["labels"] | OF_ALL | labels, "exp_annotations": rule["annotations"] | {"summary": summary}}
    case["alert_rule_test"] = [{"eval_time": "10m", "alertname": rule["alert"], "exp_alerts": [expected]}]
    (rules_file.folder / "tests.yaml").write_text(yaml.safe_dump({"rule_files": ["rules.yaml"], "tests": [case]}))
    rules_file("test", "rules", "tests.yaml")


def _promtool_case(name: str, inputs: Series, expected: Mapping[int, str], neighbour: Series | None = None) -> dict[str, Any]:
    """``expected``: minute → names of all alerts that fire then. Series of a neighbour get another cluster's labels."""
    found: list[dict[str, str]] = [{"series": _selector(key, "postgres"), "values": values} for key, values in inputs.items() if values]
    found += [{"series": _selector(key, "other"), "values": values} for key, values in (neighbour or {}).items() if values]
    checks = [
        {
            "expr": 'count by (alertname) (ALERTS{alertstate="firing"})',
            "eval_time": f"{minute}m",
            "exp_samples": [_times(*alert.split("*")) for alert in alerts.split()],
        }
        for minute, alerts in expected.items()
    ]
    return {"name": name, "interval": "1m", "input_series": found, "promql_expr_test": checks}


def _times(alert: str, times: str = "1") -> dict[str, Any]:
    return {"labels": f'{{alertname="SosPostgres{alert}"}}', "value": int(times)}


def _selector(key: tuple[str, str, str], cluster: str) -> str:
    name, pod, labels = key
    if name.startswith("kube_"):
        return f'{name}{{namespace="{"sos-app" if cluster == "postgres" else "elsewhere"}",{labels}}}'
    if name.startswith("kubelet_"):
        return f'{name}{{namespace="sos-app",persistentvolumeclaim="data-{pod.replace("postgres", cluster)}"}}'
    return f'{name}{{namespace="sos-app",postgres_cluster="{cluster}",pod="{pod}"{"," + labels if labels else ""}}}'
