"""HaPostgres: three PostgreSQL members, failover by Patroni, and an agent that keeps them as declared."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from sos_constructs.checked import checked
from sos_constructs.emit import Objects, check_size
from sos_constructs.errors import InvalidOption, did_you_mean, located, located_at
from sos_constructs.foundation import PRIORITY_HIGH, ClusterDns
from sos_constructs.parts import sequence
from sos_constructs.placement import ASSUMED, place
from sos_constructs.postgres import names as n
from sos_constructs.postgres import roles as more_roles
from sos_constructs.postgres import tls as certificates
from sos_constructs.postgres.clients import EVERY_POD, Clients
from sos_constructs.postgres.containers import POSTGRES_EXPORTER, SPILO, ExporterImage, ImageProfile, Resources, numbered
from sos_constructs.postgres.contents import manifests
from sos_constructs.postgres.exposure import ServiceOptions
from sos_constructs.postgres.failover import FastFailover
from sos_constructs.postgres.grants import Access, Grants
from sos_constructs.postgres.grants.network import server
from sos_constructs.postgres.handles import DatabaseHandle, ServerCa
from sos_constructs.postgres.locale import Locale
from sos_constructs.postgres.monitoring import PrometheusOperator
from sos_constructs.postgres.pods import PodOptions
from sos_constructs.postgres.pooler.handles import PooledPostgres
from sos_constructs.postgres.pooler.options import Pooler
from sos_constructs.postgres.roles import Role
from sos_constructs.postgres.sizes import SizeName, size_of
from sos_constructs.postgres.spec import API_SERVER_PORTS, DATABASES, Database, PatroniTiming, Spec, SynchronousMode
from sos_constructs.postgres.storage import check_storage
from sos_constructs.postgres.tls import CertificateSecret, CertManager, Tls
from sos_constructs.postgres.together import check_together
from sos_constructs.postgres.tuning import client_connections
from sos_constructs.secrets.construct import SosSecrets
from sos_constructs.secrets.handles import SecretHandle
from sos_constructs.synth_checks import at_synth

import cdk8s
from constructs import Construct, IConstruct

if TYPE_CHECKING:
    import cdk8s_plus_27 as kplus

Workload = TypeVar("Workload", bound="Mapping[str, Any] | kplus.AbstractPod")


class HaPostgres(Construct):
    """A PostgreSQL 15 that fails over by itself and loses no acknowledged row.

    ``HaPostgres(chart, "postgres", credentials=secrets.postgres)`` is a working database.

    :param credentials: the Secret with the passwords, as ``SosSecrets(...).postgres`` hands it out.
    :param name: prefix of every object, at most 46 characters. An installation's name cannot be changed later.
    :param namespace: default: the chart's, or ``sos-app`` where the chart has none.
    :param size: what requests, limits and volumes begin with. ``standard`` (default) is the requirement's; ``laptop`` fits kind and minikube with 2 CPUs
        and 4 GiB. Each of the options below that is given wins over it. Pods restart when it changes; volumes never shrink.
    :param instances: members, 1 to 9. Three is the least that goes on without loss when one is gone.
    :param databases: what the agent keeps in the cluster. Default: the requirement's five. For your own, take the credentials from
        ``SosSecrets(catalogue=SECRETS + postgres_secret(name, databases=…))``.
    :param roles: further roles beside the databases' owners, such as read-only users and groups. Default: none.
    :param storage: volume of each member. Default: that of the size, 50Gi or 2Gi. It can only grow, and only where the storage class has
        ``allowVolumeExpansion``: raise it, and give the old size as ``storage_template``.
    :param storage_template: size in the StatefulSet's claim template, which Kubernetes fixes when the StatefulSet is made. Default: ``storage``.
    :param storage_class: default: the cluster's default class. Cannot be changed later.
    :param image: default: ``SPILO``. Any image with Patroni >= 4.0.4, PostgreSQL 15 and Python >= 3.9 works.
    :param first_uid: the first number of the range that OpenShift gives a namespace: members run as this user, the exporter as the next one and the
        pooler as the one after, all in the group of this number. Default: the users of the images. Volumes that exist belong to the old user.
    :param resources: of the PostgreSQL container; settings follow from it by formula. Default: those of the size.
    :param exporter_image: default ``POSTGRES_EXPORTER``.
    :param exporter_resources: of the metrics exporter. Default: those of the size.
    :param agent_resources: of the agent and of the init container. Default: those of the size.
    :param shared_memory: size of /dev/shm, counted in the memory limit. Default: that of the size. 256Mi is enough for parallel queries with 4MB work_mem.
    :param pods: what is added to the members' pods: pull secrets, tolerations, affinity, labels and so on, in Kubernetes' own words.
    :param service: what is added to the Service of the primary: type, load balancer, labels and so on.
    :param readonly_service: the same for the Service of the replicas.
    :param parameters: PostgreSQL settings over the computed ones. Names and values are checked against PostgreSQL 15's own table.
    :param locale: collation and encoding of the cluster, fixed when its first member starts. Default: ``Locale()``, en_US.UTF-8 and UTF8.
    :param pg_hba: more lines of pg_hba.conf, in this order. They stand after those that protect the superuser, replication and rewinding, and before those
        of the databases' owners; the first line that matches decides. Each is read as PostgreSQL reads it. Pods restart: no.
    :param timing: Patroni's timing; how long a crashed primary is missed.
    :param synchronous_mode: ``quorum`` (default): a commit is acknowledged when any one standby has it; with no standby left the
        primary goes on alone. ``on``: a named standby. ``off``: asynchronous, a failover may lose the last commits.
    :param synchronous_mode_strict: ``True`` stops writes instead of going on alone.
    :param priority_class_name: default ``sos-app-high``, from ``SosNamespace``. ``None`` for none.
    :param monitoring: ``PrometheusOperator()`` adds PodMonitor and PrometheusRule; their CRDs must be in the cluster.
    :param failover: ``FastFailover()`` replaces a crashed primary in about ten seconds; needs strict synchronous mode and three instances.
        Default: Patroni alone, about twenty.
    :param pooler: ``Pooler()`` adds PgBouncer: its own pods and Services, ``pooled`` here and on each database's handle leads there.
    :param tls: where the certificate comes from. Default ``CertificateSecret()``: the Secret ``<name>-tls``, as ``sosctl secrets generate``
        makes it for development; ``CertManager(issuer=…)``: cert-manager issues and renews it. ``None``: no TLS, passwords hashed and all
        else readable on the wire. The pooler has a certificate of its own, from the same source: ``<name>-pooler-tls``.
    :param allow_from: who may connect, the pooler included. Default: every pod of the namespace. ``()`` is nobody but the members and the
        pooler. A NetworkPolicy says so: only a cluster whose network plugin enforces those keeps the others out.
    :param api_server_ports: on which the API server's endpoints listen, for the NetworkPolicy. Default: 443, 6443, 6444, 8443 and 16443.
    :param dns: where the cluster's DNS answers, for the NetworkPolicies. Default: ports 53 and 5353 of every address.
    :raises ValueError: naming path, option, value and fix, for every value that cannot work.
    """

    @checked
    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        credentials: SecretHandle,
        name: str = "postgres",
        namespace: str | None = None,
        size: SizeName = "standard",
        instances: int = 3,
        databases: Sequence[Database] = DATABASES,
        roles: Sequence[Role] = (),
        storage: str | None = None,
        storage_template: str | None = None,
        storage_class: str | None = None,
        image: ImageProfile = SPILO,
        first_uid: int | None = None,
        resources: Resources | None = None,
        exporter_image: ExporterImage = POSTGRES_EXPORTER,
        exporter_resources: Resources | None = None,
        agent_resources: Resources | None = None,
        shared_memory: str | None = None,
        pods: PodOptions = PodOptions(),  # noqa: B008 (frozen)
        service: ServiceOptions = ServiceOptions(),  # noqa: B008 (frozen)
        readonly_service: ServiceOptions = ServiceOptions(),  # noqa: B008 (frozen)
        parameters: Mapping[str, str | int | float | bool] | None = None,
        locale: Locale = Locale(),  # noqa: B008 (frozen)
        pg_hba: Sequence[str] = (),
        timing: PatroniTiming = PatroniTiming(),  # noqa: B008 (frozen)
        synchronous_mode: SynchronousMode = "quorum",
        synchronous_mode_strict: bool = False,
        priority_class_name: str | None = PRIORITY_HIGH,
        monitoring: PrometheusOperator | None = None,
        failover: FastFailover | None = None,
        pooler: Pooler | None = None,
        tls: Tls | None = CertificateSecret(),  # noqa: B008 (frozen)
        allow_from: Sequence[Clients] = EVERY_POD,
        api_server_ports: Sequence[int] = API_SERVER_PORTS,
        dns: ClusterDns | None = None,
    ) -> None:
        chart_namespace: str | None = cdk8s.Chart.of(scope).namespace
        with located(scope, id):
            sized = size_of(size)
            image, exporter_image, pooler = numbered(first_uid, image, exporter_image, pooler)
            spec = Spec(
                name=name,
                namespace=namespace or chart_namespace or ASSUMED,
                credentials=credentials,
                instances=instances,
                databases=sequence("databases", databases),
                roles=sequence("roles", roles),
                size=size,
                storage=sized.storage if storage is None else storage,
                storage_template=storage_template,
                storage_class=storage_class,
                image=image,
                resources=sized.postgres if resources is None else resources,
                exporter_image=exporter_image,
                exporter_resources=sized.exporter if exporter_resources is None else exporter_resources,
                agent_resources=sized.agent if agent_resources is None else agent_resources,
                shared_memory=sized.shared_memory if shared_memory is None else shared_memory,
                pods=pods,
                service=service,
                readonly_service=readonly_service,
                locale=locale,
                pg_hba=sequence("pg_hba", pg_hba),
                parameters=dict(parameters or {}),
                timing=timing,
                synchronous_mode=synchronous_mode,
                synchronous_mode_strict=synchronous_mode_strict,
                priority_class_name=priority_class_name,
                monitoring=monitoring,
                failover=failover,
                pooler=pooler,
                tls=tls,
                allow_from=tuple(allow_from),
                api_server_ports=sequence("api_server_ports", api_server_ports),
                dns=dns,
            ).check()
            check_storage(spec)
            check_together(spec)
            objects = manifests(spec)
            _check_sql(scope, spec, objects)
        super().__init__(scope, id)
        place(self, assumed=namespace is None and chart_namespace is None)
        if isinstance(spec.tls, CertManager):
            at_synth(self, ("one writer", self.node.path), lambda nodes: _second_writers(self, nodes))
        self.spec = spec
        """The validated options."""
        self.objects = Objects(self, objects)
        """The emitted objects by kind and name; ``add_json_patch`` on them is safe."""
        self._grants = Grants(self, spec, self.objects)
        self.primary_host = spec.names.primary_service
        """Where writes go, as seen from the same namespace."""
        self.readonly_host = spec.names.readonly_service
        """Where reads may go that can be a moment old."""
        self.port = n.PORT
        self.client_connections = client_connections(spec) - (spec.pooler.server_connections(spec) if spec.pooler else 0)
        """Connections that services may have open in all: max_connections less those kept for superusers, and less the pooler's."""
        self.ca = None if spec.tls is None else ServerCa(secret=certificates.secret_name(spec.tls, spec.name))
        """With TLS: the CA that clients verify the database by."""
        self.sslmode = certificates.client_sslmode(spec.tls)
        """What clients shall demand, in libpq's words."""

    @property
    def pooled(self) -> PooledPostgres:
        """The same database through the pooler: ``SosConfig(..., postgres=db.pooled)``.

        :raises ValueError: when there is no pooler.
        """
        return PooledPostgres.of(self.spec, self.node.path)

    @checked
    def database(self, name: str, *, role: str | None = None) -> DatabaseHandle:
        """What a workload needs to use one of the declared databases.

        :param role: who logs in. Default: the database's owner.
        :raises ValueError: when no such database is declared, or the role may not connect to it.
        """
        found = {d.name: d for d in self.spec.databases}
        if name not in found:
            raise InvalidOption("database", name, f"is not declared{did_you_mean(name, found)}; there are {', '.join(found)}")
        login = found[name] if role is None or role == found[name].owner else self._role(role, name)
        return DatabaseHandle(
            name=name,
            user=login.owner if isinstance(login, Database) else login.name,
            credentials=self.spec.credentials,
            username_key=login.username_key,
            password_key=login.password_key,
            primary_host=self.primary_host,
            readonly_host=self.readonly_host,
            port=self.port,
            pooler=self.pooled if self.spec.pooler else None,
            ca=self.ca,
        )

    @checked
    def grant(
        self,
        workload: Workload,
        *,
        database: str | None = None,
        role: str | None = None,
        readonly: bool = False,
        pooled: bool = False,
        dsn: str | None = None,
        containers: Collection[str] | None = None,
        egress: bool = False,
        restricted: bool = True,
    ) -> Workload:
        """Give a workload all it needs to use one of the databases: environment, the CA, and NetworkPolicies where access is restricted.

        It also gets what Pod Security ``restricted`` asks for, as :func:`sos_constructs.restricted` fills it in.

        ``db.grant(deployment, database="auth")``. May be called again, for the same or for another database. No right in the API
        is needed: the kubelet gives a pod its environment and its volumes, whatever its ServiceAccount may do.

        :param workload: a Deployment, StatefulSet, DaemonSet, Job, CronJob or Pod in the database's namespace. One of cdk8s-plus is changed and
            returned; of a plain manifest a changed copy is returned, for you to emit.
        :param database: which one. Needed where several are declared.
        :param role: who logs in, one of ``roles``. Default: the database's owner.
        :param readonly: go to the replicas, whose data may be a moment old.
        :param pooled: go through the pooler.
        :param dsn: the name of a variable for a connection URI, such as ``DATABASE_URL``, and beside it only user and password. Default: ``PGHOST``
            and so on, which every libpq driver reads. A container that uses two databases needs it for each.
        :param containers: names of the containers that get it, init containers too. Default: all that the workload has by now but the init containers.
        :param egress: ``True`` also lets its pods out. That is done by itself where ``SosNamespace``, made before, restricts them; where something outside
            this app does, it must be said. (To pods that nothing restricts, the policy would be the restriction.)
        :param restricted: ``False`` leaves the security contexts as they are: for an image that must run as root, in a namespace that admits it.
        :raises ValueError: naming path, option, value and fix: when a container has one of the variables with another value, or the workload is in another
            namespace, or a name is unknown. At synth also when a NetworkPolicy of the app blocks what was granted.
        """
        with located_at(self):
            if readonly and self.spec.instances < 2:
                raise InvalidOption("readonly", True, "needs instances=2 or more: with a single one, the read-only Service has no endpoint")
            handle = self.database(self._one_database() if database is None else database, role=role)
            access = Access.of(handle.pooled if pooled else handle, readonly=readonly, dsn=dsn)
            to = server(self.spec, pooled=pooled, readonly=readonly)
            made: Workload = self._grants.add(workload, access, to, containers=containers, egress=egress, restrict=restricted)
        return made

    def _role(self, name: str, database: str) -> Role:
        """The role, which may connect to that database."""
        found = {role.name: (role, databases) for role, databases in more_roles.logins(self.spec)}
        if name not in found:
            there = f"there are {', '.join(found)}" if found else "there is none"
            raise InvalidOption("role", name, f"is no declared role that logs in{did_you_mean(name, found)}; {there}")
        role, databases = found[name]
        if database not in databases:
            fix = f"may not connect to database {database!r}; add it to read_only or connect of Role({name!r}). It may connect to {', '.join(databases)}"
            raise InvalidOption("role", name, fix)
        return role

    def _one_database(self) -> str:
        declared = [database.name for database in self.spec.databases]
        if len(declared) != 1:
            there = f"must name one of {', '.join(declared)}" if declared else "has nothing to name: give HaPostgres databases=[Database(…)]"
            raise InvalidOption("database", None, there)
        return declared[0]


