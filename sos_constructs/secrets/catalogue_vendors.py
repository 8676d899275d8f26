"""Secrets that vendors issue: interfaces, log-in providers, monitoring. Data only.

``pattern`` holds only what the vendor documents or what has been stable for years; where in doubt there is none.
"""

from __future__ import annotations

from sos_constructs.secrets.model import CLOUD, NEVER, VENDOR, Form, Key, Rotation, SecretSpec


def _issued(
    key: str, meaning: str, breaks: str, obtain: str, *, pattern: str = "", form: Form = "token", rotation: Rotation = VENDOR, optional: bool = False, added: str = ""
) -> Key:
    return Key(
        key=key, origin="issued", form=form, rotation=rotation, meaning=meaning, breaks=breaks, obtain=obtain, pattern=pattern, optional=optional, added=added
    )  # fmt: skip


def _id(key: str, meaning: str, breaks: str, obtain: str, *, pattern: str = "", optional: bool = False) -> Key:
    """An identifier: issued, but not secret and never rotated."""
    return _issued(key, meaning, breaks, obtain, pattern=pattern, form="text", rotation=NEVER, optional=optional)


def _aws(key: str, meaning: str, *, form: Form, pattern: str) -> Key:
    return Key(
        key=key,
        origin="federated",
        form=form,
        rotation=CLOUD,
        meaning=meaning,
        breaks="Nothing where pods have an AWS identity; else no AWS interface works.",
        obtain="better none: EKS Pod Identity or IRSA; else AWS console → IAM → Users → Security credentials",
        optional=True,
        pattern=pattern,
    )


_GOOGLE = "Google Cloud console → APIs & Services → Credentials"
_TWILIO = "Twilio console → Account → API keys & tokens"
_FIREBASE = "Firebase console → Project settings"
_APPLE = "Apple Developer → Certificates, Identifiers & Profiles"
_META = "Meta for Developers → your app → App settings → Basic"
_NO_SMS = "No SMS and no voice calls."
_NO_PUSH = "No push notifications on Android."
_NO_APNS = "No push notifications on iOS."
_TEN = "[A-Z0-9]{10}"  # Apple's key and team identifiers

EXTERNAL_API = SecretSpec(
    name="external-api-keys",
    attribute="external_api",
    meaning="Keys of external services: maps, speech, SMS, push, e-mail, AWS.",
    keys=(
        _issued(
            "google-maps-api-key",
            "Google Maps key of the servers; the apps have keys of their own, which are not secret.",
            "No addresses and no routes for responders.",
            f"{_GOOGLE} → Create API key; restrict it to the Maps APIs and to the cluster's outgoing addresses",
            pattern=r"AIza[\w-]{35}|AQ\.[\w.-]{20,}",
        ),
        _issued(
            "google-speech-to-text-key",
            "Google Cloud Speech-to-Text key.",
            "No voice activation.",
            f"{_GOOGLE} → Create API key; restrict it to Cloud Speech-to-Text",
            pattern=r"AIza[\w-]{35}|AQ\.[\w.-]{20,}",
        ),
        _id("twilio-account-sid", "Twilio account.", _NO_SMS, _TWILIO, pattern="AC[0-9a-f]{32}"),
        _issued("twilio-auth-token", "Twilio's main token; also checks the signature of incoming webhooks.", _NO_SMS, _TWILIO, pattern="[0-9a-f]{32}"),
        _id("twilio-phone-number", "Sender's number in E.164 form.", _NO_SMS, "Twilio console → Phone numbers → Manage → Active numbers", pattern=r"\+[1-9]\d{6,14}"),
        _issued(
            "twilio-api-key-sid",
            "Identifier of a restricted Twilio API key.",
            "Calls must use the main token, which cannot be limited or revoked alone.",
            f"{_TWILIO} → Create API key (restricted)",
            pattern="SK[0-9a-f]{32}",
            form="text",
            optional=True,
            added="Twilio advises API keys instead of the main token in production",
        ),
        _issued(
            "twilio-api-key-secret",
            "Secret of that key.",
            "As twilio-api-key-sid.",
            "with twilio-api-key-sid; shown once",
            optional=True,
            added="Twilio advises API keys instead of the main token in production",
        ),
        _issued(
            "fcm-server-key",
            "Server key of Firebase's legacy interface, which Google began to shut down on 2024-07-22. Nothing should use it.",
            "Nothing.",
            "not issued any more; use fcm-service-account-json",
            optional=True,
        ),
        _id("fcm-sender-id", "Sender of Firebase Cloud Messaging.", _NO_PUSH, f"{_FIREBASE} → Cloud Messaging", pattern=r"\d{6,20}"),
        _issued(
            "fcm-service-account-json",
            "Service account for Firebase's HTTP v1 interface (JSON file).",
            _NO_PUSH,
            f"{_FIREBASE} → Service accounts → Generate new private key",
            form="service-account",
            added="the only interface of Firebase Cloud Messaging that still works; the server key is dead",
        ),
        _id("apns-key-id", "Identifier of the APNs key.", _NO_APNS, f"{_APPLE} → Keys", pattern=_TEN),
        _id("apns-team-id", "Apple team the key belongs to.", _NO_APNS, "Apple Developer → Membership details", pattern=_TEN),
        _issued("apns-auth-key", "APNs key (.p8 file), which signs push requests.", _NO_APNS, f"{_APPLE} → Keys → APNs; downloadable once", form="ec-private-key"),
        _issued(
            "sendgrid-api-key",
            "SendGrid key that may only send mail.",
            "No e-mail.",
            "SendGrid → Settings → API keys → Restricted access: Mail Send",
            pattern=r"SG\.[\w-]{16,}\.[\w-]{16,}",
        ),
        _aws("aws-access-key-id", "Static AWS access key.", form="text", pattern="AKIA[A-Z0-9]{16}"),
        _aws("aws-secret-access-key", "Secret of that access key.", form="token", pattern="[A-Za-z0-9/+]{40}"),
    ),
)

