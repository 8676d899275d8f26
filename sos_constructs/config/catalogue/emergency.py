"""ConfigMap ``sos-app-emergency``: the course of an emergency."""

from __future__ import annotations

from sos_constructs.config.model import REQUIREMENT, Key, Section
from sos_constructs.config.values import Choice, Duration, Int, Items, days, hours, minutes, seconds

_TYPE = Choice("MEDICAL", "FIRE", "POLICE", "GENERAL", "FALL_DETECTED", "DEVICE_ALERT")

EMERGENCY = Section(
    name="emergency",
    title="Emergencies",
    doc="The course of an emergency: from the countdown to the end.",
    keys=(
        Key("EMERGENCY_TYPES", Items(_TYPE), _TYPE.options, "Kinds of emergency that can be raised.", REQUIREMENT),
        Key("EMERGENCY_CRITICAL_TYPES", Items(_TYPE, at_least=0), ("MEDICAL", "FIRE", "FALL_DETECTED"), "Kinds with critical priority.", REQUIREMENT),
        Key("EMERGENCY_HIGH_TYPES", Items(_TYPE, at_least=0), ("POLICE", "DEVICE_ALERT"), "Kinds with high priority.", REQUIREMENT),
        Key("EMERGENCY_NORMAL_TYPES", Items(_TYPE, at_least=0), ("GENERAL",), "Kinds with normal priority.", REQUIREMENT),
        Key("EMERGENCY_COUNTDOWN_SECONDS", Duration(seconds(0), minutes(1)), seconds(5), "Time to cancel an alarm raised by hand before it goes out.", "a pocket can press a button; more than a few seconds cost help"),
        Key("EMERGENCY_FALL_COUNTDOWN_SECONDS", Duration(seconds(0), minutes(5)), seconds(30), "Time to cancel an alarm raised by fall detection.", "somebody who is well needs time to reach the phone; somebody who is not cannot"),
        Key("EMERGENCY_DUPLICATE_WINDOW_SECONDS", Duration(seconds(0), minutes(10)), seconds(60), "Alarms of one person within this time become one emergency.", "phone and wearable often notice the same fall"),
        Key("EMERGENCY_AUTO_RESOLVE_HOURS", Duration(hours(1), days(7)), hours(24), "An emergency that nobody ended is ended after this.", REQUIREMENT),
        Key("EMERGENCY_ESCALATION_TIMEOUT_MINUTES", Duration(minutes(1), hours(4)), minutes(5), "An emergency that nobody answered is escalated after this.", REQUIREMENT),
        Key("EMERGENCY_MAX_ESCALATION_LEVEL", Int(1, 10), 3, "How often an emergency can be escalated.", "primary contacts, all contacts, operator on call"),
        Key("EMERGENCY_CONTACT_RETRY_INTERVAL_SECONDS", Duration(seconds(10), hours(1)), minutes(1), "Pause before a contact who did not answer is tried again.", REQUIREMENT),
        Key("EMERGENCY_CONTACT_MAX_ATTEMPTS", Int(1, 20), 5, "How often a contact is tried.", "once a minute until the emergency is escalated"),
        Key("EMERGENCY_MAX_CONTACTS", Int(1, 50), 10, "Contacts that one person can have.", REQUIREMENT),
        Key("EMERGENCY_MAX_PRIMARY_CONTACTS", Int(1, 10), 3, "Contacts that are notified first.", REQUIREMENT),
        Key("EMERGENCY_LOCATION_UPDATE_INTERVAL_SECONDS", Duration(seconds(1), minutes(10)), seconds(30), "How often a phone sends its position during an emergency.", REQUIREMENT),
        Key("EMERGENCY_LOCATION_STALE_SECONDS", Duration(seconds(10), hours(1)), minutes(2), "Older positions are shown as the last known place.", "four missed updates"),
        Key("EMERGENCY_LOCATION_TRAIL_RETENTION_DAYS", Duration(days(1), days(365)), days(7), "How long the trail of positions is kept.", REQUIREMENT),
        Key("EMERGENCY_HISTORY_RETENTION_DAYS", Duration(days(1), days(36500)), days(2557), "How long the record of an emergency is kept.", "as long as the audit log, which refers to it"),
    ),
)
