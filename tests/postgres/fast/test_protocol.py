"""The agents' steps against a made-up API server: the same rules as in the model, in the code that runs."""

from __future__ import annotations

import json
from pathlib import Path

from sos_constructs.postgres.agent import fast_cut
from sos_constructs.postgres.agent.fast_cut import About, NotCut
from sos_constructs.postgres.agent.kube_api import KubeError
from sos_constructs.postgres.agent.serving import OUT

import pytest

from tests.postgres.fast.world import HOSTS, World

BOTH = ("pg-1", "pg-2")


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.fixture
def dead(world: World) -> World:
    """The leader has just been lost; its last renewal was seen."""
    world.run(1, *BOTH)
    world.silent = True
    return world


def test_a_dead_leaders_lock_is_released_after_the_detection_time(dead: World):
    dead.run(4, *BOTH)
    assert not dead.is_cut("pg-1")
    dead.run(4, *BOTH)
    assert dead.released
    assert dead.counted.index("pg-1 cuts") < dead.counted.index("pg-1 flags") < dead.counted.index("pg-1 seals") < dead.counted.index("pg-1 releases")
    assert dead.counted.index("pg-2 flags") < dead.counted.index("pg-1 seals")
    assert [path for path, _ in dead.api.changes][-2:] == ["configmaps/pg-sync", "configmaps/pg-leader"], "sealed, then released"


def test_the_release_is_one_flag_short_of_complete(dead: World):
    dead.run(30, "pg-1")
    assert dead.counted == ["pg-1 cuts", "pg-1 flags"]
    assert not dead.released


def test_a_renewal_makes_flags_worthless(dead: World):
    dead.run(8, "pg-1")
    dead.renew()
    dead.run(2, "pg-1")
    assert dead.counted[-1] == "pg-1 reconnects"
    dead.run(8, "pg-2")
    assert "pg-2 flags" in dead.counted
    assert not dead.released, "pg-1's flag was about an older renewal"


def test_a_renewal_between_reading_and_release_wins(dead: World):
    while "pg-2 flags" not in dead.counted:
        dead.run(0.5, *BOTH)
    dead.api.before_change = dead.renew
    for _ in range(20):
        dead.round("pg-1")
        if dead.api.before_change is None:
            break
        dead.now += 0.1
    assert not dead.released


def test_a_leader_that_changes_its_voters_meanwhile_stops_the_release(dead: World):
    dead.run(5.5, *BOTH)
    dead.api.before_change = None
    while "pg-2 flags" not in dead.counted:
        dead.round("pg-1")
        dead.round("pg-2")
        dead.now += 0.1
    dead.api.set("configmaps/pg-sync", sync_standby="pg-1,pg-2,pg-3")
    dead.run(10, *BOTH)
    assert not dead.released


@pytest.mark.parametrize("state", [{"sync_standby": None}, {"leader": "pg-2"}, {"sync_standby": "pg-2"}])
def test_voters_that_are_none_or_of_another_leader_release_nothing(dead: World, state: dict[str, str | None]):
    dead.api.set("configmaps/pg-sync", **state)
    dead.run(15, "pg-1")
    assert not dead.released


@pytest.mark.parametrize("what", ["answers", "paused", "streams", "renews"])
def test_without_evidence_nothing_is_cut(world: World, what: str):
    world.silent = what != "answers"
    world.pause = what == "paused"
    for server in world.servers.values():
        server.heard_from_primary = what == "streams"
    for _ in range(20):
        world.run(2, *BOTH)
        if what == "renews":
            world.renew()
    assert world.counted == []


def test_an_api_server_that_was_away_says_nothing_about_the_leader(dead: World):
    dead.api.away = True
    for _ in range(40):
        with pytest.raises(KubeError):
            dead.round("pg-1")
        dead.now += 0.5
    dead.api.away = False
    dead.run(4, *BOTH)
    assert dead.counted == [], "the count of seconds begins anew"
    dead.run(4, *BOTH)
    assert dead.released


def test_a_leader_that_answers_again_gets_its_standby_back(dead: World):
    dead.run(8, "pg-1")
    assert dead.is_cut("pg-1")
    dead.silent = False
    dead.run(3, "pg-1")
    assert not dead.is_cut("pg-1")
    assert dead.counted[-2:] == ["pg-1 withdraws", "pg-1 reconnects"]
    assert not [key for key in dead.lock if key.startswith("sos-constructs/cut-")]


def test_after_the_release_nobody_withdraws(dead: World):
    dead.run(9, *BOTH)
    assert dead.released
    dead.silent = False
    dead.run(5, *BOTH)
    assert dead.is_cut("pg-1")
    dead.renew()
    dead.run(1, *BOTH)
    assert not dead.is_cut("pg-1")


