"""SosConfig: the platform's configuration as ConfigMaps, and the handles by which workloads use them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

from sos_constructs.checked import checked
from sos_constructs.config.catalogue import SOS
from sos_constructs.config.checks import Waiver
from sos_constructs.config.configmaps import ConfigSpec, manifests
from sos_constructs.config.layers import DEFAULTS, Layer, Setting, resolve
from sos_constructs.config.model import Catalogue, Section
from sos_constructs.config.values import Value
from sos_constructs.emit import Objects
from sos_constructs.env_check import check_variables
from sos_constructs.errors import InvalidOption, located
from sos_constructs.labels import PART_OF
from sos_constructs.rollout import checksum

from constructs import Construct

if TYPE_CHECKING:
    import cdk8s_plus_27 as kplus

WIRED = "wired"
"""Name of the layer that holds what other constructs know better."""


class PostgresEndpoint(Protocol):
    """Where a PostgreSQL is; ``HaPostgres`` is one."""

    @property
    def primary_host(self) -> str:
        """Host that leads to the primary."""
        ...

    @property
    def readonly_host(self) -> str:
        """Host that leads to the replicas."""
        ...

    @property
    def port(self) -> int:
        """Port of both."""
        ...


class SosConfig(Construct):
    """The configuration of the platform: 13 ConfigMaps, ``sos-app-config`` to ``sos-app-monitoring``; or that of another application.

    Every key, its default and the reason for it stand in the catalogue and in docs/reference/configuration.md. Values come from the defaults, then the
    environment, then your layers in their order; the last one holds.

    :param environment: one of the catalogue's. Of ``SOS``: ``production`` (the defaults), ``staging`` or ``development``; for one of your own
        take the nearest and add a layer.
    :param layers: your own values, in Python or from files.
    :param postgres: the database, usually an ``HaPostgres``: its hosts, its port and how many connections it has are taken from it, and no layer
        may set them.
    :param prefix: first part of every ConfigMap's name, a DNS-1123 label.
    :param catalogue: sections, keys and rules: ``SOS + Section("billing", [...])``, ``SOS.without("mqtt")``, or one of your own.
    :param waive: id of a rule that may be broken → why. What is waived shows in ``waivers``, in the settings it is about and on their ConfigMaps.
        A waiver that waives nothing is an error: it would hide the next violation.
    :param content_hash_names: names end with a hash of the ConfigMap's own data, and ConfigMaps are immutable. Workloads that use one through the
        handles roll when, and only when, it changes; pods of the version before keep theirs. Old ones have to be pruned, last.
    :param reloader: ConfigMaps are annotated for Stakater's Reloader; workloads need :attr:`reloader_annotations`.
    :param part_of: value of the label ``app.kubernetes.io/part-of``.
    :raises ValueError: listing everything that is wrong in any layer.
    """

    @checked
    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        environment: str = "production",
        layers: Sequence[Layer] = (),
        postgres: PostgresEndpoint | None = None,
        prefix: str = "sos-app",
        catalogue: Catalogue = SOS,
        waive: Mapping[str, str] | None = None,
        content_hash_names: bool = False,
        reloader: bool = False,
        part_of: str = PART_OF,
    ) -> None:
        with located(scope, id):
            wired = _wire(postgres, catalogue) if postgres is not None else None
            stack = (*catalogue.environment(environment), *layers)
            if not isinstance(waive, Mapping | None):
                raise InvalidOption("waive", waive, "must be a mapping from the rule's id to the reason: {'id': 'why it may be broken here'}")
            self._spec = ConfigSpec(
                prefix=prefix,
                catalogue=catalogue,
                settings=resolve(catalogue, stack, wired, waive),
                layers=(DEFAULTS, *(layer.name for layer in stack), WIRED),
                part_of=part_of,
                content_hash_names=content_hash_names,
                reloader=reloader,
            )
        super().__init__(scope, id)
        self._place = scope, id
        self.environment = environment
        """The environment that was asked for."""
        self.objects = Objects(self, manifests(self._spec))
        """The emitted objects by kind and name."""
        check_variables(self)

    @property
    def settings(self) -> Mapping[str, Setting]:
        """Every key with its value, the layer that set it, and what that layer overrode."""
        return MappingProxyType(dict(self._spec.settings))

    @property
    def waivers(self) -> tuple[Waiver, ...]:
        """The rules that are broken on purpose: which, why, and with what values."""
        return self._spec.waivers

    @property
    def reloader_annotations(self) -> dict[str, str]:
        """For the metadata of a workload (not of its pods): with ``reloader=True`` Reloader restarts it when a ConfigMap it uses changes; else empty."""
        return {"reloader.stakater.com/search": "true"} if self._spec.reloader else {}

    @checked
    def config_map_name(self, section: str) -> str:
        """``metadata.name`` of a section's ConfigMap.

        :raises ValueError: when there is no such section, with the nearest one that exists.
        """
        (found,) = self._sections((section,))
        return self._spec.name(found)

    @checked
    def setting(self, key: str) -> Setting:
        """One key with its value and history.

        :raises ValueError: when there is no such key, with the nearest one that exists.
        """
        self._section_of(key)
        return self._spec.settings[key]

    @checked
    def value(self, key: str) -> Value:
        """The typed value of a key: a ``timedelta`` for durations, a tuple for lists.

        :raises ValueError: when there is no such key, with the nearest one that exists.
        """
        return self.setting(key).value

    @checked
    def env_from(self, *sections: str) -> list[dict[str, Any]]:
        """A container's ``envFrom``: all keys of the named sections (``"app", "logging"``), or of all sections when none is named.

        :raises ValueError: when there is no such section, with the nearest one that exists.
        """
        return [{"configMapRef": {"name": self._spec.name(section)}} for section in self._sections(sections)]

    @checked
    def env(self, key: str, name: str | None = None) -> dict[str, Any]:
        """One entry of a container's ``env``: the key's value in the variable ``name`` (default: the key).

        :raises ValueError: when there is no such key, with the nearest one that exists.
        """
        reference = {"name": self._spec.name(self._section_of(key)), "key": key}
        return {"name": key if name is None else name, "valueFrom": {"configMapKeyRef": reference}}

    @checked
    def checksum(self, *sections: str) -> str:
        """SHA-256 over the data of the named sections (default: all), for an annotation of the pod template.

        Pods read ``envFrom`` only when they start. With this annotation they are replaced when, and only when, what they read has changed.

        :raises ValueError: when there is no such section, with the nearest one that exists.
        """
        return checksum({section.name: self._spec.data(section) for section in self._sections(sections)})

    @checked
    def config_map(self, section: str) -> kplus.IConfigMap:
        """The ConfigMap of a section as a cdk8s-plus object, for volumes and everything else that takes one.

        :raises ValueError: when there is no such section, with the nearest one that exists.
        """
        import cdk8s_plus_27 as kplus

        (found_section,) = self._sections((section,))
        existing: Any = self.node.try_find_child(f"plus-{section}")
        found: kplus.IConfigMap = existing or kplus.ConfigMap.from_config_map_name(self, f"plus-{section}", self._spec.name(found_section))
        return found

    @checked
    def env_sources(self, *sections: str) -> list[kplus.EnvFrom]:
        """:meth:`env_from` for a cdk8s-plus container: ``containers=[kplus.ContainerProps(env_from=config.env_sources("app"), …)]``.

        :raises ValueError: when there is no such section, with the nearest one that exists.
        """
        import cdk8s_plus_27 as kplus

        return [kplus.EnvFrom(self.config_map(section.name)) for section in self._sections(sections)]

    @checked
    def env_value(self, key: str) -> kplus.EnvValue:
        """:meth:`env` for a cdk8s-plus container: ``env_variables={"LOG_LEVEL": config.env_value("LOG_LEVEL")}``.

        :raises ValueError: when there is no such key, with the nearest one that exists.
        """
        import cdk8s_plus_27 as kplus

        return kplus.EnvValue.from_config_map(self.config_map(self._section_of(key).name), key)

    def _sections(self, wanted: Sequence[str]) -> list[Section]:
        with located(*self._place):
            return [self._spec.catalogue.section(name) for name in wanted] or list(self._spec.catalogue.sections)

    def _section_of(self, key: str) -> Section:
        with located(*self._place):
            return self._spec.catalogue.section_of(key)


def _wire(postgres: PostgresEndpoint, catalogue: Catalogue) -> Layer:
    """What the catalogue has keys for, of what the database knows best."""
    source = postgres.node.path if isinstance(postgres, Construct) else type(postgres).__name__
    known = {
        "POSTGRES_HOST": postgres.primary_host,
        "POSTGRES_READONLY_HOST": postgres.readonly_host,
        "POSTGRES_PORT_NUMBER": postgres.port,
        "POSTGRES_SSL_MODE": getattr(postgres, "sslmode", None),
        "POSTGRES_SSL_ROOT_CERT": getattr(getattr(postgres, "ca", None), "file", None),
        "POSTGRES_SERVER_CONNECTIONS": getattr(postgres, "client_connections", None),  # not every endpoint can tell
    }
    values = {key: value for key, value in known.items() if value is not None and key in catalogue.keys}
    if not values:
        raise InvalidOption("postgres", source, f"cannot be wired: the catalogue has none of the keys {', '.join(known)}; leave it out")
    return Layer(WIRED, values, reason=f"wired from {source}")
