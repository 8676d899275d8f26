"""The ``SosSecrets`` construct."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sos_constructs.checked import checked
from sos_constructs.emit import Objects
from sos_constructs.env_check import check_variables
from sos_constructs.errors import InvalidOption, did_you_mean, located, located_at
from sos_constructs.secrets.catalogue import SECRETS
from sos_constructs.secrets.catalogues import SecretCatalogue
from sos_constructs.secrets.external.source import ExternalSecrets
from sos_constructs.secrets.handles import SecretHandle
from sos_constructs.secrets.sources import ExistingSecrets, SecretSource
from sos_constructs.synth_checks import at_synth, reference

import cdk8s
from constructs import Construct


class SosSecrets(Construct):
    """The platform's 12 secrets, or those of another catalogue, as references that other constructs and workloads use.

    ``secrets["shop-postgres"]`` is the reference to the Secret of that name; the platform's have an attribute each besides.

    :param scope: the chart.
    :param id: id of the construct in it.
    :param source: who provides the Secrets (default: ``ExistingSecrets()``, somebody else; nothing is emitted).
    :param catalogue: which Secrets there are. Default: the platform's 12, ``SECRETS``. ``SECRETS + postgres_secret("shop", databases=[…])`` adds that of a
        further database.
    :raises ValueError: for something that is no catalogue, or a source that cannot provide its Secrets.
    """

    postgres: SecretHandle
    mongodb: SecretHandle
    redis: SecretHandle
    jwt: SecretHandle
    encryption: SecretHandle
    external_api: SecretHandle
    oauth: SecretHandle
    object_storage: SecretHandle
    kafka: SecretHandle
    mqtt: SecretHandle
    monitoring: SecretHandle
    tls: SecretHandle

    @checked
    def __init__(self, scope: Construct, id: str, *, source: SecretSource = ExistingSecrets(), catalogue: SecretCatalogue = SECRETS) -> None:  # noqa: B008 (immutable)
        with located(scope, id):
            given: object = catalogue
            if not isinstance(given, SecretCatalogue):
                raise InvalidOption("catalogue", given, "must be a SecretCatalogue, for instance SECRETS + postgres_secret('shop', databases=[…])")
            manifests = source.manifests(tuple(catalogue))
            pinned = source.pinned(catalogue.names) if isinstance(source, ExternalSecrets) else {}
            _check_namespaces(scope, manifests, catalogue)
        super().__init__(scope, id)
        self.objects = Objects(self, manifests)
        if source.alone:
            at_synth(self, ("alone", self.node.path), lambda _: _check_alone(self, type(source).__name__))
        check_variables(self)
        self._handles: dict[str, SecretHandle] = {}
        for secret in catalogue:
            optional = frozenset(row.key for row in secret.keys if row.optional)
            keys, version = {row.key: row.env for row in secret.keys}, str(pinned.get(secret.name, ""))
            self._handles[secret.name] = SecretHandle(secret.name, keys, optional, version)
            if secret.attribute in SosSecrets.__annotations__:
                setattr(self, secret.attribute, self._handles[secret.name])

    def __getitem__(self, name: str) -> SecretHandle:
        """The reference to the Secret of that name.

        :raises ValueError: when there is none, with the nearest that is.
        """
        with located_at(self):
            if name not in self._handles:
                known = ", ".join(self._handles)
                raise InvalidOption("secret", name, f"is not in the catalogue{did_you_mean(str(name), self._handles)}; there are {known}")
        return self._handles[name]


def _check_namespaces(scope: Construct, manifests: Sequence[Mapping[str, Any]], catalogue: SecretCatalogue) -> None:
    """Refuse a Secret that would land in another namespace than the chart's workloads, which could not see it there."""
    namespace = cdk8s.Chart.of(scope).namespace
    for manifest in manifests:
        name, other = manifest["metadata"]["name"], manifest["metadata"].get("namespace")
        if name in catalogue and namespace and other and other != namespace:
            raise InvalidOption("source", f"{manifest['kind']} {name}", f"is for namespace {other}, but the chart's is {namespace}; make them equal")


def _check_alone(secrets: SosSecrets, source: str) -> list[str]:
    """Refuse, at synth, a chart that holds anything beside templates: applying it would stop half-way, at the first placeholder."""
    own = {reference(node) for node in secrets.node.find_all()}
    for node in cdk8s.Chart.of(secrets).node.find_all():
        if isinstance(node, cdk8s.ApiObject) and reference(node) not in own:
            fix = "needs a chart of its own, but this one also holds"
            return [f"{secrets.node.path}: source={source}() {fix} {node.node.path}; move one of them to another Chart"]
    return []
