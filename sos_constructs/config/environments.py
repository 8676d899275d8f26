"""The built-in environments, as layers over the defaults. The defaults are production's; data only."""

from __future__ import annotations

from typing import Literal, TypeAlias

from sos_constructs.config.layers import Layer
from sos_constructs.config.values import days

Environment: TypeAlias = Literal["development", "staging", "production"]

ENVIRONMENTS: dict[str, Layer] = {
    "development": Layer(
        "development",
        {
            "APP_ENVIRONMENT": "development",
            "APP_PUBLIC_URL": "http://localhost:3000",
            "NODE_ENV": "development",
            "API_DOCS_ENABLED": True,
            "CORS_ALLOWED_ORIGINS": ["http://localhost:3000", "http://localhost:5173"],
            "RATE_LIMIT_MAX_REQUESTS": 1000,
            "LOG_LEVEL": "debug",
            "LOG_FORMAT": "pretty",
            "MONGODB_TLS_ENABLED": False,
            "REDIS_TLS_ENABLED": False,
            "REDIS_PUBSUB_TLS_ENABLED": False,
            "KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT",
            "MQTT_PORT_NUMBER": 1883,
            "MQTT_TLS_ENABLED": False,
            "FEATURE_WEARABLE_INTEGRATION_ENABLED": True,
            "FEATURE_AR_NAVIGATION_ENABLED": True,
            "NOTIFICATION_SMS_ENABLED": False,
            "NOTIFICATION_EMAIL_ENABLED": False,
            "NOTIFICATION_VOICE_ENABLED": False,
            "APNS_ENVIRONMENT": "sandbox",
            "SESSION_COOKIE_SECURE_ENABLED": False,
            "HSTS_ENABLED": False,
            "ENCRYPTION_IN_TRANSIT_ENABLED": False,
            "OTEL_TRACES_SAMPLER_ARG": 1,
            "ERROR_TRACKING_ENABLED": False,
        },
        reason="work on one machine: everything visible, no certificates, no message leaves it but push to test phones",
    ),
    "staging": Layer(
        "staging",
        {
            "APP_ENVIRONMENT": "staging",
            "API_DOCS_ENABLED": True,
            "LOG_LEVEL": "debug",
            "FEATURE_WEARABLE_INTEGRATION_ENABLED": True,
            "FEATURE_AR_NAVIGATION_ENABLED": True,
            "HSTS_MAX_AGE_SECONDS": days(1),
            "OTEL_TRACES_SAMPLER_ARG": 1,
        },
        reason="production in everything that can break, with more to see; browsers may forget its HSTS within a day",
    ),
    "production": Layer("production", {}, reason="the defaults are production's"),
}
