"""ConfigMap ``sos-app-notifications``: how people are reached."""

from __future__ import annotations

from sos_constructs.config.model import REQUIREMENT, YOURS, Key, Section
from sos_constructs.config.values import BOOL, Choice, Duration, Int, Items, Text, days, hours, minutes, seconds

_LIMIT = Int(1, 1000)
_EMAIL = Text(r"[A-Za-z][A-Za-z0-9._+-]*@[a-z0-9-]+(\.[a-z0-9-]+)+", "an e-mail address")
_BUNDLE = Text(r"[A-Za-z][A-Za-z0-9-]*(\.[A-Za-z0-9-]+)+", "a bundle id such as example.sos-app.ios")

NOTIFICATIONS = Section(
    name="notifications",
    title="Notifications",
    doc="How people are reached: channels, providers, retries and limits.",
    keys=(
        Key("NOTIFICATION_SMS_ENABLED", BOOL, True, "Sends text messages.", REQUIREMENT),
        Key("NOTIFICATION_PUSH_ENABLED", BOOL, True, "Sends push messages.", REQUIREMENT),
        Key("NOTIFICATION_EMAIL_ENABLED", BOOL, True, "Sends e-mail.", REQUIREMENT),
        Key("NOTIFICATION_VOICE_ENABLED", BOOL, True, "Calls people.", REQUIREMENT),
        Key("NOTIFICATION_MAX_RETRIES", Int(0, 20), 5, "How often an undelivered notification is queued again.", REQUIREMENT),
        Key("NOTIFICATION_RETRY_DELAY_SECONDS", Duration(seconds(1), hours(1)), minutes(1), "Pause before that.", REQUIREMENT),
        Key("NOTIFICATION_SMS_LIMIT_PER_MINUTE", _LIMIT, 10, "Text messages to one person per minute.", REQUIREMENT),
        Key("NOTIFICATION_PUSH_LIMIT_PER_MINUTE", _LIMIT, 30, "Push messages to one person per minute.", REQUIREMENT),
        Key("NOTIFICATION_EMAIL_LIMIT_PER_MINUTE", _LIMIT, 5, "E-mails to one person per minute.", REQUIREMENT),
        Key("NOTIFICATION_VOICE_LIMIT_PER_MINUTE", _LIMIT, 2, "Calls to one person per minute.", "a call takes half a minute to ring and be heard"),
        Key("NOTIFICATION_CRITICAL_BYPASS_ENABLED", BOOL, True, "Notifications of critical emergencies are not limited.", "limits protect from nuisance, not from rescue"),
        Key("NOTIFICATION_CHANNEL_ORDER", Items(Choice("push", "sms", "voice", "email")), ("push", "sms", "voice", "email"), "Order in which channels are tried.", "fastest first; e-mail is read last"),
        Key("NOTIFICATION_FALLBACK_SECONDS", Duration(seconds(1), hours(1)), seconds(30), "Wait for a sign of delivery before the next channel is tried.", "all channels are tried well within the escalation timeout"),
        Key("NOTIFICATION_DEDUPLICATION_SECONDS", Duration(seconds(0), hours(24)), minutes(1), "The same message to the same person is sent once within this time.", "a message read twice from Kafka must not ring twice"),
        Key("NOTIFICATION_EMAIL_FROM", _EMAIL, "no-reply@sos-app.example", "Sender of e-mail; the provider must have verified it.", YOURS),
        Key("NOTIFICATION_PUSH_TTL_SECONDS", Duration(seconds(0), days(28)), hours(1), "How long providers keep a push message for a phone that is off.", "later it would raise alarm about what is over; other channels were tried long since"),
        Key("APNS_ENVIRONMENT", Choice("sandbox", "production"), "production", "Which of Apple's push servers is used.", "apps from the App Store and TestFlight; builds from Xcode need sandbox"),
        Key("APNS_TOPIC", _BUNDLE, "example.sos-app.ios", "Bundle id of the iOS app.", YOURS),
    ),
)
