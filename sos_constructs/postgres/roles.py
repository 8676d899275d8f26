"""Further roles of an installation, beside the owners of its databases: readers, groups, second users."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sos_constructs.checked import checked_in_use
from sos_constructs.errors import InvalidOption, did_you_mean
from sos_constructs.postgres.agent import role_rules

import attrs

if TYPE_CHECKING:
    from sos_constructs.postgres.spec import Database, Spec

PREDEFINED = ("pg_monitor", "pg_read_all_settings", "pg_read_all_stats", "pg_signal_backend", "pg_stat_scan_tables")
"""PostgreSQL's own roles that a role may be a member of. The others give more than they say: ``pg_read_all_data`` reads the password verifiers of
every role in ``pg_authid``, and those of files and programs make their member the superuser."""


def _several(value: Iterable[str]) -> tuple[str, ...]:
    """A list as a tuple; anything else stays, for ``check`` to refuse it by name."""
    given: Any = value
    return tuple(given) if isinstance(given, list | set | frozenset) else given


@checked_in_use
@attrs.frozen
class Role:
    """A role of PostgreSQL beside the databases' owners. ``Role("report", login=True, read_only=["shop"])`` is a read-only user.

    The agent makes it and keeps it as declared. SUPERUSER, REPLICATION, CREATEROLE and CREATEDB cannot be had: each of them
    reaches beyond the declared databases.

    :param name: lower-case letters, digits and ``_``, at most 50.
    :param login: may log in. The Secret must have ``<name>-role-username`` and ``<name>-role-password``. Default: no, a group.
    :param read_only: databases whose tables it may read: all that the database's owner has, and all that the owner makes later. It
        cannot write there.
    :param connect: databases it may connect to and nothing else. Their owners grant it what it needs, for instance in ``Database.sql``.
    :param member_of: roles whose rights it has: other roles, owners of databases, or ``pg_monitor`` and its like.
    :param inherit: whether it has the rights of ``member_of`` at once. ``False``: only after ``SET ROLE``. Default ``True``.
    :param connection_limit: the most connections of each of its logins. Default: no limit.
    :param valid_until: when its passwords end, with a time zone. Default: never.
    :param bypassrls: row security does not hold for it, as for a backup. Default: no.
    """

    name: str
    login: bool = attrs.field(default=False, kw_only=True)
    read_only: tuple[str, ...] = attrs.field(default=(), converter=_several, kw_only=True)
    connect: tuple[str, ...] = attrs.field(default=(), converter=_several, kw_only=True)
    member_of: tuple[str, ...] = attrs.field(default=(), converter=_several, kw_only=True)
    inherit: bool = attrs.field(default=True, kw_only=True)
    connection_limit: int | None = attrs.field(default=None, kw_only=True)
    valid_until: datetime | None = attrs.field(default=None, kw_only=True)
    bypassrls: bool = attrs.field(default=False, kw_only=True)

    @property
    def username_key(self) -> str:
        """Key of its name in the credentials Secret."""
        return f"{self.name}-role-username"

    @property
    def password_key(self) -> str:
        """Key of its password in the credentials Secret."""
        return f"{self.name}-role-password"

    def check(self, option: str) -> None:
        """Raise :class:`InvalidOption` for what cannot be, whatever else is declared."""
        check_name(f"{option}.name", self.name)
        for field in ("login", "inherit", "bypassrls"):
            if type(value := getattr(self, field)) is not bool:
                raise InvalidOption(f"{option}.{field}", value, "must be True or False")
        for field in ("read_only", "connect", "member_of"):
            names: object = getattr(self, field)
            if not isinstance(names, tuple) or not all(isinstance(name, str) for name in names):
                example = names if isinstance(names, str) else "shop"
                raise InvalidOption(f"{option}.{field}", names, f"must be a list of names, for instance [{example!r}]")
        limit: object = self.connection_limit
        if limit is not None and (type(limit) is not int or not 1 <= limit <= 262143):  # PostgreSQL's most max_connections
            raise InvalidOption(f"{option}.connection_limit", limit, "must be a whole number from 1 to 262143, or None for no limit")
        until: object = self.valid_until
        if until is not None and (not isinstance(until, datetime) or until.tzinfo is None or until.microsecond):
            example = "datetime(2027, 1, 31, tzinfo=timezone.utc)"
            raise InvalidOption(f"{option}.valid_until", until, f"must be a datetime of whole seconds with a time zone, for instance {example}")
        for field, value in (("connection_limit", limit), ("valid_until", until)):
            if value is not None and not self.login:
                raise InvalidOption(f"{option}.{field}", value, "is for roles that log in; add login=True or leave it out")

    def declared(self) -> dict[str, Any]:
        """What the agent must know of it, but where it may connect."""
        until = "" if self.valid_until is None else self.valid_until.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return {
            "bypassrls": self.bypassrls,
            "connection_limit": -1 if self.connection_limit is None else self.connection_limit,
            "inherit": self.inherit,
            "login": self.login,
            "member_of": sorted(set(self.member_of)),
            "name": self.name,
            "read_only": sorted(set(self.read_only)),
            "valid_until": until,
            **({"password_key": self.password_key, "username_key": self.username_key} if self.login else {}),
        }


def check_name(option: str, name: object) -> None:
    """Raise :class:`InvalidOption` for a name that PostgreSQL, the agent or a rotation could not use."""
    if not isinstance(name, str):
        raise InvalidOption(option, name, "must be a text, for instance 'report'")
    if wrong := role_rules.problem(name):
        raise InvalidOption(option, name, wrong)
    if name in role_rules.OWN:
        raise InvalidOption(option, name, f"is a role of the installation itself ({', '.join(role_rules.OWN)}); choose another name")


def check(databases: Iterable[Database], roles: Iterable[Role]) -> None:
    """Raise :class:`InvalidOption` for the first role that cannot be, or not beside the others."""
    databases, roles = tuple(databases), tuple(roles)
    owners = {database.owner: database.name for database in databases}
    for number, role in enumerate(roles):
        given: object = role
        if not isinstance(given, Role):
            raise InvalidOption(f"roles[{number}]", given, "must be made with Role(…), for instance Role('report', login=True, read_only=['shop'])")
        role.check(f"roles[{role.name!r}]")
    names = [role.name for role in roles]
    for role in roles:
        if names.count(role.name) > 1:
            raise InvalidOption("roles", role.name, "is there twice; keep one")
        if role.name in owners:
            fix = f"owns database {owners[role.name]!r} and needs no Role; leave one of the two out, or give it another name"
            raise InvalidOption("roles", role.name, fix)
    by_name = {role.name: role for role in roles}
    for role in roles:
        _check_references(role, [database.name for database in databases], {*by_name, *owners})
    for role in roles:
        _check_circle(role, by_name)
        _check_owner(role, by_name, owners)
        if role.login and not reach(role, databases, roles):
            fix = "may connect to no database; name one in read_only or connect, or a role in member_of that has one"
            raise InvalidOption(f"roles[{role.name!r}].login", True, fix)


def _check_references(role: Role, databases: list[str], known: set[str]) -> None:
    for field in ("read_only", "connect"):
        for name in getattr(role, field):
            if name not in databases:
                fix = f"is no declared database{did_you_mean(name, databases)}; there are {', '.join(databases) or 'none'}"
                raise InvalidOption(f"roles[{role.name!r}].{field}", name, fix)
    for group in role.member_of:
        if group in known or group in PREDEFINED:
            continue
        option = f"roles[{role.name!r}].member_of"
        if group.startswith("pg_"):
            fix = f"gives rights beyond the declared databases; of PostgreSQL's own roles there may be {', '.join(PREDEFINED)}"
            raise InvalidOption(option, group, fix + ("; to read a database: read_only=[…]" if group == "pg_read_all_data" else ""))
        if group in role_rules.OWN:
            raise InvalidOption(option, group, "is a role of the installation itself, which nobody can be a member of")
        raise InvalidOption(option, group, f"is not declared{did_you_mean(group, known)}; add Role({group!r}) to roles, or name an owner")


def _check_circle(role: Role, by_name: Mapping[str, Role]) -> None:
    if role.name in {group for group, _ in _groups(role, by_name)}:
        raise InvalidOption(f"roles[{role.name!r}].member_of", list(role.member_of), "leads back to the role itself; memberships cannot form a circle")


def _check_owner(role: Role, by_name: Mapping[str, Role], owners: Mapping[str, str]) -> None:
    for group, through in _groups(role, by_name):
        if (database := owners.get(group)) in role.read_only:
            fix = f"cannot be read-only: {through} makes the role a member of {group!r}, which owns the database; leave one of the two out"
            raise InvalidOption(f"roles[{role.name!r}].read_only", database, fix)


def _groups(role: Role, by_name: Mapping[str, Role]) -> Iterator[tuple[str, str]]:
    """Every role that it is a member of, at once or through others, and the option that says so."""
    seen: set[str] = set()
    waiting = [role]
    while waiting:
        each = waiting.pop()
        for group in each.member_of:
            if group not in seen:
                seen.add(group)
                yield group, f"roles[{each.name!r}].member_of"
                waiting += [by_name[group]] if group in by_name else []


def reach(role: Role, databases: Iterable[Database], roles: Iterable[Role]) -> list[str]:
    """Names of the databases that it may connect to, in the order of ``databases``."""
    by_name = {each.name: each for each in roles}
    mine = {role.name, *(group for group, _ in _groups(role, by_name))}
    open_to = {name for each in mine & by_name.keys() for name in (*by_name[each].read_only, *by_name[each].connect)}
    return [database.name for database in databases if database.name in open_to or database.owner in mine]


def logins(spec: Spec) -> list[tuple[Role, list[str]]]:
    """The roles that log in, each with the databases it may connect to."""
    return [(role, reach(role, spec.databases, spec.roles)) for role in spec.roles if role.login]


def declared(spec: Spec) -> dict[str, Any]:
    """What the agent keeps of them. Not among ``roles``: what is missing for one of these must not keep a member from starting."""
    if not spec.roles:
        return {}
    where = {role.name: databases for role, databases in logins(spec)}
    return {"more_roles": [role.declared() | {"connect": where.get(role.name, [])} for role in spec.roles]}
