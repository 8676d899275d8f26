"""The last resort for a standby that a clean restart did not bring back: Patroni copies it anew from its leader.

Patroni throws the data directory away first. So: only after the restart, only with the proof that a replication connection to the leader
of this very cluster works, only while another standby streams (a copy that fails halfway must not leave one member), never the leader,
one member at a time, and once an hour. Whatever does not hold is told, and a human decides.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .actions import Actions
from .guard import BROKEN, NotStreaming
from .log import log

EVERY = 3600.0
"""Seconds between two copies of one member."""
LOGIN = {key: f"PG{key.upper()}" for key in ("password", "sslmode", "sslrootcert", "sslcert", "sslkey", "sslcrl", "channel_binding", "gssencmode")}
LOGIN |= {"username": "PGUSER", "channel_binding": "PGCHANNELBINDING"}
"""Keys of Patroni's ``postgresql.authentication.replication`` and the variables that psql reads them from."""


@dataclass
class Reinit:
    """One member's last resort.

    :param system_id: the cluster's identity, as Patroni's store has it.
    :param leader_id: what the server at this host and port says of itself over a replication connection.
    :param act: have Patroni do it.
    """

    pod: str
    actions: Actions
    leader_now: Callable[[], str]
    system_id: Callable[[], str]
    leader_id: Callable[[str, int], str]
    act: Callable[[], None]
    wall: Callable[[], float] = time.time

    def last_resort(self, cluster: dict[str, Any]) -> None:
        """Copy this member anew.

        :raises NotStreaming: why not.
        """
        against, leader = reason_against(cluster, self.pod), _leader(cluster)
        if not against and self.wall() - self.actions.last("reinitialize") < EVERY:
            against = "it was copied anew less than an hour ago"
        if not against:
            ours, theirs = self.system_id(), self.leader_id(str(leader["host"]), int(leader["port"]))
            if not ours or ours != theirs:
                against = f"the leader's system identifier {theirs!r} is not the cluster's {ours!r}"
            elif self.leader_now() != leader["name"]:
                against = "the leader has just changed"
        if against:
            raise NotStreaming(f"this standby does not stream, a restart of its pod did not help, and it is not copied anew: {against}")
        self.actions.note("reinitialize", self.wall())  # before it is done: what cannot be noted must not be, or its limit would not hold
        log("warning", "guard", "not streaming after a restart: this member is copied anew from its leader", leader=leader["name"])
        self.act()


def reason_against(cluster: dict[str, Any], pod: str) -> str:
    """Why this member must not be copied now, as far as the members' states tell; empty if nothing stands against it."""
    members = {str(m["name"]): str(m.get("state")) for m in cluster.get("members", [])}
    leader = _leader(cluster).get("name")
    if cluster.get("pause"):
        return "Patroni is paused"
    if leader is None or pod not in members:
        return "there is no leader"
    if leader == pod:
        return "it leads"
    standbys = {name: state for name, state in members.items() if name not in (leader, pod)}
    if "streaming" not in standbys.values():
        return "no other standby streams, and a copy that fails halfway would leave a single member"
    if copied := sorted(name for name, state in standbys.items() if state == "creating replica"):
        return f"{copied[0]} is being copied"
    if before := sorted(name for name, state in standbys.items() if state in BROKEN and name < pod):
        return f"{before[0]} does not stream either, and goes first"
    return ""


def replication_identity(bin_dir: str, host: str, port: int, login: Mapping[str, str]) -> str:
    """The system identifier of a server, over a replication connection made with the login that Patroni would use.

    :raises NotStreaming: no such connection comes about.
    """
    variables = {LOGIN[key]: str(value) for key, value in login.items() if key in LOGIN}
    environment = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "PGCONNECT_TIMEOUT": "5", "PGHOST": host, "PGPORT": str(port), **variables}
    command = [f"{bin_dir}/psql", "-XqAt", "-d", "replication=true", "-c", "IDENTIFY_SYSTEM"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, env=environment, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotStreaming(f"no replication connection to the leader: {type(error).__name__}") from None
    if done.returncode:
        complaint = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise NotStreaming(f"no replication connection to the leader: {complaint}")
    return done.stdout.partition("|")[0].strip()


def _leader(cluster: dict[str, Any]) -> dict[str, Any]:
    return next((m for m in cluster.get("members", []) if m.get("role") == "leader" and m.get("state") == "running"), {})
