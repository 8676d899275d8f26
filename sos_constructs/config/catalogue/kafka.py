"""ConfigMap ``sos-app-kafka``: brokers, topics, producers and consumers."""

from __future__ import annotations

from sos_constructs.config.model import REQUIREMENT, Key, Section
from sos_constructs.config.values import BOOL, HOST_PORT, WORD, Choice, Duration, Int, Items, Text, days, hours, minutes, seconds

_TOPIC = Text(r"[A-Za-z][A-Za-z0-9._-]{0,248}", "a Kafka topic name: letters, digits, '.', '_' and '-'")


def _topic(name: str, doc: str, reason: str) -> Key:
    return Key(f"KAFKA_TOPIC_{name.upper().replace('-', '_')}", _TOPIC, name, doc, reason)


KAFKA = Section(
    name="kafka",
    title="Kafka",
    doc="Brokers, topics, producers and consumers. Clients speak to brokers only: with KRaft there is no ZooKeeper to name.",
    keys=(
        Key("KAFKA_BOOTSTRAP_SERVERS", Items(HOST_PORT), tuple(f"kafka-{broker}.kafka-headless:9092" for broker in range(3)), "Brokers that clients ask for the cluster's layout.",
            "the requirement's three brokers; 9092 is Kafka's client port, 9093 its controllers'"),
        Key("KAFKA_CLIENT_ID", WORD, "sos-app", "First part of the name under which clients appear in the brokers' logs and quotas.", "the platform's name"),
        Key("KAFKA_SECURITY_PROTOCOL", Choice("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"), "SASL_SSL", "How connections are protected.", "the requirement has SASL credentials and demands encryption in transit"),
        Key("KAFKA_SASL_MECHANISM", Choice("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"), "SCRAM-SHA-512", "How clients log in.", "the password itself is never sent"),
        _topic("emergency-created", "Topic of new emergencies.", REQUIREMENT),
        _topic("emergency-updated", "Topic of changes to an emergency.", REQUIREMENT),
        _topic("emergency-resolved", "Topic of emergencies that ended.", "the end is what responders and statistics wait for"),
        _topic("emergency-escalated", "Topic of emergencies that nobody answered in time.", "EMERGENCY_ESCALATION_TIMEOUT_MINUTES needs somebody to tell"),
        _topic("location-updated", "Topic of positions.", REQUIREMENT),
        _topic("device-status", "Topic of the status that devices report.", "carries the MQTT topic of the same name to the services"),
        _topic("device-alert", "Topic of alarms that devices raise.", "carries the MQTT topic of the same name to the services"),
        _topic("notification-requested", "Topic of messages to be sent.", "separates deciding that somebody must know from sending"),
        _topic("notification-delivered", "Topic of outcomes of sending.", "escalation depends on whether anybody was reached"),
        _topic("audit-event", "Topic of the audit log.", "the requirement demands an audit log, kept apart from what it watches"),
        _topic("dead-letter", "Topic of messages that could not be processed.", "a message that always fails must not block its partition"),
        Key("KAFKA_TOPIC_PARTITIONS", Int(1, 1000), 12, "Partitions of a new topic.", "divides evenly among 1, 2, 3, 4, 6 and 12 consumers; order holds per emergency, the message key"),
        Key("KAFKA_TOPIC_REPLICATION_FACTOR", Int(1, 10), 3, "Copies of each partition.", "one on each of the three brokers"),
        Key("KAFKA_TOPIC_MIN_INSYNC_REPLICAS", Int(1, 10), 2, "Copies that must have a message before it counts.", "with acks=all one broker may fail: nothing is lost and writing goes on"),
        Key("KAFKA_TOPIC_RETENTION_HOURS", Duration(hours(1), days(365)), days(7), "How long messages are kept.", "Kafka's own default; long enough to replay a week"),
        Key("KAFKA_PRODUCER_ACKS", Choice("0", "1", "all"), "all", "Which copies must have a message before the producer goes on.", REQUIREMENT),
        Key("KAFKA_PRODUCER_COMPRESSION", Choice("none", "gzip", "snappy", "lz4", "zstd"), "snappy", "How batches are compressed.", REQUIREMENT),
        Key("KAFKA_PRODUCER_IDEMPOTENCE_ENABLED", BOOL, True, "A repeated send is stored once.", "without it a retry can create an emergency twice"),
        Key("KAFKA_PRODUCER_MAX_IN_FLIGHT", Int(1, 5), 5, "Requests under way per connection.", "the most with which idempotence keeps the order"),
        Key("KAFKA_PRODUCER_DELIVERY_TIMEOUT_SECONDS", Duration(seconds(1), minutes(30)), seconds(120), "How long a message may take with all its retries.", "Kafka's own default; outlives the election of a new leader"),
        Key("KAFKA_CONSUMER_GROUP_PREFIX", WORD, "sos-app", "First part of every consumer group's name; the service adds its own.", "the platform's name"),
        Key("KAFKA_CONSUMER_OFFSET_RESET", Choice("earliest", "latest", "none"), "earliest", "Where a group begins that has no position yet.", REQUIREMENT),
        Key("KAFKA_CONSUMER_SESSION_TIMEOUT_SECONDS", Duration(seconds(6), minutes(5)), seconds(30), "Silence after which a consumer counts as dead.", REQUIREMENT),
        Key("KAFKA_CONSUMER_HEARTBEAT_INTERVAL_SECONDS", Duration(seconds(1), minutes(1)), seconds(3), "How often a consumer says that it is alive.",
            "Kafka's own default; at most a third of the session timeout, so that two lost heartbeats do no harm"),
        Key("KAFKA_CONSUMER_MAX_POLL_INTERVAL_SECONDS", Duration(seconds(10), hours(1)), minutes(5), "How long processing one batch may take.", "Kafka's own default"),
        Key("KAFKA_CONSUMER_MAX_POLL_RECORDS", Int(1, 10000), 100, "Most messages per batch.", "at one second each, far below the poll interval; Kafka's 500 would not be"),
        Key("KAFKA_CONSUMER_ISOLATION_LEVEL", Choice("read_committed", "read_uncommitted"), "read_committed", "Whether messages of unfinished transactions are seen.", "an aborted alarm must not be acted upon"),
        Key("KAFKA_CONSUMER_AUTO_COMMIT_ENABLED", BOOL, False, "Marks messages as done by the clock.", "a message is done when it was processed; otherwise a crash loses it"),
    ),
)
