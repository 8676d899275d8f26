"""The validated options of HaPostgres, frozen: everything the builders read."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Literal

from sos_constructs import names as rules
from sos_constructs.checked import checked_in_use
from sos_constructs.errors import InvalidOption
from sos_constructs.foundation.network import ClusterDns
from sos_constructs.parts import items, port
from sos_constructs.postgres import clients, failover, hba, roles, sql_text
from sos_constructs.postgres.agent import role_rules
from sos_constructs.postgres.containers import POSTGRES_EXPORTER, ExporterImage, ImageProfile, Resources, check_image
from sos_constructs.postgres.exposure import ServiceOptions
from sos_constructs.postgres.extensions import misspelt
from sos_constructs.postgres.failover import FastFailover
from sos_constructs.postgres.locale import Locale
from sos_constructs.postgres.monitoring import PrometheusOperator
from sos_constructs.postgres.names import MAX_MEMBERS, MAX_NAME, RESERVED_ROLES, TAKEN_SUFFIXES, Names
from sos_constructs.postgres.pods import PodOptions
from sos_constructs.postgres.pooler import options as pooling
from sos_constructs.postgres.roles import Role
from sos_constructs.postgres.settings import check_parameters
from sos_constructs.postgres.sizes import SIZES, SizeName
from sos_constructs.postgres.tls import CertificateSecret, CertManager, Tls
from sos_constructs.quantities import MiB, parse_bytes
from sos_constructs.secrets.handles import SecretHandle
from sos_constructs.secrets.postgres import credentials_name

import attrs

LEAST_ROOM = 5
"""Seconds of the lock's life after Patroni's last round: a hand-over needs three (agent/handover.py)."""

SynchronousMode = Literal["quorum", "on", "off"]

API_SERVER_PORTS = (443, 6443, 6444, 8443, 16443)
"""On which API servers listen: EKS, AKS and GKE; kubeadm, kind, k3s, RKE2 and OpenShift; k3s beside its load balancer; minikube; MicroK8s. A policy sees the
port of the endpoint behind the Service ``kubernetes``, never the Service's own."""


@checked_in_use
@attrs.frozen(kw_only=True)
class PatroniTiming:
    """How fast a dead primary is replaced, and how long an API server may be slow before somebody acts.

    A crashed primary is replaced ``ttl`` after its last renewal, plus at most ``loop_wait`` and the election. Patroni's own rule
    (``loop_wait + 2 * retry_timeout <= ttl``, ttl >= 20 s) is checked here because Patroni would silently adjust the values.

    :param ttl: life of the leader lock. Default 20 s, Patroni's floor; its own default of 30 s makes a crash cost 25 to 29 s.
    :param loop_wait: pause between two rounds of Patroni's loop. Default 3 s: a killed server process is noticed within it.
    :param retry_timeout: how long calls to the API server and PostgreSQL are retried. Default 5 s.
    """

    ttl: timedelta = timedelta(seconds=20)
    loop_wait: timedelta = timedelta(seconds=3)
    retry_timeout: timedelta = timedelta(seconds=5)

    def check(self) -> None:
        """Raise :class:`InvalidOption` for what Patroni would refuse or change."""
        for field, least in (("ttl", 20), ("loop_wait", 2), ("retry_timeout", 3)):
            value: object = getattr(self, field)
            if not isinstance(value, timedelta):
                raise InvalidOption(f"timing.{field}", value, "must be a timedelta, for instance timedelta(seconds=20)")
            seconds = value.total_seconds()
            if seconds != int(seconds) or seconds < least:
                raise InvalidOption(f"timing.{field}", str(value), f"must be a whole number of seconds, at least {least}")
        if self.loop_wait + 2 * self.retry_timeout > self.ttl:
            raise InvalidOption("timing.ttl", str(self.ttl), "must be at least loop_wait + 2 * retry_timeout, or Patroni changes the values by itself")
        if self.ttl - self.loop_wait - self.retry_timeout < timedelta(seconds=LEAST_ROOM):
            raise InvalidOption(
                "timing.ttl",
                str(self.ttl),
                f"must be at least loop_wait + retry_timeout + {LEAST_ROOM} s: in what is left a primary that stops hands its lock over",
            )

    def seconds(self) -> dict[str, int]:
        """The three values as Patroni spells them."""
        return {f: int(getattr(self, f).total_seconds()) for f in ("loop_wait", "retry_timeout", "ttl")}

    def periods(self, span: float) -> int:
        """How many probe periods of ``loop_wait`` fit into ``span`` times the ttl."""
        return math.ceil(span * self.ttl.total_seconds() / self.loop_wait.total_seconds())


