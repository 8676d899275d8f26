"""ConfigMap ``sos-app-config``: the platform as a whole and its HTTP interface."""

from __future__ import annotations

from sos_constructs.config.model import REQUIREMENT, YOURS, Key, Section
from sos_constructs.config.values import BOOL, PATH, PORT, URL, WORD, Choice, Duration, Int, Items, Size, Text, days, hours, minutes, seconds

_METHOD = Choice("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_HEADER = Text(r"[A-Za-z][A-Za-z0-9-]*", "the name of an HTTP header")
_ORIGIN = Text(r"\*|https?://[a-z0-9.-]+(?::[1-9][0-9]{0,4})?", "an origin such as https://sos-app.example, without a path, or *")

APP = Section(
    name="app",
    suffix="config",
    title="Application",
    doc="The platform as a whole and its HTTP interface: API, CORS, rate limits, pagination.",
    keys=(
        Key("APP_NAME", WORD, "sos-app", "Name of the platform in logs, traces and messages.", "the same word as in the names of all objects"),
        Key("APP_ENVIRONMENT", Choice("development", "staging", "production"), "production", "Which environment this is.", REQUIREMENT),
        Key("APP_PUBLIC_URL", URL, "https://sos-app.example", "Where people reach the platform; the base of links in messages.", YOURS),
        Key("APP_DEFAULT_LOCALE", Text(r"[a-z]{2,3}(-[A-Z][A-Za-z]+)*", "a language tag such as en or pt-BR"), "en",
            "Language of messages to people whose own is not known.", "the language most responders share; set the country's own in a layer"),
        Key("NODE_ENV", Choice("development", "test", "production"), "production", "Mode of the Node.js libraries.",
            "staging must run the code paths of production, so it is a key of its own beside APP_ENVIRONMENT"),
        Key("TZ", Text(r"UTC|[A-Z][A-Za-z_]+(/[A-Z][A-Za-z_]+)+", "UTC or a tz database name such as Europe/Berlin"), "UTC",
            "Time zone of every process.", "the database runs in UTC; local time is a matter of display"),
        Key("API_VERSION", Text(r"v[1-9][0-9]*", "a version such as v1"), "v1", "Version of the public API, a part of its paths.", "the first public version"),
        Key("API_PREFIX", PATH, "/api", "Path before the version in every public route.", "keeps /health, /ready and /metrics out of what the ingress publishes"),
        Key("API_DOCS_ENABLED", BOOL, False, "Serves the interactive API description.", "it tells strangers what there is to attack"),
        Key("SERVER_PORT_NUMBER", PORT, 3000, "Port on which services answer HTTP.", "above 1024, so that no capability is needed; the custom of Node.js frameworks"),
        Key("SERVER_SHUTDOWN_DELAY_SECONDS", Duration(seconds(0), minutes(1)), seconds(5), "How long a service goes on serving after SIGTERM before it stops listening.",
            "load balancers need a few seconds to take a terminating pod out; until then requests still arrive"),
        Key("SERVER_SHUTDOWN_TIMEOUT_SECONDS", Duration(seconds(1), minutes(10)), seconds(20), "How long requests under way may take to finish during a shutdown.",
            "with the delay it stays below the pod's default grace period of 30 seconds, after which it is killed"),
        Key("SERVER_TRUSTED_PROXY_HOPS", Int(0, 10), 1, "How many proxies in front may be believed about the client's address.",
            "one ingress; a larger number lets clients forge the address that rate limits count by"),
        Key("SERVER_BODY_LIMIT_KIB", Size(1, 10240), 256, "Largest request body that is not an upload.", "the largest regular request, a full medical profile, is a tenth of that"),
        Key("SERVER_UPLOAD_LIMIT_MB", Size(1, 1000), 25, "Largest upload: photos, recordings, documents.",
            "one minute of phone video; at 2 Mbit/s it arrives within HTTP_UPLOAD_TIMEOUT_SECONDS"),
        Key("CORS_ALLOWED_ORIGINS", Items(_ORIGIN, at_least=0), (), "Web sites whose scripts may call the API.", "none until you name yours: mobile apps and devices need no CORS"),
        Key("CORS_ALLOWED_METHODS", Items(_METHOD), ("GET", "POST", "PUT", "PATCH", "DELETE"), "Methods that those scripts may use.", "what the API uses"),
        Key("CORS_ALLOWED_HEADERS", Items(_HEADER), ("Authorization", "Content-Type", "Idempotency-Key", "X-Request-Id"), "Request headers that those scripts may set.",
            "what clients of the API send"),
        Key("CORS_CREDENTIALS_ENABLED", BOOL, False, "Lets browsers send cookies with such calls.", "the API takes tokens in the Authorization header, never cookies from other sites"),
        Key("CORS_MAX_AGE_SECONDS", Duration(seconds(0), days(1)), hours(2), "How long a browser may remember the answer to a preflight request.",
            "the longest that Chromium honours"),
        Key("RATE_LIMIT_ENABLED", BOOL, True, "Limits how many requests one client may make.", REQUIREMENT),
        Key("RATE_LIMIT_MAX_REQUESTS", Int(1, 100000), 100, "Requests that one client may make per window.", REQUIREMENT),
        Key("RATE_LIMIT_WINDOW_SECONDS", Duration(seconds(1), hours(1)), minutes(1), "Length of the window.", REQUIREMENT),
        Key("RATE_LIMIT_EMERGENCY_MAX_REQUESTS", Int(1, 100000), 300, "Requests per window on the routes of an emergency that is under way.",
            "an alarm with its positions and retries on a bad network must never be refused"),
        Key("RATE_LIMIT_FAIL_OPEN_ENABLED", BOOL, True, "Lets requests pass while the store of the counters cannot be reached.", "a lost counter must not cost an emergency call"),
        Key("PAGINATION_DEFAULT_LIMIT", Int(1, 1000), 20, "Items per page when the client names no number.", REQUIREMENT),
        Key("PAGINATION_MAX_LIMIT", Int(1, 1000), 100, "Most items per page that a client may ask for.", REQUIREMENT),
        Key("IDEMPOTENCY_TTL_HOURS", Duration(hours(1), days(7)), hours(24), "How long a repeated Idempotency-Key gets the first answer again.",
            "as long as an emergency stays open, so that a phone back from a dead spot cannot raise the same alarm twice"),
    ),
)
