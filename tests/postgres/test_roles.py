"""Further roles at synth: what is refused, who gets in where, and what workloads get."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any

from sos_constructs import SECRETS, CertificateSecret, Clients, Database, HaPostgres, Pooler, Role, SosSecrets, postgres_secret
from sos_constructs.errors import InvalidOption
from sos_constructs.postgres import access, roles
from sos_constructs.postgres.agent import role_rules
from sos_constructs.postgres.roles import PREDEFINED

import cdk8s
import pytest

from tests.postgres.example import spec

SHOP = (Database("shop", owner="shop_app"), Database("stock"))
READERS = Role("readers", read_only=["shop"])
REPORT = Role("report", login=True, member_of=["readers"])


def installed(*given: Role, databases: tuple[Database, ...] = SHOP, **options: Any) -> HaPostgres:
    chart = cdk8s.Chart(cdk8s.Testing.app(), "c", namespace="sos-app", disable_resource_name_hashes=True)
    secrets = SosSecrets(chart, "secrets", catalogue=SECRETS + postgres_secret("shop", databases=databases, roles=given))
    return HaPostgres(chart, "shop", name="shop", databases=databases, roles=given, credentials=secrets["shop-postgres"], **options)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ((Role("public"),), "roles['public'].name='public' is a word of PostgreSQL and no name of a role; choose another name"),
        ((Role("none"),), "is a word of PostgreSQL"),
        ((Role("pg_x"),), "roles['pg_x'].name='pg_x' must not start with 'pg_'"),
        ((Role("postgres"),), "is a role of the installation itself (monitoring, pgbouncer, postgres, rewind, standby); choose another name"),
        ((Role("pgbouncer"),), "is a role of the installation itself"),
        ((Role("a" * 51),), "must have at most 50 characters: a rotation adds 13 (_202611232130), and PostgreSQL keeps 63"),
        ((Role("shop_app_202611232130"),), "must not end in twelve digits"),
        ((Role("Report"),), "roles['Report'].name='Report' must be lower-case letters, digits and '_'"),
        ((Role('r"; DROP ROLE x; --'),), "must be lower-case letters, digits and '_'"),
        ((Role(""),), "must be lower-case letters, digits and '_'"),
        ((Role(5),), "roles[0].name=5 must be text: write '5'"),  # type: ignore[arg-type]
        (("report",), "roles[0]='report' must be made with Role(…)"),
        ((READERS, READERS), "roles='readers' is there twice; keep one"),
        ((Role("shop_app"),), "roles='shop_app' owns database 'shop' and needs no Role"),
        ((Role("x", login="yes"),), "roles['x'].login='yes' must be True or False"),  # type: ignore[arg-type]
        ((Role("x", bypassrls=1),), "roles['x'].bypassrls=1 must be True or False"),  # type: ignore[arg-type]
        ((Role("x", read_only="shop"),), "roles['x'].read_only='shop' must be a list of text; put it into a list: ['shop']"),
        ((Role("x", member_of=[None]),), "roles['x'].member_of[0]=None must be text"),  # type: ignore[list-item]
        ((Role("x", connect=None),), "roles['x'].connect=None must be a list of text"),  # type: ignore[arg-type]
        ((Role("x", read_only=["shopp"]),), "roles['x'].read_only='shopp' is no declared database (did you mean 'shop'?); there are shop, stock"),
        ((Role("x", connect=["auth"]),), "roles['x'].connect='auth' is no declared database"),
        ((READERS, Role("x", member_of=["reader"])), "roles['x'].member_of='reader' is not declared (did you mean 'readers'?)"),
        ((Role("x", member_of=["pg_read_all_data"]),), "gives rights beyond the declared databases"),
        ((Role("x", member_of=["pg_execute_server_program"]),), "gives rights beyond the declared databases"),
        ((Role("x", member_of=["monitoring"]),), "roles['x'].member_of='monitoring' is a role of the installation itself"),
        ((Role("x", member_of=["x"]),), "roles['x'].member_of=['x'] leads back to the role itself"),
        ((Role("a", member_of=["b"]), Role("b", member_of=["c"]), Role("c", member_of=["a"])), "leads back to the role itself"),
        (
            (Role("x", login=True, read_only=["shop"], member_of=["g"]), Role("g", member_of=["shop_app"])),
            "roles['x'].read_only='shop' cannot be read-only: roles['g'].member_of makes the role a member of 'shop_app', which owns the database",
        ),
        ((Role("x", login=True),), "roles['x'].login=True may connect to no database"),
        ((Role("x", login=True, member_of=["pg_monitor"]),), "may connect to no database"),
        ((Role("x", connection_limit=3),), "roles['x'].connection_limit=3 is for roles that log in"),
        ((Role("x", login=True, read_only=["shop"], connection_limit=0),), "roles['x'].connection_limit=0 must be a whole number from 1"),
        ((Role("x", login=True, read_only=["shop"], connection_limit=True),), "roles['x'].connection_limit=True must be a whole number"),
        ((Role("x", login=True, read_only=["shop"], valid_until=datetime(2027, 1, 1)),), "must be a datetime of whole seconds with a time zone"),  # noqa: DTZ001
    ],
)
def test_refused(given: tuple[Role, ...], message: str):
    with pytest.raises(InvalidOption):
        roles.check(SHOP, given)
    with pytest.raises(InvalidOption, match=re.escape(message)):
        postgres_secret("shop", databases=SHOP, roles=given)


def test_a_construct_says_where():
    chart = cdk8s.Chart(cdk8s.Testing.app(), "c")
    with pytest.raises(ValueError, match=r"^c/db: roles='auth' owns database 'auth'"):
        HaPostgres(chart, "db", credentials=spec().credentials, roles=[Role("auth")])


def test_missing_keys_are_told_with_the_way_to_have_them():
    chart = cdk8s.Chart(cdk8s.Testing.app(), "c")
    with pytest.raises(ValueError, match=r"^c/db: credentials='postgres-credentials' lacks the keys report-role-password, report-role-username; ") as raised:
        HaPostgres(chart, "db", name="shop", credentials=spec().credentials, roles=[Role("report", login=True, read_only=["auth"])])
    assert "give SosSecrets catalogue=SECRETS + postgres_secret('shop', databases=[…], roles=[…])" in str(raised.value)
    assert "credentials=secrets['shop-postgres']" in str(raised.value)


@pytest.mark.parametrize("given", [None, "report", Role("report"), 5])
@pytest.mark.parametrize("option", ["roles", "databases"])
def test_a_single_thing_is_no_list(option: str, given: Any):
    chart = cdk8s.Chart(cdk8s.Testing.app(), "c")
    options: dict[str, Any] = {option: given}
    with pytest.raises(ValueError, match=rf"^c/db: {option}=.* must be a list"):
        HaPostgres(chart, "db", credentials=spec().credentials, **options)


@pytest.mark.parametrize("name", ["public", "none", "pg_x", "Report", "a" * 51, "x_202611232130", "9x", ""])
def test_owners_have_the_same_rule(name: str):
    """The one that the agent reads, too."""
    assert role_rules.problem(name)
    with pytest.raises(InvalidOption):
        Database("shop", owner=name).check("databases['shop']")


def test_the_longest_name_leaves_room_for_a_rotation():
    assert role_rules.problem("a" * 50) is None
    assert len(f"{'a' * 50}_202611232130") == 63


@pytest.mark.parametrize(
    ("role", "others", "databases"),
    [
        (Role("x", login=True, read_only=["stock", "shop"]), (), ["shop", "stock"]),
        (Role("x", login=True, connect=["stock"]), (), ["stock"]),
        (REPORT, (READERS,), ["shop"]),
        (Role("x", login=True, member_of=["g"]), (Role("g", member_of=["readers"]), READERS), ["shop"]),
        (Role("x", login=True, member_of=["shop_app"]), (), ["shop"]),
        (Role("x", login=True, read_only=["stock"], member_of=["readers", "pg_monitor"]), (READERS,), ["shop", "stock"]),
    ],
)
def test_where_a_role_may_connect(role: Role, others: tuple[Role, ...], databases: list[str]):
    assert roles.reach(role, SHOP, (role, *others)) == databases
    roles.check(SHOP, (role, *others))


def test_what_the_agent_is_told():
    until = datetime(2027, 1, 31, 12, tzinfo=UTC)
    made = spec(databases=SHOP, roles=(READERS, Role("report", login=True, member_of=["readers"], connection_limit=5, valid_until=until, inherit=False)))
    group, report = roles.declared(made)["more_roles"]
    plain = {"bypassrls": False, "connect": [], "connection_limit": -1, "inherit": True, "login": False, "member_of": [], "valid_until": ""}
    assert group == {**plain, "name": "readers", "read_only": ["shop"]}
    assert (report["connect"], report["connection_limit"], report["valid_until"], report["inherit"]) == (["shop"], 5, "2027-01-31T12:00:00Z", False)
    assert (report["username_key"], report["password_key"]) == ("report-role-username", "report-role-password")
    assert roles.declared(spec()) == {}, "nothing of it where there is none"


def test_pg_hba_lets_each_role_into_its_databases():
    made = spec(databases=SHOP, roles=(READERS, REPORT, Role("all", login=True, connect=["shop", "stock"])), tls=CertificateSecret())
    lines = access.pg_hba(made, members="hostssl", clients="hostssl")
    assert 'hostssl "shop" +"report" all scram-sha-256' in lines
    assert 'hostssl "shop","stock" +"all" all scram-sha-256' in lines
    assert 'local "shop" +"report" scram-sha-256' in lines
    assert not any("readers" in line for line in lines), "a group does not log in"
    assert lines.index("host all postgres,standby,rewind all reject") < lines.index('hostssl "shop" +"report" all scram-sha-256')


def test_a_handle_of_a_role():
    db = installed(READERS, REPORT, pooler=Pooler(pool_size=2))
    handle = db.database("shop", role="report")
    env = {entry["name"]: entry for entry in handle.libpq_env()}
    assert handle.user == "report"
    assert env["PGUSER"]["valueFrom"]["secretKeyRef"] == {"name": "shop-postgres", "key": "report-role-username"}
    assert env["PGPASSWORD"]["valueFrom"]["secretKeyRef"] == {"name": "shop-postgres", "key": "report-role-password"}
    assert handle.pooled.primary_host == "shop-pooler-service"
    assert db.database("shop", role="shop_app") == db.database("shop")


@pytest.mark.parametrize(
    ("database", "role", "message"),
    [
        ("shop", "reprot", "role='reprot' is no declared role that logs in (did you mean 'report'?); there are report"),
        ("shop", "readers", "role='readers' is no declared role that logs in"),
        ("stock", "report", "role='report' may not connect to database 'stock'; add it to read_only or connect of Role('report')"),
    ],
)
def test_a_handle_that_cannot_be(database: str, role: str, message: str):
    with pytest.raises(ValueError, match=re.escape(message)):
        installed(READERS, REPORT).database(database, role=role)


def test_grant_gives_a_workload_the_roles_variables():
    db = installed(READERS, REPORT, allow_from=())
    pod = {"containers": [{"name": "c", "image": "x"}]}
    template = {"metadata": {"labels": {"app": "report"}}, "spec": pod}
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "report"}, "spec": {"template": template}}
    given = json.dumps(db.grant(job, database="shop", role="report", readonly=True))
    assert "report-role-password" in given
    assert "shop-db-password" not in given
    with pytest.raises(ValueError, match=r"^c/shop: role='nobody' is no declared role"):
        db.grant(job, database="shop", role="nobody")


def test_predefined_roles_are_postgresqls():
    assert all(name.startswith("pg_") for name in PREDEFINED)
    roles.check(SHOP, (Role("x", login=True, read_only=["shop"], member_of=list(PREDEFINED)),))


def test_two_installations_in_one_namespace_have_no_object_and_no_secret_in_common():
    chart = cdk8s.Chart(cdk8s.Testing.app(), "c", namespace="sos-app", disable_resource_name_hashes=True)
    rows = [postgres_secret(name, databases=SHOP, roles=[READERS, REPORT]) for name in ("shop", "other")]
    secrets = SosSecrets(chart, "secrets", catalogue=SECRETS + rows[0] + rows[1])
    options: dict[str, Any] = {"databases": SHOP, "roles": [READERS, REPORT], "pooler": Pooler(pool_size=2), "allow_from": [Clients()]}
    first, second = (HaPostgres(chart, name, name=name, credentials=secrets[f"{name}-postgres"], **options) for name in ("shop", "other"))
    assert not set(first.objects) & set(second.objects)
    names = [str(sorted(set(re.findall(r'"secretName":\s*"([^"]+)"', json.dumps([made.to_json() for made in db.objects.values()]))))) for db in (first, second)]
    assert names == ["['shop-pooler-tls', 'shop-postgres', 'shop-tls']", "['other-pooler-tls', 'other-postgres', 'other-tls']"]
    assert first.objects["StatefulSet", "shop"].to_json()["spec"]["selector"] != second.objects["StatefulSet", "other"].to_json()["spec"]["selector"]
