"""ConfigMap ``sos-app-logging``: what is logged, how, and for how long."""

from __future__ import annotations

from sos_constructs.config.model import REQUIREMENT, Key, Section
from sos_constructs.config.values import BOOL, PATH, Choice, Duration, Items, Size, Text, days, minutes, ms

LOGGING = Section(
    name="logging",
    title="Logging",
    doc="What is logged, how, and for how long.",
    keys=(
        Key("LOG_LEVEL", Choice("error", "warn", "info", "http", "verbose", "debug", "silly"), "info", "Least important level that is still logged.", REQUIREMENT),
        Key("LOG_FORMAT", Choice("json", "pretty"), "json", "One JSON object per line, or lines for people.", REQUIREMENT),
        Key("LOG_REQUESTS_ENABLED", BOOL, True, "Logs every request: method, route, status, duration.", REQUIREMENT),
        Key("LOG_RESPONSES_ENABLED", BOOL, True, "Logs the outcome of every request.", REQUIREMENT),
        Key("LOG_REQUEST_BODIES_ENABLED", BOOL, False, "Logs request bodies too.", REQUIREMENT),
        Key("LOG_RESPONSE_BODIES_ENABLED", BOOL, False, "Logs response bodies too.", REQUIREMENT),
        Key("LOG_ERROR_STACKS_ENABLED", BOOL, True, "Logs the stack trace of an error.", REQUIREMENT),
        Key("LOG_PERSONAL_DATA_ENABLED", BOOL, False, "Logs names, phone numbers, positions and health data in clear.", "logs are read by more people, and kept elsewhere, than the data itself"),
        Key("LOG_REDACTED_FIELDS", Items(Text(r"[A-Za-z][A-Za-z0-9_.-]*", "the name of a field")),
            ("authorization", "cookie", "password", "token", "refreshToken", "secret", "pin"),
            "Fields whose values are replaced before a line is written.", "whatever grants access must not stand in a log"),
        Key("LOG_HEALTH_CHECKS_ENABLED", BOOL, False, "Logs requests to the health paths and to the metrics path.", "probes and scrapes would be most of the log"),
        Key("LOG_SLOW_REQUEST_MS", Duration(ms(1), minutes(5)), ms(1000), "Requests that take longer are logged as warnings.", "the database logs queries from one second on, so that both logs show the same incident"),
        Key("LOG_REQUEST_ID_HEADER", Text(r"[A-Za-z][A-Za-z0-9-]*", "the name of an HTTP header"), "X-Request-Id", "Header whose value ties the log lines of one request together.",
            "what common ingress controllers set"),
        Key("LOG_MAX_LINE_SIZE_KIB", Size(1, 1024), 16, "Longer lines are shortened.", "container runtimes split lines at 16 KiB, and half a JSON object is none"),
        Key("LOG_FILE_ENABLED", BOOL, False, "Writes files beside standard output.", "in Kubernetes standard output is collected; files would need a volume"),
        Key("LOG_FILE_DIRECTORY", PATH, "/var/log/sos-app", "Where log files go, if they are written.", "the Filesystem Hierarchy Standard's place; mount a volume there"),
        Key("LOG_FILE_MAX_SIZE_MB", Size(1, 1000), 20, "A log file is closed at this size and the next one begun.", REQUIREMENT),
        Key("LOG_RETENTION_DAYS", Duration(days(1), days(3650)), days(7), "How long log lines are kept, in files and by the collector.", REQUIREMENT),
    ),
)
