"""ConfigMap ``sos-app-timeouts``: how long anything may take."""

from __future__ import annotations

from sos_constructs.config.model import REQUIREMENT, Key, Section
from sos_constructs.config.values import Duration, days, hours, minutes, ms, seconds

_CALL = Duration(seconds(1), minutes(10))

TIMEOUTS = Section(
    name="timeouts",
    title="Timeouts",
    doc="How long anything may take, and how long tokens live.",
    keys=(
        Key("HTTP_REQUEST_TIMEOUT_SECONDS", _CALL, seconds(30), "A regular request.", REQUIREMENT),
        Key("HTTP_LONG_REQUEST_TIMEOUT_SECONDS", _CALL, seconds(60), "A request known to be long, such as an export.", REQUIREMENT),
        Key("HTTP_UPLOAD_TIMEOUT_SECONDS", _CALL, seconds(120), "An upload.", REQUIREMENT),
        Key("HTTP_KEEPALIVE_TIMEOUT_SECONDS", Duration(seconds(1), hours(1)), seconds(65), "How long an idle client connection stays open.",
            "longer than the 60 seconds of common load balancers: if the server closed first, requests would fail now and then"),
        Key("HTTP_HEADERS_TIMEOUT_SECONDS", _CALL, seconds(10), "How long a client may take to send its headers.", "half-open connections are the cheapest way to exhaust a server"),
        Key("SERVICE_CALL_TIMEOUT_SECONDS", _CALL, seconds(5), "A call from one service to another.", REQUIREMENT),
        Key("DATABASE_QUERY_TIMEOUT_SECONDS", _CALL, seconds(5), "A database query.", REQUIREMENT),
        Key("DATABASE_MIGRATION_TIMEOUT_MINUTES", Duration(minutes(1), hours(24)), minutes(10), "A schema migration.", "builds an index on tens of millions of rows"),
        Key("CACHE_OPERATION_TIMEOUT_MS", Duration(ms(10), minutes(1)), ms(1000), "A cache operation.", REQUIREMENT),
        Key("EXTERNAL_API_TIMEOUT_SECONDS", _CALL, seconds(10), "A call to a provider outside: maps, SMS, push.", REQUIREMENT),
        Key("HEALTH_CHECK_TIMEOUT_MS", Duration(ms(10), minutes(1)), ms(2000), "Asking one dependency for a readiness answer.", "must fit into the probe's own timeout several times"),
        Key("WEBSOCKET_PING_INTERVAL_SECONDS", Duration(seconds(1), minutes(10)), seconds(30), "How often the server pings a WebSocket.", REQUIREMENT),
        Key("WEBSOCKET_PONG_TIMEOUT_SECONDS", Duration(seconds(1), minutes(5)), seconds(10), "How long the answer may take before the connection is closed.", "mobile networks wake up slowly; a third of the interval keeps them apart"),
        Key("JWT_ACCESS_TOKEN_TTL_MINUTES", Duration(minutes(1), hours(24)), minutes(15), "Lifetime of access tokens.", REQUIREMENT),
        Key("JWT_REFRESH_TOKEN_TTL_DAYS", Duration(days(1), days(365)), days(7), "Lifetime of refresh tokens.", REQUIREMENT),
        Key("JWT_CLOCK_SKEW_SECONDS", Duration(seconds(0), minutes(5)), seconds(30), "Difference of clocks that is forgiven when a token is checked.", "nodes keep time far better; phones present tokens, they do not make them"),
    ),
)
