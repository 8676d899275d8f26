"""The protocol loses nothing however its steps interleave, and each of its rules is needed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tests.postgres.fast.model import Model
from tests.postgres.fast.search import CONTROLS, DESIGNED, check, labels

LARGER = {"three members, one of which becomes a voter later", "five members", "one flag of five members is enough"}


def worlds(models: Mapping[str, Model]) -> list[Any]:
    """Parameters of a test; the larger ones only in `make test-deep`."""
    return [pytest.param(model, id=name, marks=[pytest.mark.deep] if name in LARGER else []) for name, model in models.items()]


@pytest.mark.parametrize("model", worlds(DESIGNED))
def test_as_designed_no_acknowledged_write_is_lost(model: Model):
    states, path = check(model)
    assert path is None, " · ".join(path or [])
    assert states > 10_000, "so few states cannot hold every interleaving: is a step never taken?"


@pytest.mark.parametrize("model", worlds(CONTROLS))
def test_without_any_one_rule_a_write_is_lost(model: Model):
    _, path = check(model)
    assert path is not None
    assert any("acknowledges" in step for step in path)
    assert path[-1].endswith(("promotes", "acknowledges"))


def test_every_step_is_taken_somewhere():
    """A model in which a step can never happen proves little."""
    taken = {"".join(part for part in label if not part.isdigit()).strip(" []") for label in labels(Model())}
    assert taken >= {
        "writes",
        "acknowledges",
        "receives from",
        "begins a round",
        "renews",
        "ends its round",
        "makes [] its voters",
        "demotes itself",
        "has evidence and cuts",
        "flags",
        "seals",
        "releases",
        "compares logs",
        "acquires the lock",
        "promotes",
        "is pointed at",
        "sees a renewal",
        "finds the leader alive and withdraws",
        "reconnects",
        "falls",
        "the lock of  ends by its ttl",
    }
