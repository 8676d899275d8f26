"""ConfigMap ``sos-app-security``: passwords, sessions, tokens, headers, encryption and audit."""

from __future__ import annotations

from sos_constructs.config.model import REQUIREMENT, Key, Section
from sos_constructs.config.values import BOOL, WORD, Choice, Duration, Int, Size, Text, days, hours, minutes, seconds

_NOT_NIST = "the requirement's value; NIST SP 800-63B-4 forbids composition rules and prefers length and a blocklist"
_POLICY = Text(r"[a-z][a-z-]*( [A-Za-z0-9':/.*_-]+)*(; [a-z-]+( [A-Za-z0-9':/.*_-]+)*)*", "directives of a Content-Security-Policy, such as default-src 'none'")
_OWASP = "OWASP's minimum for Argon2id: 19 MiB, 2 iterations, 1 lane"

_PASSWORDS = (
    Key("PASSWORD_MIN_LENGTH", Int(8, 64), 8, "Shortest password.", "the requirement's value; NIST SP 800-63B-4 allows 8 only together with MFA and asks for 15 without"),
    Key("PASSWORD_MAX_LENGTH", Int(64, 1024), 128, "Longest password.", "NIST SP 800-63B-4 asks for at least 64; a bound keeps hashing affordable"),
    Key("PASSWORD_REQUIRE_UPPERCASE", BOOL, True, "A password needs an upper-case letter.", _NOT_NIST),
    Key("PASSWORD_REQUIRE_LOWERCASE", BOOL, True, "A password needs a lower-case letter.", _NOT_NIST),
    Key("PASSWORD_REQUIRE_NUMBER", BOOL, True, "A password needs a digit.", _NOT_NIST),
    Key("PASSWORD_REQUIRE_SPECIAL", BOOL, True, "A password needs a character that is neither letter nor digit.", _NOT_NIST),
    Key("PASSWORD_MAX_AGE_DAYS", Duration(days(1), days(3650)), days(90), "A password must be changed at this age.", "the requirement's value, also PCI DSS 8.3.9's; NIST SP 800-63B-4 forbids changes without cause"),
    Key("PASSWORD_HISTORY_COUNT", Int(0, 24), 5, "Earlier passwords that may not be used again.", "a forced change is none if it can be undone"),
    Key("PASSWORD_BLOCKLIST_ENABLED", BOOL, True, "Refuses passwords known from leaks.", "NIST SP 800-63B-4 demands it, and it stops more attacks than composition rules"),
    Key("PASSWORD_HASH_ALGORITHM", Choice("argon2id", "bcrypt", "scrypt"), "argon2id", "How passwords are stored.", "OWASP's first choice"),
    Key("PASSWORD_HASH_MEMORY_KIB", Size(19456, 4194304), 19456, "Memory for hashing one password.", _OWASP),
    Key("PASSWORD_HASH_ITERATIONS", Int(1, 100), 2, "Passes over that memory.", _OWASP),
    Key("PASSWORD_HASH_PARALLELISM", Int(1, 64), 1, "Lanes.", _OWASP),
    Key("PASSWORD_RESET_TTL_MINUTES", Duration(minutes(5), hours(24)), minutes(30), "How long a link to reset a password works.", "longer than mail takes to arrive, shorter than a mailbox stays unattended"),
)

_SESSIONS = (
    Key("LOGIN_MAX_ATTEMPTS", Int(3, 100), 5, "Failed log-ins after which an account is locked.", REQUIREMENT),
    Key("LOGIN_ATTEMPT_WINDOW_MINUTES", Duration(minutes(1), hours(24)), minutes(15), "Failed log-ins are counted over this time.", "as long as the lock"),
    Key("LOGIN_LOCKOUT_MINUTES", Duration(minutes(1), hours(24)), minutes(15), "How long an account stays locked.", REQUIREMENT),
    Key("SESSION_TIMEOUT_MINUTES", Duration(minutes(1), hours(24)), minutes(30), "A session ends after this time without use.", REQUIREMENT),
    Key("SESSION_MAX_AGE_HOURS", Duration(hours(1), days(30)), hours(24), "A session ends at this age even if it is used.", "NIST SP 800-63B-4's recommendation at AAL2"),
    Key("SESSION_COOKIE_SECURE_ENABLED", BOOL, True, "Cookies travel over HTTPS only.", "the requirement demands encryption in transit"),
    Key("SESSION_COOKIE_SAME_SITE", Choice("strict", "lax", "none"), "strict", "Whether cookies go along when another site links here.", "nothing here is entered from other sites"),
    Key("MFA_ENABLED", BOOL, True, "Offers a second factor.", REQUIREMENT),
    Key("MFA_WINDOW_PERIODS", Int(0, 10), 1, "Periods before and after the current one whose codes are accepted, for clocks that differ.", REQUIREMENT),
    Key("MFA_PERIOD_SECONDS", Duration(seconds(15), minutes(5)), seconds(30), "How long a code is valid.", "RFC 6238; authenticator apps support little else"),
    Key("MFA_ISSUER", WORD, "sos-app", "Name under which authenticator apps show the account.", "the platform's name"),
    Key("MFA_BACKUP_CODE_COUNT", Int(0, 20), 10, "Single-use codes for a lost phone.", "losing the phone must not mean losing the account in an emergency"),
    Key("OTP_TTL_MINUTES", Duration(minutes(1), minutes(30)), minutes(5), "How long a code sent by SMS or e-mail works.", "NIST SP 800-63B-4 allows ten minutes at most"),
)

