"""On the primary: the role with which PgBouncer looks up passwords, and the function that it may call for that in each database.

The function runs as the superuser (SECURITY DEFINER) and says one thing: the verifier of a role that may connect to this database, has a
password that has not run out, and is neither a superuser nor one that streams. The role itself may call it and nothing else.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from . import scram
from .databases import Action, stored_verifiers
from .files import Declared
from .log import log
from .patroni_api import Status
from .psql import Psql, identifier, literal
from .reconcile import Member, NotYet

HOLD = 100.0
"""Seconds between a new password in the Secret and on the server: the kubelets bring it to the poolers' pods within 90 s, and a pooler tries
a new password until it works, but could not open a connection with an old one."""

_SCHEMA = "sos_pooler"
_BODY = (
    "SELECT r.rolname, r.rolpassword FROM pg_catalog.pg_authid AS r WHERE r.rolname = $1 AND r.rolcanlogin AND NOT r.rolsuper AND NOT r.rolreplication"
    " AND (r.rolvaliduntil IS NULL OR r.rolvaliduntil > pg_catalog.now())"
    " AND pg_catalog.has_database_privilege(r.oid, pg_catalog.current_database(), 'CONNECT')"
)


class PoolerRole:
    """The step; it remembers since when the Secret has had another password than the server."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._since: float | None = None

    def __call__(self, member: Member, status: Status) -> None:
        """Make role and functions as declared."""
        if status.role != "primary" or not status.running:
            self._since = None
            return
        declared = member.declared()
        if declared.pooler is None:
            return
        psql = member.psql(declared)
        for action in actions(declared, psql, self._may_change):
            psql.query(action.sql, action.database)
            log("info", "pooler", action.description)
        if self._since is not None:
            raise NotYet("the pooler's new password waits until every pooler can have it")

    def _may_change(self, differs: bool) -> bool:
        if not differs:
            self._since = None
            return False
        now = self._clock()
        self._since = now if self._since is None else self._since
        if now - self._since < HOLD:
            return False
        self._since = None
        return True


def actions(declared: Declared, psql: Psql, may_change: Callable[[bool], bool]) -> Iterator[Action]:
    """Every difference and the SQL that removes it."""
    assert declared.pooler is not None
    declared.check_username(declared.pooler)
    role, password = declared.pooler["name"], declared.credential(declared.pooler["password_key"])
    verifiers = stored_verifiers(psql)
    if role not in verifiers:
        yield Action(f"create role {role}", f"CREATE ROLE {identifier(role)} LOGIN PASSWORD {literal(scram.verifier(password))}")
    elif may_change(not scram.matches(password, verifiers[role])):
        yield Action(f"set password of role {role}", f"ALTER ROLE {identifier(role)} PASSWORD {literal(scram.verifier(password))}")
    may_connect = {
        row[0] for row in psql.query(f"SELECT datname FROM pg_catalog.pg_database WHERE pg_catalog.has_database_privilege({literal(role)}, oid, 'CONNECT')")
    }
    there = {row[0] for row in psql.query("SELECT datname FROM pg_catalog.pg_database")}
    for database in (each["name"] for each in declared.databases if each["name"] in there):
        # Before the role may come in: else it would call a function of that name which the owner has made.
        if not psql.query(_CURRENT.format(role=literal(role), body=literal(_BODY)), database):
            yield Action(f"create the look-up function in {database}", _CREATE.format(role=identifier(role), body=_BODY), database)
        if database not in may_connect:
            yield Action(f"let {role} connect to database {database}", f"GRANT CONNECT ON DATABASE {identifier(database)} TO {identifier(role)}")


_CURRENT = (
    "SELECT 1 FROM pg_catalog.pg_proc AS p JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace"
    f" WHERE n.nspname = '{_SCHEMA}' AND p.proname = 'lookup' AND pg_catalog.btrim(p.prosrc) = {{body}} AND p.prosecdef"
    " AND p.proowner = n.nspowner AND p.proowner = (SELECT oid FROM pg_catalog.pg_roles WHERE rolname = current_user)"
    f" AND pg_catalog.has_schema_privilege({{role}}, n.oid, 'USAGE') AND pg_catalog.has_function_privilege({{role}}, p.oid, 'EXECUTE')"
    " AND NOT pg_catalog.has_function_privilege('public', p.oid, 'EXECUTE')"
)

# In one transaction: PUBLIC may execute a new function until that is revoked.
_CREATE = f"""BEGIN;
DROP SCHEMA IF EXISTS {_SCHEMA} CASCADE;
CREATE SCHEMA {_SCHEMA};
CREATE FUNCTION {_SCHEMA}.lookup(name, OUT usename name, OUT passwd text) RETURNS SETOF record
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$ {{body}} $body$;
REVOKE ALL ON FUNCTION {_SCHEMA}.lookup(name) FROM PUBLIC;
GRANT USAGE ON SCHEMA {_SCHEMA} TO {{role}};
GRANT EXECUTE ON FUNCTION {_SCHEMA}.lookup(name) TO {{role}};
COMMIT"""
