"""Quantities: exact, positive, and refused with an example of what is meant."""

from __future__ import annotations

import re
from typing import Any

from sos_constructs.errors import InvalidOption
from sos_constructs.quantities import bytes_quantity, parse_bytes, parse_millicores

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.generated import examples


@pytest.mark.parametrize(
    ("quantity", "number"),
    [
        *(("1", 1), ("1k", 1000), ("1M", 10**6), ("1G", 10**9), ("1T", 10**12), ("1P", 10**15), ("1E", 10**18)),
        *(("1Ki", 2**10), ("1Mi", 2**20), ("1Gi", 2**30), ("1Ti", 2**40), ("1Pi", 2**50), ("1Ei", 2**60)),
        *(("1.5Gi", 3 * 2**29), ("0.5k", 500), ("4000m", 4), ("50Gi", 50 * 2**30)),
    ],
)
def test_bytes(quantity: str, number: int):
    assert parse_bytes("storage", quantity) == number


@pytest.mark.parametrize(("quantity", "number"), [("500m", 500), ("2", 2000), ("0.5", 500), ("1.25", 1250), ("1k", 10**6), ("1m", 1)])
def test_millicores(quantity: str, number: int):
    assert parse_millicores("cpu", quantity) == number


@pytest.mark.parametrize("parse", [parse_bytes, parse_millicores])
@pytest.mark.parametrize("quantity", ["", "Gi", "50 Gi", "50GB", "50gi", "1e3", "-1Gi", "+1", "0", "0Gi", "1,5Gi", ".5", "5.", " 5", "5\n", "٣", None, 5, 1.5])
def test_what_is_no_quantity(parse: Any, quantity: Any):
    with pytest.raises(InvalidOption, match="^" + re.escape(f"storage={quantity!r} must be a positive Kubernetes quantity such as ")):
        parse("storage", quantity)


def test_parts_of_a_byte_are_a_slip_of_the_suffix():
    with pytest.raises(InvalidOption, match=re.escape("memory='512m' is not a whole number of bytes; write for instance '4Gi' (did you mean 'Mi' for 'm'?)")):
        parse_bytes("memory", "512m")


def test_finer_than_a_millicore():
    with pytest.raises(InvalidOption, match=re.escape("cpu='0.0005' is finer than one millicore; write for instance '500m'")):
        parse_millicores("cpu", "0.0005")


@pytest.mark.parametrize(("number", "quantity"), [(2**30, "1Gi"), (3 * 2**29, "1536Mi"), (1536, "1536"), (2048, "2Ki"), (1000, "1000"), (5 * 2**40, "5120Gi")])
def test_shortest_quantity(number: int, quantity: str):
    assert bytes_quantity(number) == quantity


@examples(200)
@given(st.integers(min_value=1, max_value=2**62))
def test_what_is_written_is_read_back(number: int):
    assert parse_bytes("x", bytes_quantity(number)) == number
    assert parse_bytes("x", bytes_quantity(number * 2**20)) == number * 2**20