_TOKENS = (
    Key("JWT_ALGORITHM", Choice("RS256", "ES256", "HS256"), "RS256", "How tokens are signed; any other algorithm is refused.", "services can then verify tokens without being able to make them"),
    Key("JWT_ISSUER", WORD, "sos-app", "Issuer that tokens name and services demand.", "the platform's name"),
    Key("JWT_AUDIENCE", WORD, "sos-app-api", "Audience that tokens name and services demand.", "tokens made for something else are refused"),
    Key("JWT_REFRESH_ROTATION_ENABLED", BOOL, True, "A refresh token works once and brings the next; a second use ends the session.", "RFC 9700: how theft of a refresh token is noticed"),
)

_HEADERS = (
    Key("HSTS_ENABLED", BOOL, True, "Tells browsers to use HTTPS only.", REQUIREMENT),
    Key("HSTS_MAX_AGE_SECONDS", Duration(seconds(0), days(730)), days(365), "How long browsers remember that.", REQUIREMENT),
    Key("HSTS_INCLUDE_SUBDOMAINS_ENABLED", BOOL, True, "Holds for subdomains too.", "a subdomain without HTTPS could set cookies for all"),
    Key("HSTS_PRELOAD_ENABLED", BOOL, False, "Asks for the browsers' built-in list.", "getting off that list takes months; a decision for the owner of the domain, not for a default"),
    Key("HEADER_CONTENT_SECURITY_POLICY", _POLICY, "default-src 'none'; frame-ancestors 'none'", "Content-Security-Policy of API answers.", "OWASP's for an API, which has nothing to load and nothing to be framed"),
    Key("HEADER_FRAME_OPTIONS", Choice("DENY", "SAMEORIGIN"), "DENY", "X-Frame-Options, for old browsers.", "nothing of an API belongs in a frame"),
    Key("HEADER_REFERRER_POLICY", Choice("no-referrer", "same-origin", "strict-origin", "strict-origin-when-cross-origin"), "no-referrer", "Referrer-Policy.", "addresses here contain ids of emergencies"),
    Key("TLS_MIN_VERSION", Choice("TLSv1.2", "TLSv1.3"), "TLSv1.2", "Oldest TLS that is spoken.", "older ones are forbidden (RFC 8996); devices in the field do not all speak 1.3"),
)

_HIPAA = (
    Key("HIPAA_ENABLED", BOOL, True, "Applies the rules for health data.", REQUIREMENT),
    Key("ENCRYPTION_AT_REST_ENABLED", BOOL, True, "Encrypts health and personal data before they are stored.", REQUIREMENT),
    Key("ENCRYPTION_IN_TRANSIT_ENABLED", BOOL, True, "Services offer and accept HTTPS only.", REQUIREMENT),
    Key("AUDIT_LOG_ENABLED", BOOL, True, "Records who did what to which data.", REQUIREMENT),
    Key("AUDIT_LOG_READS_ENABLED", BOOL, True, "Records reading of health data too.", "looking is what has to be answered for"),
    Key("AUDIT_LOG_RETENTION_DAYS", Duration(days(1), days(36500)), days(2557), "How long the audit log is kept.", "the requirement's 7 years, with the most leap days seven years can have"),
)

SECURITY = Section(
    name="security",
    title="Security",
    doc="Passwords, sessions, tokens, headers, encryption and audit.",
    keys=(*_PASSWORDS, *_SESSIONS, *_TOKENS, *_HEADERS, *_HIPAA),
)
