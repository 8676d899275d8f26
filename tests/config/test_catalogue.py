"""Every row of the catalogue, and the requirement's figures in it."""

from __future__ import annotations

import re

from sos_constructs.config import values
from sos_constructs.config.catalogue import SOS
from sos_constructs.config.model import Catalogue, Key, Section
from sos_constructs.errors import InvalidOption

import pytest

KEYS = tuple(SOS.keys.values())
SECTIONS = ["config", "logging", "database", "cache", "kafka", "mqtt", "timeouts", "retry", "features", "emergency", "notifications", "security", "monitoring"]

REQUIREMENT = [
    ("Environment: production", "APP_ENVIRONMENT", "production"),
    ("Rate limiting: 100 requests/minute", "RATE_LIMIT_MAX_REQUESTS", "100"),
    ("Rate limiting: 100 requests/minute", "RATE_LIMIT_WINDOW_SECONDS", "60"),
    ("Pagination: default 20, max 100", "PAGINATION_DEFAULT_LIMIT", "20"),
    ("Pagination: default 20, max 100", "PAGINATION_MAX_LIMIT", "100"),
    ("Log level: info (error, warn, info, http, verbose, debug, silly)", "LOG_LEVEL", "info"),
    ("Log format: JSON for structured logging", "LOG_FORMAT", "json"),
    ("Request/response logging (bodies excluded for security)", "LOG_REQUESTS_ENABLED", "true"),
    ("Request/response logging (bodies excluded for security)", "LOG_RESPONSES_ENABLED", "true"),
    ("Request/response logging (bodies excluded for security)", "LOG_REQUEST_BODIES_ENABLED", "false"),
    ("Request/response logging (bodies excluded for security)", "LOG_RESPONSE_BODIES_ENABLED", "false"),
    ("Error stack traces enabled", "LOG_ERROR_STACKS_ENABLED", "true"),
    ("Log retention: 7 days, 20MB max size", "LOG_RETENTION_DAYS", "7"),
    ("Log retention: 7 days, 20MB max size", "LOG_FILE_MAX_SIZE_MB", "20"),
    ("Read-Write Service (postgres-service)", "POSTGRES_HOST", "postgres-service"),
    ("Read-Only Service (postgres-readonly-service)", "POSTGRES_READONLY_HOST", "postgres-readonly-service"),
    ("Port: 5432", "POSTGRES_PORT_NUMBER", "5432"),
    ("PostgreSQL: host, port, pool settings (min 2, max 10)", "POSTGRES_POOL_MIN_CONNECTIONS", "2"),
    ("PostgreSQL: host, port, pool settings (min 2, max 10)", "POSTGRES_POOL_MAX_CONNECTIONS", "10"),
    ("Connection timeouts: 2-5 seconds", "POSTGRES_CONNECT_TIMEOUT_SECONDS", "5"),
    ("Connection timeouts: 2-5 seconds", "MONGODB_CONNECT_TIMEOUT_SECONDS", "5"),
    ("Connection timeouts: 2-5 seconds", "REDIS_CONNECT_TIMEOUT_SECONDS", "2"),
    ("Connection timeouts: 2-5 seconds", "REDIS_PUBSUB_CONNECT_TIMEOUT_SECONDS", "2"),
    ("MongoDB: replica set configuration", "MONGODB_REPLICA_SET_NAME", "rs0"),
    ("Redis: connection settings, key prefix", "REDIS_KEY_PREFIX", "sos:"),
    ("Redis Pub/Sub: separate instance for real-time features", "REDIS_PUBSUB_HOST", "redis-pubsub-service"),
    ("TTL presets: short (5min)", "CACHE_TTL_SHORT_SECONDS", str(5 * 60)),
    ("TTL presets: medium (30min)", "CACHE_TTL_MEDIUM_SECONDS", str(30 * 60)),
    ("TTL presets: long (1h)", "CACHE_TTL_LONG_SECONDS", str(3600)),
    ("TTL presets: session (24h)", "CACHE_TTL_SESSION_SECONDS", str(24 * 3600)),
    ("User profile: 30 minutes", "CACHE_TTL_USER_PROFILE_SECONDS", str(30 * 60)),
    ("Medical profile: 1 hour", "CACHE_TTL_MEDICAL_PROFILE_SECONDS", str(3600)),
    ("Emergency contacts: 1 hour", "CACHE_TTL_EMERGENCY_CONTACTS_SECONDS", str(3600)),
    ("Device status: 5 minutes", "CACHE_TTL_DEVICE_STATUS_SECONDS", str(5 * 60)),
    ("Location: 1 minute", "CACHE_TTL_LOCATION_SECONDS", str(60)),
    ("Compression enabled", "CACHE_COMPRESSION_ENABLED", "true"),
    ("Broker addresses: 3-broker cluster", "KAFKA_BOOTSTRAP_SERVERS", "kafka-0.kafka-headless:9092,kafka-1.kafka-headless:9092,kafka-2.kafka-headless:9092"),
    ("Topic names: emergency-created", "KAFKA_TOPIC_EMERGENCY_CREATED", "emergency-created"),
    ("Topic names: emergency-updated", "KAFKA_TOPIC_EMERGENCY_UPDATED", "emergency-updated"),
    ("Topic names: location-updated", "KAFKA_TOPIC_LOCATION_UPDATED", "location-updated"),
    ("Producer settings: acks=all, snappy compression", "KAFKA_PRODUCER_ACKS", "all"),
    ("Producer settings: acks=all, snappy compression", "KAFKA_PRODUCER_COMPRESSION", "snappy"),
    ("Consumer settings: earliest offset reset, session timeout 30s", "KAFKA_CONSUMER_OFFSET_RESET", "earliest"),
    ("Consumer settings: earliest offset reset, session timeout 30s", "KAFKA_CONSUMER_SESSION_TIMEOUT_SECONDS", "30"),
    ("Broker: internal service address", "MQTT_HOST", "mqtt-service"),
    ("QoS: 1 (at least once delivery)", "MQTT_QOS", "1"),
    ("Topics: device status", "MQTT_TOPIC_DEVICE_STATUS", "devices/+/status"),
    ("Topics: alerts", "MQTT_TOPIC_DEVICE_ALERTS", "devices/+/alerts"),
    ("Topics: location", "MQTT_TOPIC_DEVICE_LOCATION", "devices/+/location"),
    ("Topics: heartbeat", "MQTT_TOPIC_DEVICE_HEARTBEAT", "devices/+/heartbeat"),
    ("Keepalive: 60 seconds", "MQTT_KEEPALIVE_SECONDS", "60"),
    ("Reconnect: 5 seconds", "MQTT_RECONNECT_INTERVAL_SECONDS", "5"),
    ("HTTP request: 30s (standard)", "HTTP_REQUEST_TIMEOUT_SECONDS", "30"),
    ("HTTP request: 60s (long)", "HTTP_LONG_REQUEST_TIMEOUT_SECONDS", "60"),
    ("HTTP request: 120s (uploads)", "HTTP_UPLOAD_TIMEOUT_SECONDS", "120"),
    ("Service calls: 5s", "SERVICE_CALL_TIMEOUT_SECONDS", "5"),
    ("Database: 5s", "DATABASE_QUERY_TIMEOUT_SECONDS", "5"),
    ("Cache: 1s", "CACHE_OPERATION_TIMEOUT_MS", "1000"),
    ("External APIs: 10s", "EXTERNAL_API_TIMEOUT_SECONDS", "10"),
    ("WebSocket: 30s ping interval", "WEBSOCKET_PING_INTERVAL_SECONDS", "30"),
    ("JWT tokens: 15min (access)", "JWT_ACCESS_TOKEN_TTL_MINUTES", "15"),
    ("JWT tokens: 7 days (refresh)", "JWT_REFRESH_TOKEN_TTL_DAYS", "7"),
    ("Max attempts: 3 (standard)", "RETRY_MAX_ATTEMPTS", "3"),
    ("Max attempts: 5 (database, notifications)", "RETRY_DATABASE_MAX_ATTEMPTS", "5"),
    ("Max attempts: 5 (database, notifications)", "RETRY_NOTIFICATION_MAX_ATTEMPTS", "5"),
    ("Initial delay: 1s", "RETRY_INITIAL_DELAY_MS", "1000"),
    ("Max delay: 30s", "RETRY_MAX_DELAY_SECONDS", "30"),
    ("Backoff multiplier: 2x (exponential)", "RETRY_BACKOFF_MULTIPLIER", "2"),
    ("Retryable status codes", "RETRY_STATUS_CODES", "408,429,500,502,503,504"),
    *(
        ("Feature flags", f"FEATURE_{feature}_ENABLED", state)
        for state, features in {
            "true": "EMERGENCY_ALERTS LOCATION_TRACKING MEDICAL_PROFILES IOT_DEVICES SMS PUSH EMAIL VOICE_CALLS AI_FALL_DETECTION VOICE_ACTIVATION"
            " OFFLINE_MODE GEOFENCING GOOGLE_LOGIN APPLE_LOGIN ANALYTICS",
            "false": "VIDEO_CALLS FACEBOOK_LOGIN WEARABLE_INTEGRATION AR_NAVIGATION",
        }.items()
        for feature in features.split()
    ),
    ("Auto-resolve timeout: 24 hours", "EMERGENCY_AUTO_RESOLVE_HOURS", "24"),
    ("Escalation timeout: 5 minutes", "EMERGENCY_ESCALATION_TIMEOUT_MINUTES", "5"),
    ("Contact retry interval: 1 minute", "EMERGENCY_CONTACT_RETRY_INTERVAL_SECONDS", "60"),
    ("Max contacts: 10 (max 3 primary)", "EMERGENCY_MAX_CONTACTS", "10"),
    ("Max contacts: 10 (max 3 primary)", "EMERGENCY_MAX_PRIMARY_CONTACTS", "3"),
    ("Location update interval: 30 seconds", "EMERGENCY_LOCATION_UPDATE_INTERVAL_SECONDS", "30"),
    ("Location trail retention: 7 days", "EMERGENCY_LOCATION_TRAIL_RETENTION_DAYS", "7"),
    ("Emergency types", "EMERGENCY_TYPES", "MEDICAL,FIRE,POLICE,GENERAL,FALL_DETECTED,DEVICE_ALERT"),
    ("Priority levels: Critical (medical, fire, fall)", "EMERGENCY_CRITICAL_TYPES", "MEDICAL,FIRE,FALL_DETECTED"),
    ("Priority levels: High (police, device)", "EMERGENCY_HIGH_TYPES", "POLICE,DEVICE_ALERT"),
    ("Priority levels: Normal (general)", "EMERGENCY_NORMAL_TYPES", "GENERAL"),
    *(("All channels enabled: SMS, push, email, voice", f"NOTIFICATION_{channel}_ENABLED", "true") for channel in ("SMS", "PUSH", "EMAIL", "VOICE")),
    ("Max retries: 5", "NOTIFICATION_MAX_RETRIES", "5"),
    ("Retry delay: 1 minute", "NOTIFICATION_RETRY_DELAY_SECONDS", "60"),
    ("SMS: 10/minute per user", "NOTIFICATION_SMS_LIMIT_PER_MINUTE", "10"),
    ("Push: 30/minute per user", "NOTIFICATION_PUSH_LIMIT_PER_MINUTE", "30"),
    ("Email: 5/minute per user", "NOTIFICATION_EMAIL_LIMIT_PER_MINUTE", "5"),
    ("Password policy: min 8 chars", "PASSWORD_MIN_LENGTH", "8"),
    *(
        ("Password policy: uppercase, lowercase, number, special char", f"PASSWORD_REQUIRE_{kind}", "true")
        for kind in ("UPPERCASE", "LOWERCASE", "NUMBER", "SPECIAL")
    ),
    ("Max age: 90 days", "PASSWORD_MAX_AGE_DAYS", "90"),
    ("Max login attempts: 5", "LOGIN_MAX_ATTEMPTS", "5"),
    ("Account lockout: 15 minutes", "LOGIN_LOCKOUT_MINUTES", "15"),
    ("Session timeout: 30 minutes", "SESSION_TIMEOUT_MINUTES", "30"),
    ("MFA enabled with 1-period window for clock skew", "MFA_ENABLED", "true"),
    ("MFA enabled with 1-period window for clock skew", "MFA_WINDOW_PERIODS", "1"),
    ("Security headers: HSTS enabled (1 year max-age)", "HSTS_ENABLED", "true"),
    ("Security headers: HSTS enabled (1 year max-age)", "HSTS_MAX_AGE_SECONDS", str(365 * 86400)),
    ("HIPAA: Audit logging", "AUDIT_LOG_ENABLED", "true"),
    ("HIPAA: encryption at rest/transit", "ENCRYPTION_AT_REST_ENABLED", "true"),
    ("HIPAA: encryption at rest/transit", "ENCRYPTION_IN_TRANSIT_ENABLED", "true"),
    ("HIPAA: 7-year retention", "AUDIT_LOG_RETENTION_DAYS", str(7 * 365 + 2)),
    ("Metrics: enabled on port 9090, path /metrics", "METRICS_ENABLED", "true"),
    ("Metrics: enabled on port 9090, path /metrics", "METRICS_PORT_NUMBER", "9090"),
    ("Metrics: enabled on port 9090, path /metrics", "METRICS_PATH", "/metrics"),
    ("Health checks: /health, /ready", "HEALTH_LIVENESS_PATH", "/health"),
    ("Health checks: /health, /ready", "HEALTH_READINESS_PATH", "/ready"),
    ("Tracing: enabled, 10% sample rate", "TRACING_ENABLED", "true"),
    ("Tracing: enabled, 10% sample rate", "OTEL_TRACES_SAMPLER_ARG", "0.1"),
    ("Error tracking: 100% sample rate", "ERROR_TRACKING_SAMPLE_RATIO", "1"),
]


