"""ConfigMap ``sos-app-cache``: what is cached and for how long."""

from __future__ import annotations

from sos_constructs.config.model import REQUIREMENT, Key, Section
from sos_constructs.config.values import BOOL, Choice, Duration, Int, Size, days, hours, minutes, seconds

_TTL = Duration(seconds(1), days(7))

CACHE = Section(
    name="cache",
    title="Cache",
    doc="What is cached and for how long.",
    keys=(
        Key("CACHE_ENABLED", BOOL, True, "Uses the cache at all.", "false is for finding out whether a fault lies in the cache"),
        Key("CACHE_TTL_SHORT_SECONDS", _TTL, minutes(5), "Lifetime of what changes often.", REQUIREMENT),
        Key("CACHE_TTL_MEDIUM_SECONDS", _TTL, minutes(30), "Lifetime of what changes now and then.", REQUIREMENT),
        Key("CACHE_TTL_LONG_SECONDS", _TTL, hours(1), "Lifetime of what hardly changes.", REQUIREMENT),
        Key("CACHE_TTL_SESSION_SECONDS", _TTL, hours(24), "Lifetime of session data.", REQUIREMENT),
        Key("CACHE_TTL_USER_PROFILE_SECONDS", _TTL, minutes(30), "Lifetime of user profiles.", REQUIREMENT),
        Key("CACHE_TTL_MEDICAL_PROFILE_SECONDS", _TTL, hours(1), "Lifetime of medical profiles.", REQUIREMENT),
        Key("CACHE_TTL_EMERGENCY_CONTACTS_SECONDS", _TTL, hours(1), "Lifetime of emergency contacts.", REQUIREMENT),
        Key("CACHE_TTL_DEVICE_STATUS_SECONDS", _TTL, minutes(5), "Lifetime of the status of devices.", REQUIREMENT),
        Key("CACHE_TTL_LOCATION_SECONDS", _TTL, minutes(1), "Lifetime of positions.", REQUIREMENT),
        Key("CACHE_TTL_NOT_FOUND_SECONDS", _TTL, seconds(30), "How long it is remembered that something does not exist.", "long enough against floods of lookups, short enough after a registration"),
        Key("CACHE_TTL_JITTER_PERCENT", Int(0, 50), 10, "Each lifetime is varied at random by up to this share.", "entries written together must not expire together and hit the database at once"),
        Key("CACHE_COMPRESSION_ENABLED", BOOL, True, "Compresses values.", REQUIREMENT),
        Key("CACHE_COMPRESSION_ALGORITHM", Choice("gzip", "brotli", "deflate"), "gzip", "How values are compressed.", "part of Node.js, and fast enough at its lowest levels"),
        Key("CACHE_COMPRESSION_MIN_BYTES", Size(0, 1048576), 1024, "Smaller values are stored as they are.", "below about one network packet compression saves nothing"),
        Key("CACHE_MAX_VALUE_KIB", Size(1, 10240), 512, "Larger values are not cached.", "Redis serves one command at a time: a large value delays everybody"),
        Key("CACHE_MEDICAL_ENCRYPTION_ENABLED", BOOL, True, "Encrypts medical profiles before they enter the cache.", "the requirement demands encryption at rest, and Redis writes snapshots in clear"),
        Key("CACHE_FAIL_OPEN_ENABLED", BOOL, True, "Goes to the database when the cache fails.", "slow is better than no medical profile"),
    ),
)
