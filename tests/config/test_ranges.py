"""Regular expressions for numbers: exactly the numbers within the bounds, as Python and as Node read them (see test_schema)."""

from __future__ import annotations

import re

from sos_constructs.config import ranges

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

BOUND = st.one_of(st.integers(-120, 120), st.integers(-30000, 30000))


@given(BOUND, BOUND, BOUND)
@example(8, 123, 123)
@example(1, 1, 1)
@example(0, 0, 0)
@example(-5, -5, -5)
@example(-1440, 99, 0)
def test_integers(one: int, other: int, number: int) -> None:
    least, most = sorted((one, other))
    pattern = re.compile(ranges.integers(least, most))
    for near in {number, least - 1, least, most, most + 1}:
        assert bool(pattern.fullmatch(str(near))) == (least <= near <= most), (least, most, near)
        assert not pattern.fullmatch(f"0{abs(near)}")
    assert bool(pattern.fullmatch("-0")) == (least <= 0 <= most)


@pytest.mark.parametrize(
    ("least", "most", "takes", "refuses"),
    [
        (0, 1, ["0", "-0", "0.0", "-0.0", "0.1", "0.999999", "1", "1.000000"], ["1.1", "2", "-0.1", "00", ".5", "1.", "1.0000001", "1e-3", "10", "0.1234567"]),
        (1, 10, ["1", "1.5", "9.999999", "10", "10.0"], ["0", "0.9", "10.1", "11", "100", "-1"]),
        (2, 2, ["2", "2.0"], ["1.9", "2.1", "1", "3"]),
        (-1, 1, ["-5.5", "7"], ["1e5", "x", "01"]),  # only the shape: the numbers are left to the layer
        (0.5, 1, ["0.1", "7"], [".5"]),
    ],
)
def test_decimals(least: float, most: float, takes: list[str], refuses: list[str]) -> None:
    pattern = re.compile(ranges.decimals(least, most, places=6))
    assert [text for text in takes if not pattern.fullmatch(text)] == []
    assert [text for text in refuses if pattern.fullmatch(text)] == []


SYMBOLS = {"B": 1, "kB": 1000, "KiB": 1024, "MB": 10**6}


@pytest.mark.parametrize(
    ("bounds", "unit", "takes", "refuses"),
    [
        ((1, 5), "kB", ["1", "5kB", "5000B", "4KiB"], ["0", "6", "500B", "1024B", "5KiB", "1MB", "5 kB", "5kb", "01"]),
        ((0, 2), "MB", ["0", "0B", "-0", "2MB", "2000kB", "1000000B", "0kB"], ["1500kB", "1B", "00B", "000kB", "3MB"]),
        ((0, 0), "MB", ["0", "0kB"], ["1", "000kB"]),
    ],
)
def test_amounts(bounds: tuple[int, int], unit: str, takes: list[str], refuses: list[str]) -> None:
    """4KiB is no whole number of kB, which the pattern cannot tell: units that are no power of ten apart are only held to the bounds."""
    factor = SYMBOLS[unit]
    pattern = re.compile(ranges.amounts(bounds[0] * factor, bounds[1] * factor, factor, SYMBOLS))
    assert [text for text in takes if not pattern.fullmatch(text)] == []
    assert [text for text in refuses if pattern.fullmatch(text)] == []


def test_literal() -> None:
    for text in ("http/protobuf", "a.b", "SCRAM-SHA-256", "x+y", "(a|b)", "a\\b"):
        assert re.fullmatch(ranges.literal(text), text)
    assert ranges.literal("a-b c#d") == "a-b c#d"  # ECMAScript does not let these be escaped
    assert not re.fullmatch(ranges.literal("a.b"), "axb")