@pytest.mark.parametrize(("line", "key", "text"), REQUIREMENT)
def test_the_requirement_s_figures_stand_with_their_values(line: str, key: str, text: str) -> None:
    row = SOS.key(key)
    assert row.read(row.default)[1] == text, line


def test_13_sections_and_more_than_200_keys() -> None:
    assert [section.suffix for section in SOS.sections] == SECTIONS
    assert len(KEYS) >= 200


def test_every_row_is_well_formed() -> None:
    for key in KEYS:
        typed, text = key.read(key.default)
        assert key.read(text) == (typed, text), f"{key.name}: the text must mean what it was made from"
        assert key.read(typed) == (typed, text), key.name
        assert re.fullmatch(r"[A-Z].*[^. ]\.", key.doc), f"{key.name}: a capital and a full stop"
        assert not re.search(r"[.!?] [A-Z]", key.doc), f"{key.name}: one sentence"
        assert re.fullmatch(r"\S.*[^. ]", key.reason), f"{key.name}: the reason is a clause without a full stop"
        assert key.allowed, key.name


def test_durations_sizes_and_ports_say_their_unit_in_the_name_and_nothing_else_claims_one() -> None:
    for key in KEYS:
        assert isinstance(key.type, values.Duration) == (values.suffix(key.name) in values.DURATION_UNITS) or key.name.endswith("_BUCKETS_MS"), key.name
        assert isinstance(key.type, values.Size) == (values.suffix(key.name) in values.SIZE_UNITS), key.name
        assert (key.type is values.PORT) == key.name.endswith("_PORT_NUMBER"), key.name
        if isinstance(key.type, values.Bool):
            assert key.name.endswith("_ENABLED") or key.name.startswith("PASSWORD_REQUIRE_"), key.name


