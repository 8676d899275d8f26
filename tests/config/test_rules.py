"""Rules between keys: each is broken once and kept once at its edge; violations say all there is to know; waivers are seen."""

from __future__ import annotations

import re
from typing import Any

from sos_constructs.config import SOS, Catalogue, Key, Layer, Rule, Section, docs
from sos_constructs.config.catalogue.rules_services import pauses
from sos_constructs.config.layers import examine, resolve
from sos_constructs.config.values import BOOL, Int, minutes, seconds
from sos_constructs.errors import InvalidOption

import pytest

Values = dict[str, object]

PLAIN_TEXT: Values = {"ENCRYPTION_IN_TRANSIT_ENABLED": False, "HIPAA_ENABLED": False}

#: Rule → values that break it, values at its edge that keep it.
CASES: dict[str, tuple[Values, Values]] = {
    "pool-fits-server": ({"POSTGRES_POOL_MAX_CONNECTIONS": 14}, {"POSTGRES_POOL_MAX_CONNECTIONS": 13}),
    "postgres-pool": ({"POSTGRES_POOL_MIN_CONNECTIONS": 11}, {"POSTGRES_POOL_MIN_CONNECTIONS": 10}),
    "mongodb-pool": ({"MONGODB_POOL_MAX_CONNECTIONS": 1}, {"MONGODB_POOL_MAX_CONNECTIONS": 2}),
    "lock-before-query": ({"POSTGRES_LOCK_TIMEOUT_MS": "5s"}, {"POSTGRES_LOCK_TIMEOUT_MS": 4999}),
    "query-before-request": ({"HTTP_REQUEST_TIMEOUT_SECONDS": 7}, {"POSTGRES_POOL_ACQUIRE_TIMEOUT_SECONDS": 24}),
    "retries-service": ({"SERVICE_CALL_TIMEOUT_SECONDS": 9}, {"SERVICE_CALL_TIMEOUT_SECONDS": 8}),  # 3 x 9 + 1 + 2 = 30
    "retries-database": ({"DATABASE_QUERY_TIMEOUT_SECONDS": 15}, {"DATABASE_QUERY_TIMEOUT_SECONDS": 14}),  # 1 + 2 + 4 + 8 + 15 = 30
    "retry-delays": (
        {"RETRY_MAX_DELAY_SECONDS": 1, "RETRY_INITIAL_DELAY_MS": 1001},
        {"RETRY_MAX_DELAY_SECONDS": 1, "RETRY_INITIAL_DELAY_MS": 1000},
    ),
    "http-timeouts": ({"HTTP_LONG_REQUEST_TIMEOUT_SECONDS": 121}, {"HTTP_LONG_REQUEST_TIMEOUT_SECONDS": 120}),
    "websocket-pong": ({"WEBSOCKET_PONG_TIMEOUT_SECONDS": 30}, {"WEBSOCKET_PONG_TIMEOUT_SECONDS": 29}),
    "cache-ttl-order": ({"CACHE_TTL_MEDIUM_SECONDS": "61m"}, {"CACHE_TTL_MEDIUM_SECONDS": "60m"}),
    "cache-session": (
        {"SESSION_TIMEOUT_MINUTES": "24h", "CACHE_TTL_SESSION_SECONDS": "23h"},
        {"SESSION_TIMEOUT_MINUTES": "24h", "CACHE_TTL_SESSION_SECONDS": "24h"},
    ),
    "pagination": ({"PAGINATION_DEFAULT_LIMIT": 101}, {"PAGINATION_DEFAULT_LIMIT": 100}),
    "health-paths": ({"HEALTH_READINESS_PATH": "/health"}, {"HEALTH_READINESS_PATH": "/health/ready"}),
    "ports": ({"METRICS_PORT_NUMBER": 3000}, {"METRICS_PORT_NUMBER": 3001}),
    "otlp-port": (
        {"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"},
        {"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://otel-collector:4318"},
    ),
    "shutdown": ({"SERVER_SHUTDOWN_TIMEOUT_SECONDS": 25}, {"SERVER_SHUTDOWN_TIMEOUT_SECONDS": 24}),
    "idempotency-emergency": ({"IDEMPOTENCY_TTL_HOURS": 23}, {"EMERGENCY_AUTO_RESOLVE_HOURS": 23, "IDEMPOTENCY_TTL_HOURS": 23}),
    "migration-timeout": (
        {"DATABASE_QUERY_TIMEOUT_SECONDS": 61, "DATABASE_MIGRATION_TIMEOUT_MINUTES": 1, "HTTP_REQUEST_TIMEOUT_SECONDS": 120},
        {"DATABASE_MIGRATION_TIMEOUT_MINUTES": 1},
    ),
    "kafka-heartbeat": ({"KAFKA_CONSUMER_HEARTBEAT_INTERVAL_SECONDS": 11}, {"KAFKA_CONSUMER_HEARTBEAT_INTERVAL_SECONDS": 10}),
    "kafka-poll": ({"KAFKA_CONSUMER_SESSION_TIMEOUT_SECONDS": "5m"}, {"KAFKA_CONSUMER_SESSION_TIMEOUT_SECONDS": 299}),
    "kafka-idempotence": (
        {"KAFKA_PRODUCER_ACKS": "1"},
        {"KAFKA_PRODUCER_ACKS": "1", "KAFKA_PRODUCER_IDEMPOTENCE_ENABLED": False},
    ),
    "kafka-replicas": ({"KAFKA_TOPIC_MIN_INSYNC_REPLICAS": 3}, {"KAFKA_TOPIC_MIN_INSYNC_REPLICAS": 1, "KAFKA_TOPIC_REPLICATION_FACTOR": 1}),
    "retries-notification": ({"EXTERNAL_API_TIMEOUT_SECONDS": 57}, {"EXTERNAL_API_TIMEOUT_SECONDS": 56}),  # 5 x 57 + 15 = 300
    "mqtt-keepalive": ({"MQTT_BROKER_MAX_KEEPALIVE_SECONDS": 59}, {"MQTT_BROKER_MAX_KEEPALIVE_SECONDS": 60}),
    "mqtt-offline": ({"MQTT_KEEPALIVE_SECONDS": 61}, {"MQTT_DEVICE_OFFLINE_AFTER_SECONDS": 90}),
    "mqtt-port": ({"MQTT_PORT_NUMBER": 1883}, {"MQTT_PORT_NUMBER": 443}),
    "escalation": (
        {"EMERGENCY_ESCALATION_TIMEOUT_MINUTES": 60, "EMERGENCY_AUTO_RESOLVE_HOURS": 3},
        {"EMERGENCY_ESCALATION_TIMEOUT_MINUTES": 59, "EMERGENCY_AUTO_RESOLVE_HOURS": 3},
    ),
    "contact-attempts": ({"EMERGENCY_CONTACT_RETRY_INTERVAL_SECONDS": 75}, {"EMERGENCY_CONTACT_RETRY_INTERVAL_SECONDS": 74}),
    "channel-fallback": ({"NOTIFICATION_FALLBACK_SECONDS": 100}, {"NOTIFICATION_FALLBACK_SECONDS": 99}),
    "push-ttl": ({"NOTIFICATION_PUSH_TTL_SECONDS": "86401s"}, {"NOTIFICATION_PUSH_TTL_SECONDS": "24h"}),
    "primary-contacts": ({"EMERGENCY_MAX_CONTACTS": 2}, {"EMERGENCY_MAX_CONTACTS": 3}),
    "priorities": ({"EMERGENCY_HIGH_TYPES": ["POLICE"]}, {"EMERGENCY_HIGH_TYPES": ["POLICE"], "EMERGENCY_NORMAL_TYPES": ["DEVICE_ALERT", "GENERAL"]}),
    "location-cache": ({"CACHE_TTL_LOCATION_SECONDS": 121}, {"CACHE_TTL_LOCATION_SECONDS": 120}),
    "location-stale": ({"EMERGENCY_LOCATION_STALE_SECONDS": 59}, {"EMERGENCY_LOCATION_STALE_SECONDS": 60}),
    "access-before-refresh": (
        {"JWT_ACCESS_TOKEN_TTL_MINUTES": "24h", "JWT_REFRESH_TOKEN_TTL_DAYS": 1},
        {"JWT_ACCESS_TOKEN_TTL_MINUTES": "23h", "JWT_REFRESH_TOKEN_TTL_DAYS": 1},
    ),
    "clock-skew": (
        {"JWT_ACCESS_TOKEN_TTL_MINUTES": 1, "JWT_CLOCK_SKEW_SECONDS": 31},
        {"JWT_ACCESS_TOKEN_TTL_MINUTES": 1, "JWT_CLOCK_SKEW_SECONDS": 30},
    ),
    "session-age": (
        {"SESSION_TIMEOUT_MINUTES": 61, "SESSION_MAX_AGE_HOURS": 1},
        {"SESSION_TIMEOUT_MINUTES": 60, "SESSION_MAX_AGE_HOURS": 1},
    ),
    "same-site-none": (
        {"SESSION_COOKIE_SAME_SITE": "none", "SESSION_COOKIE_SECURE_ENABLED": False},
        {"SESSION_COOKIE_SAME_SITE": "none"},
    ),
    "lockout-window": ({"LOGIN_LOCKOUT_MINUTES": 14}, {"LOGIN_LOCKOUT_MINUTES": 16}),
    "lockout-rate-limit": ({"RATE_LIMIT_MAX_REQUESTS": 5}, {"RATE_LIMIT_MAX_REQUESTS": 6}),
    "short-passwords": ({"MFA_ENABLED": False, "PASSWORD_MIN_LENGTH": 14}, {"MFA_ENABLED": False, "PASSWORD_MIN_LENGTH": 15}),
    "hsts-preload": ({"HSTS_PRELOAD_ENABLED": True, "HSTS_MAX_AGE_SECONDS": "364d"}, {"HSTS_PRELOAD_ENABLED": True}),
    "cors-credentials": (
        {"CORS_ALLOWED_ORIGINS": ["https://a.example", "*"], "CORS_CREDENTIALS_ENABLED": True},
        {"CORS_ALLOWED_ORIGINS": ["https://a.example"], "CORS_CREDENTIALS_ENABLED": True},
    ),
    "audit-retention": (
        {"AUDIT_LOG_RETENTION_DAYS": 30, "LOG_RETENTION_DAYS": 31, "EMERGENCY_HISTORY_RETENTION_DAYS": 30},
        {"AUDIT_LOG_RETENTION_DAYS": 30, "LOG_RETENTION_DAYS": 30, "EMERGENCY_HISTORY_RETENTION_DAYS": 30},
    ),
    "history-audited": ({"EMERGENCY_HISTORY_RETENTION_DAYS": 2558}, {"EMERGENCY_HISTORY_RETENTION_DAYS": 2557}),
    "encryption-in-transit": ({"KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT"}, {**PLAIN_TEXT, "KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT"}),
    "production-safeguards": ({"AUDIT_LOG_ENABLED": False}, {"AUDIT_LOG_ENABLED": False, "HIPAA_ENABLED": False}),
    "production-debug-logging": ({"LOG_LEVEL": "verbose"}, {"LOG_LEVEL": "http"}),
    "production-stack-traces": ({"NODE_ENV": "development"}, {"NODE_ENV": "development", "APP_ENVIRONMENT": "staging"}),
    "production-personal-data": (
        {"LOG_PERSONAL_DATA_ENABLED": True},
        {"LOG_PERSONAL_DATA_ENABLED": True, "APP_ENVIRONMENT": "development"},
    ),
}


