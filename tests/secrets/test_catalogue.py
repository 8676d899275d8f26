"""The catalogue against the requirement, row by row, and against its own rules."""

from __future__ import annotations

import re
from datetime import timedelta

from sos_constructs.config.catalogue import SOS
from sos_constructs.secrets import SosSecrets
from sos_constructs.secrets.catalogue import SECRETS
from sos_constructs.secrets.forms import FORMS, recipe
from sos_constructs.secrets.generate import new_value
from sos_constructs.secrets.model import Key

import pytest

REQUIRED = {
    "postgres-credentials": """
        postgres-password auth-db-username auth-db-password users-db-username users-db-password emergency-db-username
        emergency-db-password medical-db-username medical-db-password devices-db-username devices-db-password
    """,
    "mongodb-credentials": "mongodb-root-username mongodb-root-password mongodb-username mongodb-password mongodb-replica-set-key",
    "redis-credentials": "redis-password redis-pubsub-password",
    "jwt-secrets": "jwt-secret jwt-refresh-secret jwt-private-key jwt-public-key",
    "encryption-keys": "medical-encryption-key pii-encryption-key data-encryption-key key-encryption-key",
    "external-api-keys": """
        google-maps-api-key google-speech-to-text-key twilio-account-sid twilio-auth-token twilio-phone-number
        fcm-server-key fcm-sender-id apns-key-id apns-team-id apns-auth-key sendgrid-api-key aws-access-key-id
        aws-secret-access-key
    """,
    "oauth-credentials": """
        google-oauth-client-id google-oauth-client-secret apple-oauth-client-id apple-oauth-team-id apple-oauth-key-id
        apple-oauth-private-key facebook-app-id facebook-app-secret
    """,
    "object-storage-credentials": """
        s3-access-key-id s3-secret-access-key s3-bucket s3-region gcs-service-account-json gcs-bucket
        azure-storage-account-name azure-storage-account-key azure-storage-container
    """,
    "kafka-credentials": "kafka-sasl-username kafka-sasl-password kafka-ca-cert kafka-client-cert kafka-client-key",
    "mqtt-credentials": "mqtt-username mqtt-password mqtt-ca-cert mqtt-client-cert mqtt-client-key",
    "monitoring-credentials": "datadog-api-key newrelic-license-key sentry-dsn prometheus-remote-write-username prometheus-remote-write-password",
    "tls-certificates": "tls.crt tls.key",
}
"""The requirement's secrets, in its order, with its keys."""

ADDED = {
    "postgres-credentials": """
        postgres-username replication-username replication-password rewind-username rewind-password monitoring-username
        monitoring-password pooler-username pooler-password patroni-username patroni-password
    """,
    "jwt-secrets": "jwt-key-id",
    "external-api-keys": "twilio-api-key-sid twilio-api-key-secret fcm-service-account-json",
    "tls-certificates": "ca.crt",
}

ROWS = [pytest.param(secret, row, id=row.key) for secret in SECRETS for row in secret.keys]
KEYS = [row for secret in SECRETS for row in secret.keys]


def test_the_secrets_are_those_of_the_requirement_in_its_order():
    assert [secret.name for secret in SECRETS] == list(REQUIRED)


@pytest.mark.parametrize("secret", SECRETS, ids=lambda secret: secret.name)
def test_the_keys_are_those_of_the_requirement_and_the_added_ones_say_why(secret):
    assert {row.key for row in secret.keys if not row.added} == set(REQUIRED[secret.name].split())
    assert {row.key for row in secret.keys if row.added and row.origin != "ring"} == set(ADDED.get(secret.name, "").split())


def test_keys_and_variables_are_unique_over_all_secrets():
    assert len({row.key for row in KEYS}) == len({row.env for row in KEYS}) == len(KEYS)


def test_only_the_tls_secret_has_a_type_of_its_own():
    assert {secret.name: secret.type for secret in SECRETS if secret.type != "Opaque"} == {"tls-certificates": "kubernetes.io/tls"}


def test_every_secret_is_an_attribute_of_the_construct():
    assert {name for name, type_ in SosSecrets.__annotations__.items() if type_ == "SecretHandle"} == {secret.attribute for secret in SECRETS}


@pytest.mark.parametrize(("secret", "row"), ROWS)
def test_a_row_is_complete(secret, row: Key):
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*|(tls|ca)\.(crt|key)", row.key)
    assert re.fullmatch(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)*", row.env)
    assert row.meaning.endswith(".")
    assert row.breaks.endswith(".")
    assert recipe(row)
    assert FORMS[row.form].words
    re.compile(row.pattern)
    assert bool(row.value) == (row.origin == "fixed")
    assert row.rotation.strategy == "none" or row.rotation.days
    if row.origin == "generated":
        assert row.rotation.days, "what we make we rotate"
        assert new_value(row.form)
    elif row.origin == "derived":
        assert secret[row.source].origin == "generated"
    elif row.origin == "certificate":
        assert row.form == "private-key" if not row.source else secret[row.source].form == "private-key"
    elif row.origin in ("issued", "federated"):
        assert row.obtain
    if row.origin == "federated":
        assert row.optional, "a pod with an identity of its own needs none"


def test_rotation_is_what_the_requirement_says():
    own = [row for row in KEYS if row.origin != "ring"]
    passwords = {row.rotation.days for row in own if row.form == "password"}
    assert passwords == {90}
    assert {row.rotation.days for secret in SECRETS if secret.name == "jwt-secrets" for row in secret.keys if row in own} == {180}


def test_encryption_keys_are_never_overwritten():
    assert {(row.rotation.strategy, row.rotation.keeps) for row in KEYS if row.form == "aes256" and row.origin != "ring"} == {("re-wrap", "all")}


def test_the_previous_value_of_tokens_stays_longer_than_the_longest_token_lives():
    rows = [row for secret in SECRETS if secret.name == "jwt-secrets" for row in secret.keys if row.origin != "ring"]
    life, skew = (SOS.key(name).default for name in ("JWT_REFRESH_TOKEN_TTL_DAYS", "JWT_CLOCK_SKEW_SECONDS"))
    assert isinstance(life, timedelta)
    assert isinstance(skew, timedelta)
    assert rows
    assert all(row.rotation.overlap > life + skew for row in rows)
    assert all(row.rotation.staged for row in rows)


def test_next_and_previous_values_have_rows():
    ring = {row.key for row in KEYS if row.origin == "ring"}
    staged = {f"{row.key}-next" for row in KEYS if row.rotation.staged}
    kept = {f"{row.key}-previous" for row in KEYS if row.rotation.keeps == "previous"} - {"jwt-private-key-previous"}
    with_passwords = {row.key for row in KEYS if row.follows}
    users = {f"{key}-{state}" for key in with_passwords for state in ("next", "previous")}
    assert ring == staged | kept | users
    assert with_passwords == {row.key.replace("password", "username") for row in KEYS if row.rotation.staged and row.form == "password"}
    assert all(row.optional for row in KEYS if row.origin == "ring"), "a pod must start without them"


def test_facebook_is_optional():
    assert {row.key for row in KEYS if row.optional and row.key.startswith("facebook")} == {"facebook-app-id", "facebook-app-secret"}


def test_a_choice_is_between_optional_keys_that_exist():
    for secret in SECRETS:
        for keys in secret.one_of:
            assert all(secret[key].optional for key in keys)
