"""What users see when an option cannot work: where, which option, which value, what to write instead."""

from __future__ import annotations

from sos_constructs.errors import InvalidOption, did_you_mean, located

import cdk8s
import pytest


def test_it_is_a_value_error_with_its_parts():
    error = InvalidOption("storage", "50 GB", "must be a quantity")
    assert isinstance(error, ValueError)
    assert str(error) == "storage='50 GB' must be a quantity"
    assert (error.option, error.value, error.fix) == ("storage", "50 GB", "must be a quantity")


def test_long_values_are_cut():
    assert str(InvalidOption("a", "x" * 300, "is wrong")) == f"a='{'x' * 199}… is wrong"


def test_the_path_of_the_construct_is_added():
    chart = cdk8s.Chart(cdk8s.App(), "platform")
    with pytest.raises(ValueError, match=r"^platform/db: a=1 is wrong$") as raised, located(chart, "db"):
        raise InvalidOption("a", 1, "is wrong")
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__, "one sentence, not two tracebacks"


def test_directly_below_the_root_the_path_is_the_id():
    with pytest.raises(ValueError, match=r"^db: a=1 is wrong$"), located(cdk8s.App(), "db"):
        raise InvalidOption("a", 1, "is wrong")


def test_nested_places_are_named_once():
    """What is located already is an ordinary ValueError, and passes."""
    chart = cdk8s.Chart(cdk8s.App(), "platform")
    with pytest.raises(ValueError, match=r"^platform/inner: a=1 is wrong$"), located(chart, "outer"), located(chart, "inner"):
        raise InvalidOption("a", 1, "is wrong")


def test_other_errors_pass_as_they_are():
    with pytest.raises(KeyError, match="x"), located(cdk8s.App(), "db"):
        raise KeyError("x")


@pytest.mark.parametrize(
    ("word", "hint"),
    [("max_conections", " (did you mean 'max_connections'?)"), ("zzz", ""), ("", ""), ("Port", " (did you mean 'port'?)")],
)
def test_did_you_mean(word: str, hint: str):
    assert did_you_mean(word, ["max_connections", "port"]) == hint
