"""Clients behind PgBouncer: who gets in, what a failover costs them, what too much load gets, and passwords and certificates that change meanwhile."""

from __future__ import annotations

import base64
import json
import re
import secrets
import shlex
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sos_constructs import Pooler
from sos_constructs.postgres.alerts import command
from sos_constructs.postgres.alerts.pooler import POOLER
from sos_constructs.postgres.dashboard.panels import ROWS
from sos_constructs.postgres.pooler.names import CA_DIR
from sos_constructs.secrets.certificates import DevelopmentCa
from sos_constructs.secrets.servers import pooler_server

import pytest
from cryptography import x509

from tests import promql
from tests.cluster import chart, faults, kube, scrape
from tests.cluster.breakable import Breakable
from tests.cluster.client import Ledger
from tests.cluster.faults import Fault, assert_kept, drill
from tests.cluster.installation import Installation
from tests.cluster.scrape import Samples

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "pooler.md"
SELECTOR = "app.kubernetes.io/name=pgbouncer"
SECRET = "postgres-credentials"
CERTIFICATE = "postgres-pooler-tls"
REFUSED_SECONDS = 2
"""For how long PgBouncer before 1.24 may refuse log-ins when its own password changes: it then gives up every connection to a server that it verifies, and one
log-in with the old password may just have failed."""


def apply(pooler: Pooler, **waive: str) -> None:
    kube.apply(chart.reference(pooler=pooler, waive={rule.replace("_", "-"): reason for rule, reason in waive.items()}))
    kube.kubectl("rollout", "status", "deployment/postgres-pooler", "-n", chart.NAMESPACE, "--timeout=300s", seconds=320)


@pytest.fixture(scope="module")
def pooled(installation: Installation) -> Iterator[Installation]:
    """The reference app with a pooler, whose role and lines of pg_hba.conf every member has: a standby may have them later than the primary."""
    installation.wait_healthy()
    apply(Pooler())
    for host in ("postgres-pooler-service", "postgres-pooler-readonly-service"):
        kube.poll(f"a log-in through {host}", lambda host=host: ask(installation, "auth", "SELECT 1", host=host) == "1", 300, pause=2)  # type: ignore[misc]
    yield installation
    kube.kubectl("delete", "deployment,service,configmap,networkpolicy,pdb,serviceaccount", "-n", installation.namespace, "-l", SELECTOR)


def pods(installation: Installation) -> dict[str, Any]:
    """Those that stay: one that a rollout replaced goes on until its clients have left."""
    found = kube.items("pods", "-n", installation.namespace, "-l", SELECTOR)
    return {pod["metadata"]["name"]: pod for pod in found if "deletionTimestamp" not in pod["metadata"]}


def restarts(installation: Installation) -> dict[str, list[int]]:
    return {name: [each["restartCount"] for each in pod["status"]["containerStatuses"]] for name, pod in pods(installation).items()}


def stored(installation: Installation, key: str) -> str:
    return base64.b64decode(kube.get("secret", SECRET, "-n", installation.namespace)["data"][key]).decode()


def psql(
    installation: Installation, user: str, password: str, database: str, sql: str, *, host: str = "postgres-pooler-service", sslmode: str = "prefer"
) -> tuple[int, str]:
    """Exit code and what was said, of a client in a member's pod that connects as any workload."""
    return run(installation, password, client(installation, user, database, host, sslmode), sql)


def client(installation: Installation, user: str, database: str, host: str = "postgres-pooler-service", sslmode: str = "prefer") -> str:
    return f'PGCONNECT_TIMEOUT=5 PGSSLMODE={sslmode} {installation.image.bin_dir}/psql -h {host} -U {user} -d {database} -XqAtc "$0"'


def run(installation: Installation, password: str, command: str, sql: str) -> tuple[int, str]:
    """Run a command that has SQL as ``$0`` and the password in its environment: arguments are seen by others."""
    whole = f"read -r PGPASSWORD; export PGPASSWORD; {command}"
    done = installation.try_exec(installation.pod_names[0], "sh", "-c", whole, sql, container="postgres", stdin=f"{password}\n")
    return done.returncode, (done.stdout + done.stderr).strip()


def login(installation: Installation, owner: str) -> tuple[str, str]:
    """User and password as the Secret has them now: after a rotation the user is a dated login."""
    return stored(installation, f"{owner}-db-username"), stored(installation, f"{owner}-db-password")


