"""What HaPostgres hands to workloads, so that nobody types a host, a user or a Secret key twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sos_constructs.errors import InvalidOption
from sos_constructs.secrets.handles import SecretHandle

import attrs

if TYPE_CHECKING:
    from sos_constructs.postgres.pooler.handles import PooledPostgres


@attrs.frozen(kw_only=True)
class DatabaseHandle:
    """One database: where it is, who owns it, and where the password stands."""

    name: str
    user: str
    credentials: SecretHandle
    username_key: str
    password_key: str
    primary_host: str
    readonly_host: str
    port: int
    pooler: PooledPostgres | None = None
    """Where the pooler is, if there is one."""
    session_attributes: bool = True
    """Whether a driver may ask the server for its role. Through a pooler it must not: PgBouncer answers with what it once heard."""

    @property
    def pooled(self) -> DatabaseHandle:
        """The same database through the pooler: the one word by which a service switches.

        :raises ValueError: when HaPostgres was made without ``pooler=Pooler()``.
        """
        if self.pooler is None:
            raise InvalidOption("pooled", self.name, "has no pooler; make HaPostgres with pooler=Pooler()")
        there = self.pooler
        return attrs.evolve(self, primary_host=there.primary_host, readonly_host=there.readonly_host, port=there.port, pooler=None, session_attributes=False)

    def libpq_env(self, *, readonly: bool = False) -> list[dict[str, Any]]:
        """``PGHOST``, ``PGPORT``, ``PGDATABASE``, ``PGUSER`` and ``PGPASSWORD``: every libpq driver reads them, and nothing needs escaping.

        :param readonly: go to the replicas, whose data may be a moment old.
        """
        return [
            {"name": "PGHOST", "value": self._host(readonly)},
            {"name": "PGPORT", "value": str(self.port)},
            {"name": "PGDATABASE", "value": self.name},
            self.credentials.env(self.username_key, "PGUSER"),
            self.credentials.env(self.password_key, "PGPASSWORD"),
            *([{"name": "PGTARGETSESSIONATTRS", "value": "read-write"}] if self._guarded(readonly) else []),
        ]

    def dsn_env(self, name: str = "DATABASE_URL", *, readonly: bool = False) -> list[dict[str, Any]]:
        """A connection URI in ``name``, after the two variables that Kubernetes expands in it.

        The password must be of unreserved characters (A-Z a-z 0-9 - _ . ~), as ``sosctl secrets generate`` makes it: Kubernetes expands
        without escaping. For other passwords use :meth:`libpq_env`.

        :param readonly: go to the replicas, whose data may be a moment old.
        """
        user, password = self.credentials.env(self.username_key), self.credentials.env(self.password_key)
        guard = "?target_session_attrs=read-write" if self._guarded(readonly) else ""
        uri = f"postgresql://$({user['name']}):$({password['name']})@{self._host(readonly)}:{self.port}/{self.name}{guard}"
        return [user, password, {"name": name, "value": uri}]

    def _host(self, readonly: bool) -> str:
        return self.readonly_host if readonly else self.primary_host

    def _guarded(self, readonly: bool) -> bool:
        return self.session_attributes and not readonly