@checked_in_use
@attrs.frozen
class Database:
    """One database, its owner, and what the agent keeps in it.

    :param name: lower-case letters, digits and ``_``. The Secret must have ``<name>-db-username`` and ``<name>-db-password``.
    :param owner: login role that owns it, and that alone may connect beside the roles that are let in. At most 50 characters. Default: the database's
        name.
    :param extensions: created if missing, by the superuser. Never dropped.
    :param locale: how it sorts and stores text, for instance ``Locale(provider="icu", icu_locale="de-AT")``. It counts when the database is made, and is
        never changed afterwards. Default: the cluster's.
    :param sql: SQL that the owner's own login runs, whenever its text changes. It is sent to the server as one message, so it is one transaction unless it has
        a ``COMMIT`` of its own. Write it so that it can be run again. SQL that fails is tried again after 10 s, 20 s, 40 s and so on, at most 640 s. A
        statement that waits for a lock for 5 s fails; set ``lock_timeout`` in the SQL to change that. psql commands and ``COPY ... FROM STDIN`` are refused.
    :param sql_timeout: how long the SQL may take, in whole seconds, at most one day. Default: 10 minutes.
    """

    name: str
    owner: str = attrs.field(default=attrs.Factory(lambda self: self.name, takes_self=True), kw_only=True)
    extensions: tuple[str, ...] = attrs.field(default=(), kw_only=True)
    sql: str = attrs.field(default="", kw_only=True)
    locale: Locale | None = attrs.field(default=None, kw_only=True)
    sql_timeout: timedelta = attrs.field(default=timedelta(minutes=10), kw_only=True)

    @property
    def username_key(self) -> str:
        """Key of the owner's name in the credentials Secret."""
        return f"{self.name}-db-username"

    @property
    def password_key(self) -> str:
        """Key of the owner's password in the credentials Secret."""
        return f"{self.name}-db-password"

    def check(self, option: str) -> None:
        """Raise :class:`InvalidOption` for names that PostgreSQL or this library keeps for itself."""
        for field in ("name", "owner"):
            value: object = getattr(self, field)
            if not isinstance(value, str) or not re.fullmatch(r"[a-z_][a-z0-9_]{0,62}", value) or value.startswith("pg_"):
                raise InvalidOption(f"{option}.{field}", value, "must be lower-case letters, digits and '_', at most 63, not starting with a digit or 'pg_'")
        if self.name in ("postgres", "template0", "template1"):
            raise InvalidOption(f"{option}.name", self.name, "is one of PostgreSQL's own databases; choose another name")
        if wrong := role_rules.problem(self.owner):
            raise InvalidOption(f"{option}.owner", self.owner, wrong)
        if self.owner in RESERVED_ROLES:
            raise InvalidOption(f"{option}.owner", self.owner, f"is a role of the cluster itself ({', '.join(sorted(RESERVED_ROLES))}); choose another name")
        locale: object = self.locale
        if locale is not None:
            if not isinstance(locale, Locale):
                raise InvalidOption(f"{option}.locale", locale, "must be made with Locale(…), or None for the cluster's")
            locale.check(f"{option}.locale")
        extensions: object = self.extensions
        if isinstance(extensions, str):
            raise InvalidOption(f"{option}.extensions", extensions, f"must be a tuple, for instance ({extensions!r},)")
        sql: object = self.sql
        if not isinstance(sql, str):
            raise InvalidOption(f"{option}.sql", sql, "must be text; read a file with Path('schema.sql').read_text('utf-8-sig')")
        if wrong := sql_text.problem(sql):
            raise InvalidOption(f"{option}.sql", sql, wrong)
        limit: object = self.sql_timeout
        if not isinstance(limit, timedelta) or limit % timedelta(seconds=1) or not timedelta(seconds=1) <= limit <= timedelta(days=1):
            raise InvalidOption(
                f"{option}.sql_timeout", limit, "must be a timedelta of whole seconds, from 1 second to 1 day, for instance timedelta(minutes=10)"
            )
        for extension in self.extensions:
            if not re.fullmatch(r"[a-z][a-z0-9_-]{0,62}", extension):
                raise InvalidOption(f"{option}.extensions", extension, "must be the name of an extension, such as 'pgcrypto'")
            if near := misspelt(extension):
                raise InvalidOption(f"{option}.extensions", extension, f"is no extension of PostgreSQL (did you mean {near!r}?)")


