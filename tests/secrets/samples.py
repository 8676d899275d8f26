"""A value of the right form for every key that only a vendor can issue. None of them was ever issued."""

from __future__ import annotations

import base64
import json

from sos_constructs.secrets.catalogue import SECRETS
from sos_constructs.secrets.certificates import DevelopmentCa

from tests.secrets.conftest import NOW

P8 = DevelopmentCa(NOW).issue("sample")[0]
SERVICE_ACCOUNT = json.dumps({"type": "service_account", "project_id": "p", "client_email": "a@p.iam", "private_key": "not a key, only its place"})
HEX = "5f0c9d2e8b7a4163"
LETTERS = "q8Rz3LmX7vTb2KwY5nHc9JdF4sGp6ZaE1uQoViN0"

ISSUED = {
    "google-maps-api-key": "AIza" + LETTERS[:35],
    "google-speech-to-text-key": "AIza" + LETTERS[2:37],
    "twilio-account-sid": "AC" + HEX * 2,
    "twilio-auth-token": HEX * 1 + HEX[::-1],
    "twilio-phone-number": "+4915112345678",
    "twilio-api-key-sid": "SK" + HEX * 2,
    "twilio-api-key-secret": LETTERS[:32],
    "fcm-server-key": "AAAA:" + LETTERS * 2 + "-_",
    "fcm-sender-id": "123456789012",
    "fcm-service-account-json": SERVICE_ACCOUNT,
    "apns-key-id": "ABC123DEFG",
    "apns-team-id": "DEF123GHIJ",
    "apns-auth-key": P8,
    "sendgrid-api-key": f"SG.{LETTERS[:22]}.{LETTERS}",
    "aws-access-key-id": "AKIA" + "QRSTUVWXYZ234567",
    "aws-secret-access-key": LETTERS,
    "google-oauth-client-id": "1234567890-abc.apps.googleusercontent.com",
    "google-oauth-client-secret": "GOCSPX-" + LETTERS[:28],
    "apple-oauth-client-id": "org.sos.web",
    "apple-oauth-team-id": "DEF123GHIJ",
    "apple-oauth-key-id": "ABC123DEFG",
    "apple-oauth-private-key": P8,
    "facebook-app-id": "1234567890123456",
    "facebook-app-secret": HEX + HEX[::-1],
    "s3-access-key-id": "minio-" + LETTERS[:14],
    "s3-secret-access-key": LETTERS,
    "s3-bucket": "sos-media",
    "s3-region": "eu-central-1",
    "gcs-service-account-json": SERVICE_ACCOUNT,
    "gcs-bucket": "sos-media",
    "azure-storage-account-name": "sosmedia",
    "azure-storage-account-key": base64.b64encode(bytes(range(64))).decode(),
    "azure-storage-container": "media",
    "datadog-api-key": HEX + HEX[::-1],
    "newrelic-license-key": "eu01xx" + LETTERS[:34],
    "sentry-dsn": f"https://{HEX * 2}@o123.ingest.de.sentry.io/4505",
    "prometheus-remote-write-username": "123456",
    "prometheus-remote-write-password": LETTERS,
}

assert set(ISSUED) == {row.key for secret in SECRETS for row in secret.keys if row.origin in ("issued", "federated")}
