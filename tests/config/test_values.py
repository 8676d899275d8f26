"""Every kind of value: what it takes, what it makes of it, and what it refuses."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum

from sos_constructs.config import values
from sos_constructs.errors import InvalidOption

import pytest

MINUTE = timedelta(minutes=1)
CALL = values.Duration(timedelta(seconds=1), timedelta(minutes=5))
LOG_FILE = values.Size(1, 1000)


class Level(StrEnum):
    INFO = "info"


@pytest.mark.parametrize(
    ("type", "key", "value", "typed", "text"),
    [
        (values.BOOL, "X_ENABLED", True, True, "true"),
        (values.BOOL, "X_ENABLED", "false", False, "false"),
        (values.Choice("info", "debug"), "X", "debug", "debug", "debug"),
        (values.Choice("info", "debug"), "X", Level.INFO, "info", "info"),
        (values.Int(-5, 10), "X", -5, -5, "-5"),
        (values.Int(-5, 10), "X", "10", 10, "10"),
        (values.Float(0, 2), "X", 1, 1.0, "1"),
        (values.Float(0, 2), "X", 0.000001, 0.000001, "0.000001"),
        (values.Float(0, 2), "X", "0.10", 0.1, "0.1"),
        (values.Float(-1, 2), "X", -0.0, 0.0, "0"),
        (CALL, "X_SECONDS", MINUTE, MINUTE, "60"),
        (CALL, "X_SECONDS", 60, MINUTE, "60"),
        (CALL, "X_SECONDS", "60", MINUTE, "60"),
        (CALL, "X_SECONDS", "1m", MINUTE, "60"),
        (CALL, "X_MS", "1m", MINUTE, "60000"),
        (CALL, "X_MINUTES", timedelta(seconds=120), 2 * MINUTE, "2"),
        (CALL, "X_SECONDS", "60000ms", MINUTE, "60"),
        (values.Duration(MINUTE, timedelta(days=400)), "X_DAYS", "48h", timedelta(days=2), "2"),
        (values.Duration(MINUTE, timedelta(days=400)), "X_HOURS", "7d", timedelta(days=7), "168"),
        (LOG_FILE, "X_MB", 20, 20, "20"),
        (LOG_FILE, "X_MB", "20MB", 20, "20"),
        (LOG_FILE, "X_KIB", "1024B", 1, "1"),
        (LOG_FILE, "X_KIB", "1MiB".replace("1M", "512K"), 512, "512"),
        (values.HOST, "X", "10.0.0.7", "10.0.0.7", "10.0.0.7"),
        (values.HOST, "X", Level.INFO, "info", "info"),
        (values.Items(values.Int(400, 599)), "X", [429, "503"], (429, 503), "429,503"),
        (values.Items(values.HOST_PORT), "X", "a:1, b.c:2", ("a:1", "b.c:2"), "a:1,b.c:2"),
        (values.Items(values.HOST, at_least=0), "X", "", (), ""),
        (values.Items(values.HOST, at_least=0), "X", (), (), ""),
    ],
)
def test_read(type: values.Type, key: str, value: object, typed: values.Value, text: str) -> None:
    assert type.read(key, value) == (typed, text)
    assert all(part.__class__ in (bool, int, float, str, tuple, timedelta) for part in type.read(key, value)), "plain objects, not the caller's subclasses"


@pytest.mark.parametrize(
    ("type", "key", "value", "message"),
    [
        (values.BOOL, "X_ENABLED", "yes", "X_ENABLED='yes' must be true or false"),
        (values.BOOL, "X_ENABLED", 1, "X_ENABLED=1 must be true or false"),
        (values.Choice("a", "b"), "X", "A", "X='A' must be one of a, b"),
        (values.Choice("0", "1"), "X", 1, "X=1 must be one of 0, 1"),
        (values.Int(0, 10), "X", 11, "X=11 must be a whole number from 0 to 10"),
        (values.Int(0, 10), "X", True, "X=True must be a whole number from 0 to 10"),
        (values.Int(0, 10), "X", 1.0, "X=1.0 must be a whole number from 0 to 10"),
        (values.Int(0, 10), "X", "010", "X='010' must be a whole number from 0 to 10"),
        (values.Int(0, 10), "X", "٣", "X='٣' must be a whole number from 0 to 10"),
        (values.Float(0, 1), "X", 1.5, "X=1.5 must be a number from 0 to 1 with at most six decimals"),
        (values.Float(0, 1), "X", 1e-7, "X=1e-07 must be a number from 0 to 1 with at most six decimals"),
        (values.Float(0, 1), "X", float("nan"), "X=nan must be a number from 0 to 1 with at most six decimals"),
        (values.Float(0, 1), "X", "1e-3", "X='1e-3' must be a number from 0 to 1 with at most six decimals"),
        (CALL, "X_SECONDS", 301, "X_SECONDS=301 must be a whole number of seconds from 1 to 300, a timedelta, or text with a unit such as '300s'"),
        (CALL, "X_SECONDS", "1500ms", "X_SECONDS='1500ms' must be a whole number of seconds from 1 to 300, a timedelta, or text with a unit such as '300s'"),
        (CALL, "X_MINUTES", timedelta(seconds=90), "must be a whole number of minutes from 0 to 5"),
        (CALL, "X_SECONDS", timedelta(microseconds=1000001), "must be a whole number of seconds"),
        (CALL, "X_SECONDS", 1.5, "must be a whole number of seconds"),
        (CALL, "X_SECONDS", True, "must be a whole number of seconds"),
        (CALL, "X_SECONDS", "1 minute", "must be a whole number of seconds"),
        (CALL, "X_SECONDS", "1M", "must be a whole number of seconds"),
        (CALL, "X_SECONDS", 10**30, "must be a whole number of seconds"),
        (LOG_FILE, "X_MB", "1MiB", "X_MB='1MiB' must be a whole number of MB from 1 to 1000, or text with a unit such as '1000MB'"),
        (LOG_FILE, "X_MB", 0, "must be a whole number of MB from 1 to 1000"),
        (values.HOST, "X", "Postgres", "X='Postgres' must be a host name such as postgres-service"),
        (values.HOST, "X", "0o14", "must be a host name"),
        (values.HOST, "X", "postgres-service\n", "must be a host name"),
        (values.HOST, "X", "a" * 2000, "must be a host name"),
        (values.URL, "X", "https://user:word@x.example", "must be an http or https URL without user"),
        (values.Items(values.HOST), "X", [], "X=[] must be a list, each item a host name such as postgres-service"),
        (values.Items(values.HOST), "X", {"a"}, "must be a list"),
        (values.Items(values.HOST), "X", "a,,b", "X='a,,b' must be a list, each item a host name"),
        (values.Items(values.HOST), "X", "a,b,a", "X='a,b,a' names an item twice; leave one out"),
        (values.Items(values.HOST, at_least=0), "X", "A", r"must be a list (it may be empty), each item a host name"),
    ],
)
def test_refuse(type: values.Type, key: str, value: object, message: str) -> None:
    with pytest.raises(InvalidOption) as raised:
        type.read(key, value)
    assert message in str(raised.value)
