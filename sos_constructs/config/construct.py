"""SosConfig: the platform's configuration as ConfigMaps, and the handles by which workloads use them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

from sos_constructs import names
from sos_constructs.config.catalogue import SOS
from sos_constructs.config.environments import ENVIRONMENTS, Environment
from sos_constructs.config.layers import DEFAULTS, Layer, Setting, resolve
from sos_constructs.config.model import Catalogue, Section
from sos_constructs.config.values import Value
from sos_constructs.emit import Objects
from sos_constructs.errors import InvalidOption, did_you_mean, located
from sos_constructs.labels import labels
from sos_constructs.rollout import checksum

from attrs import frozen
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


@frozen(eq=False, kw_only=True)
class ConfigSpec:
    """The validated options of :class:`SosConfig`.

    :param prefix: first part of every ConfigMap's name.
    :param catalogue: sections and keys.
    :param settings: every key of the catalogue with its value.
    :param layers: names of the layers, the lowest first.
    """

    prefix: str
    catalogue: Catalogue
    settings: Mapping[str, Setting]
    layers: tuple[str, ...]

    def __attrs_post_init__(self) -> None:
        names.dns_label("prefix", self.prefix)

    def name(self, section: Section) -> str:
        """The ConfigMap's name."""
        return f"{self.prefix}-{section.suffix}"

    def data(self, section: Section) -> dict[str, str]:
        """The ConfigMap's data, sorted by key."""
        return {name: self.settings[name].text for name in sorted(key.name for key in section.keys)}


def config_map(spec: ConfigSpec, section: Section) -> dict[str, Any]:
    """The ConfigMap of one section. Its annotation ``sos-app/layers`` names the layers that set a value in it, the lowest first."""
    used = {spec.settings[key.name].layer for key in section.keys}
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": spec.name(section),
            "labels": labels("sos-config", spec.prefix, "configuration"),
            "annotations": {"kubernetes.io/description": section.doc, "sos-app/layers": ",".join(layer for layer in spec.layers if layer in used)},
        },
        "data": spec.data(section),
    }


def manifests(spec: ConfigSpec) -> list[dict[str, Any]]:
    """One ConfigMap per section, in the catalogue's order."""
    return [config_map(spec, section) for section in spec.catalogue.sections]


class SosConfig(Construct):
    """The configuration of the platform: 13 ConfigMaps, ``sos-app-config`` to ``sos-app-monitoring``.

    Every key, its default and the reason for it stand in the catalogue and in docs/configuration.md. Values come from the defaults, then the
    environment, then your layers in their order; the last one holds.

    :param environment: ``production`` (the defaults), ``staging`` or ``development``. For one of your own take the nearest and add a layer.
    :param layers: your own values, in Python or from files.
    :param postgres: the database, usually an ``HaPostgres``: its hosts and port are taken from it, and no layer may set them.
    :param prefix: first part of every ConfigMap's name, a DNS-1123 label.
    :raises ValueError: listing everything that is wrong in any layer.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        environment: Environment = "production",
        layers: Sequence[Layer] = (),
        postgres: PostgresEndpoint | None = None,
        prefix: str = "sos-app",
    ) -> None:
        with located(scope, id):
            if environment not in ENVIRONMENTS:
                known = ", ".join(ENVIRONMENTS)
                raise InvalidOption(
                    "environment", environment, f"must be one of {known}{did_you_mean(str(environment), ENVIRONMENTS)}; for one of your own add a layer"
                )
            wired = _wire(postgres) if postgres is not None else None
            stack = (ENVIRONMENTS[environment], *layers)
            settings = resolve(SOS, stack, wired)
            self._spec = ConfigSpec(prefix=prefix, catalogue=SOS, settings=settings, layers=(DEFAULTS, *(layer.name for layer in stack), WIRED))
        super().__init__(scope, id)
        self._place = scope, id
        self.environment = environment
        """The environment that was asked for."""
        self.objects = Objects(self, manifests(self._spec))
        """The emitted objects by kind and name."""

    @property
    def settings(self) -> Mapping[str, Setting]:
        """Every key with its value, the layer that set it, and what that layer overrode."""
        return MappingProxyType(dict(self._spec.settings))

    def setting(self, key: str) -> Setting:
        """One key with its value and history.

        :raises ValueError: when there is no such key, with the nearest one that exists.
        """
        self._section_of(key)
        return self._spec.settings[key]

    def value(self, key: str) -> Value:
        """The typed value of a key: a ``timedelta`` for durations, a tuple for lists.

        :raises ValueError: when there is no such key, with the nearest one that exists.
        """
        return self.setting(key).value

    def env_from(self, *sections: str) -> list[dict[str, Any]]:
        """A container's ``envFrom``: all keys of the named sections (``"app", "logging"``), or of all sections when none is named.

        :raises ValueError: when there is no such section, with the nearest one that exists.
        """
        return [{"configMapRef": {"name": self._spec.name(section)}} for section in self._sections(sections)]

    def env(self, key: str, name: str | None = None) -> dict[str, Any]:
        """One entry of a container's ``env``: the key's value in the variable ``name`` (default: the key).

        :raises ValueError: when there is no such key, with the nearest one that exists.
        """
        reference = {"name": self._spec.name(self._section_of(key)), "key": key}
        return {"name": key if name is None else name, "valueFrom": {"configMapKeyRef": reference}}

    def checksum(self, *sections: str) -> str:
        """SHA-256 over the data of the named sections (default: all), for an annotation of the pod template.

        Pods read ``envFrom`` only when they start. With this annotation they are replaced when, and only when, what they read has changed.

        :raises ValueError: when there is no such section, with the nearest one that exists.
        """
        return checksum({section.name: self._spec.data(section) for section in self._sections(sections)})

    def config_map(self, section: str) -> kplus.IConfigMap:
        """The ConfigMap of a section as a cdk8s-plus object, for volumes and everything else that takes one.

        :raises ValueError: when there is no such section, with the nearest one that exists.
        """
        import cdk8s_plus_27 as kplus

        (found_section,) = self._sections((section,))
        existing: Any = self.node.try_find_child(f"plus-{section}")
        found: kplus.IConfigMap = existing or kplus.ConfigMap.from_config_map_name(self, f"plus-{section}", self._spec.name(found_section))
        return found

    def env_sources(self, *sections: str) -> list[kplus.EnvFrom]:
        """:meth:`env_from` for a cdk8s-plus container: ``containers=[kplus.ContainerProps(env_from=config.env_sources("app"), …)]``.

        :raises ValueError: when there is no such section, with the nearest one that exists.
        """
        import cdk8s_plus_27 as kplus

        return [kplus.EnvFrom(self.config_map(section.name)) for section in self._sections(sections)]

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


def _wire(postgres: PostgresEndpoint) -> Layer:
    source = postgres.node.path if isinstance(postgres, Construct) else type(postgres).__name__
    values = {"POSTGRES_HOST": postgres.primary_host, "POSTGRES_READONLY_HOST": postgres.readonly_host, "POSTGRES_PORT_NUMBER": postgres.port}
    return Layer(WIRED, values, reason=f"wired from {source}")
