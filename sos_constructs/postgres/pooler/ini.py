"""PgBouncer's configuration, readable by every version from 1.18: one file for each side, and what the agent beside it must know."""

from __future__ import annotations

import json
from typing import Any

from sos_constructs.postgres import names as n
from sos_constructs.postgres.agent_files import POOLER, agent_files
from sos_constructs.postgres.handles import ServerCa
from sos_constructs.postgres.pooler import certificate
from sos_constructs.postgres.pooler import names as p
from sos_constructs.postgres.pooler import settings as more
from sos_constructs.postgres.pooler.options import LOOKUP_CONNECTIONS, PASSWORD_KEY, USER, USERNAME_KEY, Pooler
from sos_constructs.postgres.spec import Spec
from sos_constructs.postgres.tls import secret_name
from sos_constructs.rollout import checksum

NOT_RELOADED = ("listen_addr", "listen_port", "unix_socket_dir", "unix_socket_mode", *more.NOT_RELOADED)
"""Of the settings below those that PgBouncer reads only when it starts (CF_NO_RELOAD in its main.c)."""

LOOKUP = "SELECT usename, passwd FROM sos_pooler.lookup($1)"
"""The function that the database's agent keeps in every declared database."""

ONLY_PRIMARY = "SELECT pg_catalog.pg_terminate_backend(pg_catalog.pg_backend_pid()) FROM (SELECT pg_catalog.pg_is_in_recovery() AS standby) AS s WHERE standby"
"""Run on each new server connection. PgBouncer ignores errors there, so a connection that reached a standby ends itself: else it would
refuse every write that it is lent to, until server_lifetime. By their full names: the owner could have put other functions before them."""

Row = tuple[str, str, str]


def sides(pooler: Pooler) -> list[str]:
    """Which PgBouncers a pod runs."""
    return ["primary", "readonly"] if pooler.readonly else ["primary"]


def settings(spec: Spec, pooler: Pooler, side: str) -> list[Row]:
    """Section ``[pgbouncer]``: name, value, why. The option ``parameters`` wins over what it may change."""
    given = more.check_parameters("pooler.parameters", pooler.parameters, image=pooler.image.image)
    rows = [(name, given.get(name, value), "option parameters" if name in given else why) for name, value, why in _defaults(spec, pooler, side)]
    return rows + [(name, value, "option parameters") for name, value in given.items() if name not in {row[0] for row in rows}]


def _defaults(spec: Spec, pooler: Pooler, side: str) -> list[Row]:
    return [
        ("listen_addr", "*", "every address of the pod, of both IP versions"),
        ("listen_port", str(p.PORTS[side]), "the Service's port leads here"),
        ("listen_backlog", "1024", "all clients come back at once after a failover (default 128)"),
        ("unix_socket_dir", p.socket_dir(side), "the agent's way to the console"),
        ("unix_socket_mode", "0700", "nobody else's"),
        ("auth_type", "scram-sha-256", "what the server stores; clients' keys are used to log in there, so that no password is kept here"),
        ("auth_file", p.USERLIST, "only the role that looks the others up"),
        ("auth_user", USER, "the role that may call the function below and nothing else"),
        ("auth_query", LOOKUP, "the verifiers as they are now: a changed password needs nothing here"),
        ("pool_mode", pooler.pool_mode, "option pool_mode"),
        ("default_pool_size", str(pooler.pool_size), "option pool_size"),
        ("max_client_conn", str(pooler.max_clients), "option max_clients; one more is refused"),
        ("query_wait_timeout", str(pooler.wait_seconds(spec)), "option query_wait_timeout: outlasts a failover"),
        ("server_connect_timeout", "3", "a node that is gone does not answer; the next try may reach its successor (default 15)"),
        ("server_login_retry", "1", "after a failure the next try (default 15)"),
        ("server_check_delay", "5", "a connection unused for this long is tried before it is lent (default 30)"),
        ("server_check_query", "select 1", "default"),
        ("server_lifetime", "600", "connections spread again over the standbys, and leave a member that changed its role (default 3600)"),
        *server_tls(spec),
        ("dns_max_ttl", "600", "a Service keeps its address; DNS may be what fails together with a node (default 15)"),
        ("dns_nxdomain_ttl", "1", "after a failure ask again (default 15)"),
        ("tcp_keepidle", "5", "a peer that is gone is noticed in about ten seconds"),
        ("tcp_keepintvl", "2", "as above"),
        ("tcp_keepcnt", "3", "as above"),
        ("tcp_user_timeout", "5000", "milliseconds for which what was sent may stay unacknowledged: a query to a dead node fails"),
        ("ignore_startup_parameters", ",".join(pooler.ignore_startup_parameters), "option ignore_startup_parameters: taken, and forgotten"),
        ("log_connections", "0", "probes and pools would fill the log; the server logs its own"),
        ("log_disconnections", "0", "as above"),
        ("log_stats", "0", "they are metrics"),
    ]


