"""What is changed in the chart or in the Secret reaches the running cluster, and pods restart only for what PostgreSQL reads at its start."""

from __future__ import annotations

import base64
import json
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sos_constructs import DATABASES, Database

import pytest

from tests.cluster import chart, deploy, kube
from tests.cluster.client import Ledger
from tests.cluster.faults import assert_kept, wait_rollout
from tests.cluster.installation import Installation

ARRIVES_SECONDS = 300
"""The kubelet brings a changed mount within about 90 s, the agent acts 5 s later."""

ORDERS = Database(name="orders", extensions=("pgcrypto",), sql="CREATE TABLE IF NOT EXISTS entry (id bigint PRIMARY KEY);")


def set_secret(installation: Installation, **values: str) -> None:
    """New values in the Secret, as an editor or an external store would put them there."""
    data = {key.replace("_", "-"): base64.b64encode(value.encode()).decode() for key, value in values.items()}
    kube.kubectl("patch", "secret", "postgres-credentials", "-n", installation.namespace, "-p", json.dumps({"data": data}))


def password() -> str:
    return secrets.token_urlsafe(32)


def login(installation: Installation, user: str, word: str, host: str = "postgres-service") -> str:
    """What a server says to this password, over the network; an empty string when it lets the user in. An owner opens its own database only."""
    role = re.sub(r"_\d{12}$", "", user)  # whose login it is: see docs/how-to/rotation.md
    database = "postgres" if role in ("monitoring", "rewind") else role
    script = f'read -r PGPASSWORD; export PGPASSWORD; exec {installation.image.bin_dir}/psql -XqAt -h {host} -U {user} -d {database} -c "SELECT 1"'
    done = installation.try_exec(installation.pod_names[0], "sh", "-c", script, container="postgres", stdin=f"{word}\n")
    return done.stderr.strip() if done.returncode else ""


def rendered(installation: Installation, pod: str) -> dict[str, Any]:
    """Patroni's file, passwords and all."""
    value: dict[str, Any] = json.loads(installation.exec(pod, "cat", "/run/sos/patroni.yml"))
    return value


def senders(installation: Installation) -> list[list[str]]:
    """Since when which standby streams, without a break."""
    return installation.sql(installation.primary(), "SELECT application_name, backend_start FROM pg_stat_replication ORDER BY 1")


def agents_content(installation: Installation) -> bool:
    """Every step of every agent succeeded last time."""
    script = "import urllib.request; print(urllib.request.urlopen('http://localhost:8009/metrics', timeout=5).read().decode())"
    for pod in installation.pod_names:
        outcomes = re.findall(r"^sos_agent_reconcile_success\{.*\} (\d)$", installation.exec(pod, "python3", "-c", script), re.MULTILINE)
        if set(outcomes) != {"1"}:
            return False
    return True


@contextmanager
def nobody_notices(installation: Installation, figure: list[str], what: str) -> Iterator[None]:
    """No container starts anew, no client's connection breaks, no new connection fails, and nothing is lost."""
    installation.wait_healthy()
    lives, ledger = installation.lives(), Ledger(installation, "change", writers=2)
    yield
    installation.wait_healthy()
    assert installation.lives() == lives
    outcome = ledger.stop()
    figure.append(outcome.line(what))
    assert_kept(outcome)
    assert outcome.summary["errors"] == {}
    assert outcome.summary["fresh"]["failed"] == 0
    kube.poll("agents without complaint", lambda: agents_content(installation), 120)


def test_settings_databases_sql_and_passwords_arrive_without_a_restart(installation: Installation, figure: list[str]):
    auth, monitoring = password(), password()
    with nobody_notices(installation, figure, "settings, a database and two passwords changed"):
        streaming = senders(installation)
        set_secret(installation, auth_db_password=auth, monitoring_password=monitoring, orders_db_username="orders", orders_db_password=password())
        kube.apply(chart.reference(parameters={"work_mem": "8MB"}, databases=(*DATABASES, ORDERS), credentials=chart.credentials("orders")))

        def arrived() -> bool:
            assert [installation.sql(pod, "SHOW work_mem") for pod in installation.pod_names] == [[["8MB"]]] * 3
            assert login(installation, "auth", auth) == ""
            assert login(installation, "monitoring", monitoring) == ""
            primary = installation.primary()
            assert installation.sql(primary, "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'orders'") == [["orders"]]
            assert installation.sql(primary, "SELECT count(*) FROM pg_extension WHERE extname = 'pgcrypto'", "orders") == [["1"]]
            assert installation.sql(primary, "SELECT tableowner FROM pg_tables WHERE tablename = 'entry'", "orders") == [["orders"]]
            return True

        kube.poll("the changes", arrived, ARRIVES_SECONDS, pause=3)
        assert senders(installation) == streaming, "replication was interrupted"
        assert "password authentication failed" in login(installation, "auth", password())


