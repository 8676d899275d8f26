"""ConfigMap ``sos-app-mqtt``: the connection to the devices' broker and its topics."""

from __future__ import annotations

from sos_constructs.config.model import REQUIREMENT, Key, Section
from sos_constructs.config.values import BOOL, HOST, PORT, WORD, Duration, Int, Text, days, hours, minutes, seconds

_FILTER = Text(r"[a-z][a-z0-9_-]*(/([a-z0-9_-]+|\+|#))*", "a topic filter such as devices/+/status")
_TEMPLATE = Text(r"[a-z][a-z0-9_-]*(/([a-z0-9_-]+|\{[A-Za-z]+\}))*", "a topic such as devices/{deviceId}/commands")

MQTT = Section(
    name="mqtt",
    title="MQTT",
    doc="The services' connection to the devices' broker, and its topics.",
    keys=(
        Key("MQTT_HOST", HOST, "mqtt-service", "Host of the broker.", "the requirement's internal service address"),
        Key("MQTT_PORT_NUMBER", PORT, 8883, "Port of the broker.", "the registered port for MQTT over TLS"),
        Key("MQTT_TLS_ENABLED", BOOL, True, "Encrypts the connection.", "the requirement demands encryption in transit"),
        Key("MQTT_PROTOCOL_VERSION", Int(4, 5), 5, "Protocol level: 4 is MQTT 3.1.1, 5 is MQTT 5.", "reasons for refusals, session expiry and shared subscriptions exist only from 5 on; devices may still use 4"),
        Key("MQTT_CLIENT_ID_PREFIX", WORD, "sos-app", "First part of client ids; the pod's name follows.", "two clients with one id throw each other out"),
        Key("MQTT_QOS", Int(0, 2), 1, "Delivery guarantee: 0 at most once, 1 at least once, 2 exactly once.", REQUIREMENT),
        Key("MQTT_KEEPALIVE_SECONDS", Duration(seconds(5), minutes(20)), seconds(60), "Silence after which the client pings the broker.", REQUIREMENT),
        Key("MQTT_BROKER_MAX_KEEPALIVE_SECONDS", Duration(seconds(5), seconds(65535)), seconds(65535), "Longest keepalive that the broker takes; set it to your broker's.",
            "Mosquitto's own default for max_keepalive, and the most that the protocol can say"),
        Key("MQTT_RECONNECT_INTERVAL_SECONDS", Duration(seconds(1), minutes(5)), seconds(5), "Pause before the client connects again.", REQUIREMENT),
        Key("MQTT_CONNECT_TIMEOUT_SECONDS", Duration(seconds(1), minutes(1)), seconds(10), "How long connecting may take, TLS included.", "as for other calls over networks that may be slow"),
        Key("MQTT_CLEAN_START_ENABLED", BOOL, False, "Forgets the session at every connect.", "messages that came during a restart would be lost"),
        Key("MQTT_SESSION_EXPIRY_HOURS", Duration(hours(1), days(7)), hours(1), "How long the broker keeps the session of a client that is away.", "longer than any rollout; a pod that never returns leaves nothing behind for ever"),
        Key("MQTT_MAX_INFLIGHT_MESSAGES", Int(1, 65535), 20, "Messages without acknowledgement at one time.", "Mosquitto's own default; what a service takes at once it can still finish in its grace period"),
        Key("MQTT_SHARED_GROUP", WORD, "sos-app", "Group of the shared subscription, $share/<group>/<filter>.", "otherwise every replica of a service would get every message"),
        Key("MQTT_TOPIC_DEVICE_STATUS", _FILTER, "devices/+/status", "Where devices report their status.", "the requirement's topic; the second level is the device's id, so that the broker can confine each to its own"),
        Key("MQTT_TOPIC_DEVICE_ALERTS", _FILTER, "devices/+/alerts", "Where devices raise alarms.", "as for status"),
        Key("MQTT_TOPIC_DEVICE_LOCATION", _FILTER, "devices/+/location", "Where devices report positions.", "as for status"),
        Key("MQTT_TOPIC_DEVICE_HEARTBEAT", _FILTER, "devices/+/heartbeat", "Where devices say that they are alive.", "as for status"),
        Key("MQTT_TOPIC_DEVICE_COMMANDS", _TEMPLATE, "devices/{deviceId}/commands", "Where services send commands to a device.", "an alarm must be answered on the device that raised it"),
        Key("MQTT_DEVICE_OFFLINE_AFTER_SECONDS", Duration(seconds(10), hours(24)), seconds(90), "Silence after which a device counts as offline.", "one and a half times the keepalive, as the MQTT standard has brokers do it"),
    ),
)