def _check_sql(scope: Construct, spec: Spec, objects: Sequence[Mapping[str, Any]]) -> None:
    """Name the longest SQL where the ConfigMap that holds all of it is too large: its author does not know that ConfigMap."""
    config = next(each for each in objects if each["metadata"]["name"] == spec.names.config)
    try:
        check_size(scope, config, place(scope))
    except InvalidOption as error:
        longest = max(spec.databases, key=lambda each: len(each.sql), default=None)
        if longest is None or not longest.sql:
            raise
        fix = f"has {len(longest.sql.encode())} bytes, too many for the one ConfigMap that holds the SQL of all databases: keep what a new database needs"
        raise InvalidOption(f"databases[{longest.name!r}].sql", longest.sql, f"{fix} and run the rest from the service, as a migration. {error}") from None


def _second_writers(postgres: HaPostgres, nodes: Sequence[IConstruct]) -> Iterator[str]:
    """A certificate that the External Secrets Operator makes as well, so that it and cert-manager would undo each other for ever."""
    assert postgres.ca is not None
    secret = postgres.ca.secret
    for node in nodes:
        if not isinstance(node, SosSecrets) or ("ExternalSecret", secret) not in node.objects:
            continue
        if node.objects["ExternalSecret", secret].metadata.namespace == postgres.spec.namespace:
            yield f"{postgres.node.path}: tls=CertManager(...): Secret {secret} is also written by {node.node.path}; give its ExternalSecrets postgres=()"