def ask(installation: Installation, owner: str, sql: str, *, host: str = "postgres-pooler-service") -> str:
    code, said = psql(installation, *login(installation, owner), owner, sql, host=host)
    assert code == 0, said
    return said


def pages(installation: Installation) -> dict[str, Samples]:
    return {pod: scrape.parse(scrape.pooler_page(pod, installation.namespace)) for pod in pods(installation)}


def has_password(installation: Installation, pod: str, password: str) -> bool:
    """Whether the agent gave PgBouncer this one. It goes in through standard input: arguments are seen by others."""
    program = "import pathlib, sys; print(pathlib.Path('/run/sos/password').read_text() == sys.stdin.read())"
    return "True" in installation.exec(pod, "python3", "-c", program, container="agent", stdin=password)


def test_each_side_leads_to_its_servers(pooled: Installation):
    assert ask(pooled, "auth", "SELECT pg_is_in_recovery()") == "f"
    assert ask(pooled, "auth", "SELECT pg_is_in_recovery()", host="postgres-pooler-readonly-service") == "t"


def test_who_speaks_no_tls_is_refused(pooled: Installation):
    for host in ("postgres-pooler-service", "postgres-pooler-readonly-service"):
        code, said = psql(pooled, *login(pooled, "auth"), "auth", "SELECT 1", host=host, sslmode="disable")
        assert code
        assert "SSL required" in said


def test_an_owner_gets_into_its_database_only(pooled: Installation):
    code, said = psql(pooled, *login(pooled, "auth"), "emergency", "SELECT 1")
    assert code, said
    code, said = psql(pooled, login(pooled, "auth")[0], "wrong-password", "auth", "SELECT 1")
    assert code
    assert re.search("authentication failed", said)
    code, said = psql(pooled, "postgres", stored(pooled, "postgres-password"), "auth", "SELECT 1")
    assert code, "the superuser never over the network"


def test_its_role_may_do_nothing_else(pooled: Installation):
    password = stored(pooled, "pooler-password")
    primary, user = "postgres-service", login(pooled, "auth")[0]
    code, said = psql(pooled, "pgbouncer", password, "auth", f"SELECT count(*) FROM sos_pooler.lookup('{user}')", host=primary)
    assert (code, said) == (0, "1")
    for nobody in ("postgres", "standby", "rewind", login(pooled, "emergency")[0]):
        assert psql(pooled, "pgbouncer", password, "auth", f"SELECT count(*) FROM sos_pooler.lookup('{nobody}')", host=primary) == (0, "0")
    assert psql(pooled, "pgbouncer", password, "auth", "SELECT rolpassword FROM pg_authid", host=primary)[0]
    assert psql(pooled, *login(pooled, "auth"), "auth", f"SELECT sos_pooler.lookup('{user}')", host=primary)[0]


def test_every_metric_of_the_page_is_there(pooled: Installation):
    named = set(re.findall(r"`(sos_pooler_\w+)`", PAGE.read_text()))
    assert len(named) > 15
    found = set[str]()
    for pod in pods(pooled):
        text = scrape.pooler_page(pod, pooled.namespace)
        assert 'sos_pooler_up{side="primary"} 1\n' in text
        found |= scrape.parse(text).names
    assert named == found


def test_every_metric_of_alerts_and_dashboard_is_there(pooled: Installation):
    """In every pod: an alert about one pod is worth nothing if only the first pod sends the series."""
    ask(pooled, "auth", "SELECT 1")  # without a client there are no pools
    ask(pooled, "auth", "SELECT 1", host="postgres-pooler-readonly-service")
    members = scrape.together(page for sources in scrape.members(pooled).values() for page in sources.values())
    of_poolers = pages(pooled)
    everywhere = scrape.together([members, *of_poolers.values()])
    for alert in POOLER:
        assert scrape.missing(everywhere, alert.expr, alert.summary, alert.description) == [], alert.name
    for panel in ROWS["Pooler"]:
        for expr, legend in panel.queries:
            assert scrape.missing_in_panel(everywhere, expr, legend) == [], panel.title
    wanted = {name for alert in POOLER for name in promql.series(alert.expr) if name.startswith("sos_pooler_")}
    of_pools = {"sos_pooler_clients", "sos_pooler_servers", "sos_pooler_longest_wait_seconds"}  # of the pod that the client came to
    for pod, page in of_poolers.items():
        assert wanted - page.names <= of_pools, pod


