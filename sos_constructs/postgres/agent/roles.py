"""Further roles on the primary: what they are, what they are members of, what they may connect to and read.

A role is what the declaration says. What it may do is more than that: owners grant rights of their own. So the agent notes what it granted, in
``sos_agent.granted`` of the database ``postgres``, and takes back that alone. A role that is no longer declared is never dropped, for it may own
tables: it loses its login, its passwords and all that was noted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from . import logins, read_only, role_rules, scram
from .files import Declared, DeclaredError
from .psql import Psql, SqlError, identifier, literal

_SCHEMA = "sos_agent"
_NOTES = f"{_SCHEMA}.granted"

Change = tuple[str, str, str]
"""What is done, in words that are safe to log; the SQL; the database to run it in."""

Note = tuple[str, str, str]
"""Kind (``role``, ``member``, ``connect``, ``read_only``), role, and what of: a role or a database."""


@dataclass(frozen=True)
class _Is:
    """One role as the catalogue has it."""

    login: bool
    attributes: tuple[str, ...]
    verifier: str


def keep(declared: Declared, psql: Psql, failed: dict[str, str]) -> Iterator[str]:
    """Make the roles and their memberships as declared, and tell each thing when it is done. What fails of one role is added to ``failed``."""
    notes = _noted(psql)
    if not declared.more_roles and not notes:
        return
    there = _there(psql)
    for role in declared.more_roles:
        yield from _each(f"role {role['name']}", _role(declared, role, psql, notes, there), psql, failed)
    groups = {("member", role["name"], group) for role in declared.more_roles for group in role["member_of"]}
    is_member = {(row[0], row[1]) for row in psql.query(_MEMBERS)}
    for note in sorted(groups):
        if note not in notes or note[1:] not in is_member:
            yield from _each(f"role {note[1]}", _join(note), psql, failed)
    known = {role["name"] for role in declared.more_roles}
    for note in sorted(notes):
        if note[0] == "member" and note not in groups:
            yield from _each(f"role {note[1]}", _leave(note, is_member), psql, failed)
        elif note[0] == "role" and note[1] not in known:
            yield from _each(f"role {note[1]}", _retire(declared, note, psql, there), psql, failed)


def open_databases(declared: Declared, psql: Psql, failed: dict[str, str]) -> Iterator[str]:
    """Let the roles connect and read as declared, in databases that are there."""
    notes = _noted(psql)
    if not declared.more_roles and not notes:
        return
    owners = {row[0]: row[1] for row in psql.query("SELECT datname, pg_catalog.pg_get_userbyid(datdba) FROM pg_catalog.pg_database")}
    there = {row[0] for row in psql.query("SELECT rolname FROM pg_catalog.pg_roles")}
    connects = {(row[0], row[1]) for row in psql.query(_CONNECTS)}
    wanted: set[Note] = set()
    for role in declared.more_roles:
        name = role["name"]
        wanted |= {(kind, name, database) for kind in ("connect", "read_only") for database in role[kind]}
        if name in there:
            yield from _each(f"role {name}", _open(role, psql, notes, owners, connects), psql, failed)
    for note in sorted(notes - wanted):
        if note[0] in ("connect", "read_only"):
            yield from _each(f"role {note[1]}", _close(note, owners, there), psql, failed)


def _each(what: str, changes: Iterable[Change], psql: Psql, failed: dict[str, str]) -> Iterator[str]:
    try:
        for description, sql, database in changes:
            psql.query(sql, database)
            if description:
                yield description
    except (DeclaredError, SqlError) as error:
        failed.setdefault(what, str(error))


def _role(declared: Declared, role: dict[str, Any], psql: Psql, notes: set[Note], there: dict[str, _Is]) -> Iterator[Change]:
    name = role["name"]
    if wrong := role_rules.problem(name):
        raise DeclaredError(f"its name {wrong}")
    if name in {other["name"] for other in declared.roles}:
        raise DeclaredError("another role of the installation has its name")
    want = logins.wanted(declared, {**role, "logins": "dated"}) if role["login"] else {}
    now, limits = there.get(name), _limits(role)
    attributes = (_word(role["login"], "LOGIN"), _word(role["inherit"], "INHERIT"), _word(role["bypassrls"], "BYPASSRLS"), *limits)
    text = f"{' '.join(attributes)} NOSUPERUSER NOREPLICATION NOCREATEROLE NOCREATEDB"
    password = f" PASSWORD {literal(scram.verifier(want[name]))}" if name in want else ""
    if now is None:
        yield f"create role {name}", _with_note(("role", name, ""), f"CREATE ROLE {identifier(name)} {text}{password}"), "postgres"
    else:
        if now.attributes != (*attributes, ""):
            yield f"change role {name}", _with_note(("role", name, ""), f"ALTER ROLE {identifier(name)} {text}"), "postgres"
        elif ("role", name, "") not in notes:
            yield "", _with_note(("role", name, ""), ""), "postgres"
        if name in want and not scram.matches(want[name], now.verifier):
            yield f"set password of role {name}", f"ALTER ROLE {identifier(name)}{password}", "postgres"
        elif name not in want and now.verifier:
            yield f"take the password from role {name}", f"ALTER ROLE {identifier(name)} PASSWORD NULL", "postgres"
    for description, sql in logins.changes(psql, name, want, {login: each.verifier for login, each in there.items() if each.login}):
        yield description, sql, "postgres"
    for login in sorted(want.keys() - {name}):
        if login not in there or there[login].attributes[3:5] != limits:
            yield f"limit login {login} as its role", f"ALTER ROLE {identifier(login)} {' '.join(limits)}", "postgres"


def _retire(declared: Declared, note: Note, psql: Psql, there: dict[str, _Is]) -> Iterator[Change]:
    name = note[1]
    if name in there and name not in {role["name"] for role in declared.roles}:
        for description, sql in logins.changes(psql, name, {}, {login: each.verifier for login, each in there.items() if each.login}):
            yield description, sql, "postgres"
        yield f"retire role {name}, which is no longer declared", f"ALTER ROLE {identifier(name)} NOLOGIN PASSWORD NULL", "postgres"
    yield "", _forget(note), "postgres"


def _join(note: Note) -> Iterator[Change]:
    _, role, group = note
    yield f"add role {role} to {group}", _with_note(note, f"GRANT {identifier(group)} TO {identifier(role)}"), "postgres"


def _leave(note: Note, is_member: set[tuple[str, str]]) -> Iterator[Change]:
    _, role, group = note
    if (role, group) not in is_member:
        yield "", _forget(note), "postgres"
    else:
        yield f"take role {role} out of {group}", f"BEGIN; REVOKE {identifier(group)} FROM {identifier(role)}; {_forget(note)}; COMMIT", "postgres"


def _open(role: dict[str, Any], psql: Psql, notes: set[Note], owners: dict[str, str], connects: set[tuple[str, str]]) -> Iterator[Change]:
    name = role["name"]
    for database in role["connect"]:
        note = ("connect", name, database)
        if database in owners and (note not in notes or (name, database) not in connects):
            sql = f"GRANT CONNECT ON DATABASE {identifier(database)} TO {identifier(name)}"
            yield f"let {name} connect to database {database}", _with_note(note, sql), "postgres"
    for database in role["read_only"]:
        note = ("read_only", name, database)
        if database not in owners:
            continue
        if note not in notes:
            yield "", _with_note(note, ""), "postgres"
        missing = psql.query(read_only.missing(owners[database], name), database)
        if missing:
            yield f"let {name} read database {database}: {len(missing)} grants", read_only.grant(owners[database], name), database


def _close(note: Note, owners: dict[str, str], there: set[str]) -> Iterator[Change]:
    kind, role, database = note
    if role in there and database in owners:
        if kind == "connect":
            sql = f"REVOKE CONNECT ON DATABASE {identifier(database)} FROM {identifier(role)}"
            yield f"let {role} no longer connect to database {database}", sql, "postgres"
        else:
            yield f"let {role} no longer read database {database}", read_only.revoke(owners[database], role), database
    yield "", _forget(note), "postgres"


def _word(wanted: bool, word: str) -> str:
    return word if wanted else f"NO{word}"


def _limits(role: dict[str, Any]) -> tuple[str, str]:
    """What holds for each login by itself, so that the dated ones need it too."""
    return f"CONNECTION LIMIT {int(role['connection_limit'])}", f"VALID UNTIL {literal(role['valid_until'] or 'infinity')}"


def _there(psql: Psql) -> dict[str, _Is]:
    return {row[0]: _Is(row[1] == "LOGIN", tuple(row[1:7]), row[7]) for row in psql.query(_ROLES)}


def _noted(psql: Psql) -> set[Note]:
    if not psql.query(f"SELECT 1 FROM pg_catalog.pg_class WHERE oid = pg_catalog.to_regclass('{_NOTES}')"):
        return set()
    return {(row[0], row[1], row[2]) for row in psql.query(f"SELECT kind, role, of FROM {_NOTES}")}


def _with_note(note: Note, sql: str) -> str:
    """Both or neither: what is not noted would never be taken back."""
    values = ", ".join(literal(part) for part in note)
    return (
        f"BEGIN; CREATE SCHEMA IF NOT EXISTS {_SCHEMA};"
        f" CREATE TABLE IF NOT EXISTS {_NOTES} (kind text, role text, of text, PRIMARY KEY (kind, role, of));"
        f" INSERT INTO {_NOTES} (kind, role, of) VALUES ({values}) ON CONFLICT DO NOTHING;"
        f" {sql}{';' if sql else ''} COMMIT"
    )


def _forget(note: Note) -> str:
    kind, role, of = (literal(part) for part in note)
    return f"DELETE FROM {_NOTES} WHERE kind = {kind} AND role = {role} AND of = {of}"


# In the words of CREATE ROLE, so that what is and what is wanted are compared as text.
_ROLES = """
SELECT rolname,
  CASE WHEN rolcanlogin THEN 'LOGIN' ELSE 'NOLOGIN' END,
  CASE WHEN rolinherit THEN 'INHERIT' ELSE 'NOINHERIT' END,
  CASE WHEN rolbypassrls THEN 'BYPASSRLS' ELSE 'NOBYPASSRLS' END,
  'CONNECTION LIMIT ' || rolconnlimit,
  'VALID UNTIL ''' || coalesce(pg_catalog.to_char(rolvaliduntil AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), 'infinity') || '''',
  CASE WHEN rolsuper OR rolreplication OR rolcreaterole OR rolcreatedb THEN 'more' ELSE '' END,
  coalesce(rolpassword, '')
FROM pg_catalog.pg_authid"""
_MEMBERS = "SELECT pg_catalog.pg_get_userbyid(member), pg_catalog.pg_get_userbyid(roleid) FROM pg_catalog.pg_auth_members"
_CONNECTS = (
    "SELECT pg_catalog.pg_get_userbyid(a.grantee), d.datname FROM pg_catalog.pg_database d, pg_catalog.aclexplode(d.datacl) a"
    " WHERE a.grantee <> 0 AND a.privilege_type = 'CONNECT'"
)