def test_a_workload_started_later_logs_in_with_the_new_password(installation: Installation):
    pod = "client-rotated"
    kube.apply(chart.client(pod, installation.namespace, installation.image, ("auth",)))
    try:
        kube.kubectl("wait", "--for=condition=Ready", f"pod/{pod}", "-n", installation.namespace, "--timeout=120s")
        assert installation.exec(pod, f"{installation.image.bin_dir}/psql", "-XqAt", "-c", "SELECT current_user", container="auth").strip() == "auth"
    finally:
        kube.kubectl("delete", "pod", pod, "-n", installation.namespace, "--now")


def test_the_clusters_own_passwords_are_replaced_without_a_restart(installation: Installation, figure: list[str]):
    superuser, replication, rewind, restapi = password(), password(), password(), password()
    with nobody_notices(installation, figure, "passwords of superuser, replication, rewind and REST API changed"):
        set_secret(installation, postgres_password=superuser, replication_password=replication, rewind_password=rewind, patroni_password=restapi)

        def arrived() -> bool:
            for pod in installation.pod_names:
                config = rendered(installation, pod)
                logins = config["postgresql"]["authentication"]
                assert [logins[who]["password"] for who in ("superuser", "replication", "rewind")] == [superuser, replication, rewind], pod
                assert config["restapi"]["authentication"]["password"] == restapi, pod
            return True

        kube.poll("the passwords", arrived, ARRIVES_SECONDS, pause=3)
        primary = installation.wait_healthy()
        assert login(installation, "rewind", rewind) == ""
        for standby in sorted(set(installation.pod_names) - {primary}):  # one after the other: the quorum needs one
            installation.sql(primary, f"SELECT pg_terminate_backend(pid) FROM pg_stat_replication WHERE application_name = '{standby}'")
            installation.wait_healthy()


def wait_values(installation: Installation, **values: str) -> None:
    """Until every member runs with these values and none waits for a restart."""

    def arrived() -> bool:
        for name, value in values.items():
            found = {pod: installation.sql(pod, f"SHOW {name}")[0][0] for pod in installation.pod_names}
            assert set(found.values()) == {value}, found
        pending = [member["name"] for member in installation.cluster() if member.get("pending_restart")]
        assert not pending, f"pending restart: {pending}"
        return True

    kube.poll(f"{values} on every member", arrived, ARRIVES_SECONDS, pause=3)
    installation.wait_healthy()


def checksum(installation: Installation) -> str:
    path = r"jsonpath={.spec.template.metadata.annotations.sos-constructs/restart-checksum}"
    return kube.kubectl("get", "statefulset", "postgres", "-n", installation.namespace, "-o", path)


def test_a_shared_setting_arrives_by_restarts_in_place(installation: Installation, figure: list[str]):
    installation.wait_healthy()
    lives, before, ledger = installation.lives(), checksum(installation), Ledger(installation, "shared")
    kube.apply(chart.reference(parameters={"max_connections": 250}))
    wait_values(installation, max_connections="250")
    ledger.wait_writing()
    outcome = ledger.stop()
    figure.append(outcome.line("max_connections raised"))
    assert_kept(outcome)
    assert len(outcome.servers) == 1, "the primary must stay primary"
    assert (installation.lives(), checksum(installation)) == (lives, before)


@pytest.mark.release
def test_a_setting_of_new_pods_and_a_shared_one_arrive_together(installation: Installation, figure: list[str]):
    """The dangerous pair: a pod that starts with more connections than others and becomes primary would stop them."""
    installation.wait_healthy()
    lives, before, ledger = installation.lives(), checksum(installation), Ledger(installation, "rollout")
    kube.apply(chart.reference(parameters={"max_connections": 300, "shared_buffers": "384MB"}))
    assert checksum(installation) != before
    wait_rollout(installation)
    wait_values(installation, max_connections="300", shared_buffers="384MB")
    ledger.wait_writing()
    outcome = ledger.stop()
    figure.append(outcome.line("shared_buffers changed and max_connections raised, all members restarted"))
    assert_kept(outcome)
    assert all(uid != lives[pod][0] for pod, (uid, _) in installation.lives().items())
    # PostgreSQL refuses a data directory that its group may write to, which is what the kubelet makes of it where fsGroupChangePolicy is not set
    assert [installation.exec(pod, "stat", "-c", "%a", "/pgdata/data").strip()[-3:] for pod in installation.pod_names] == ["700"] * 3


def test_back_to_what_dist_says(installation: Installation, figure: list[str]):
    """Lowered this time, which no new pod brings: a standby starts with its primary's value."""
    installation.wait_healthy()
    ledger = Ledger(installation, "back")
    kube.kubectl("apply", "-f", str(deploy.APP))
    wait_rollout(installation)
    wait_values(installation, max_connections="200", shared_buffers="512MB", work_mem="4MB")
    ledger.wait_writing()
    outcome = ledger.stop()
    figure.append(outcome.line("shared_buffers changed and max_connections lowered, all members restarted"))
    assert_kept(outcome)
    assert installation.sql(installation.primary(), "SELECT count(*) FROM entry", "orders") == [["0"]], "a database that is no longer declared must stay"
