"""ConfigMap ``sos-app-retry``: what is tried again, how often and how soon."""

from __future__ import annotations

from sos_constructs.config.model import REQUIREMENT, Key, Section
from sos_constructs.config.values import BOOL, Choice, Duration, Float, Int, Items, hours, minutes, ms, seconds

_ATTEMPTS = Int(1, 20)

RETRY = Section(
    name="retry",
    title="Retries",
    doc="What is tried again, how often and how soon.",
    keys=(
        Key("RETRY_MAX_ATTEMPTS", _ATTEMPTS, 3, "Attempts in all, the first included.", REQUIREMENT),
        Key("RETRY_DATABASE_MAX_ATTEMPTS", _ATTEMPTS, 5, "The same for the database.", REQUIREMENT),
        Key("RETRY_NOTIFICATION_MAX_ATTEMPTS", _ATTEMPTS, 5, "The same for one call to a provider of notifications.", REQUIREMENT),
        Key("RETRY_INITIAL_DELAY_MS", Duration(ms(1), minutes(1)), ms(1000), "Pause after the first failure.", REQUIREMENT),
        Key("RETRY_MAX_DELAY_SECONDS", Duration(seconds(1), hours(1)), seconds(30), "Longest pause.", REQUIREMENT),
        Key("RETRY_BACKOFF_MULTIPLIER", Float(1, 10), 2, "Each pause is this many times the one before.", REQUIREMENT),
        Key("RETRY_JITTER", Choice("none", "equal", "full"), "full", "How pauses are varied: not, by up to half, or anywhere from zero.", "clients that failed together must not come back together"),
        Key("RETRY_STATUS_CODES", Items(Int(400, 599)), (408, 429, 500, 502, 503, 504), "HTTP answers after which a call is tried again.", REQUIREMENT),
        Key("RETRY_METHODS", Items(Choice("GET", "HEAD", "OPTIONS", "PUT", "DELETE", "POST", "PATCH")), ("GET", "HEAD", "OPTIONS", "PUT", "DELETE"), "Methods that are tried again without an Idempotency-Key.",
            "those that RFC 9110 calls idempotent; repeating others could act twice"),
        Key("RETRY_AFTER_HEADER_ENABLED", BOOL, True, "Waits as long as the answer's Retry-After header says.", "the other side knows best; providers block those who do not listen"),
        Key("RETRY_BUDGET_PERCENT", Int(0, 100), 20, "Retries may add at most this share to regular calls.", "at full retries a struggling service would get three times the load; the share that Linkerd and Finagle use"),
        Key("CIRCUIT_BREAKER_ENABLED", BOOL, True, "Stops calling a service that keeps failing.", "waiting for what will not answer takes everything else down"),
        Key("CIRCUIT_BREAKER_FAILURE_PERCENT", Int(1, 100), 50, "Share of failed calls that opens the breaker.", "fewer failures are what retries are for"),
        Key("CIRCUIT_BREAKER_MIN_CALLS", Int(1, 10000), 20, "Calls in the window before the share counts.", "one failed call out of one is no pattern"),
        Key("CIRCUIT_BREAKER_WINDOW_SECONDS", Duration(seconds(1), minutes(10)), seconds(30), "Length of the window.", "long enough for the minimum at one call per second"),
        Key("CIRCUIT_BREAKER_OPEN_SECONDS", Duration(seconds(1), minutes(10)), seconds(30), "Pause before one call is tried again.", "about as long as a pod takes to restart or a database to fail over"),
    ),
)
