"""What HaPostgres hands to workloads, so that nobody types a host, a user or a Secret key twice."""

from __future__ import annotations

from typing import Any

from sos_constructs.secrets.handles import SecretHandle

import attrs


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
            *([] if readonly else [{"name": "PGTARGETSESSIONATTRS", "value": "read-write"}]),
        ]

    def dsn_env(self, name: str = "DATABASE_URL", *, readonly: bool = False) -> list[dict[str, Any]]:
        """A connection URI in ``name``, after the two variables that Kubernetes expands in it.

        The password must be of unreserved characters (A-Z a-z 0-9 - _ . ~), as ``sosctl secrets generate`` makes it: Kubernetes expands
        without escaping. For other passwords use :meth:`libpq_env`.

        :param readonly: go to the replicas, whose data may be a moment old.
        """
        user, password = self.credentials.env(self.username_key), self.credentials.env(self.password_key)
        guard = "" if readonly else "?target_session_attrs=read-write"
        uri = f"postgresql://$({user['name']}):$({password['name']})@{self._host(readonly)}:{self.port}/{self.name}{guard}"
        return [user, password, {"name": name, "value": uri}]

    def _host(self, readonly: bool) -> str:
        return self.readonly_host if readonly else self.primary_host