_NO_GOOGLE = "No log-in with Google."
_NO_APPLE = "No log-in with Apple."
_NO_FACEBOOK = "No log-in with Facebook, which is switched off by default."

OAUTH = SecretSpec(
    name="oauth-credentials",
    attribute="oauth",
    meaning="Log-in with Google, Apple and, optionally, Facebook.",
    keys=(
        _id("google-oauth-client-id", "OAuth client at Google.", _NO_GOOGLE, f"{_GOOGLE} → Create OAuth client ID", pattern=r"[\w-]+\.apps\.googleusercontent\.com"),
        _issued("google-oauth-client-secret", "Secret of that client.", _NO_GOOGLE, "with google-oauth-client-id"),
        _id("apple-oauth-client-id", "Services ID at Apple.", _NO_APPLE, f"{_APPLE} → Identifiers → Services IDs", pattern=r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+"),
        _id("apple-oauth-team-id", "Apple team.", _NO_APPLE, "Apple Developer → Membership details", pattern=_TEN),
        _id("apple-oauth-key-id", "Identifier of the key for Sign in with Apple.", _NO_APPLE, f"{_APPLE} → Keys", pattern=_TEN),
        _issued(
            "apple-oauth-private-key",
            "Key (.p8 file) for Sign in with Apple.",
            _NO_APPLE,
            f"{_APPLE} → Keys → Sign in with Apple; downloadable once",
            form="ec-private-key",
        ),
        _id("facebook-app-id", "App at Facebook.", _NO_FACEBOOK, _META, pattern=r"\d{10,20}", optional=True),
        _issued("facebook-app-secret", "Secret of that app.", _NO_FACEBOOK, _META, pattern="[0-9a-f]{32}", optional=True),
    ),
)

MONITORING = SecretSpec(
    name="monitoring-credentials",
    attribute="monitoring",
    meaning="Keys of the monitoring services that are in use; each is optional.",
    keys=(
        _issued("datadog-api-key", "Datadog API key.", "No data in Datadog.", "Datadog → Organization settings → API keys", pattern="[0-9a-f]{32}", optional=True),
        _issued("newrelic-license-key", "New Relic ingest key.", "No data in New Relic.", "New Relic → API keys → type: Ingest - License", pattern=r"\w{40}", optional=True),
        _issued(
            "sentry-dsn",
            "Address and key for Sentry.",
            "Errors of the services are only in their logs.",
            "Sentry → Project settings → Client keys (DSN)",
            pattern=r"https?://\w+(:\w+)?@[\w.:-]+/(\S*/)?\d+",
            form="text",
            optional=True,
        ),
        _id("prometheus-remote-write-username", "User for Prometheus remote write.", "Metrics stay in the cluster.", "your metrics store (Grafana Cloud, Mimir …)", optional=True),
        _issued("prometheus-remote-write-password", "Password or token for Prometheus remote write.", "Metrics stay in the cluster.", "with prometheus-remote-write-username", optional=True),
    ),
)
