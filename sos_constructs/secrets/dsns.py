"""Connection URIs of databases as a Secret of their own, built by the External Secrets Operator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sos_constructs import names
from sos_constructs.checked import checked
from sos_constructs.emit import Objects
from sos_constructs.errors import InvalidOption, located
from sos_constructs.secrets.catalogue import SECRETS
from sos_constructs.secrets.catalogues import SecretCatalogue
from sos_constructs.secrets.external.source import ExternalSecrets
from sos_constructs.secrets.handles import SecretHandle

from constructs import Construct

if TYPE_CHECKING:
    from sos_constructs.postgres.handles import DatabaseHandle, SslMode


class ExternalDsns(Construct):
    """A Secret with one connection URI per database, for programs that read a URI from a file; ``dsn_env()`` needs none and goes with every source.

    The operator builds them of the document that also has user and password, so that the three belong together. It builds them again at each refresh.
    They are a Secret of their own because each of the 12 has the keys of its document, whatever the source.

    :param scope: the chart.
    :param id: id of the construct in it.
    :param source: where the documents are: the source of ``SosSecrets``.
    :param databases: what ``HaPostgres.database()`` gives; ``.pooled`` leads through the pooler.
    :param name: of the Secret. Its keys are ``auth-dsn`` and so on.
    :param readonly: go to the replicas, whose data may be a moment old.
    :param sslmode: default ``verify-full``: the container must have ``ca.mount()``.
    :param catalogue: the catalogue of ``SosSecrets``. Default: the platform's.
    :raises ValueError: for databases whose credentials are not a document of ``source``, or no database.
    """

    @checked
    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        source: ExternalSecrets,
        databases: Sequence[DatabaseHandle],
        name: str = "postgres-dsns",
        readonly: bool = False,
        sslmode: SslMode = "verify-full",
        catalogue: SecretCatalogue = SECRETS,
    ) -> None:
        with located(scope, id):
            manifest = external_dsns(source, databases, name, readonly=readonly, sslmode=sslmode, catalogue=catalogue)
        super().__init__(scope, id)
        self.objects = Objects(self, [manifest])
        """The emitted object by kind and name."""
        self.secret = SecretHandle(name, {_key(database): _key(database).upper().replace("-", "_") for database in databases})
        """Key ``auth-dsn``, variable ``AUTH_DSN``."""


def external_dsns(
    source: ExternalSecrets, databases: Sequence[DatabaseHandle], name: str, *, readonly: bool, sslmode: SslMode, catalogue: SecretCatalogue = SECRETS
) -> dict[str, Any]:
    """The ExternalSecret of :class:`ExternalDsns`."""
    names.dns_subdomain("name", name)
    credentials = sorted({database.credentials.name for database in databases})
    if len(credentials) != 1:
        raise InvalidOption("databases", [database.name for database in databases], "must be at least one, all with the same credentials")
    data = {_key(database): database.dsn_template(readonly=readonly, sslmode=sslmode) for database in databases}
    if len(data) != len(databases):
        raise InvalidOption("databases", [database.name for database in databases], "must be different ones; make a second ExternalDsns with another name")
    return source.derived(name, credentials[0], data, catalogue)


def _key(database: DatabaseHandle) -> str:
    return f"{database.name.replace('_', '-')}-dsn"
