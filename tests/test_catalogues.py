"""What must hold over all catalogues together."""

from __future__ import annotations

from collections import Counter

from sos_constructs.config.catalogue import SOS
from sos_constructs.secrets.catalogue import SECRETS


def test_an_environment_variable_means_one_thing():
    """A pod may load any of the maps and any of the secrets: of two sources of one variable the last would win, silently."""
    names = [*SOS.keys, *(row.env for secret in SECRETS for row in secret.keys)]
    assert [name for name, count in Counter(names).items() if count > 1] == []


def test_no_variable_is_one_that_a_service_link_would_set():
    """Unless a pod says enableServiceLinks: false, a Service `redis-service` puts REDIS_SERVICE_PORT and REDIS_SERVICE_HOST into every pod."""
    services = ["postgres-service", "postgres-readonly-service", "redis-service", "redis", "kafka-headless", "kafka", "mqtt-service", "mqtt"]
    links = {f"{service.upper().replace('-', '_')}_{suffix}" for service in services for suffix in ("SERVICE_HOST", "SERVICE_PORT", "PORT")}
    assert links.isdisjoint([*SOS.keys, *(row.env for secret in SECRETS for row in secret.keys)])
