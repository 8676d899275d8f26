"""The ``SosSecrets`` construct."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sos_constructs.emit import Objects
from sos_constructs.env_check import check_variables
from sos_constructs.errors import InvalidOption, located
from sos_constructs.secrets.catalogue import BY_NAME, SECRETS
from sos_constructs.secrets.handles import SecretHandle
from sos_constructs.secrets.sources import ExistingSecrets, SecretSource

import cdk8s
import jsii
from constructs import Construct, IValidation


class SosSecrets(Construct):
    """The platform's 12 secrets, as references that other constructs and workloads use.

    :param scope: the chart.
    :param id: id of the construct in it.
    :param source: who provides the Secrets (default: ``ExistingSecrets()``, somebody else; nothing is emitted).
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

    def __init__(self, scope: Construct, id: str, *, source: SecretSource = ExistingSecrets()) -> None:  # noqa: B008 (immutable)
        with located(scope, id):
            manifests = source.manifests(SECRETS)
            _check_namespaces(scope, manifests)
        super().__init__(scope, id)
        self.objects = Objects(self, manifests)
        if source.alone:
            self.node.add_validation(_Alone(self, type(source).__name__))
        check_variables(self)
        for secret in SECRETS:
            optional = frozenset(row.key for row in secret.keys if row.optional)
            setattr(self, secret.attribute, SecretHandle(secret.name, {row.key: row.env for row in secret.keys}, optional))


def _check_namespaces(scope: Construct, manifests: Sequence[Mapping[str, Any]]) -> None:
    """Refuse a Secret that would land in another namespace than the chart's workloads, which could not see it there."""
    namespace = cdk8s.Chart.of(scope).namespace
    for manifest in manifests:
        name, other = manifest["metadata"]["name"], manifest["metadata"].get("namespace")
        if name in BY_NAME and namespace and other and other != namespace:
            raise InvalidOption("source", f"{manifest['kind']} {name}", f"is for namespace {other}, but the chart's is {namespace}; make them equal")


@jsii.implements(IValidation)
class _Alone:
    """Refuses, at synth, a chart that holds anything beside templates: applying it would stop half-way, at the first placeholder."""

    def __init__(self, secrets: SosSecrets, source: str) -> None:
        self._secrets, self._source = secrets, source

    def validate(self) -> list[str]:
        chart = cdk8s.Chart.of(self._secrets)
        own = self._secrets.node.path + "/"
        other = [node.node.path for node in chart.node.find_all() if cdk8s.ApiObject.is_api_object(node) and not node.node.path.startswith(own)]
        if not other:
            return []
        return [f"source={self._source}() needs a chart of its own, but this one also holds {other[0]}; move one of them to another Chart"]
