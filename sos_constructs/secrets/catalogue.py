"""The 12 secrets of the requirement and every key in them, as one table."""

from __future__ import annotations

from sos_constructs.secrets.catalogue_brokers import KAFKA, MQTT
from sos_constructs.secrets.catalogue_keys import ENCRYPTION, JWT_SECRETS, TLS
from sos_constructs.secrets.catalogue_storage import OBJECT_STORAGE
from sos_constructs.secrets.catalogue_stores import MONGODB, POSTGRES, REDIS
from sos_constructs.secrets.catalogue_vendors import EXTERNAL_API, MONITORING, OAUTH
from sos_constructs.secrets.catalogues import SecretCatalogue

SECRETS = SecretCatalogue((POSTGRES, MONGODB, REDIS, JWT_SECRETS, ENCRYPTION, EXTERNAL_API, OAUTH, OBJECT_STORAGE, KAFKA, MQTT, MONITORING, TLS))
"""The platform's Secrets, in the requirement's order."""

BY_NAME = {secret.name: secret for secret in SECRETS}
