"""Planned moves under load: a rollout, one that goes wrong, a drained node, more members and fewer again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.cluster import deploy, kube
from tests.cluster.client import Ledger, Outcome, compare
from tests.cluster.faults import assert_kept, wait_rollout
from tests.cluster.installation import Installation, ready


@contextmanager
def under_load(installation: Installation, figure: list[str], what: str) -> Iterator[list[Outcome]]:
    """A client writes meanwhile; nothing it was promised is missing, on any member. The outcome is in the list afterwards."""
    ledger, outcomes = Ledger(installation, what.split(maxsplit=1)[0]), list[Outcome]()
    yield outcomes
    ledger.wait_writing()
    outcome = ledger.stop()
    figure.append(outcome.line(what))
    assert_kept(outcome)
    for pod in installation.pod_names:
        kube.poll(f"every acknowledged row on {pod}", lambda pod=pod: compare(outcome.summary, ledger.table(pod)).lost == 0, 60)  # type: ignore[misc]
    outcomes.append(outcome)


def timeline(installation: Installation) -> int:
    """Goes up by one each time that another member becomes primary."""
    return int(installation.sql(installation.primary(), "SELECT timeline_id FROM pg_control_checkpoint()")[0][0])


def born(installation: Installation) -> list[str]:
    """The members in the order in which their pods were made."""
    return [pod["metadata"]["name"] for pod in sorted(installation.pods(), key=lambda pod: str(pod["metadata"]["creationTimestamp"]))]


def move_primary_to(installation: Installation, pod: str) -> None:
    """So that a test begins with the case that it is about."""
    if (primary := installation.wait_healthy()) != pod:
        installation.exec(primary, "patronictl", "switchover", "--leader", primary, "--candidate", pod, "--force", seconds=60)
    kube.poll(f"{pod} is primary", lambda: installation.wait_healthy() == pod, 60)


def test_a_rollout_moves_the_primary_once_and_last(installation: Installation, figure: list[str]):
    """From the highest ordinal: the StatefulSet's own rolling update would move it first, and perhaps twice."""
    first = installation.pod_names[-1]
    move_primary_to(installation, first)
    lives, before = installation.lives(), timeline(installation)
    with under_load(installation, figure, "rollout restart of all members") as outcomes:
        kube.kubectl("rollout", "restart", f"statefulset/{installation.name}", "-n", installation.namespace)
        wait_rollout(installation)
        installation.wait_healthy()
    assert all(uid != lives[pod][0] for pod, (uid, _) in installation.lives().items()), "somebody was not replaced"
    assert born(installation)[-1] == first, "the primary must be the last"
    assert len(outcomes[0].servers) == 2
    kube.poll("one change of timeline", lambda: timeline(installation) == before + 1, 60)


@pytest.mark.parametrize("named", [True, pytest.param(False, marks=pytest.mark.release)], ids=["to a candidate by name", "to whom Patroni chooses"])
def test_a_switchover_hands_the_lock_over_when_the_server_has_ended(installation: Installation, figure: list[str], named: bool):
    """By Patroni alone it takes two looks a second apart, and two seconds that the other standby sleeps."""
    primary = installation.wait_healthy()
    candidate, before = next(pod for pod in installation.pod_names if pod != primary), timeline(installation)
    with under_load(installation, figure, "patronictl switchover" + (" --candidate" if named else "")) as outcomes:
        to = ["--candidate", candidate] if named else []
        said = installation.exec(primary, "patronictl", "switchover", "--leader", primary, *to, "--force", seconds=60)
        successor = installation.wait_healthy()
    assert "Successfully switched over" in said
    assert successor != primary
    assert not named or successor == candidate
    assert len(outcomes[0].servers) == 2
    kube.poll("one change of timeline", lambda: timeline(installation) == before + 1, 60)
    logged = kube.kubectl("logs", "-n", installation.namespace, primary, "-c", "postgres", "--since=120s")
    handed_over = [event for event in map(json.loads, logged.splitlines()) if event.get("step") == "switchover"]
    whose = "the candidate's" if named else "free"
    assert [event["message"] for event in handed_over] == [f"the server has ended, and the lock is {whose}"]