def test_a_standby_stays_cut_until_patroni_points_it_at_the_new_leader(dead: World):
    dead.run(9, *BOTH)
    dead.renew("pg-1")
    dead.silent = False
    dead.run(10, *BOTH)
    assert dead.is_cut("pg-2"), "it would listen to the old leader"
    assert dead.is_cut("pg-1"), "it is a standby still"
    dead.servers["pg-1"].recovering = False
    dead.servers["pg-2"].source = HOSTS["pg-1"]
    dead.run(1, *BOTH)
    assert not dead.is_cut("pg-1")
    assert not dead.is_cut("pg-2")
    assert fast_cut.HEARD in dead.servers["pg-2"].asked


@pytest.mark.parametrize("after", ["pg-1 cuts", "pg-1 flags", "pg-1 seals", "pg-1 releases"])
def test_an_agent_killed_after_any_step_goes_on_where_it_was(dead: World, after: str):
    class Killed(Exception):
        pass

    def count(step: str) -> None:
        dead.counted.append(f"pg-1 {step}")
        if f"pg-1 {step}" == after:
            raise Killed

    dead.agents["pg-1"].count = count
    with pytest.raises(Killed):
        dead.run(20, "pg-2", "pg-1")
    dead.start("pg-1")
    dead.run(15, *BOTH)
    assert dead.released
    dead.renew("pg-2")
    dead.servers["pg-2"].recovering = False
    dead.servers["pg-1"].source = HOSTS["pg-2"]
    dead.run(1, *BOTH)
    assert not dead.is_cut("pg-1")


def test_a_flag_needs_the_receiver_gone_and_the_server_bound_to_it(dead: World):
    dead.servers["pg-1"].stubborn = True
    with pytest.raises(NotCut, match="does not end"):
        dead.run(8, "pg-1")
    dead.servers["pg-1"].path = "$libdir"
    with pytest.raises(NotCut, match="dynamic_library_path"):
        dead.round("pg-1")
    assert "pg-1 flags" not in dead.counted


def test_a_new_pod_whose_flag_still_counts_keeps_its_word(dead: World):
    dead.run(8, "pg-1")
    cut = dead.agents["pg-1"].cut
    cut.begin(fast_cut.UNKNOWN)  # as its init container does when nobody tells it anything
    dead.round("pg-1")
    assert cut.about() == About("pg-0", dead.lock["renewTime"])
    dead.renew()
    dead.round("pg-1")
    assert cut.about() is None


def test_a_dead_leaders_address_is_forgotten_and_nothing_else_of_it(dead: World):
    dead.run(9, *BOTH)
    assert json.loads(dead.api.notes["pods/pg-0"]["status"]) == {"conn_url": f"postgres://{HOSTS['pg-0']}:5432/postgres"}
    assert "api_url" in json.loads(dead.api.notes["pods/pg-1"]["status"])
    assert [labels.get("role") for labels in dead.api.labels.values()] == [None, "replica", "replica"], "and it is in no Service"
    assert [pod for pod, labels in dead.api.labels.items() if labels.items() >= OUT.items()] == ["pods/pg-0"], "until its own agent brings it back"


def test_the_leader_itself_does_nothing(dead: World):
    dead.run(30, "pg-0")
    assert dead.counted == []


# --- a leader that renews and that nobody hears -----------------------------------------------------------------------


@pytest.fixture
def lonely(world: World) -> World:
    """Parted from both standbys; it and they reach the API server."""
    world.run(1, *BOTH)
    world.silent, world.unfed = True, set(BOTH)
    return world


def test_a_leader_that_no_voter_hears_loses_its_lock_between_two_renewals(lonely: World):
    lonely.renew()
    lonely.run(2, *BOTH)
    assert lonely.released
    assert lonely.counted.index("pg-1 cuts") < lonely.counted.index("pg-1 flags") < lonely.counted.index("pg-1 seals")


def test_a_renewal_in_the_middle_of_it_begins_it_anew(lonely: World):
    lonely.renew()
    lonely.round("pg-1")
    lonely.renew()
    lonely.round("pg-2")
    lonely.run(0.5, *BOTH)
    assert "pg-1 reconnects" in lonely.counted
    assert not lonely.released
    lonely.renew()
    lonely.run(2, *BOTH)
    assert lonely.released


@pytest.mark.parametrize("what", ["answers", "paused", "one streams", "one voter", "voters of another", "its own streams"])
def test_a_leader_that_renews_is_left_alone(lonely: World, what: str):
    lonely.silent = what != "answers"
    lonely.pause = what == "paused"
    lonely.unfed -= {"one streams": {"pg-2"}, "its own streams": {"pg-1"}}.get(what, set())
    lonely.api.set("configmaps/pg-sync", **{"one voter": {"sync_standby": "pg-1"}, "voters of another": {"leader": "pg-2"}}.get(what, {}))
    for _ in range(10):
        lonely.renew()
        lonely.run(3, "pg-1")
    assert lonely.counted == []


def test_a_leader_whose_pod_is_gone_has_no_address_and_leaves_it_to_patroni(dead: World):
    dead.api.gone.add("pods/pg-0")
    dead.run(20, *BOTH)
    assert dead.counted == []
