"""The option ``pooler`` of HaPostgres: its value objects, and whether the pools fit into the server's connections."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Literal

from sos_constructs import names as rules
from sos_constructs.checked import checked_in_use
from sos_constructs.errors import InvalidOption
from sos_constructs.labels import labels
from sos_constructs.parts import copied
from sos_constructs.postgres.containers import Resources
from sos_constructs.postgres.exposure import ServiceOptions
from sos_constructs.postgres.pods import PodOptions
from sos_constructs.postgres.pooler.settings import IGNORED, check_ignored, check_parameters
from sos_constructs.postgres.sizes import SIZES

import attrs

if TYPE_CHECKING:
    from sos_constructs.postgres.spec import Spec

PoolMode = Literal["transaction", "session"]

USER = "pgbouncer"
"""Role that looks passwords up. PgBouncer lets this name into its console without a password, over its socket and by its own uid only."""
USERNAME_KEY, PASSWORD_KEY = "pooler-username", "pooler-password"
MAX_NAME = 63 - len("-pooler-readonly-service")
LOOKUP_CONNECTIONS = 1
"""Connections to each database beside its pool, for looking passwords up."""
SURGE = 1
"""Pods more than ``replicas`` while the Deployment rolls."""


@checked_in_use
@attrs.frozen(kw_only=True)
class PoolerImage:
    """An image with PgBouncer >= 1.18, built with TLS and c-ares or libevent's DNS, and ``sleep``. Its entry point is not used.

    :param image: the reference; pin a tag or digest.
    :param uid: numeric user of the processes. It needs no entry in the image's passwd file.
    :param gid: numeric group.
    :param command: the program.
    """

    image: str
    uid: int
    gid: int
    command: str = "pgbouncer"


PGBOUNCER = PoolerImage(image="ghcr.io/cloudnative-pg/pgbouncer:1.24.1", uid=998, gid=996)
"""CloudNativePG's image; uid and gid as its operator sets them."""


