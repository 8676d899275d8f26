"""PgBouncer's settings as options: what arrives, what is the pooler's own, and which restart pods."""

from __future__ import annotations

import re
from configparser import ConfigParser
from typing import Any

from sos_constructs import Pooler, PoolerImage
from sos_constructs.postgres.pooler import ini, settings

import pytest

from tests.postgres.pooler.example import pooled
from tests.postgres.scenarios import install


def section(pooler: Pooler) -> dict[str, str]:
    parser = ConfigParser(interpolation=None, delimiters=("=",))
    parser.read_string(ini.text(pooled(pooler), pooler, "primary"))
    return dict(parser["pgbouncer"])


def test_what_is_given_wins_and_the_rest_stays():
    default = section(Pooler())
    given = section(Pooler(parameters={"server_lifetime": 120, "server_idle_timeout": 1.5, "log_connections": True, "server_check_query": "SELECT 2"}))
    changed = {"server_lifetime": "120", "server_idle_timeout": "1.5", "log_connections": "1", "server_check_query": "SELECT 2"}
    assert given == default | changed


def test_ignored_startup_parameters():
    assert section(Pooler())["ignore_startup_parameters"] == "extra_float_digits,options"
    assert section(Pooler(ignore_startup_parameters=("search_path",)))["ignore_startup_parameters"] == "search_path"


@pytest.mark.parametrize(("name", "value"), [("server_idle_timeout", 60), ("pkt_buf", 8192), ("track_extra_parameters", "search_path"), ("verbose", 1)])
def test_new_pods_only_for_what_no_reload_takes_over(name: str, value: Any):
    pooler = Pooler(parameters={name: value})
    restarts = ini.restart_checksum(pooled(pooler), pooler) != ini.restart_checksum(pooled(), Pooler())
    assert restarts is (name in settings.NOT_RELOADED)


def test_a_setting_is_the_users_or_the_poolers():
    assert not settings.KNOWN.keys() & settings.OWNED.keys()
    assert settings.SINCE.keys() <= settings.KNOWN.keys()
    assert set(settings.NOT_RELOADED) <= settings.KNOWN.keys()
    ours = {row[0] for side in ("primary", "readonly") for row in ini.settings(pooled(), Pooler(), side)} | {row[0] for row in ini.client_tls(pooled())}
    assert ours <= settings.KNOWN.keys() | settings.OWNED.keys()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"parameters": {"auth_type": "trust"}}, "pooler.parameters['auth_type']='trust' must be left out: the pooler looks passwords up"),
        ({"parameters": {"default_pool_size": 9}}, "must be left out: use the option pool_size"),
        ({"parameters": {"server_idle_timout": 9}}, "is no setting of PgBouncer (did you mean 'server_idle_timeout'?)"),
        ({"parameters": {"server_idle_timeout": "9"}}, "must be a number of seconds, 0 or more"),
        ({"parameters": {"min_pool_size": -1}}, "must be a whole number, 0 or more"),
        ({"parameters": {"min_pool_size": 5}}, "pooler.parameters['min_pool_size']='5' must be at most pool_size=4"),
        ({"parameters": {"log_stats": "yes"}}, "must be True or False"),
        ({"parameters": {"server_check_query": "SELECT 1\nauth_type = any"}}, "must be one line of text"),
        ({"parameters": {"server_lifetime": float("nan")}}, "must be a finite number"),
        ({"parameters": {"transaction_timeout": 9}}, "needs PgBouncer 1.25 or later, and the image is ghcr.io/cloudnative-pg/pgbouncer:1.24.1"),
        ({"parameters": ["verbose"]}, "pooler.parameters=['verbose'] must be a mapping"),
        ({"ignore_startup_parameters": "options"}, "pooler.ignore_startup_parameters='options' must be a list of text; put it into a list: ['options']"),
        ({"ignore_startup_parameters": ("a b",)}, "pooler.ignore_startup_parameters='a b' must be the name of a parameter"),
        ({"ignore_startup_parameters": ("timezone",)}, "must be left out: PgBouncer sets it on the server for each client"),
        ({"ignore_startup_parameters": ("user",)}, "must be left out: it says who connects to what"),
        ({"agent_resources": "1Gi"}, "pooler.agent_resources='1Gi' must be made with Resources(…)"),
    ],
)
def test_refused(options: dict[str, Any], message: str):
    with pytest.raises(ValueError, match=f"^sos-app/postgres: .*{re.escape(message)}"):
        install({"pooler": Pooler(**options)})


def test_a_newer_image_knows_newer_settings():
    image = PoolerImage(image="registry.example:5000/pgbouncer:v1.25.0", uid=70, gid=70)
    assert section(Pooler(image=image, parameters={"transaction_timeout": 9}))["transaction_timeout"] == "9"
