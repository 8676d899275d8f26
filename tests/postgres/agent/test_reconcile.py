"""The sidecar's steps: each acts on a difference, and leaves the rest of the cluster to its own member."""

from __future__ import annotations

import json

from sos_constructs.postgres.agent import scram
from sos_constructs.postgres.agent.patroni_api import PatroniError, Status
from sos_constructs.postgres.agent.psql import SqlError
from sos_constructs.postgres.agent.reconcile import NotYet, reconcile_databases, reconcile_member, reconcile_store
from sos_constructs.postgres.agent.render import rendered_passwords
from sos_constructs.postgres.agent.restarts import SETTLED, Restarts
from sos_constructs.postgres.tuning import postgresql_conf

import pytest

from tests.postgres.agent.conftest import Pod
from tests.postgres.example import spec

PRIMARY = Status("primary", True, False)
STANDBY = Status("replica", True, True)
CUT_OFF = Status("replica", True, False)
STOPPED = Status("replica", False, False)


@pytest.mark.parametrize("status", [PRIMARY, STANDBY, STOPPED])
def test_nothing_to_do(status: Status, pod: Pod, capsys: pytest.CaptureFixture[str]):
    before = pod.member.patroni_file.read_text()
    for step in (reconcile_databases, reconcile_member, reconcile_store):
        step(pod.member, status)
    assert pod.patroni.changes() == []
    assert pod.psql.changes() == []
    assert pod.member.patroni_file.read_text() == before
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("status", [STANDBY, CUT_OFF, STOPPED, Status("primary", False, False)])
def test_only_a_running_primary_changes_databases(status: Status, pod: Pod):
    pod.psql.answer("rolpassword")
    reconcile_databases(pod.member, status)
    assert pod.psql.asked() == []


# --- settings ---------------------------------------------------------------------------------------------------------


def test_changed_settings_are_loaded_once(pod: Pod):
    (pod.member.config_dir / "postgresql.conf").write_text(postgresql_conf(spec(parameters={"work_mem": "8MB"})))
    reconcile_member(pod.member, STANDBY)
    reconcile_member(pod.member, STANDBY)
    assert pod.patroni.changes() == [("POST /reload", None)]


def test_a_changed_patroni_configuration_is_written_and_loaded(pod: Pod):
    config = json.loads((pod.member.config_dir / "patroni.json").read_text())
    config["postgresql"]["pg_hba"].append("host all all 10.0.0.0/8 reject")
    pod.set_config("patroni.json", **config)
    reconcile_member(pod.member, PRIMARY)
    assert json.loads(pod.member.patroni_file.read_text())["postgresql"]["pg_hba"][-1] == "host all all 10.0.0.0/8 reject"
    assert pod.patroni.changes() == [("POST /reload", None)]


@pytest.mark.parametrize("change", ["settings", "patroni"])
def test_a_reload_that_failed_is_tried_again(change: str, pod: Pod):
    if change == "settings":
        (pod.member.config_dir / "postgresql.conf").write_text("work_mem = 8MB\n")
    else:  # written before the reload, so that at the next look the file is as wanted
        pod.set_config("patroni.json", log={"level": "DEBUG"})
    pod.patroni.answers["POST /reload"] = (503, "")
    with pytest.raises(PatroniError, match="POST /reload: HTTP 503"):
        reconcile_member(pod.member, PRIMARY)
    del pod.patroni.answers["POST /reload"]
    reconcile_member(pod.member, PRIMARY)
    reconcile_member(pod.member, PRIMARY)
    assert pod.patroni.changes() == [("POST /reload", None)] * 2


def test_settings_that_postgresql_cannot_read_are_told(pod: Pod):
    pod.psql.answer("pg_file_settings", ("work_mem", "setting could not be applied"))
    with pytest.raises(SqlError, match=r"^postgresql\.conf: work_mem: setting could not be applied$"):
        reconcile_member(pod.member, STANDBY)


def test_the_login_is_the_one_that_patroni_has_loaded(pod: Pod):
    """A new password in the Secret opens nothing before the reload that brings it."""
    pod.set_password("patroni-password", "another-password")
    reconcile_member(pod.member, PRIMARY)
    assert [login for what, _, login in pod.patroni.calls if what == "POST /reload"] == ["patroni:canary-patroni-password-0123456789"]
    assert rendered_passwords(pod.member.patroni_file.read_text()).restapi == "another-password"


