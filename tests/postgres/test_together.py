"""Options that contradict each other."""

from __future__ import annotations

from typing import Any

from sos_constructs.postgres.spec import DATABASES, Database
from sos_constructs.postgres.together import check_together

import pytest

from tests.postgres.example import spec


def with_extension(name: str) -> tuple[Database, ...]:
    return (Database(name="auth", extensions=(name,)), *DATABASES[1:])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"parameters": {"shared_buffers": "4GB"}}, "parameters['shared_buffers']='4GB' must leave room in resources.memory_limit='4Gi'"),
        ({"parameters": {"shared_buffers": 524288}}, "parameters['shared_buffers']='524288' must leave room"),
        (
            {"parameters": {"superuser_reserved_connections": 100, "max_connections": 100}},
            "parameters['superuser_reserved_connections']=100 must be less than max_connections=100",
        ),
        (
            {"databases": with_extension("pgaudit")},
            "extensions='pgaudit' needs its library from the start: add parameters={'shared_preload_libraries': 'pg_stat_statements,pgaudit'}",
        ),
        (
            {"databases": with_extension("pg_stat_statements"), "parameters": {"shared_preload_libraries": ""}},
            "add parameters={'shared_preload_libraries': 'pg_stat_statements'}",
        ),
    ],
)
def test_refused(options: dict[str, Any], message: str):
    with pytest.raises(ValueError) as raised:  # noqa: PT011  (the message is compared)
        check_together(spec(**options))
    assert message in str(raised.value)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"parameters": {"shared_buffers": "3GB"}},
        {"databases": with_extension("pg_stat_statements")},
        {"databases": with_extension("pgcrypto")},
        {"databases": with_extension("pgaudit"), "parameters": {"shared_preload_libraries": "pg_stat_statements, pgaudit"}},
    ],
)
def test_accepted(options: dict[str, Any]):
    check_together(spec(**options))


def test_memory_is_full_when_nothing_is_left():
    """Shared buffers and /dev/shm are all of the limit: the first connection would be killed. A megabyte less of them can start."""
    with pytest.raises(ValueError, match=r"must leave room in resources\.memory_limit"):
        check_together(spec(shared_memory="1Gi", parameters={"shared_buffers": "3GB"}))
    check_together(spec(shared_memory="1Gi", parameters={"shared_buffers": "3071MB"}))
