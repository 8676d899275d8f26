"""Secrets of the message brokers: Kafka and MQTT. Data only."""

from __future__ import annotations

from sos_constructs.secrets.model import CERTIFICATE, NEVER, SERVER_PASSWORD, Key, SecretSpec
from sos_constructs.secrets.rings import with_rings


def _certificates(prefix: str, broker: str, breaks: str) -> tuple[Key, ...]:
    obtain = f"your {broker} cluster's CA (Strimzi, cert-manager, EMQX …); for development: sosctl secrets generate"
    return (
        Key(
            key=f"{prefix}-ca-cert",
            origin="certificate",
            form="ca-certificate",
            source=f"{prefix}-client-key",
            rotation=CERTIFICATE,
            meaning=f"Certificate of the CA that signs the {broker} brokers' and clients' certificates (PEM).",
            breaks=breaks,
            obtain=obtain,
        ),
        Key(
            key=f"{prefix}-client-cert",
            origin="certificate",
            form="certificate",
            source=f"{prefix}-client-key",
            rotation=CERTIFICATE,
            meaning=f"Client certificate for {broker} (PEM).",
            breaks=breaks,
            obtain=obtain,
        ),
        Key(
            key=f"{prefix}-client-key",
            origin="certificate",
            form="private-key",
            rotation=CERTIFICATE,
            meaning=f"Private key of the {broker} client certificate (PEM).",
            breaks=breaks,
            obtain=obtain,
        ),
    )


_NO_KAFKA = "Services exchange no events: emergencies are stored but nobody is notified."
_NO_MQTT = "Devices cannot report: no fall alarms, no positions."

KAFKA = SecretSpec(
    name="kafka-credentials",
    attribute="kafka",
    meaning="Kafka: SASL log-in (SCRAM-SHA-512) and client certificate.",
    keys=with_rings(
        Key(key="kafka-sasl-username", origin="fixed", form="text", rotation=NEVER, value="sos-app", pattern=r"[\w.@-]+", meaning="SASL user of the services.", breaks=_NO_KAFKA),
        Key(key="kafka-sasl-password", origin="generated", form="password", rotation=SERVER_PASSWORD, meaning="SASL password of the services.", breaks=_NO_KAFKA),
        *_certificates("kafka", "Kafka", _NO_KAFKA),
    ),
)

MQTT = SecretSpec(
    name="mqtt-credentials",
    attribute="mqtt",
    meaning="MQTT: log-in and client certificate of the services. Devices have credentials of their own.",
    keys=with_rings(
        Key(key="mqtt-username", origin="fixed", form="text", rotation=NEVER, value="sos-app", pattern=r"[\w.@-]+", meaning="MQTT user of the services.", breaks=_NO_MQTT),
        Key(key="mqtt-password", origin="generated", form="password", rotation=SERVER_PASSWORD, meaning="MQTT password of the services.", breaks=_NO_MQTT),
        *_certificates("mqtt", "MQTT", _NO_MQTT),
    ),
)
