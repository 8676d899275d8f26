"""The ``SosSecrets`` construct."""

from __future__ import annotations

from constructs import Construct

from sos_constructs.emit import Objects
from sos_constructs.errors import located
from sos_constructs.secrets.catalogue import SECRETS
from sos_constructs.secrets.handles import SecretHandle
from sos_constructs.secrets.sources import ExistingSecrets, SecretSource


class SosSecrets(Construct):
    """The platform's 12 secrets, as references that other constructs and workloads use.

    :param scope: the chart.
    :param id: id of the construct in it.
    :param source: who provides the Secrets (default: ``ExistingSecrets()``, somebody else; nothing is emitted).
    """

    postgres: SecretHandle
    mongodb: SecretHandle
    redis: SecretHandle

    def __init__(self, scope: Construct, id: str, *, source: SecretSource = ExistingSecrets()) -> None:  # noqa: B008 (immutable)
        with located(scope, id):
            manifests = source.manifests(SECRETS)
        super().__init__(scope, id)
        self.objects = Objects(self, manifests)
        for secret in SECRETS:
            optional = {row.key for row in secret.keys if row.optional}
            setattr(self, secret.attribute, SecretHandle(secret.name, {row.key: row.env for row in secret.keys}, optional))
