"""Patroni's configuration: what stands in its store (dynamic) and what each member reads from a file (local).

Neither holds a secret or a pod's identity; the agent adds both on the pod. JSON is YAML, so that the agent can read it with the
standard library and Patroni as it is.
"""

from __future__ import annotations

from typing import Any

from sos_constructs.postgres import access
from sos_constructs.postgres import names as n
from sos_constructs.postgres.spec import Spec
from sos_constructs.postgres.tuning import shared_settings


def dynamic(spec: Spec) -> dict[str, Any]:
    """Patroni's cluster-wide configuration. Patroni applies it once, at bootstrap; afterwards the agent keeps these keys as they are here."""
    return spec.timing.seconds() | {
        "failsafe_mode": True,  # with the API server away the primary stays as long as it reaches every member
        "maximum_lag_on_failover": maximum_lag(spec),
        "postgresql": {
            "parameters": shared_settings(spec),
            "use_pg_rewind": True,  # a crashed primary comes back as a standby without a new copy
            "use_slots": True,
        },
        "primary_start_timeout": 60,  # a primary that cannot finish its crash recovery in a minute is replaced (Patroni's default: 300 s)
        "synchronous_mode": {"on": True, "off": False}.get(spec.synchronous_mode, spec.synchronous_mode),
        "synchronous_mode_strict": spec.synchronous_mode_strict,
        "synchronous_node_count": 1,
    }


def maximum_lag(spec: Spec) -> int:
    """Bytes that a standby may be behind the primary's last word and still be promoted.

    In strict mode a primary that nobody hears writes on without acknowledging anything; what it has more than the standbys is nobody's
    promise, and must not keep them from taking over. Who has every acknowledged commit is decided by the quorum, not by this.
    """
    return 1024**4 if spec.synchronous_mode_strict else 1024**2


def local(spec: Spec) -> dict[str, Any]:
    """Patroni's configuration file without names, addresses and passwords."""
    profile = spec.image
    return {
        "bootstrap": {
            "dcs": dynamic(spec),
            "initdb": [*spec.locale.initdb(), "data-checksums"],
        },
        "kubernetes": {
            "follower_label_value": "replica",
            "labels": spec.names.selector,
            "leader_label_value": "primary",  # what postgres-service selects; Patroni before 4.0 wrote "master"
            "role_label": n.ROLE_LABEL,
            "scope_label": n.SCOPE_LABEL,
            "standby_leader_label_value": "standby-leader",  # never "primary": it refuses writes
            "use_endpoints": False,  # Endpoints are deprecated since Kubernetes 1.33, and our Services select by label
        },
        "log": {"level": "INFO"},
        "postgresql": {
            **_before_stop(spec),
            "basebackup": ["checkpoint=fast"],  # a new standby does not wait for the next checkpoint
            "bin_dir": profile.bin_dir,
            "custom_conf": f"{n.CONFIG_DIR}/postgresql.conf",
            "data_dir": n.DATA_DIR,
            "listen": f"*:{n.PORT}",
            "parameters": {"unix_socket_directories": n.SOCKET_DIR},  # Patroni looks for its own socket here, not in custom_conf
            "pg_hba": access.pg_hba(spec, members="host", clients="host"),
            "pg_ident": access.pg_ident(),
            "pgpass": f"{n.RUNTIME_DIR}/pgpass",
            "use_unix_socket": True,
        },
        "restapi": {"listen": f"*:{n.PATRONI_PORT}"},
        "scope": spec.names.scope,
        **access.with_tls(spec),
    }


def _before_stop(spec: Spec) -> dict[str, Any]:
    """Where a commit may wait for a standby, nobody reads it from a server that ends: agent/before_stop.py.

    A pod that was deleted by force has two seconds for everything, of which Python alone takes a quarter; agent/farewell.py says so by a file.
    """
    if spec.synchronous_mode == "off":
        return {}
    command = f"cd {n.AGENT_PARENT} && exec python3 -B -m agent.before_stop {n.PATRONI_CONFIG}"
    return {"before_stop": f"sh -c '[ -e {n.HURRY} ] || {{ {command}; }}'"}


def restart_parts(spec: Spec) -> dict[str, Any]:
    """What of the local file Patroni reads only when it starts."""
    config = local(spec)
    postgresql = {key: config["postgresql"][key] for key in ("bin_dir", "custom_conf", "data_dir", "listen", "use_unix_socket")}
    return {"kubernetes": config["kubernetes"], "postgresql": postgresql, "restapi": config["restapi"], "scope": config["scope"]}
