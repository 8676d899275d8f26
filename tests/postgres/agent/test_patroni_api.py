"""The local REST API, and the difference between what is declared and what is stored."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from sos_constructs.postgres import patroni as declared
from sos_constructs.postgres.agent.patroni_api import Patroni, PatroniError, difference

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.generated import examples
from tests.postgres.agent.fakes import FakePatroni
from tests.postgres.example import spec


@pytest.fixture
def fake() -> Iterator[FakePatroni]:
    with FakePatroni().listening() as fake:
        yield fake


@pytest.fixture
def patroni(fake: FakePatroni) -> Patroni:
    return Patroni(fake.url, "patroni", "canary")


@pytest.mark.parametrize(
    ("status", "body", "role", "running", "streaming"),
    [
        (200, {"role": "primary", "state": "running"}, "primary", True, False),
        (200, {"role": "replica", "state": "running", "replication_state": "streaming"}, "replica", True, True),
        (200, {"role": "replica", "state": "running", "replication_state": "in archive recovery"}, "replica", True, False),
        (503, {"role": "replica", "state": "starting"}, "replica", False, False),
        (503, "not JSON", "unknown", False, False),
        (200, [], "unknown", False, False),
    ],
)
def test_status(status: int, body: Any, role: str, running: bool, streaming: bool, fake: FakePatroni, patroni: Patroni):
    fake.answers["GET /patroni"] = (status, body)
    found = patroni.status()
    assert (found.role, found.running, found.streaming) == (role, running, streaming)
    assert patroni.health() == found
    assert fake.calls[-1][0] == "GET /health", "which does not wait for a server that starts"


@pytest.mark.parametrize(
    ("body", "received"),
    [
        ({"role": "replica", "state": "running", "timeline": 5, "xlog": {"received_location": 89127320, "replayed_location": 1}}, (5, 89127320)),
        ({"role": "replica", "state": "starting", "timeline": 5, "xlog": {"received_location": 89127320}}, (0, 0)),
        ({"role": "primary", "state": "running", "timeline": 5, "xlog": {"location": 89127320}}, (0, 0)),
        ({"role": "replica", "state": "running", "timeline": 5, "xlog": {"received_location": None}}, (0, 0)),
        ({"role": "replica", "state": "running", "timeline": None, "xlog": {"received_location": 89127320}}, (0, 0)),
        ({"role": "replica", "state": "running"}, (0, 0)),
    ],
)
def test_how_far_a_standby_has_the_log(body: Any, received: tuple[int, int], fake: FakePatroni, patroni: Patroni):
    fake.answers["GET /patroni"] = (200, body)
    assert patroni.received() == received


def test_state(fake: FakePatroni, patroni: Patroni):
    fake.answers["GET /patroni"] = (503, {"role": "primary", "state": "stopping"})
    assert patroni.state() == "stopping"
    assert fake.calls[-1][0] == "GET /health"


def test_unsafe_calls(fake: FakePatroni, patroni: Patroni):
    patroni.reload()
    patroni.patch_dynamic_config({"ttl": 30})
    assert fake.calls == [("POST /reload", None, "patroni:canary"), ("PATCH /config", {"ttl": 30}, "patroni:canary")]


@pytest.mark.parametrize("status", [401, 403, 409, 500, 503])
def test_refused_calls_say_the_status_and_nothing_else(status: int, fake: FakePatroni, patroni: Patroni):
    fake.answers["POST /reload"] = (status, "canary")
    with pytest.raises(PatroniError, match=rf"^POST /reload: HTTP {status}$") as raised:
        patroni.reload()
    assert raised.value.__suppress_context__


def test_nobody_listens(fake: FakePatroni):
    with FakePatroni().listening() as gone:
        pass
    with pytest.raises(PatroniError, match=r"^GET /patroni: ConnectionRefusedError$"):
        Patroni(gone.url, "patroni", "canary").status()


# --- difference -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "actual", "patch"),
    [
        ({"ttl": 20}, {"ttl": 20}, {}),
        ({"ttl": 20}, {"ttl": 30}, {"ttl": 20}),
        ({"ttl": 20}, {}, {"ttl": 20}),
        ({"ttl": 20}, {"ttl": "20"}, {}),
        ({"a": {"b": "200"}}, {"a": {"b": 200, "c": 1}}, {}),
        ({"a": {"b": "200"}}, {"a": {"b": "100", "c": 1}}, {"a": {"b": "200"}}),
        ({"a": {"b": 1}}, {"a": None}, {"a": {"b": 1}}),
        ({"a": {"b": 1}}, {"a": "text"}, {"a": {"b": 1}}),
        ({"sync": False}, {"sync": None}, {"sync": False}),
        ({"sync": "quorum"}, {"sync": True}, {"sync": "quorum"}),
        ({}, {"pause": True, "slots": {"x": {}}}, {}),
    ],
)
def test_difference(wanted: dict[str, Any], actual: dict[str, Any], patch: dict[str, Any]):
    assert difference(wanted, actual) == patch


def merge(target: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    """RFC 7396, as Patroni applies it: null removes."""
    result = copy.deepcopy(target)
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict):
            below = result.get(key)
            result[key] = merge(below if isinstance(below, dict) else {}, value)
        else:
            result[key] = value
    return result


leaves = st.booleans() | st.integers(0, 3) | st.sampled_from(["0", "on"])
configs = st.dictionaries(st.sampled_from("abc"), leaves | st.dictionaries(st.sampled_from("xy"), leaves, min_size=1, max_size=2), max_size=3)


@examples(200)
@given(configs, configs)
def test_the_patch_removes_the_difference_and_touches_nothing_else(wanted: dict[str, Any], actual: dict[str, Any]):
    after = merge(actual, difference(wanted, actual))
    assert difference(wanted, after) == {}
    for key in actual.keys() - wanted.keys():
        assert after[key] == actual[key]


def test_what_we_declare_holds_after_one_patch():
    """Nothing in it is null, which would remove a key and differ for ever."""
    wanted = declared.dynamic(spec())
    assert difference(wanted, merge({}, difference(wanted, {}))) == {}