def test_clients_are_seen_to_be_served(pooled: Installation):
    """The agent asks every 15 s."""
    for pod in pods(pooled):
        for side in ("primary", "readonly"):
            sample = f'sos_pooler_serves{{side="{side}"}} 1\n'
            kube.poll(f"an answer to the agent of {pod}", lambda pod=pod, sample=sample: sample in scrape.pooler_page(pod, pooled.namespace), 60, pause=5)  # type: ignore[misc]


@pytest.mark.parametrize("line", sorted({command(look) for alert in POOLER for look in alert.look}))
def test_the_runbooks_commands_run(pooled: Installation, line: str):
    done = kube.run(*shlex.split(line)[1:], seconds=60)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "fault", [faults.DELETE, *(pytest.param(fault, marks=pytest.mark.release) for fault in (faults.KILL, faults.CRASH))], ids=lambda fault: fault.name
)
def test_a_failover_behind_the_pooler(pooled: Installation, tool: Breakable | None, fault: Fault, figure: list[str]):
    if fault.breaks_node and tool is None:
        pytest.skip("nodes may not break here")
    outcome = drill(pooled, fault, tool, pooled=True)
    figure.append(outcome.line(f"{fault.name}, through the pooler"))  # without it: test_3_faults
    assert_kept(outcome)


@pytest.mark.release
def test_a_rollout_of_the_pooler_loses_nothing(pooled: Installation, figure: list[str]):
    ledger = Ledger(pooled, "pooler-rollout", pooled=True)
    kube.kubectl("rollout", "restart", "deployment/postgres-pooler", "-n", pooled.namespace)
    kube.kubectl("rollout", "status", "deployment/postgres-pooler", "-n", pooled.namespace, "--timeout=300s", seconds=320)
    ledger.wait_writing()
    outcome = ledger.stop()
    figure.append(outcome.line("rolling restart of the pooler"))
    assert_kept(outcome)


@pytest.mark.release
def test_a_rollout_that_nobody_can_log_in_through_stops_at_its_first_pod(pooled: Installation):
    """Here because its pods have another password than the server."""
    wrong = dict(kube.get("secret", SECRET, "-n", pooled.namespace)["data"])
    wrong["pooler-password"] = base64.b64encode(secrets.token_urlsafe(32).encode()).decode()
    metadata = {"name": "postgres-credentials-wrong", "namespace": pooled.namespace}
    kube.apply([{"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": wrong}])
    old = set(pods(pooled))
    deployment = ("deployment/postgres-pooler", "-n", pooled.namespace)
    names = [volume["name"] for volume in kube.get(*deployment)["spec"]["template"]["spec"]["volumes"]]
    other = {"op": "replace", "path": f"/spec/template/spec/volumes/{names.index('credentials')}/secret/secretName", "value": metadata["name"]}
    kube.kubectl("patch", *deployment, "--type=json", "-p", json.dumps([other]))
    try:
        (new,) = kube.poll("a new pod", lambda: set(pods(pooled)) - old)
        kube.poll("its refusal", lambda: 'sos_pooler_serves{side="primary"} 0\n' in scrape.pooler_page(new, pooled.namespace), 120)
        time.sleep(10)  # PgBouncer listens: it would be ready by now
        assert not any(status["ready"] for status in pods(pooled)[new]["status"]["containerStatuses"] if status["name"] in ("primary", "readonly"))
        assert old < set(pods(pooled)), "those that work stay"
        assert new not in pooled.endpoints("postgres-pooler-service")
        assert [ask(pooled, "auth", "SELECT 1") for _ in range(10)] == ["1"] * 10
    finally:
        kube.kubectl("rollout", "undo", *deployment)
        kube.kubectl("rollout", "status", *deployment, "--timeout=300s", seconds=320)
        kube.kubectl("delete", "secret", metadata["name"], "-n", pooled.namespace)


