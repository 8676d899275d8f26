"""The platform's configuration as data: 13 sections, one per ConfigMap, and the rules between their keys. Adding a key is adding a row."""

from __future__ import annotations

from sos_constructs.config.catalogue.app import APP
from sos_constructs.config.catalogue.cache import CACHE
from sos_constructs.config.catalogue.database import DATABASE
from sos_constructs.config.catalogue.emergency import EMERGENCY
from sos_constructs.config.catalogue.features import FEATURES
from sos_constructs.config.catalogue.kafka import KAFKA
from sos_constructs.config.catalogue.logging import LOGGING
from sos_constructs.config.catalogue.monitoring import MONITORING
from sos_constructs.config.catalogue.mqtt import MQTT
from sos_constructs.config.catalogue.notifications import NOTIFICATIONS
from sos_constructs.config.catalogue.retry import RETRY
from sos_constructs.config.catalogue.rules_messages import MESSAGE_RULES
from sos_constructs.config.catalogue.rules_security import SECURITY_RULES
from sos_constructs.config.catalogue.rules_services import SERVICE_RULES
from sos_constructs.config.catalogue.security import SECURITY
from sos_constructs.config.catalogue.timeouts import TIMEOUTS
from sos_constructs.config.environments import ENVIRONMENTS
from sos_constructs.config.model import Catalogue

SOS = Catalogue(
    (APP, LOGGING, DATABASE, CACHE, KAFKA, MQTT, TIMEOUTS, RETRY, FEATURES, EMERGENCY, NOTIFICATIONS, SECURITY, MONITORING),
    (*SERVICE_RULES, *MESSAGE_RULES, *SECURITY_RULES),
    ENVIRONMENTS,
)
"""In the requirement's order."""