def broken(values: Values, catalogue: Catalogue = SOS, **waive: str) -> list[str]:
    _, problems = examine(catalogue, (Layer("mine", values),), waive={id.replace("_", "-"): reason for id, reason in waive.items()})
    return [problem.message for problem in problems]


@pytest.mark.parametrize("id", CASES)
def test_a_rule_is_broken_and_kept(id: str) -> None:
    (rule,) = (rule for rule in SOS.rules if rule.id == id)
    beyond, edge = CASES[id]
    (violation,) = (message for message in broken(beyond) if message.endswith(f"; {rule.fix} [rule {id}]"))
    assert all(re.search(rf"\b{key}=\S.* \(the default\)|\b{key}=\S.* \(layer 'mine'\)", violation) for key in rule.keys), violation
    assert any(f"{key}=" in violation for key in beyond)
    assert f": {rule.demand}" in violation
    assert f", because {rule.reason}; " in violation
    assert "lambda" not in violation
    assert broken(edge) == []


@pytest.mark.parametrize(
    ("id", "values"),
    [
        ("lockout-rate-limit", {"RATE_LIMIT_WINDOW_SECONDS": 901}),
        ("hsts-preload", {"HSTS_PRELOAD_ENABLED": True, "HSTS_INCLUDE_SUBDOMAINS_ENABLED": False}),
        ("hsts-preload", {"HSTS_PRELOAD_ENABLED": True, "HSTS_ENABLED": False}),
        ("priorities", {"EMERGENCY_HIGH_TYPES": ["POLICE", "DEVICE_ALERT", "FIRE"]}),
        ("location-cache", {"CACHE_TTL_LOCATION_SECONDS": 30}),
        ("cache-ttl-order", {"CACHE_TTL_NOT_FOUND_SECONDS": "6m"}),
        ("http-timeouts", {"HTTP_REQUEST_TIMEOUT_SECONDS": 61}),
        ("mqtt-port", {"MQTT_TLS_ENABLED": False, **PLAIN_TEXT}),
        ("otlp-port", {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://otel-collector:4318/"}),
        ("pool-fits-server", {"POSTGRES_CLIENT_PROCESSES": 20}),
        *(("encryption-in-transit", {f"{store}_TLS_ENABLED": False}) for store in ("MONGODB", "REDIS", "REDIS_PUBSUB", "MQTT")),
        ("production-safeguards", {"ENCRYPTION_AT_REST_ENABLED": False}),
        ("production-safeguards", {"ENCRYPTION_IN_TRANSIT_ENABLED": False}),
        ("production-personal-data", {"ERROR_TRACKING_PERSONAL_DATA_ENABLED": True}),
        ("production-debug-logging", {"LOG_LEVEL": "silly"}),
    ],
)
def test_the_other_ways_to_break_a_rule(id: str, values: Values) -> None:
    assert any(message.endswith(f"[rule {id}]") for message in broken(values))


@pytest.mark.parametrize("values", [{"RATE_LIMIT_ENABLED": False, "RATE_LIMIT_MAX_REQUESTS": 1}, {"LOG_LEVEL": "silly", "APP_ENVIRONMENT": "staging"}])
def test_what_a_rule_leaves_alone(values: Values) -> None:
    assert broken(values) == []


def test_every_rule_has_its_case() -> None:
    assert sorted(CASES) == sorted(rule.id for rule in SOS.rules)
    assert len(CASES) >= 15


def test_every_rule_is_well_formed() -> None:
    for rule in SOS.rules:
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", rule.id)
        assert len(rule.keys) >= 2, rule.id
        for text in (rule.demand, rule.reason, rule.fix, rule.source):
            assert re.fullmatch(r"\S.*[^. ]", text), f"{rule.id}: {text}"


@pytest.mark.parametrize("environment", SOS.environments)
def test_the_environments_break_no_rule(environment: str) -> None:
    assert examine(SOS, (SOS.environments[environment],))[1] == []


@pytest.mark.parametrize(
    ("attempts", "expected"),
    [(1, 0), (2, 1), (3, 3), (5, 15), (6, 31), (7, 61), (8, 91)],  # 1, 2, 4, 8, 16, then 30 each
)
def test_pauses_grow_to_the_longest(attempts: int, expected: int) -> None:
    assert pauses(attempts, seconds(1), seconds(30), 2.0) == seconds(expected)


def test_figures_that_the_values_do_not_show() -> None:
    (message,) = broken({"POSTGRES_POOL_MAX_CONNECTIONS": 14})
    assert "must fit into the server's connections (15 processes x 14 connections = 210), because" in message
    (message,) = broken({"SERVICE_CALL_TIMEOUT_SECONDS": 9})
    assert "(they take up to 30 s)" in message


def test_violations_come_with_all_other_errors_and_name_the_file(tmp_path) -> None:
    path = tmp_path / "site.yaml"
    path.write_text("# the site\nTZ: Mars\nLOG_LEVEL: debug\n")
    with pytest.raises(InvalidOption) as raised:
        resolve(SOS, (Layer.from_file(path), Layer("pool", {"POSTGRES_POOL_MIN_CONNECTIONS": 11})), waive={"kafka-pol": "x", "kafka-poll": " "})
    first, *lines = str(raised.value).splitlines()
    assert first == "layers=['site.yaml', 'pool'] have 6 errors:"
    assert lines[0].startswith("  - TZ='Mars' must be")
    assert lines[1].startswith("  - waive='kafka-pol' names no rule (did you mean 'kafka-poll'?); there are: pool-fits-server, ")
    assert lines[2] == "  - waive['kafka-poll']=' ' must say in a line why the rule may be broken here"
    assert lines[3].startswith("  - POSTGRES_POOL_MIN_CONNECTIONS=11 (layer 'pool'), POSTGRES_POOL_MAX_CONNECTIONS=10 (the default): ")
    assert lines[4].startswith("  - waive='kafka-poll' waives nothing")
    assert lines[5].startswith(f"  - APP_ENVIRONMENT=production (the default), LOG_LEVEL=debug (layer 'site.yaml', {path}:3): production may not")


def test_a_rule_is_not_asked_about_a_value_that_is_wrong_itself() -> None:
    (message,) = broken({"POSTGRES_POOL_MIN_CONNECTIONS": 1000}, postgres_pool="not yet decided")
    assert message.startswith("POSTGRES_POOL_MIN_CONNECTIONS=1000 must be a whole number")


def test_a_waiver_lets_one_violation_pass_and_is_seen_with_its_keys() -> None:
    layers = (Layer("fault", {"LOG_LEVEL": "debug", "POSTGRES_POOL_MIN_CONNECTIONS": 11}),)
    with pytest.raises(InvalidOption, match=r"have an error:\n  - POSTGRES_POOL_MIN"):
        resolve(SOS, layers, waive={"production-debug-logging": "an hour of looking for incident 12"})
    settings = resolve(SOS, (Layer("fault", {"LOG_LEVEL": "debug"}),), waive={"production-debug-logging": "an hour of looking for incident 12"})
    assert {key for key, setting in settings.items() if setting.waivers} == {"APP_ENVIRONMENT", "LOG_LEVEL"}
    (waiver,) = settings["LOG_LEVEL"].waivers
    assert (waiver.rule.id, waiver.reason) == ("production-debug-logging", "an hour of looking for incident 12")
    assert waiver.violation.startswith("APP_ENVIRONMENT=production (the default), LOG_LEVEL=debug (layer 'fault'): production may not log below http")


def test_a_waiver_that_waives_nothing_is_an_error() -> None:
    assert broken({}, postgres_pool="it was broken once") == [
        "waive='postgres-pool' waives nothing: the rule holds, and the waiver would hide the next violation; leave it out"
    ]


@pytest.mark.parametrize("reason", ["", " ", "two\nlines", None, 3])
def test_a_waiver_needs_a_reason(reason: object) -> None:
    values = {"LOG_LEVEL": "debug"}
    with pytest.raises(InvalidOption, match=r"waive\['production-debug-logging'\]=.* must say in a line why the rule may be broken here"):
        resolve(SOS, (Layer("mine", values),), waive={"production-debug-logging": reason})  # type: ignore[dict-item]


def test_rules_go_with_their_keys() -> None:
    without = SOS.without("mqtt", "kafka")
    gone = {rule.id for rule in SOS.rules} - {rule.id for rule in without.rules}
    assert gone == {
        "kafka-heartbeat",
        "kafka-poll",
        "kafka-idempotence",
        "kafka-replicas",
        "retries-notification",
        "mqtt-keepalive",
        "mqtt-offline",
        "mqtt-port",
        "encryption-in-transit",
    }
    assert broken({}, without, mqtt_port="not ours")[0].startswith("waive='mqtt-port' names no rule")


BILLING = Section("billing", [Key("BILLING_ENABLED", BOOL, True, "Bills.", "it pays the rest"), Key("BILLING_LIMIT", Int(0, 10), 5, "Most bills.", "enough")])
BILLS = Rule(
    id="billing-limit",
    keys=["BILLING_ENABLED", "BILLING_LIMIT", "PAGINATION_MAX_LIMIT"],
    holds=lambda enabled, limit, page: not enabled or 0 < limit <= page,
    demand="billing needs a limit within a page",
    reason="bills are shown on one page",
    fix="raise BILLING_LIMIT",
    source="our accountant",
)


def test_rules_of_one_s_own() -> None:
    catalogue = SOS + BILLING + BILLS
    assert broken({}, catalogue) == []
    expected = (
        "BILLING_ENABLED=true (the default), BILLING_LIMIT=0 (layer 'mine'), PAGINATION_MAX_LIMIT=100 (the default): "
        "billing needs a limit within a page, because bills are shown on one page; raise BILLING_LIMIT [rule billing-limit]"
    )
    assert broken({"BILLING_LIMIT": 0}, catalogue) == [expected]


def test_a_rule_must_read_keys_that_exist() -> None:
    with pytest.raises(
        ValueError, match=r"keys that are not in the catalogue: rule 'billing-limit' names BILLING_ENABLED .*; rule 'billing-limit' names BILLING_LIMIT"
    ):
        _ = SOS + BILLS
    with pytest.raises(ValueError, match="rule named twice in the catalogue: billing-limit"):
        _ = SOS + BILLING + BILLS + BILLS


def test_the_page_lists_every_rule_and_what_is_waived() -> None:
    page = docs.markdown()
    rows = {line.split("`")[1]: line for line in page[page.index("## Rules between keys") :].splitlines() if line.startswith("| `")}
    assert list(rows) == sorted(CASES)
    for rule in SOS.rules:
        assert all(part.replace("|", "\\|") in rows[rule.id] for part in (*rule.keys, rule.demand, rule.reason, rule.fix, rule.source)), rule.id
    settings = resolve(SOS, (Layer("mine", {"LOG_LEVEL": "debug"}),), waive={"production-debug-logging": "incident 12"})
    page = docs.markdown(waivers=settings["LOG_LEVEL"].waivers)
    assert "| `production-debug-logging` | incident 12 | APP_ENVIRONMENT=production (the default), LOG_LEVEL=debug (layer 'mine'): " in page
    assert "## Waived rules" not in docs.markdown()


def test_durations_are_compared_across_units() -> None:
    assert broken({"HTTP_REQUEST_TIMEOUT_SECONDS": minutes(1), "SERVICE_CALL_TIMEOUT_SECONDS": seconds(18)}) == []


@pytest.mark.parametrize("function", ["holds", "detail"])
def test_a_rule_whose_function_fails_is_named_with_its_values(function: str) -> None:
    functions: dict[str, Any] = {"holds": lambda _: False} | {function: lambda _: 1 / 0}
    rule = Rule(id="own", keys=["LOG_LEVEL"], demand="d", reason="r", fix="f", source="s", **functions)
    (problem,) = broken({}, SOS + rule)
    assert problem == "LOG_LEVEL=info (the default): the function of the rule failed with ZeroDivisionError: division by zero; mend the function [rule own]"
