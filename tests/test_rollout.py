"""Checksums change when the data does, and only then."""

from __future__ import annotations

import re
from typing import Any

from sos_constructs.rollout import checksum

from hypothesis import given
from hypothesis import strategies as st

from tests.generated import examples

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


def test_it_is_a_stable_sha256():
    """A changed algorithm would restart every database at the next apply."""
    assert checksum({"b": [1, "ü"], "a": None}) == "6bafd57c7869b3aca54e576a5157b40cc195c8486124cab93d52f1b59556838e"


def test_the_order_of_keys_does_not_count_but_that_of_lists_does():
    assert checksum({"a": 1, "b": 2}) == checksum({"b": 2, "a": 1})
    assert checksum([1, 2]) != checksum([2, 1])


def same(one: Any, other: Any) -> bool:
    """Equal as JSON: True is not 1."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and one == other


@examples(200)
@given(json_values, json_values)
def test_equal_if_and_only_if_the_data_is(one: Any, other: Any):
    assert re.fullmatch(r"[0-9a-f]{64}", checksum(one))
    assert (checksum(one) == checksum(other)) == same(one, other)
