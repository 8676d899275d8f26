"""The 12 secrets of the requirement and every key in them, as one table."""

from __future__ import annotations

from sos_constructs.secrets.catalogue_stores import MONGODB, POSTGRES, REDIS
from sos_constructs.secrets.model import SecretSpec

SECRETS: tuple[SecretSpec, ...] = (POSTGRES, MONGODB, REDIS)
"""In the requirement's order."""

BY_NAME = {secret.name: secret for secret in SECRETS}
