"""What a container gets, and what keeps it from getting it."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from sos_constructs.errors import InvalidOption, did_you_mean
from sos_constructs.postgres.handles import DatabaseHandle, ServerCa

from attrs import evolve, field, frozen

_DEFAULTS = {"PGSSLMODE": "sslmode=", "PGSSLROOTCERT": "sslrootcert=", "PGTARGETSESSIONATTRS": "target_session_attrs="}
"""Variables that libpq uses where a connection URI does not have the option."""


@frozen(kw_only=True)
class Access:
    """Of one container: its variables, and the CA it verifies the database by.

    :param variables: entries of ``env``, in their order: a connection URI refers to those before it.
    :param ca: ``None`` where the other end serves no TLS.
    """

    variables: Sequence[dict[str, Any]]
    ca: ServerCa | None
    beside: Callable[[], Access] = field(eq=False)
    """The same with the CA at a path of its own."""

    @classmethod
    def of(cls, handle: DatabaseHandle, *, readonly: bool, dsn: str | None) -> Access:
        """What the handle says, as libpq's variables or as the connection URI ``dsn``."""

        def beside() -> Access:
            return cls.of(evolve(handle, ca=handle.ca and handle.ca.beside()), readonly=readonly, dsn=dsn)

        if dsn is None:
            return cls(variables=handle.libpq_env(readonly=readonly), ca=handle.ca, beside=beside)
        name: object = dsn
        if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
            raise InvalidOption("dsn", name, "must be the name of an environment variable, such as 'DATABASE_URL'")
        variables = handle.dsn_env(dsn, readonly=readonly)
        if dsn in (variable["name"] for variable in variables[:-1]):
            raise InvalidOption("dsn", dsn, "is the variable that the URI takes a part from; choose another name")
        return cls(variables=variables, ca=handle.ca, beside=beside)

    def late(self, names: Sequence[str]) -> list[str]:
        """Variables that the connection URI refers to and that do not stand before it, where it is among these names: Kubernetes would not expand them."""
        uri = self.variables[-1]
        if uri["name"] not in names or "$(" not in uri.get("value", ""):
            return []
        before = names[: names.index(uri["name"])]
        return [part["name"] for part in self.variables[:-1] if part["name"] not in before]


def chosen(workload: str, wanted: Collection[str] | None, names: Sequence[str], init: Sequence[str]) -> set[str]:
    """Names of the containers that get access: those that are wanted, or all but the init containers.

    :raises InvalidOption: when one is not there, or there is none at all.
    """
    if isinstance(wanted, str):
        raise InvalidOption("containers", wanted, f"must be a list, for instance [{wanted!r}]")
    there = [*names, *init]
    for name in wanted or ():
        if name not in there:
            raise InvalidOption("containers", name, f"is no container of {workload}{did_you_mean(str(name), there)}; there are {', '.join(there)}")
    if wanted is not None and not wanted:
        raise InvalidOption("containers", wanted, f"must name at least one; there are {', '.join(there)}")
    if not there:
        raise InvalidOption("workload", workload, "has no container yet; grant it when it has them all")
    return set(names if wanted is None else wanted)


def taken(workload: str, container: str, variable: str) -> InvalidOption:
    """A variable has another value already."""
    fix = f"has {variable} with another value in container {container!r}; take it out there, or ask for a URI under a name of its own: dsn='OTHER_DATABASE_URL'"
    return InvalidOption("workload", workload, fix)


def check_uris(workload: str, container: str, variables: Mapping[str, str | None]) -> None:
    """Raise :class:`InvalidOption` where a variable of one database would change the connection to another.

    :param variables: all of a container, by name; ``None`` where the value is not known.
    """
    for name, value in variables.items():
        for default, option in _DEFAULTS.items():
            if value and value.startswith(("postgresql://", "postgres://")) and default in variables and option not in value:
                fix = f"has {default} in container {container!r}, which libpq would also apply to {name}; give each database of that container a URI: dsn=…"
                raise InvalidOption("workload", workload, fix)


def occupied(workload: str, what: str, ca: ServerCa) -> InvalidOption:
    """The CA's place in the pod holds something else."""
    fix = f"has something else at {what}, where the CA of Secret {ca.secret!r} goes; move it"
    return InvalidOption("workload", workload, fix)
