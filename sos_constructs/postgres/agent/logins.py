"""Roles that change their password without turning anybody away: each new password comes with a login of its own, ``auth_202611232130``.

PostgreSQL knows one password per role, so a changed one locks out whoever has not heard of it yet. A dated login is a member of the role it stands for
and acts as that role from its first statement on, so that what it makes belongs to the role. The Secret names up to three: the next, the current and
the previous. A login it names no longer loses its password; open connections stay.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from . import scram
from .files import Declared, DeclaredError
from .psql import Psql, identifier, literal

_KEPT = 2
"""Logins without a password that stay: what is connected with one has not been restarted for at least two rotations when it goes."""

_MAX_NAME = 63
"""PostgreSQL cuts longer names."""


def wanted(declared: Declared, role: dict[str, str]) -> dict[str, str]:
    """Login → password: the Secret's current one, and for a role with dated logins its next and its previous one where they are there."""
    if role.get("logins") != "dated":
        declared.check_username(role)
        return {role["name"]: declared.credential(role["password_key"])}
    found: dict[str, str] = {}
    for state in ("-previous", "-next", ""):
        user, password = role["username_key"] + state, role["password_key"] + state
        if state and not (declared.has(user) and declared.has(password)):
            continue
        name = declared.credential(user)
        if not re.fullmatch(rf"{re.escape(role['name'])}(_\d{{12}})?", name) or len(name) > _MAX_NAME:
            raise DeclaredError(f"Secret key {user}: differs from the declared role {role['name']!r}; change one of the two")
        found[name] = declared.credential(password)
    return found


def changes(psql: Psql, role: str, want: Mapping[str, str], verifiers: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """What is to be done so that of the dated logins of ``role`` exactly the wanted ones have a password, as description and SQL.

    :param want: what :func:`wanted` says.
    :param verifiers: every role that can log in, with its password's verifier.
    """
    there = {name for name in verifiers if re.fullmatch(rf"{re.escape(role)}(_\d{{12}})", name)}
    dated = want.keys() - {role}
    acting = _acting(psql, role) if dated else set()
    for name in sorted(dated):
        if name not in acting:
            create = "" if name in there else f"CREATE ROLE {identifier(name)} LOGIN;"
            join = f"GRANT {identifier(role)} TO {identifier(name)}; ALTER ROLE {identifier(name)} SET role = {literal(role)};"
            yield f"create login {name} of role {role}", f"BEGIN; {create} {join} COMMIT"
        if not scram.matches(want[name], verifiers.get(name, "")):
            yield f"set password of role {name}", f"ALTER ROLE {identifier(name)} PASSWORD {literal(scram.verifier(want[name]))}"
    unwanted = sorted(there - dated)
    for name in unwanted:
        if verifiers[name]:
            yield f"take the password from role {name}", f"ALTER ROLE {identifier(name)} PASSWORD NULL"
    for name in unwanted[:-_KEPT]:
        if not psql.query(f"SELECT 1 FROM pg_catalog.pg_stat_activity WHERE usename = {literal(name)} LIMIT 1"):
            yield f"drop login {name}", f"DROP ROLE {identifier(name)}"


def _acting(psql: Psql, role: str) -> set[str]:
    """Logins that are members of ``role`` and act as it."""
    rows = psql.query(
        "SELECT r.rolname FROM pg_catalog.pg_roles r JOIN pg_catalog.pg_auth_members m ON m.member = r.oid"
        f" WHERE pg_catalog.pg_get_userbyid(m.roleid) = {literal(role)} AND {literal(f'role={role}')} = ANY (r.rolconfig)"
    )
    return {row[0] for row in rows}