DATABASES = tuple(Database(name=name) for name in ("auth", "users", "emergency", "medical", "devices"))
"""The five databases of the requirement."""


def check_databases(databases: Sequence[Database]) -> None:
    """Raise :class:`InvalidOption` for a database that cannot be, or not beside the others."""
    for database in databases:
        given: object = database
        if not isinstance(given, Database):
            raise InvalidOption("databases", given, f"must be a Database, for instance Database(name={given!r})")
        database.check(f"databases[{database.name!r}]")
    for field in ("name", "owner"):
        values = [getattr(database, field) for database in databases]
        for value in values:
            if values.count(value) > 1:
                raise InvalidOption("databases", value, f"is the {field} of two databases; each has its own, with its own password")


_VALUE_OBJECTS: dict[str, tuple[type, ...]] = {
    "credentials": (SecretHandle,),
    "agent_resources": (Resources,),
    "dns": (ClusterDns, type(None)),
    "exporter_image": (ExporterImage,),
    "exporter_resources": (Resources,),
    "image": (ImageProfile,),
    "locale": (Locale,),
    "monitoring": (PrometheusOperator, type(None)),
    "pods": (PodOptions,),
    "readonly_service": (ServiceOptions,),
    "resources": (Resources,),
    "service": (ServiceOptions,),
    "timing": (PatroniTiming,),
    "tls": (CertificateSecret, CertManager, type(None)),
}
"""Options that are easily given as the text or the True they stand for."""