@pytest.mark.release
def test_a_template_that_does_not_come_up_stops_at_the_first_standby_and_can_be_taken_back(installation: Installation, figure: list[str]):
    primary, lives = installation.wait_healthy(), installation.lives()
    path = "/spec/template/spec/containers/0/image"
    with under_load(installation, figure, "broken template, taken back") as outcomes:
        patch = json.dumps([{"op": "replace", "path": path, "value": "registry.invalid/there-is-none:1"}])
        kube.kubectl("patch", "statefulset", installation.name, "-n", installation.namespace, "--type=json", "-p", patch)
        kube.poll("a standby with the broken template", lambda: sum(ready(pod) for pod in installation.pods()) == 2, 120)

        def told() -> bool:
            said = kube.kubectl("logs", "-n", installation.namespace, primary, "-c", "agent", "--since=60s")
            return any('"step": "rolling"' in line and "not ready, with the new template" in line for line in said.splitlines())

        kube.poll("the agent says what it waits for", told, 60)
        kube.kubectl("apply", "-f", str(deploy.APP))
        wait_rollout(installation)
        installation.wait_healthy()
    changed = [pod for pod, life in installation.lives().items() if life != lives[pod]]
    assert len(changed) == 1, f"more than one standby was touched: {changed}"
    assert primary not in changed
    assert outcomes[0].summary["write_gap"] < 3, "clients notice nothing"


@pytest.mark.release
def test_the_primarys_node_can_be_drained_and_a_second_one_cannot(installation: Installation, figure: list[str]):
    primary = installation.wait_healthy()
    node, selector = installation.node_of(primary), f"app.kubernetes.io/instance={installation.name}"
    drain = ("drain", "--ignore-daemonsets", "--delete-emptydir-data", f"--pod-selector={selector}")
    try:
        with under_load(installation, figure, "drain of the primary's node") as outcomes:
            kube.kubectl(*drain, node, "--timeout=120s")
            assert all(pod["spec"].get("nodeName") != node for pod in installation.pods())
            kube.poll("another primary", lambda: installation.primary() != primary, 60)
            other = installation.node_of(installation.primary())
            done = kube.run(*drain, other, "--timeout=10s")
            home = not any(ready(pod) for pod in installation.pods() if pod["metadata"]["name"] == primary)
            if home:  # its volume is bound to its node: two are left, and the budget keeps them
                assert done.returncode != 0
                assert "disruption budget" in done.stdout + done.stderr
            kube.kubectl("uncordon", other)
            kube.kubectl("uncordon", node)
            installation.wait_healthy()
        assert len(outcomes[0].servers) == 2
    finally:
        for name in installation.nodes():
            kube.kubectl("uncordon", name)


def scale(installation: Installation, replicas: int) -> Installation:
    kube.kubectl("scale", "statefulset", installation.name, "-n", installation.namespace, f"--replicas={replicas}")
    return Installation(namespace=installation.namespace, image=installation.image, instances=replicas, name=installation.name)


@pytest.mark.release
def test_five_members_and_three_again(installation: Installation, figure: list[str]):
    """The worst case on the way back: the primary and another voter go in the same moment."""
    installation.wait_healthy()
    with under_load(installation, figure, "scale 3 to 5"):
        five = scale(installation, 5)
        five.wait_healthy(600)
    assert len(installation.sql(five.primary(), "SELECT 1 FROM pg_stat_replication")) == 4
    move_primary_to(five, five.pod_names[-1])
    with under_load(installation, figure, "scale 5 to 3, the primary among those that go") as outcomes:
        three = scale(five, 3)
        three.wait_healthy(600)
    assert len(set(outcomes[0].servers)) == 2
    names = installation.sql(three.primary(), "SHOW synchronous_standby_names")[0][0]
    assert all(gone not in names for gone in set(five.pod_names) - set(three.pod_names)), names