def test_too_much_load_is_told(pooled: Installation):
    """Lower limits arrive by a reload: no pod restarts."""
    before = restarts(pooled)
    apply(Pooler(max_clients=10, query_wait_timeout=timedelta(seconds=2)), pool_fits_server="clients that do not fit are what this is about")
    try:
        wait_for_limit(pooled, 10)
        # From one shell: thirty kubectl need seconds to get going, and places are free again meanwhile.
        user, password = login(pooled, "auth")
        thirty = f"for each in $(seq 30); do {client(pooled, user, 'auth')} & done; wait"
        _, said = run(pooled, password, thirty, "SELECT pg_sleep(6)")
        assert "no more connections allowed (max_client_conn)" in said, said
        assert "query_wait_timeout" in said, said
    finally:
        apply(Pooler())
        wait_for_limit(pooled, Pooler().max_clients)  # the next tests must not meet the other
    assert restarts(pooled) == before
    assert ask(pooled, "auth", "SELECT 1") == "1"


def wait_for_limit(pooled: Installation, limit: int) -> None:
    line = f'sos_pooler_client_connections_limit{{side="primary"}} {limit}\n'
    for pod in pods(pooled):
        kube.poll(f"{pod} takes {limit} clients", lambda pod=pod: line in scrape.pooler_page(pod, pooled.namespace), 180)  # type: ignore[misc]


@pytest.mark.parametrize("key", [f"{chart.LEDGER_DATABASE}-db-password", pytest.param("pooler-password", marks=pytest.mark.release)])
def test_a_password_changes_under_load(pooled: Installation, key: str, figure: list[str]):
    ledger = Ledger(pooled, f"rotates-{key.partition('-')[0]}", pooled=True)
    new, role = secrets.token_urlsafe(24), "pgbouncer" if key.startswith("pooler") else login(pooled, chart.LEDGER_DATABASE)[0]
    kube.kubectl("patch", "secret", SECRET, "-n", pooled.namespace, "--type=merge", "-p", f'{{"stringData":{{"{key}":"{new}"}}}}')
    kube.poll(
        "the new password at the server", lambda: psql(pooled, role, new, chart.LEDGER_DATABASE, "SELECT 1", host="postgres-service") == (0, "1"), 420, pause=3
    )
    if role == "pgbouncer":
        kube.poll("every PgBouncer has it", lambda: all(has_password(pooled, pod, new) for pod in pods(pooled)), 60)
    assert ask(pooled, chart.LEDGER_DATABASE, "SELECT 1") == "1"
    outcome = ledger.stop()
    figure.append(outcome.line(f"{key} changed, through the pooler"))
    assert outcome.lost == 0
    if role == "pgbouncer":
        fresh = outcome.summary["fresh"]
        assert fresh["failed"] == 0 or fresh["last"] - fresh["first"] < REFUSED_SECONDS, fresh
        assert not outcome.summary["errors"], "who is in stays"


def test_a_certificate_of_another_ca_arrives_under_load(pooled: Installation, figure: list[str]):
    """First clients trust both CAs, then the pooler shows the new certificate: nobody is turned away, nobody dropped, and no pod restarts."""
    before, ca = restarts(pooled), DevelopmentCa(datetime.now(UTC))
    ours = base64.b64decode(kube.get("secret", CERTIFICATE, "-n", pooled.namespace)["data"]["ca.crt"]).decode()
    ledger = Ledger(pooled, "pooler-certificate", pooled=True)
    bring(pooled, {"ca.crt": ours + ca.certificate})
    kube.poll("the client trusts both", lambda: ca.certificate in pooled.exec(ledger.name, "cat", f"{CA_DIR}/ca.crt", container="ledger"), 180)
    key, signed = ca.issue("postgres-pooler-service", pooler_server("postgres", pooled.namespace).hosts)
    bring(pooled, {"tls.crt": signed, "tls.key": key})
    serial = f"{x509.load_pem_x509_certificate(signed.encode()).serial_number:x}"
    for pod in before:
        kube.poll("the new certificate is served", lambda pod=pod: serial in kube.kubectl("logs", pod, "-c", "agent", "-n", pooled.namespace), 180)  # type: ignore[misc]
    ledger.wait_writing()
    outcome = ledger.stop()
    figure.append(outcome.line("the pooler's certificate changed"))
    assert_kept(outcome)
    assert (outcome.summary["fresh"]["failed"], outcome.summary["errors"]) == (0, {})
    assert restarts(pooled) == before


def bring(installation: Installation, files: dict[str, str]) -> None:
    kube.kubectl("patch", "secret", CERTIFICATE, "-n", installation.namespace, "--type=merge", "-p", json.dumps({"stringData": files}))