@attrs.frozen(kw_only=True)
class Spec:
    """All options of one HaPostgres; see the construct for their meaning."""

    name: str
    namespace: str
    credentials: SecretHandle
    instances: int
    databases: tuple[Database, ...]
    roles: tuple[Role, ...] = ()
    storage: str
    storage_template: str | None
    storage_class: str | None
    image: ImageProfile
    resources: Resources
    exporter_resources: Resources
    shared_memory: str
    parameters: Mapping[str, str | int | float | bool]
    timing: PatroniTiming
    synchronous_mode: SynchronousMode
    synchronous_mode_strict: bool
    priority_class_name: str | None
    monitoring: PrometheusOperator | None
    failover: FastFailover | None = None
    pooler: pooling.Pooler | None = None
    tls: Tls | None = attrs.field(factory=CertificateSecret)
    allow_from: tuple[clients.Clients, ...] = clients.EVERY_POD
    size: SizeName = "standard"
    agent_resources: Resources = SIZES["standard"].agent
    exporter_image: ExporterImage = POSTGRES_EXPORTER
    pods: PodOptions = attrs.field(factory=PodOptions)
    service: ServiceOptions = attrs.field(factory=ServiceOptions)
    readonly_service: ServiceOptions = attrs.field(factory=ServiceOptions)
    api_server_ports: tuple[int, ...] = API_SERVER_PORTS
    dns: ClusterDns | None = None
    locale: Locale = attrs.field(factory=Locale)
    pg_hba: tuple[str, ...] = ()

    @property
    def names(self) -> Names:
        return Names(self.name)

    @property
    def memory_limit(self) -> int:
        """Bytes that the kernel lets the PostgreSQL container use, shared memory included."""
        return parse_bytes("resources.memory_limit", self.resources.memory_limit)

    def check(self) -> Spec:
        """Return the spec itself, or raise :class:`InvalidOption` for the first option that cannot work."""
        for option, kind in _VALUE_OBJECTS.items():
            if not isinstance(value := getattr(self, option), kind):
                raise InvalidOption(option, value, f"must be made with {kind[0].__name__}(…)")
        rules.service_name("name", self.name, at_most=MAX_NAME)
        if self.name.endswith(TAKEN_SUFFIXES):
            raise InvalidOption("name", self.name, f"must not end in {', '.join(TAKEN_SUFFIXES)}: objects of two installations could meet in one name")
        rules.dns_label("namespace", self.namespace)
        if type(self.instances) is not int or not 1 <= self.instances <= MAX_MEMBERS:
            raise InvalidOption("instances", self.instances, f"must be from 1 to {MAX_MEMBERS}; 3 is the least that survives a failure without loss")
        if self.synchronous_mode_strict and (self.synchronous_mode == "off" or self.instances < 2):
            raise InvalidOption(
                "synchronous_mode_strict", True, "needs synchronous_mode 'quorum' or 'on' and at least 2 instances, or no write would ever be acknowledged"
            )
        if self.synchronous_mode not in ("quorum", "on", "off"):
            raise InvalidOption("synchronous_mode", self.synchronous_mode, "must be 'quorum', 'on' or 'off'")
        self.timing.check()
        failover.check(self)
        if self.monitoring is not None:
            self.monitoring.check()
        if self.tls is not None:
            self.tls.check()
        self.resources.check("resources")
        self.exporter_resources.check("exporter_resources")
        self.agent_resources.check("agent_resources")
        self._check_volumes()
        self._check_databases()
        check_parameters("parameters", self.parameters)
        self._check_acknowledgement()
        self._check_image()
        clients.check(self)
        self._check_added()
        pooling.check(self)
        for option, name in (("storage_class", self.storage_class), ("priority_class_name", self.priority_class_name)):
            if name is not None:
                rules.dns_subdomain(option, name)
        return self

    def _check_volumes(self) -> None:
        if parse_bytes("storage", self.storage) < 1024 * MiB:
            raise InvalidOption("storage", self.storage, "must be at least 1Gi: the write-ahead log alone needs room")
        if self.memory_limit < 512 * MiB:
            raise InvalidOption("resources.memory_limit", self.resources.memory_limit, "must be at least 512Mi")
        if parse_bytes("shared_memory", self.shared_memory) < MiB:
            raise InvalidOption("shared_memory", self.shared_memory, "must be at least 1Mi, such as '256Mi': parallel queries exchange their rows there")
        if parse_bytes("shared_memory", self.shared_memory) * 2 > self.memory_limit:
            raise InvalidOption(
                "shared_memory", self.shared_memory, f"must be at most half of resources.memory_limit={self.resources.memory_limit!r}, which counts it"
            )

    def _check_acknowledgement(self) -> None:
        given = self.parameters.get("synchronous_commit")
        if self.synchronous_mode != "off" and (given is False or str(given).lower() in ("off", "local", "false", "no", "0")):
            fix = "acknowledges writes that a failover loses; leave it out, or say so with synchronous_mode='off'. One transaction can SET it for itself"
            raise InvalidOption("parameters['synchronous_commit']", given, fix)

    def _check_added(self) -> None:
        self.locale.check("locale")
        hba.check_lines("pg_hba", self.pg_hba, tls=self.tls is not None)
        items(port, least=1)("api_server_ports", self.api_server_ports)
        self.pods.check("pods", self.names.pod_labels)
        for option, service in (("service", self.service), ("readonly_service", self.readonly_service)):
            service.check(option, self.names.labels, addresses=clients.has_addresses(self), tls=self.tls is not None)

    def _check_image(self) -> None:
        check_image("image", self.image)
        check_image("exporter_image", self.exporter_image)
        if self.image.uid == self.exporter_image.uid:
            option = "image.uid" if self.exporter_image == POSTGRES_EXPORTER else "exporter_image.uid"
            raise InvalidOption(option, self.image.uid, "is the user of both, and PostgreSQL tells the superuser from the exporter by it; choose another")

    def _check_databases(self) -> None:
        check_databases(self.databases)
        needed = {f"{role}-{what}" for role in ("postgres", "replication", "rewind", "monitoring", "patroni") for what in ("username", "password")}
        roles.check(self.databases, self.roles)
        owned: list[Database | Role] = [*self.databases, *(role for role in self.roles if role.login)]
        needed |= {key for each in owned for key in (each.username_key, each.password_key)}
        if missing := sorted(needed - self.credentials.keys.keys()):
            others = 'SECRETS.without("postgres-credentials")' if self.name == "postgres" else "SECRETS"
            fix = f"catalogue={others} + postgres_secret({self.name!r}, databases=[…]{', roles=[…]' if self.roles else ''})"
            raise InvalidOption(
                "credentials",
                self.credentials.name,
                f"lacks the keys {', '.join(missing)}; give SosSecrets {fix}, with the databases of this HaPostgres,"
                f" and take credentials=secrets[{credentials_name(self.name)!r}]",
            )
