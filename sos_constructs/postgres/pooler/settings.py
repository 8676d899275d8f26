"""Settings of PgBouncer: which a user may give, with their types, and which are the pooler's own.

Source: PgBouncer's src/main.c (names, types, what a reload takes over) and doc/config.md (meaning, versions).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Literal

from sos_constructs.errors import InvalidOption, did_you_mean

Kind = Literal["number", "seconds", "switch", "text"]

_NUMBERS = (
    "listen_backlog max_packet_size max_prepared_statements max_user_connections max_db_client_connections max_user_client_connections min_pool_size pkt_buf"
    " query_wait_notify reserve_pool_size sbuf_loopcnt scram_iterations stats_period tcp_keepcnt tcp_keepidle tcp_keepintvl tcp_socket_buffer"
    " tcp_user_timeout verbose"
)
_SECONDS = (
    "cancel_wait_timeout client_idle_timeout client_login_timeout dns_max_ttl dns_nxdomain_ttl dns_zone_check_period idle_transaction_timeout query_timeout"
    " reserve_pool_timeout server_check_delay server_connect_timeout server_idle_timeout server_lifetime server_login_retry suspend_timeout transaction_timeout"
)
_SWITCHES = (
    "application_name_add_host disable_pqexec log_connections log_disconnections log_pooler_errors log_stats server_fast_close server_reset_query_always"
    " server_round_robin tcp_defer_accept tcp_keepalive"
)
_TEXTS = (
    "client_tls13_ciphers client_tls_ciphers client_tls_dheparams client_tls_ecdhcurve server_check_query server_reset_query server_tls13_ciphers"
    " server_tls_ciphers server_tls_protocols track_extra_parameters"
)
KNOWN: dict[str, Kind] = {
    **dict.fromkeys(_NUMBERS.split(), "number"),
    **dict.fromkeys(_SECONDS.split(), "seconds"),
    **dict.fromkeys(_SWITCHES.split(), "switch"),
    **dict.fromkeys(_TEXTS.split(), "text"),
}
"""What ``Pooler(parameters=…)`` takes."""

_AGENT = "the console is the agent's alone"
_AUTH = "the pooler looks passwords up in the database"
_CERTIFICATE = "TLS is the option tls of HaPostgres"
_LOG = "the container's output is its log"
_POD = "the pod is built for it"
OWNED: dict[str, str] = {
    **dict.fromkeys(("admin_users", "stats_users"), _AGENT),
    **dict.fromkeys(("auth_dbname", "auth_file", "auth_hba_file", "auth_ident_file", "auth_ldap_options", "auth_query", "auth_type", "auth_user"), _AUTH),
    **dict.fromkeys((f"{side}_tls_{what}" for side in ("client", "server") for what in ("ca_file", "cert_file", "key_file", "sslmode")), _CERTIFICATE),
    **dict.fromkeys(("job_name", "logfile", "syslog", "syslog_facility", "syslog_ident"), _LOG),
    **dict.fromkeys(("conffile", "listen_addr", "listen_port", "peer_id", "pidfile", "resolv_conf", "service_name", "so_reuseport", "user"), _POD),
    **dict.fromkeys(("unix_socket_dir", "unix_socket_group", "unix_socket_mode"), _AGENT),
    "autodb_idle_timeout": "every database is declared",
    "client_tls_protocols": "clients speak TLS 1.2 or 1.3",
    "default_pool_size": "use the option pool_size",
    "ignore_startup_parameters": "use the option ignore_startup_parameters",
    "max_client_conn": "use the option max_clients",
    "max_db_connections": "it follows from the option pool_size",
    "pool_mode": "use the option pool_mode",
    "query_wait_timeout": "use the option query_wait_timeout",
}
"""What it refuses, with the reason that the error names."""

SINCE: dict[str, tuple[int, int]] = {
    "track_extra_parameters": (1, 20),
    "max_prepared_statements": (1, 21),
    "max_db_client_connections": (1, 24),
    "max_user_client_connections": (1, 24),
    "client_tls13_ciphers": (1, 25),
    "query_wait_notify": (1, 25),
    "scram_iterations": (1, 25),
    "server_tls13_ciphers": (1, 25),
    "transaction_timeout": (1, 25),
}
"""First version that knows a setting; older ones do not start with it. Whatever is not named here, 1.18 knows."""

NOT_RELOADED = ("disable_pqexec", "listen_backlog", "pkt_buf", "track_extra_parameters")
"""Of :data:`KNOWN` those that need new pods (CF_NO_RELOAD)."""

IGNORED = ("extra_float_digits", "options")
"""Default of ``ignore_startup_parameters``, the same as CloudNativePG's and Zalando's. JDBC sends the first with every log-in."""

TRACKED = frozenset({"application_name", "client_encoding", "datestyle", "standard_conforming_strings", "timezone"})
"""What PgBouncer sets on the server for each client, so that nothing of it is to be ignored."""


def check_parameters(option: str, parameters: object, *, image: str) -> dict[str, str]:
    """Return the settings as text for the configuration file.

    :param image: the reference, whose tag may tell PgBouncer's version.
    :raises InvalidOption: for an unknown name, a value of another type, a setting of :data:`OWNED`, or one that the image's version does not know.
    """
    if not isinstance(parameters, Mapping):
        raise InvalidOption(option, parameters, 'must be a mapping, for instance {"server_idle_timeout": 60}')
    return {name: _check(f"{option}[{name!r}]", name, value, image) for name, value in sorted(parameters.items(), key=lambda item: str(item[0]))}


def check_ignored(option: str, names: object) -> None:
    """Raise :class:`InvalidOption` for what is no name of a parameter, or needs no ignoring."""
    if isinstance(names, str) or not isinstance(names, Sequence):
        raise InvalidOption(option, names, "must be a list of names, for instance ('extra_float_digits', 'options', 'search_path')")
    for name in names:
        if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.]*", name):
            raise InvalidOption(option, name, "must be the name of a parameter, such as 'search_path'")
        if name.lower() in TRACKED:
            raise InvalidOption(option, name, "must be left out: PgBouncer sets it on the server for each client")
        if name.lower() in ("database", "replication", "user"):
            raise InvalidOption(option, name, "must be left out: it says who connects to what")


def _check(option: str, name: object, value: object, image: str) -> str:
    if name in OWNED:
        raise InvalidOption(option, value, f"must be left out: {OWNED[str(name)]}")
    if not isinstance(name, str) or name not in KNOWN:
        raise InvalidOption(option, value, f"is no setting of PgBouncer{did_you_mean(str(name), [*KNOWN, *OWNED])}")
    tag = re.search(r":[^/@]*?([0-9]+)\.([0-9]+)", image)
    if tag and (int(tag[1]), int(tag[2])) < SINCE.get(name, (0, 0)):
        raise InvalidOption(option, value, f"needs PgBouncer {'.'.join(map(str, SINCE[name]))} or later, and the image is {image}")
    kind = KNOWN[name]
    if kind == "switch":
        if not isinstance(value, bool) and value not in (0, 1):
            raise InvalidOption(option, value, "must be True or False")
        return str(int(bool(value)))
    if kind == "text":
        if not isinstance(value, str) or not re.fullmatch(r"[ -~]*", value) or value != value.strip():
            raise InvalidOption(option, value, "must be one line of text without blanks at its ends")
        return value
    if isinstance(value, bool) or not isinstance(value, int if kind == "number" else (int, float)) or not 0 <= value < 2**31:
        raise InvalidOption(option, value, "must be a whole number, 0 or more" if kind == "number" else "must be a number of seconds, 0 or more")
    return str(value)
