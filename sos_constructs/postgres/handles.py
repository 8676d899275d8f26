"""What HaPostgres hands to workloads, so that nobody types a host, a user or a Secret key twice."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Literal, get_args

from sos_constructs.checked import checked
from sos_constructs.errors import InvalidOption
from sos_constructs.postgres import names as n
from sos_constructs.secrets.handles import SecretHandle

import attrs

if TYPE_CHECKING:
    from sos_constructs.postgres.pooler.handles import PooledPostgres

CA_KEY, CA_VOLUME = "ca.crt", "postgres-ca"

SslMode = Literal["require", "verify-ca", "verify-full"]


@checked
@attrs.frozen(kw_only=True)
class ServerCa:
    """The CA that signed the database's certificate, or its pooler's: what a client needs to know that it talks to that and to nobody else.

    Only ``ca.crt`` of the Secret is mounted, never the key beside it.
    """

    secret: str
    mount_dir: str = n.CA_DIR
    volume_name: str = CA_VOLUME

    def beside(self) -> ServerCa:
        """The same CA at a path of its own, for a pod that has another HaPostgres' CA at the usual path."""
        word = f"ca-{self.secret}"
        if len(word) > 63 or "." in word:  # no name for a volume
            word = f"ca-{hashlib.sha256(self.secret.encode()).hexdigest()[:10]}"
        return attrs.evolve(self, mount_dir=f"/etc/sos/{word}", volume_name=word)

    @property
    def file(self) -> str:
        """Path of the CA in a container that has :meth:`mount`: ``PGSSLROOTCERT``."""
        return f"{self.mount_dir}/{CA_KEY}"

    @checked
    def volume(self, name: str | None = None) -> dict[str, Any]:
        """The pod's volume. Kubernetes updates its file when the CA changes."""
        return {"name": name or self.volume_name, "secret": {"defaultMode": 0o444, "items": [{"key": CA_KEY, "path": CA_KEY}], "secretName": self.secret}}

    @checked
    def mount(self, name: str | None = None) -> dict[str, Any]:
        """The container's volume mount."""
        return {"mountPath": self.mount_dir, "name": name or self.volume_name, "readOnly": True}


@checked
@attrs.frozen(kw_only=True)
class DatabaseHandle:
    """One database: where it is, who logs in, and where the password stands.

    Its owner logs in, or another role. These are the parts of ``HaPostgres.grant``, for those who put them in by hand.
    """

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
    ca: ServerCa | None = None
    """Where the database serves TLS: mount ``ca.volume()`` with ``ca.mount()`` into each container that gets the variables below."""

    @property
    def pooled(self) -> DatabaseHandle:
        """The same database through the pooler: the one word by which a service switches.

        :raises ValueError: when HaPostgres was made without ``pooler=Pooler()``.
        """
        if self.pooler is None:
            raise InvalidOption("pooled", self.name, "has no pooler; make HaPostgres with pooler=Pooler()")
        there = self.pooler
        return attrs.evolve(
            self, primary_host=there.primary_host, readonly_host=there.readonly_host, port=there.port, pooler=None, session_attributes=False, ca=there.ca
        )

    @checked
    def libpq_env(self, *, readonly: bool = False, sslmode: SslMode = "verify-full") -> list[dict[str, Any]]:
        """``PGHOST``, ``PGPORT``, ``PGDATABASE``, ``PGUSER``, ``PGPASSWORD``, and with TLS ``PGSSLMODE`` and ``PGSSLROOTCERT``.

        Every libpq driver reads them, and nothing needs escaping.

        :param readonly: go to the replicas, whose data may be a moment old.
        :param sslmode: default ``verify-full``: only the database itself is talked to, and the container must have ``ca.mount()``.
            ``require`` encrypts without asking with whom, and needs no file.
        """
        return [
            {"name": "PGHOST", "value": self._host(readonly)},
            {"name": "PGPORT", "value": str(self.port)},
            {"name": "PGDATABASE", "value": self.name},
            self.credentials.env(self.username_key, "PGUSER"),
            self.credentials.env(self.password_key, "PGPASSWORD"),
            *([{"name": "PGTARGETSESSIONATTRS", "value": "read-write"}] if self._guarded(readonly) else []),
            *({"name": f"PG{key.upper()}", "value": value} for key, value in self._tls(sslmode).items()),
        ]

    @checked
    def dsn_env(self, name: str = "DATABASE_URL", *, readonly: bool = False, sslmode: SslMode = "verify-full") -> list[dict[str, Any]]:
        """A connection URI in ``name``, after the two variables that Kubernetes expands in it.

        The password must be of unreserved characters (A-Z a-z 0-9 - _ . ~), as ``sosctl secrets generate`` makes it: Kubernetes expands
        without escaping. For other passwords use :meth:`libpq_env`.

        :param readonly: go to the replicas, whose data may be a moment old.
        :param sslmode: as in :meth:`libpq_env`.
        """
        user, password = self.credentials.env(self.username_key), self.credentials.env(self.password_key)
        return [user, password, {"name": name, "value": self._uri(f"$({user['name']})", f"$({password['name']})", readonly, sslmode)}]

    @checked
    def dsn_template(self, *, readonly: bool = False, sslmode: SslMode = "verify-full") -> str:
        """The same URI as a Go template over the keys of the Secret: what :class:`ExternalDsns` gives the External Secrets Operator.

        It escapes, so that any password will do that HaPostgres takes.

        :param readonly: go to the replicas, whose data may be a moment old.
        :param sslmode: as in :meth:`libpq_env`.
        """
        # urlquery is wrong here for blanks alone, and the agent takes none
        user, password = (f'{{{{ index . "{key}" | urlquery }}}}' for key in (self.username_key, self.password_key))
        return self._uri(user, password, readonly, sslmode)

    def _uri(self, user: str, password: str, readonly: bool, sslmode: SslMode) -> str:
        options = self._tls(sslmode) | ({"target_session_attrs": "read-write"} if self._guarded(readonly) else {})
        query = "&".join(f"{key}={value}" for key, value in options.items())
        return f"postgresql://{user}:{password}@{self._host(readonly)}:{self.port}/{self.name}{'?' if query else ''}{query}"

    def _tls(self, sslmode: SslMode) -> dict[str, str]:
        if sslmode not in get_args(SslMode):
            raise InvalidOption("sslmode", sslmode, f"must be one of {', '.join(get_args(SslMode))}: the database lets nobody in without TLS")
        if self.ca is None:
            return {}
        return {"sslmode": sslmode} | ({} if sslmode == "require" else {"sslrootcert": self.ca.file})

    def _host(self, readonly: bool) -> str:
        return self.readonly_host if readonly else self.primary_host

    def _guarded(self, readonly: bool) -> bool:
        return self.session_attributes and not readonly
