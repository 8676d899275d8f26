"""Roles and databases on the primary: read what is, act on the difference, leave everything undeclared alone.

Nothing is ever dropped: a database that is no longer declared stays until a human drops it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from . import logins, owner_sql, role_rules, roles, scram
from .files import Declared, DeclaredError
from .owner_sql import Running, Sql
from .psql import Psql, SqlError, identifier, literal


@dataclass(frozen=True)
class Action:
    """One difference and the SQL that removes it. The description is safe to log; the SQL may hold a verifier."""

    description: str
    sql: str
    database: str = "postgres"


def reconcile(declared: Declared, psql: Psql, run_sql: Callable[[Sql, Psql], Iterator[str]] = owner_sql.run_now) -> Iterator[str]:
    """Make roles and databases as declared and tell each thing when it is done; nothing when nothing differed.

    :param run_sql: runs the SQL of one database.
    :raises SqlError: at the end, naming each database and each role that failed; the others are done all the same.
    :raises Running: at the end, when nothing failed but SQL still runs.
    """
    failed: dict[str, str] = {}
    there = _Roles.of(psql)
    for role in declared.roles:
        actions = _role(declared, role, psql, there)
        if role["name"] in role_rules.OWN:  # nothing works without these
            for action in actions:
                psql.query(action.sql, action.database)
                yield action.description
        else:
            yield from _isolated(f"role {role['name']}", actions, psql, failed)
    yield from roles.keep(declared, psql, failed)
    made = _owners(psql)
    for database in declared.databases:
        yield from _isolated(f"database {database['name']}", _database(database, made), psql, failed)
    made, granted = _owners(psql), _granted(psql)
    readers = [role["name"] for role in declared.roles if role.get("member_of") == "pg_monitor"]
    for database in declared.databases:
        if database["name"] in made:
            yield from _isolated(f"database {database['name']}", _closed(database["name"], readers, granted), psql, failed)
    yield from roles.open_databases(declared, psql, failed)
    running: list[str] = []
    for database in declared.databases:
        what = f"database {database['name']}"
        yield from _isolated(what, _contents(database, psql), psql, failed)
        if what in failed:
            continue
        try:
            yield from _sql(declared, database, psql, run_sql)
        except (DeclaredError, SqlError) as error:
            failed[what] = str(error)
        except Running as error:
            running.append(f"{what}: {error}")
    if failed:
        raise SqlError("; ".join(f"{what}: {error}" for what, error in failed.items()))
    if running:
        raise Running("; ".join(running))


def _isolated(what: str, actions: Iterator[Action], psql: Psql, failed: dict[str, str]) -> Iterator[str]:
    """Do the actions of one role or database, unless something of it has failed before."""
    if what in failed:
        return
    try:
        for action in actions:
            psql.query(action.sql, action.database)
            yield action.description
    except (DeclaredError, SqlError) as error:
        failed[what] = str(error)


def stored_verifiers(psql: Psql) -> dict[str, str]:
    """Password verifiers by role. Works on a standby too, where it shows what has been replicated so far."""
    return {row[0]: row[1] for row in psql.query("SELECT rolname, coalesce(rolpassword, '') FROM pg_catalog.pg_authid WHERE rolcanlogin")}


@dataclass(frozen=True)
class _Roles:
    """The roles that are there before anything is done."""

    verifiers: dict[str, str]
    locked: set[str]
    members: set[tuple[str, str]]

    @classmethod
    def of(cls, psql: Psql) -> _Roles:
        locked = {row[0] for row in psql.query("SELECT rolname FROM pg_catalog.pg_roles WHERE NOT rolcanlogin")}
        members = psql.query("SELECT pg_catalog.pg_get_userbyid(member), pg_catalog.pg_get_userbyid(roleid) FROM pg_catalog.pg_auth_members")
        return cls(stored_verifiers(psql), locked, {(row[0], row[1]) for row in members})


def _role(declared: Declared, role: dict[str, str], psql: Psql, there: _Roles) -> Iterator[Action]:
    name, want = role["name"], logins.wanted(declared, role)
    password = f" PASSWORD {literal(scram.verifier(want[name]))}" if name in want else ""
    if name in there.locked:
        yield Action(f"let role {name} log in again", f"ALTER ROLE {identifier(name)} LOGIN{password}")
    elif name not in there.verifiers:
        yield Action(f"create role {name}", f"CREATE ROLE {identifier(name)} LOGIN{password}")
    elif name in want and not scram.matches(want[name], there.verifiers[name]):
        yield Action(f"set password of role {name}", f"ALTER ROLE {identifier(name)}{password}")
    elif name not in want and there.verifiers[name]:
        yield Action(f"take the password from role {name}", f"ALTER ROLE {identifier(name)} PASSWORD NULL")
    for description, sql in logins.changes(psql, name, want, there.verifiers):
        yield Action(description, sql)
    group = role.get("member_of")
    if group and (name, group) not in there.members:
        yield Action(f"add role {name} to {group}", f"GRANT {identifier(group)} TO {identifier(name)}")


def _owners(psql: Psql) -> dict[str, str]:
    return {row[0]: row[1] for row in psql.query("SELECT datname, pg_catalog.pg_get_userbyid(datdba) FROM pg_catalog.pg_database")}


def _granted(psql: Psql) -> set[tuple[str, str]]:
    """Who has a right on which database; an empty name is PUBLIC."""
    grants = "SELECT d.datname, CASE a.grantee WHEN 0 THEN '' ELSE pg_catalog.pg_get_userbyid(a.grantee) END FROM pg_catalog.pg_database d,"
    grants += " pg_catalog.aclexplode(coalesce(d.datacl, pg_catalog.acldefault('d', d.datdba))) a"
    return {(row[0], row[1]) for row in psql.query(grants)}


def _database(database: dict[str, Any], there: dict[str, str]) -> Iterator[Action]:
    name, owner = database["name"], database["owner"]
    if name not in there:
        yield Action(f"create database {name}", f"CREATE DATABASE {identifier(name)} OWNER {identifier(owner)}{_locale(database)}")
    elif there[name] != owner:
        yield Action(f"give database {name} to {owner}", f"ALTER DATABASE {identifier(name)} OWNER TO {identifier(owner)}")


def _closed(name: str, readers: list[str], granted: set[tuple[str, str]]) -> Iterator[Action]:
    """CONNECT and TEMPORARY are PUBLIC's by default (PostgreSQL manual, table 5.2); the owner keeps its own rights.

    Readers are the roles that collect statistics in every database: they may connect, and read no table.
    """
    if (name, "") in granted:
        yield Action(f"close database {name} to all but its owner", f"REVOKE ALL ON DATABASE {identifier(name)} FROM PUBLIC")
    for reader in readers:
        if (name, reader) not in granted:
            yield Action(f"let {reader} connect to database {name}", f"GRANT CONNECT ON DATABASE {identifier(name)} TO {identifier(reader)}")


def _locale(database: dict[str, Any]) -> str:
    """Of a new database. Another one than the cluster's needs template0, which holds no text that is sorted already."""
    locale = database.get("locale")
    if not locale:
        return ""
    icu = f" ICU_LOCALE {literal(locale['icu_locale'])}" if locale["provider"] == "icu" else ""
    return f" TEMPLATE template0 ENCODING {literal(locale['encoding'])} LOCALE_PROVIDER {locale['provider']} LOCALE {literal(locale['name'])}{icu}"


def _contents(database: dict[str, Any], psql: Psql) -> Iterator[Action]:
    name, wanted = database["name"], database["extensions"]
    there = {row[0] for row in psql.query("SELECT extname FROM pg_catalog.pg_extension", name)} if wanted else set()
    for extension in wanted:
        if extension not in there:
            # Where the extension does not say itself which schema it belongs into, it goes into public, as for everybody. Only its script runs with this.
            sql = f"BEGIN; SET LOCAL search_path = public; CREATE EXTENSION IF NOT EXISTS {identifier(extension)}; COMMIT"
            yield Action(f"create extension {extension} in {name}", sql, name)


def _sql(declared: Declared, database: dict[str, Any], psql: Psql, run_sql: Callable[[Sql, Psql], Iterator[str]]) -> Iterator[str]:
    sql = owner_sql.wanted(declared, database)
    if sql and owner_sql.applied(psql).get(sql.database) != sql.digest:
        yield from run_sql(sql, psql)
