"""The catalogue row of a further PostgreSQL, made of its databases and roles, so that nobody types a key twice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sos_constructs import names
from sos_constructs.checked import checked
from sos_constructs.parts import sequence
from sos_constructs.secrets.catalogue_logins import cluster_logins, login
from sos_constructs.secrets.model import LOGIN, Key, SecretSpec
from sos_constructs.secrets.rings import with_rings

import attrs

if TYPE_CHECKING:
    from sos_constructs.postgres.roles import Role
    from sos_constructs.postgres.spec import Database


def credentials_name(name: str) -> str:
    """Name of the Secret with the passwords of the ``HaPostgres`` of this name."""
    return "postgres-credentials" if name == "postgres" else f"{name}-postgres"


@checked
def postgres_secret(name: str, *, databases: Sequence[Database], roles: Sequence[Role] = ()) -> SecretSpec:
    """The Secret of one ``HaPostgres``: its superuser, its own roles, the owners of its databases, and its further roles that log in.

    ``SECRETS + postgres_secret("shop", databases=SHOP)`` is a catalogue with it. The Secret is called ``shop-postgres``; that of the ``HaPostgres`` named
    ``postgres`` is ``postgres-credentials``, in whose place it comes: ``SECRETS.without("postgres-credentials") + postgres_secret("postgres", …)``.

    :param name: ``name`` of the HaPostgres.
    :param databases: the same as the HaPostgres gets.
    :param roles: the same as the HaPostgres gets.
    :raises ValueError: for a name, a database or a role that the HaPostgres would refuse.
    """
    check_declared(name, databases, roles)
    secret = credentials_name(name)
    rows = (
        *cluster_logins(),
        *(row for database in databases for row in _owner(database)),
        *(row for role in roles if role.login for row in _role(role)),
    )
    prefix = "" if name == "postgres" else f"{name.replace('-', '_').upper()}_"
    return SecretSpec(
        name=secret,
        attribute="postgres" if name == "postgres" else secret.replace("-", "_"),
        meaning=f"PostgreSQL {name!r}: superuser, the installation's own roles, the owners of its databases, and further roles.",
        keys=with_rings(*(attrs.evolve(row, env=f"{prefix}{row.env}") for row in rows)),
        postgres=name,
    )


def check_declared(name: str, databases: Sequence[Database], roles: Sequence[Role]) -> None:
    """Raise :class:`InvalidOption` for a name, databases and roles that no HaPostgres takes."""
    from sos_constructs.postgres import roles as rules
    from sos_constructs.postgres.names import MAX_NAME
    from sos_constructs.postgres.spec import check_databases  # it reads this module

    names.service_name("name", name, at_most=MAX_NAME)
    check_databases(sequence("databases", databases))
    rules.check(databases, sequence("roles", roles))


def _owner(database: Database) -> tuple[Key, ...]:
    prefix = database.username_key.removesuffix("username")
    return login(prefix, database.owner, f"the owner of database {database.name}", f"Nobody reaches database {database.name}.", rotation=LOGIN)


def _role(role: Role) -> tuple[Key, ...]:
    return login(role.username_key.removesuffix("username"), role.name, f"the role {role.name}", f"{role.name} cannot log in.", rotation=LOGIN)