@checked_in_use
@attrs.frozen(kw_only=True)
class Pooler:
    """PgBouncer between services and database: many cheap client connections over few of the server's.

    Each pod runs one PgBouncer for the primary and, with ``readonly``, one for the replicas.

    :param replicas: pods, at least 2: one may be gone at any time. Default 2.
    :param pool_mode: ``transaction`` (default): a server connection is lent for one transaction, so nothing of a session survives it;
        ``session``: for as long as the client is connected.
    :param pool_size: server connections of each database in each PgBouncer. Default 4, which the default ``max_connections`` has room for.
    :param max_clients: client connections of each PgBouncer; one more is refused with ``no more connections allowed (max_client_conn)``.
        Default 1000.
    :param query_wait_timeout: longest wait for a server connection, a failover included; then the client gets the error ``query_wait_timeout``.
        Default: Patroni's ttl and ten seconds more, so that clients sit out the crash of a node.
    :param direct_connections: connections of the server that are left to those who come without the pooler: metrics, migrations, tools.
        Default 30.
    :param readonly: also pool connections to the replicas. Default: yes.
    :param tls_secret: the Secret with the pooler's own certificate for clients: ``tls.crt``, ``tls.key``, ``ca.crt``. Default ``<name>-pooler-tls``, which
        ``sosctl secrets generate`` makes; with ``tls=CertManager(…)`` a Certificate of that name is. Whether there is TLS, HaPostgres' ``tls`` says.
    :param image: default ``PGBOUNCER``.
    :param cpu_request: of each PgBouncer, which uses one CPU at most. Default: that of the option ``size`` of HaPostgres, ``50m``.
    :param cpu_limit: default: that of the size, ``1``.
    :param memory_request: default: that of the size, ``32Mi``: about 3 KiB for each client, 40 KiB with TLS.
    :param memory_limit: default: that of the size, ``128Mi``.
    :param agent_resources: of the agent and of the init container. Default: those of the size.
    :param pods: what is added to the pooler's pods, in Kubernetes' own words.
    :param service: what is added to the Service that leads to the primary: type, load balancer, labels.
    :param readonly_service: what is added to the Service that leads to the replicas.
    :param parameters: more settings of PgBouncer, for instance ``{"server_idle_timeout": 60}``; they win over the pooler's own values. Names and
        values are checked. Pods restart: no, but for listen_backlog, pkt_buf, disable_pqexec and track_extra_parameters.
    :param ignore_startup_parameters: parameters that a client may send when it connects, and that are then forgotten: with any other one it is refused.
        Default ``("extra_float_digits", "options")``. Add ``search_path`` or ``statement_timeout`` where a driver sends them, and set what
        they should be on the role: ``ALTER ROLE … SET search_path = …``. Pods restart: no.
    """

    replicas: int = 2
    pool_mode: PoolMode = "transaction"
    pool_size: int = 4
    max_clients: int = 1000
    query_wait_timeout: timedelta | None = None
    direct_connections: int = 30
    readonly: bool = True
    tls_secret: str | None = None
    image: PoolerImage = PGBOUNCER
    cpu_request: str | None = None
    cpu_limit: str | None = None
    memory_request: str | None = None
    memory_limit: str | None = None
    agent_resources: Resources | None = None
    pods: PodOptions = attrs.field(factory=PodOptions)
    service: ServiceOptions = attrs.field(factory=ServiceOptions)
    readonly_service: ServiceOptions = attrs.field(factory=ServiceOptions)
    parameters: Mapping[str, str | int | float | bool] = attrs.field(factory=dict[str, "str | int | float | bool"], converter=copied)
    ignore_startup_parameters: Sequence[str] = attrs.field(default=IGNORED, converter=copied)

    def wait_seconds(self, spec: Spec) -> int:
        """The longest wait of a query, in seconds."""
        wait = spec.timing.ttl + timedelta(seconds=10) if self.query_wait_timeout is None else self.query_wait_timeout
        return int(wait.total_seconds())

    def server_connections(self, spec: Spec) -> int:
        """The most connections that one server may see: a freshly promoted one has the primary's pools and still those of the replicas.

        Each pod has one connection more, by which it notices that the primary is gone.
        """
        pools = len(spec.databases) * (self.pool_size + LOOKUP_CONNECTIONS) * (2 if self.readonly else 1)
        return (self.replicas + SURGE) * (pools + 1)

    def resources(self, spec: Spec) -> Resources:
        """Of one PgBouncer's container."""
        fields = ("cpu_request", "cpu_limit", "memory_request", "memory_limit")
        return attrs.evolve(SIZES[spec.size].pgbouncer, **{field: value for field in fields if (value := getattr(self, field)) is not None})

    def agent_resources_for(self, spec: Spec) -> Resources:
        """Of the agent and of the init container."""
        return SIZES[spec.size].pooler_agent if self.agent_resources is None else self.agent_resources


def check(spec: Spec) -> None:
    """Raise :class:`InvalidOption` for the first thing about the pooler that cannot work."""
    pooler: object = spec.pooler
    if pooler is None:
        return
    if not isinstance(pooler, Pooler):
        raise InvalidOption("pooler", pooler, "must be made with Pooler(…), or None for none")
    rules.service_name("name", spec.name, at_most=MAX_NAME)
    for field, least, most in (("replicas", 2, 100), ("pool_size", 1, 1000), ("max_clients", 10, 50000), ("direct_connections", 0, 100000)):
        value: object = getattr(pooler, field)
        if type(value) is not int or not least <= value <= most:
            raise InvalidOption(f"pooler.{field}", value, f"must be a whole number from {least} to {most}")
    if pooler.pool_mode not in ("transaction", "session"):
        raise InvalidOption("pooler.pool_mode", pooler.pool_mode, "must be 'transaction' or 'session'")
    if type(pooler.readonly) is not bool:
        raise InvalidOption("pooler.readonly", pooler.readonly, "must be True or False")
    _check_tls(spec, pooler)
    _check_wait(pooler)
    _check_image(pooler)
    pooler.resources(spec).check("pooler")
    _check_added(spec, pooler)
    if not spec.databases:
        raise InvalidOption("pooler", "Pooler(…)", "needs at least one database in databases")
    if USER in (database.owner for database in spec.databases):
        raise InvalidOption("databases", USER, "is the pooler's own role and cannot own a database; choose another owner")
    if missing := sorted({USERNAME_KEY, PASSWORD_KEY} - spec.credentials.keys.keys()):
        raise InvalidOption("credentials", spec.credentials.name, f"lacks the keys {', '.join(missing)}, which pooler=Pooler(…) needs")
    _check_connections(spec, pooler)


