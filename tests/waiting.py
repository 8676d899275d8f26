"""Waiting for what happens in another process: for an event, never for a time."""

from __future__ import annotations

import time
from collections.abc import Callable

PATIENCE = 120.0
"""Seconds after which it is taken to never happen. A busy machine may take a few; no test asserts that it takes fewer."""


def until(condition: Callable[[], object], why: Callable[[], str] = lambda: "it never came true") -> None:
    """Return once ``condition`` holds; fail with ``why`` if it never does."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, why()
        time.sleep(0.02)
