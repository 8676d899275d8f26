"""The option ``failover``: what it needs, and what it changes."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from sos_constructs.errors import InvalidOption
from sos_constructs.postgres import configmaps, tuning
from sos_constructs.postgres.failover import FastFailover
from sos_constructs.postgres.statefulset import render, restart_checksum

import pytest

from tests.postgres.example import spec


def fast(**options: Any) -> Any:
    return spec(**{"failover": FastFailover(), "synchronous_mode_strict": True} | options)


@pytest.mark.parametrize(
    ("options", "option", "fix"),
    [
        ({"synchronous_mode_strict": False}, "failover", "synchronous_mode_strict=True"),
        ({"synchronous_mode": "on"}, "failover", "quorum"),
        ({"instances": 2}, "failover", "three instances"),
        ({"failover": True}, "failover", "FastFailover"),
        ({"failover": FastFailover(detect=timedelta(seconds=4))}, "failover.detect", "5 s"),
        ({"failover": FastFailover(detect=timedelta(seconds=20))}, "failover.detect", "less than timing.ttl"),
        ({"failover": FastFailover(detect=timedelta(seconds=6.5))}, "failover.detect", "whole seconds"),
        ({"failover": FastFailover(detect=6)}, "failover.detect", "whole seconds"),  # type: ignore[arg-type]  # a user's mistake
        ({"parameters": {"dynamic_library_path": "/x"}}, "parameters['dynamic_library_path']", "left out"),
    ],
)
def test_what_it_needs(options: dict[str, Any], option: str, fix: str):
    with pytest.raises(InvalidOption, match=fix) as caught:
        fast(**options).check()
    assert caught.value.option == option


def test_without_it_nothing_of_it_is_emitted():
    plain = spec(synchronous_mode_strict=True)
    assert "failover.json" not in configmaps.config(plain)["data"]
    assert "dynamic_library_path" not in tuning.postgresql_conf(plain)
    assert not [mount for mount in render(plain)["volumeMounts"] if mount["name"] == "token"]


def test_with_it_the_agent_reads_the_detection_time_and_the_server_looks_into_the_cuts_folder_first():
    data = configmaps.config(fast().check())["data"]
    assert json.loads(data["failover.json"]) == {"detect": 6}
    assert "dynamic_library_path = '/run/sos/cut:$libdir'" in data["postgresql.conf"]
    assert [mount for mount in render(fast())["volumeMounts"] if mount["name"] == "token"]


def test_it_needs_no_restart_of_postgresql():
    assert restart_checksum(fast()) == restart_checksum(spec())
