"""Where services find the database through the pooler."""

from __future__ import annotations

from sos_constructs.errors import InvalidOption
from sos_constructs.postgres import names as n
from sos_constructs.postgres.handles import ServerCa
from sos_constructs.postgres.pooler import certificate
from sos_constructs.postgres.pooler import names as p
from sos_constructs.postgres.spec import Spec
from sos_constructs.postgres.tls import client_sslmode

import attrs


@attrs.frozen(kw_only=True)
class PooledPostgres:
    """An endpoint for ``SosConfig(postgres=…)``, as HaPostgres itself is one.

    :param primary_host: where writes go.
    :param readonly_host: where reads may go that can be a moment old; the database's own Service where the pooler has no such side.
    :param port: of both.
    :param client_connections: connections that services may have open in all while one pod is away.
    :param ca: with TLS: the CA that clients verify the pooler by.
    :param sslmode: what clients shall demand, in libpq's words.
    """

    primary_host: str
    readonly_host: str
    port: int
    client_connections: int
    ca: ServerCa | None
    sslmode: str

    @classmethod
    def of(cls, spec: Spec, path: str) -> PooledPostgres:
        """The endpoint of one HaPostgres.

        :raises ValueError: when it has no pooler.
        """
        if spec.pooler is None:
            raise ValueError(f"{path}: {InvalidOption('pooler', None, 'has no pooled endpoint; make HaPostgres with pooler=Pooler()')}")
        services = p.PoolerNames(spec.name).services
        return cls(
            primary_host=services["primary"],
            readonly_host=services["readonly"] if spec.pooler.readonly else spec.names.readonly_service,
            port=n.PORT,
            client_connections=(spec.pooler.replicas - 1) * spec.pooler.max_clients,
            ca=certificate.ca(spec, spec.pooler),
            sslmode=client_sslmode(spec.tls),
        )