def server_tls(spec: Spec) -> list[Row]:
    """How far the server is believed: with TLS only the database itself, by the name of its Service."""
    if spec.tls is None:
        return [("server_tls_sslmode", "disable", "tls=None")]
    return [
        ("server_tls_sslmode", "verify-full", "the database and nobody else"),
        ("server_tls_ca_file", ServerCa(secret=secret_name(spec.tls, spec.name)).file, "as mounted from the database's Secret"),
    ]


def client_tls(spec: Spec) -> list[Row]:
    """How clients are spoken with, where the pod has a certificate."""
    plain = spec.tls is not None and spec.tls.plain_clients
    why = "option plain_clients: TLS with those who speak it" if plain else "who speaks no TLS is refused"
    return [
        ("client_tls_sslmode", "allow" if plain else "require", why),
        ("client_tls_protocols", "secure", "TLS 1.2 and 1.3"),
        ("client_tls_cert_file", f"{p.TLS_DIR}/tls.crt", "the agent's copy, which it has examined; a new one arrives by RELOAD"),
        ("client_tls_key_file", f"{p.TLS_DIR}/tls.key", "as above"),
    ]


def tls_text(spec: Spec, side: str) -> str:
    """What pods of a template with a certificate start with. Pods of an older template have no such files, and go on with the file included."""
    lines = [
        "; The start of pods that have a certificate. The file included ends in section [pgbouncer], which goes on here:",
        "; a second section of that name would forget the first.",
        f"%include {p.CONFIG_DIR}/{p.config_file(side, tls=False)}",
        "",
    ]
    for name, value, why in client_tls(spec):
        lines += [f"; {why}", f"{name} = {value}"]
    return "\n".join(lines) + "\n"


def text(spec: Spec, pooler: Pooler, side: str) -> str:
    """The file of one side, without how clients are spoken with."""
    host = {"primary": spec.names.primary_service, "readonly": spec.names.readonly_service}[side]
    lines = ["; A change arrives by RELOAD within two minutes; of listen_* and unix_socket_* by new pods.", "", "[databases]"]
    for database in spec.databases:
        entry = f"{database.name} = host={host} port={n.PORT} dbname={database.name} max_db_connections={pooler.pool_size + LOOKUP_CONNECTIONS}"
        lines.append(entry + (f" connect_query='{ONLY_PRIMARY}'" if side == "primary" else ""))
    lines += ["", "[pgbouncer]"]
    for name, value, why in settings(spec, pooler, side):
        lines += [f"; {why}", f"{name} = {value}"]
    return "\n".join(lines) + "\n"


def declared(spec: Spec, pooler: Pooler) -> dict[str, Any]:
    """``pooler.json``, for the agent beside PgBouncer."""
    return {
        "bin_dir": spec.image.bin_dir,
        "database": spec.databases[0].name,
        "password_key": PASSWORD_KEY,
        "pause_seconds": pooler.wait_seconds(spec),
        # one of those that pg_hba.conf lets the role into: postgres is none
        "primary": {"dbname": spec.databases[0].name, "host": spec.names.primary_service, "port": str(n.PORT)},
        "role": USER,
        "sides": {side: {"port": str(p.PORTS[side]), "socket_dir": p.socket_dir(side)} for side in sides(pooler)},
        "username_key": USERNAME_KEY,
        **certificate.declared(spec, pooler),
    }


def config_map(spec: Spec, pooler: Pooler) -> dict[str, Any]:
    """``postgres-pooler-config``."""
    data = {p.config_file(side, tls=False): text(spec, pooler, side) for side in sides(pooler)}
    if spec.tls is not None:
        data |= {p.config_file(side, tls=True): tls_text(spec, side) for side in sides(pooler)}
    data["pooler.json"] = json.dumps(declared(spec, pooler), indent=2, sort_keys=True) + "\n"
    names = p.PoolerNames(spec.name)
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"labels": names.labels, "name": names.config, "namespace": spec.namespace},
        "data": data,
    }


def restart_checksum(spec: Spec, pooler: Pooler) -> str:
    """Changes exactly when a running pod cannot take over what changed: PgBouncer some settings, its agent new code."""
    not_reloaded = {side: [row[:2] for row in settings(spec, pooler, side) if row[0] in NOT_RELOADED] for side in sides(pooler)}
    return checksum({"agent": agent_files(POOLER), **not_reloaded})
