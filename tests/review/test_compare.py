"""Comparing: every difference is found, in the words of the field, and nothing else."""

from __future__ import annotations

import copy
import json
from typing import Any

from sos_constructs.review.compare import differences
from sos_constructs.review.model import MISSING, Hidden, show_path

import pytest
from hypothesis import given
from hypothesis import strategies as st


def found(before: Any, after: Any) -> dict[str, tuple[Any, Any]]:
    return {show_path(d.path): (d.before, d.after) for d in differences(before, after)}


NAMES = st.sampled_from(
    ["name", "spec", "containers", "env", "ports", "volumes", "data", "port", "containerPort", "value", "app.kubernetes.io/name", "x.json", "postgresql.conf"]
)
SCALARS = st.none() | st.booleans() | st.integers(-3, 3) | st.floats() | st.text(st.sampled_from("ab=\n #'1{}"), max_size=12)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4), max_leaves=20)


@given(VALUES)
def test_nothing_differs_from_itself(value: Any):
    assert list(differences(value, copy.deepcopy(value))) == []


@given(st.dictionaries(NAMES, VALUES), st.dictionaries(NAMES, VALUES))
def test_there_is_a_difference_if_and_only_if_the_json_differs(before: Any, after: Any):
    assert bool(list(differences(before, after))) == (json.dumps(before, sort_keys=True) != json.dumps(after, sort_keys=True))


@given(st.data(), st.dictionaries(NAMES, VALUES, min_size=1))
def test_a_changed_leaf_is_reported_at_its_place(data: st.DataObject, before: Any):
    after = copy.deepcopy(before)
    path, target = [], after
    while True:
        step = data.draw(st.sampled_from(sorted(target) if isinstance(target, dict) else range(len(target))))
        path.append(step)
        if not isinstance(target[step], (dict, list)) or not target[step]:
            break
        target = target[step]
    target[path[-1]] = 12345
    reported = [tuple(step.name for step in difference.path) for difference in differences(before, after)]
    assert any(names[0] == path[0] for names in reported)
    if all(isinstance(step, str) for step in path):  # no list on the way: exactly this field, and no other
        assert reported == [tuple(path)]


def test_types_count():
    assert found({"a": 1, "b": True, "c": "1"}, {"a": True, "b": 1, "c": 1}) == {"a": (1, True), "b": (True, 1), "c": ("1", 1)}
    assert found({"a": 1}, {"a": 1.0}) == {"a": (1, 1.0)}
    assert found({"a": None}, {}) == {"a": (None, MISSING)}
    assert found({"a": {}}, {"a": []}) == {"a": ({}, [])}


def test_lists_are_matched_as_kubernetes_merges_them():
    before = {"spec": {"containers": [{"name": "a", "image": "x:1", "env": [{"name": "A", "value": "1"}], "ports": [{"containerPort": 80}]}, {"name": "b"}]}}
    after = {
        "spec": {
            "containers": [
                {"name": "new"},
                {"name": "a", "image": "x:2", "env": [{"name": "A", "value": "2"}], "ports": [{"containerPort": 80, "name": "http"}]},
            ]
        }
    }
    assert found(before, after) == {
        "spec.containers[a].image": ("x:1", "x:2"),
        "spec.containers[a].env[A].value": ("1", "2"),
        "spec.containers[a].ports[80].name": (MISSING, "http"),
        "spec.containers[b]": ({"name": "b"}, MISSING),
        "spec.containers[new]": (MISSING, {"name": "new"}),
    }  # fmt: skip


def test_ports_of_two_protocols_are_two_ports():
    both = [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]
    assert found({"ports": both}, {"ports": both[:1]}) == {"ports[53]": (both[1], MISSING)}
    assert found({"ports": both}, {"ports": both[1:]}) == {"ports[53/UDP]": (both[0], MISSING)}


def test_the_order_of_a_matched_list_is_a_difference():
    first, second = {"name": "a"}, {"name": "b"}
    assert found({"initContainers": [first, second]}, {"initContainers": [second, first]}) == {"initContainers[order]": (["a", "b"], ["b", "a"])}


def test_elements_without_a_key_are_matched_by_position():
    assert found({"args": ["a", "b", "c"]}, {"args": ["a", "c"]}) == {"args[1]": ("b", MISSING)}
    assert found({"args": ["--level=info", "x"]}, {"args": ["--level=debug", "x"]}) == {"args[0]": ("--level=info", "--level=debug")}
    assert found({"egress": [{"ports": [{"port": 1}]}]}, {"egress": [{"ports": [{"port": 1}, {"port": 2}]}]}) == {"egress[0].ports[2]": (MISSING, {"port": 2})}


def test_elements_that_share_their_key_are_matched_by_position():
    twice = [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]
    assert found({"env": twice}, {"env": [twice[0], {"name": "A", "value": "3"}]}) == {"env[1].value": ("2", "3")}


CONF = "# Memory\nshared_buffers = 512MB  # requirement\nlog_line_prefix = '%m [%p] # it''s '\nwork_mem 4MB\n"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("512MB", "1GB", {"data[postgresql.conf].shared_buffers": ("512MB", "1GB")}),
        ("# it''s '", "'", {"data[postgresql.conf].log_line_prefix": ("'%m [%p] # it''s '", "'%m [%p] '")}),
        ("work_mem 4MB\n", "", {"data[postgresql.conf].work_mem": ("4MB", MISSING)}),
        ("work_mem 4MB", "work_mem 4MB\nwork_mem = 8MB", {"data[postgresql.conf].work_mem": ("4MB", "8MB")}),
    ],
)
def test_settings_are_compared_by_name(old: str, new: str, expected: object):
    assert found({"data": {"postgresql.conf": CONF}}, {"data": {"postgresql.conf": CONF.replace(old, new)}}) == expected


def test_comments_of_settings_are_a_difference_of_their_own():
    (difference,) = differences({"postgresql.conf": CONF}, {"postgresql.conf": CONF.replace("Memory", "RAM")})
    assert show_path(difference.path) == "[postgresql.conf][comments and order]"
    assert difference.lines == ("@@ -1 +1 @@", "-# Memory", "+# RAM")


def test_json_in_a_text_is_compared_by_field_and_its_layout_apart():
    assert found({"a.json": '{\n"ttl": 1}'}, {"a.json": '{\n"ttl": 2}'}) == {"[a.json].ttl": (1, 2)}
    (difference,) = differences({"a.json": '{\n"ttl": 1}'}, {"a.json": '{"ttl": 1}'})
    assert show_path(difference.path) == "[a.json][layout]"
    assert difference.lines
    (broken,) = differences({"a.json": "{\n"}, {"a.json": "{}\n"})
    assert show_path(broken.path) == "[a.json]"


def test_other_texts_are_compared_by_line():
    (difference,) = differences({"run.sh": "a\nb\nc\n"}, {"run.sh": "a\nB\nc\n"})
    assert difference.lines == ("@@ -2 +2 @@", "-b", "+B")


def test_a_secret_value_has_no_representation():
    assert "abc" not in repr(Hidden("abc"))
    assert str(Hidden("abc")) == "(hidden)"
