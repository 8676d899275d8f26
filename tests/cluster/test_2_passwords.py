"""`sosctl secrets rotate` of every PostgreSQL password under load: open connections stay, and whoever logs in, with the old or the new values, gets in."""

from __future__ import annotations

import base64
import subprocess
import sys

from sos_constructs.secrets.catalogue_stores import POSTGRES
from sos_constructs.secrets.rotation import rotatable

from tests.cluster import chart, kube
from tests.cluster.client import Ledger
from tests.cluster.faults import assert_kept
from tests.cluster.installation import Installation
from tests.cluster.test_2_changes import ARRIVES_SECONDS, agents_content, login, rendered

SECRET = "postgres-credentials"
CLIENTS = [row.key.removesuffix("password") for row in rotatable(POSTGRES) if row.rotation.staged]
OWN = [row.key for row in rotatable(POSTGRES) if not row.rotation.staged]
ROUNDS = 3
SLOW = {"timeout", "no answer"}
"""What a fresh connection meets on a machine that is busy, whatever is rotated: it is in the figure, and no refusal."""


def values(installation: Installation) -> dict[str, str]:
    return {key: base64.b64decode(value).decode() for key, value in kube.get("secret", SECRET, "-n", installation.namespace)["data"].items()}


def sosctl(installation: Installation, *arguments: str) -> None:
    command = [sys.executable, "-m", "sos_constructs.cli", "secrets", "rotate", SECRET, "--namespace", installation.namespace, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stderr


def refused(installation: Installation, there: dict[str, str], state: str) -> list[str]:
    """Which of the clients' logins in this state of the Secret do not get in, at the primary or at a standby."""
    answers = {
        f"{client}{state} at {host}": login(installation, there[f"{client}username{state}"], there[f"{client}password{state}"], host)
        for client in CLIENTS
        for host in ("postgres-service", "postgres-readonly-service")
        if f"{client}username{state}" in there
    }
    return [f"{who}: {answer}" for who, answer in answers.items() if answer]


def members_follow(installation: Installation) -> bool:
    """Patroni of every member logs in with what the Secret says."""
    there = values(installation)
    for pod in installation.pod_names:
        config = rendered(installation, pod)
        logins = config["postgresql"]["authentication"]
        found = {f"{who}-password": logins[name]["password"] for who, name in (("postgres", "superuser"), ("replication", "replication"), ("rewind", "rewind"))}
        found["patroni-password"] = config["restapi"]["authentication"]["password"]
        assert found == {key: there[key] for key in found}, pod
    return True


def test_every_password_is_rotated_and_nobody_is_turned_away(installation: Installation, figure: list[str]):
    primary = installation.wait_healthy()
    lives, first, tried = installation.lives(), values(installation), 0
    ledger = Ledger(installation, "passwords", writers=2)  # its environment is from before: every fresh connection of it uses the old login
    sosctl(installation)
    staged = values(installation)
    assert {key for key in OWN if staged[key] == first[key]} == set()
    assert {key: staged[key] for key in first if key not in OWN} == {key: value for key, value in first.items() if key not in OWN}
    kube.poll("the next logins", lambda: not refused(installation, staged, "-next"), ARRIVES_SECONDS, pause=3)
    kube.poll("members", lambda: members_follow(installation), ARRIVES_SECONDS, pause=3)
    sosctl(installation, "--force")  # the hour that sosctl waits is for consumers of any kind; these have it
    after = values(installation)
    assert all(after[f"{client}password"] != first[f"{client}password"] for client in CLIENTS)
    for _ in range(ROUNDS):  # from the first moment on, while mounts and agents follow
        assert refused(installation, after, "") == []
        assert refused(installation, after, "-previous") == []
        tried += 4 * len(CLIENTS)
    kube.poll("agents without complaint", lambda: agents_content(installation), 120)
    for standby in sorted(set(installation.pod_names) - {primary}):  # one after the other: the quorum needs one
        installation.sql(primary, f"SELECT pg_terminate_backend(pid) FROM pg_stat_replication WHERE application_name = '{standby}'")
        installation.wait_healthy()
    outcome = ledger.stop()
    figure.append(f"{outcome.line('every PostgreSQL password rotated')}; {tried} more log-ins with old and new values, none refused")
    assert_kept(outcome)
    assert outcome.summary["errors"] == {}
    assert set(outcome.summary["fresh"]["reasons"]) <= SLOW
    assert installation.lives() == lives, "nothing has restarted"


def test_the_old_ones_are_retired_and_the_new_ones_go_on(installation: Installation, figure: list[str]):
    before = values(installation)
    ledger = Ledger(installation, "retire", writers=2)
    owner = "SELECT tableowner FROM pg_tables WHERE tablename = 'ledger'"
    sosctl(installation, "--retire", "--force")

    def locked_out() -> bool:
        return len(refused(installation, before, "-previous")) == 2 * len(CLIENTS)

    kube.poll("the old logins", locked_out, ARRIVES_SECONDS, pause=3)
    assert refused(installation, values(installation), "") == []
    outcome = ledger.stop()
    figure.append(outcome.line("previous logins retired"))
    assert_kept(outcome)
    assert outcome.summary["errors"] == {}
    assert set(outcome.summary["fresh"]["reasons"]) <= SLOW
    assert installation.sql(installation.primary(), owner, chart.LEDGER_DATABASE) == [[chart.LEDGER_DATABASE]]
    users = installation.sql(installation.primary(), "SELECT count(*) FROM pg_authid WHERE rolpassword IS NULL AND rolname = 'emergency'")
    assert users == [["1"]], "the role that owns everything has no password of its own any more"
