"""How many examples hypothesis generates for a test."""

from __future__ import annotations

from typing import Any

from hypothesis import settings

USUAL = 100
"""``max_examples`` of hypothesis' own default, which the numbers of tests are written for."""


def examples(number: int, **others: Any) -> settings:
    """At most ``number`` examples in `make test`, the same in every run; twenty times as many, new ones, in `make test-deep`."""
    return settings(max_examples=number * settings().max_examples // USUAL, **others)
