"""The platform's secrets: 12 of them, every key a row of one catalogue. No value ever enters a chart."""

from __future__ import annotations

from sos_constructs.secrets.construct import SosSecrets
from sos_constructs.secrets.handles import SecretHandle
from sos_constructs.secrets.sources import ExistingSecrets

__all__ = ["ExistingSecrets", "SecretHandle", "SosSecrets"]