def test_bounds_are_bounds() -> None:
    for key in KEYS:
        if isinstance(key.type, values.Int | values.Float | values.Size):
            assert key.type.least < key.type.most, key.name
        if isinstance(key.type, values.Duration):
            assert key.type.least < key.type.most, key.name
            assert [key.read(bound)[0] for bound in (key.type.least, key.type.most)] == [key.type.least, key.type.most], "bounds are whole in the key's unit"


def test_no_key_can_hold_a_secret() -> None:
    """Words that name secrets stand only in keys whose type cannot hold one."""
    secret = re.compile(r"PASSWORD|SECRET|TOKEN|CREDENTIAL|PRIVATE|_KEY|DSN|AUTH")
    harmless = (values.Bool, values.Choice, values.Int, values.Duration, values.Size)
    assert {key.name for key in KEYS if secret.search(key.name) and not isinstance(key.type, harmless)} == {
        "AUTH_DB_NAME",
        "MONGODB_AUTH_SOURCE",
        "REDIS_KEY_PREFIX",
    }


@pytest.mark.parametrize(
    "service",
    ["postgres", "postgres-service", "redis", "redis-service", "redis-pubsub", "mongodb", "kafka", "mqtt", "mqtt-service", "api", "server", "metrics"],
)
def test_service_links_cannot_set_any_key(service: str) -> None:
    """What the kubelet sets for a Service: documented as "Environment variables" under "Service" in the Kubernetes docs."""
    name = service.upper().replace("-", "_")
    link = re.compile(rf"{name}_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT|PORT_\d+_(TCP|UDP)(_(PROTO|PORT|ADDR))?)")
    assert not [key for key in SOS.keys if link.fullmatch(key)]