# --- passwords that other members must know first ---------------------------------------------------------------------

NEW = "a-new-replication-password"


def rotate(pod: Pod, *, replicated: bool) -> None:
    pod.set_password("replication-password", NEW)
    stored = NEW if replicated else "canary-replication-password-0123456789"
    pod.psql.answer("rolpassword", ("standby", scram.verifier(stored, b"salt", 1)))


def replication(pod: Pod) -> str:
    return rendered_passwords(pod.member.patroni_file.read_text()).replication


@pytest.mark.parametrize("status", [PRIMARY, STANDBY])
def test_a_password_is_used_only_once_it_works(status: Status, pod: Pod):
    """A standby that used it before the primary knows it would lose its stream, and with it the quorum."""
    rotate(pod, replicated=False)
    with pytest.raises(NotYet, match="not yet in the catalogue"):
        reconcile_member(pod.member, status)
    assert replication(pod) == "canary-replication-password-0123456789"
    assert pod.patroni.changes() == []
    rotate(pod, replicated=True)
    reconcile_member(pod.member, status)
    assert replication(pod) == NEW
    assert pod.patroni.changes() == [("POST /reload", None)]


@pytest.mark.parametrize("status", [CUT_OFF, STOPPED])
def test_a_member_that_does_not_stream_takes_it_at_once(status: Status, pod: Pod):
    """It has nothing to lose, and would never hear of the change."""
    rotate(pod, replicated=False)
    reconcile_member(pod.member, status)
    assert replication(pod) == NEW


def test_waiting_for_one_password_does_not_hold_back_settings(pod: Pod):
    rotate(pod, replicated=False)
    (pod.member.config_dir / "postgresql.conf").write_text("work_mem = 8MB\n")
    with pytest.raises(NotYet):
        reconcile_member(pod.member, STANDBY)
    assert pod.patroni.changes() == [("POST /reload", None)]


# --- Patroni's store --------------------------------------------------------------------------------------------------


def test_the_store_gets_the_difference_alone(pod: Pod):
    stored = pod.member.declared().patroni["bootstrap"]["dcs"]
    stored["ttl"], stored["pause"] = 60, True
    stored["postgresql"]["parameters"] |= {"max_connections": 100, "of_somebody_else": "1"}
    pod.patroni.answers["GET /config"] = (200, stored)
    reconcile_store(pod.member, PRIMARY)
    assert pod.patroni.changes() == [("PATCH /config", {"postgresql": {"parameters": {"max_connections": "200"}}, "ttl": 20})]


def test_shared_settings_wait_until_the_members_have_settled(pod: Pod):
    stored = pod.member.declared().patroni["bootstrap"]["dcs"]
    stored["ttl"] = 60
    stored["postgresql"]["parameters"]["max_connections"] = 100
    pod.patroni.answers["GET /config"] = (200, stored)
    reconcile_store(pod.member, PRIMARY, settled=lambda _members: False)
    assert pod.patroni.changes() == [("PATCH /config", {"ttl": 20})]


@pytest.mark.parametrize("status", [STANDBY, STOPPED, Status("standby_leader", True, True)])
def test_only_the_primary_writes_to_the_store(status: Status, pod: Pod):
    pod.patroni.answers["GET /config"] = (200, {})
    reconcile_store(pod.member, status)
    assert pod.patroni.calls == []


# --- restarts in place; whose turn it is: test_restarts.py -------------------------------------------------------------


def test_a_refused_restart_is_tried_again(pod: Pod):
    now = [0.0]
    step, waiting = Restarts(lambda: now[0]), Status("primary", True, False, ("max_connections",))
    leader = {
        "name": "postgres-0",
        "role": "leader",
        "state": "running",
        "pending_restart_reason": {"max_connections": {"old_value": "200", "new_value": "100"}},
    }
    pod.patroni.answers |= {"GET /cluster": (200, {"members": [leader]}), "POST /restart": (503, "")}
    step(pod.member, waiting)
    now[0] += SETTLED
    with pytest.raises(PatroniError, match="POST /restart: HTTP 503"):
        step(pod.member, waiting)
    del pod.patroni.answers["POST /restart"]
    step(pod.member, waiting)
    now[0] += SETTLED
    step(pod.member, waiting)
    assert pod.patroni.changes() == [("POST /restart", {"restart_pending": True})] * 2