def _check_tls(spec: Spec, pooler: Pooler) -> None:
    from sos_constructs.postgres.tls import CertManager, secret_name  # it reads Spec, which reads this module

    if pooler.tls_secret is None:
        return
    rules.dns_subdomain("pooler.tls_secret", pooler.tls_secret)
    if spec.tls is None:
        raise InvalidOption("pooler.tls_secret", pooler.tls_secret, "is of no use with tls=None; leave it out, or give tls=CertificateSecret()")
    if isinstance(spec.tls, CertManager) and pooler.tls_secret == secret_name(spec.tls, spec.name):
        raise InvalidOption("pooler.tls_secret", pooler.tls_secret, "is the database's: cert-manager would write two certificates there; choose another")


def _check_added(spec: Spec, pooler: Pooler) -> None:
    from sos_constructs.postgres.clients import has_addresses  # it reads Spec, which reads this module

    for field, kind in (("pods", PodOptions), ("service", ServiceOptions), ("readonly_service", ServiceOptions)):
        value: object = getattr(pooler, field)
        if not isinstance(value, kind):
            raise InvalidOption(f"pooler.{field}", value, f"must be made with {kind.__name__}(…)")
    agent: object = pooler.agent_resources
    if agent is not None:
        if not isinstance(agent, Resources):
            raise InvalidOption("pooler.agent_resources", agent, "must be made with Resources(…), or None for those of the size")
        agent.check("pooler.agent_resources")
    ours = labels("pgbouncer", spec.name, "pooler")
    pooler.pods.check("pooler.pods", ours)
    for name, service in (("service", pooler.service), ("readonly_service", pooler.readonly_service)):
        service.check(f"pooler.{name}", ours, addresses=has_addresses(spec), tls=spec.tls is not None)
    if pooler.readonly_service != ServiceOptions() and not pooler.readonly:
        raise InvalidOption("pooler.readonly_service", pooler.readonly_service, "is of no use with readonly=False: there is no such Service")
    check_ignored("pooler.ignore_startup_parameters", pooler.ignore_startup_parameters)
    given = check_parameters("pooler.parameters", pooler.parameters, image=pooler.image.image)
    if float(given.get("min_pool_size", "0")) > pooler.pool_size:
        raise InvalidOption("pooler.parameters['min_pool_size']", given["min_pool_size"], f"must be at most pool_size={pooler.pool_size}")


def _check_wait(pooler: Pooler) -> None:
    wait: object = pooler.query_wait_timeout
    if wait is None:
        return
    if not isinstance(wait, timedelta) or wait.total_seconds() != int(wait.total_seconds()) or not 1 <= wait.total_seconds() <= 3600:
        raise InvalidOption("pooler.query_wait_timeout", str(wait), "must be a timedelta of whole seconds, from 1 s to 1 h, or None")


def _check_image(pooler: Pooler) -> None:
    image: object = pooler.image
    if not isinstance(image, PoolerImage):
        raise InvalidOption("pooler.image", image, "must be made with PoolerImage(…)")
    if not re.fullmatch(r"\S+", image.image):
        raise InvalidOption("pooler.image.image", image.image, "must be a reference such as 'registry.example/pgbouncer:1.24.1'")
    if not image.command.strip():
        raise InvalidOption("pooler.image.command", image.command, "must be the program's name or path, such as 'pgbouncer'")
    for field in ("uid", "gid"):
        value: object = getattr(image, field)
        if type(value) is not int or value < 1:
            raise InvalidOption(f"pooler.image.{field}", value, "must be a numeric id above 0: the pod runs under Pod Security 'restricted'")


def _check_connections(spec: Spec, pooler: Pooler) -> None:
    from sos_constructs.postgres.tuning import client_connections  # it reads Spec, which reads this module

    have, need = client_connections(spec), pooler.server_connections(spec)
    if need + pooler.direct_connections > have:
        sides = "on primary and replicas " if pooler.readonly else ""
        raise InvalidOption(
            "pooler.pool_size",
            pooler.pool_size,
            f"does not fit: {pooler.replicas} replicas and {SURGE} while they roll, {len(spec.databases)} databases {sides}make up to {need} connections of one"
            f" server, and direct_connections={pooler.direct_connections} are kept; it has {have} (max_connections less those for superusers)."
            " Lower pool_size, replicas or direct_connections, or raise parameters['max_connections']",
        )