def test_no_key_changes_how_a_process_itself_works() -> None:
    assert not SOS.keys.keys() & {"PATH", "HOME", "USER", "SHELL", "LANG", "PWD", "HOSTNAME", "PORT", "HOST", "DEBUG", "NODE_OPTIONS", "LD_PRELOAD", "IFS"}


def test_a_catalogue_refuses_what_would_collide() -> None:
    key = Key("BILLING_ENABLED", values.BOOL, True, "Bills.", "an example")
    billing = Section(name="billing", title="Billing", doc="Bills.", keys=(key,))
    assert Catalogue([billing]).section("billing").suffix == "billing"
    with pytest.raises(ValueError, match="key named twice in the catalogue: BILLING_ENABLED"):
        Catalogue([billing, Section(name="other", title="Other", doc="Other.", keys=(key,))])
    with pytest.raises(ValueError, match="section named twice in the catalogue: billing"):
        Catalogue([billing, Section(name="billing", title="Other", doc="Other.", keys=())])
    with pytest.raises(ValueError, match="suffix named twice in the catalogue: billing"):
        Catalogue([billing, Section(name="other", suffix="billing", title="Other", doc="Other.", keys=())])
    with pytest.raises(ValueError, match="keys must be UPPER_SNAKE, as environment variables are: billing-url"):
        Catalogue([Section(name="x", title="X", doc="X.", keys=(Key("billing-url", values.URL, "https://x.example", "X.", "x"),))])


def test_unknown_names_get_the_nearest_one() -> None:
    with pytest.raises(InvalidOption, match=r"key='LOG_LEVL' does not exist \(did you mean 'LOG_LEVEL'\?\)"):
        SOS.key("LOG_LEVL")
    with pytest.raises(InvalidOption, match=r"section='loging' does not exist \(did you mean 'logging'\?\); there are: app, logging, database"):
        SOS.section("loging")
