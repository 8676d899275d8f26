"""Patroni's configuration file: the declared one plus this pod's name, addresses and the passwords."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import fence
from .files import Declared
from .tls import PREFER


@dataclass(frozen=True)
class Pod:
    """Who this member is, from the downward API."""

    name: str
    namespace: str
    ip: str

    @property
    def host(self) -> str:
        """The address in a host:port pair."""
        return f"[{self.ip}]" if ":" in self.ip else self.ip


@dataclass(frozen=True)
class Passwords:
    """What Patroni logs in with: to PostgreSQL (on this and on other members) and to other members' REST API."""

    superuser: str
    replication: str
    rewind: str
    restapi: str


def declared_passwords(declared: Declared) -> Passwords:
    """The passwords as the Secret has them now."""
    return Passwords(
        superuser=declared.credential("postgres-password"),
        replication=declared.credential("replication-password"),
        rewind=declared.credential("rewind-password"),
        restapi=declared.credential("patroni-password"),
    )


def rendered_passwords(text: str) -> Passwords:
    """The passwords in a rendered file."""
    config = json.loads(text)
    login = config["postgresql"]["authentication"]
    return Passwords(
        superuser=login["superuser"]["password"],
        replication=login["replication"]["password"],
        rewind=login["rewind"]["password"],
        restapi=config["restapi"]["authentication"]["password"],
    )


def rendered_sslmode(text: str) -> str:
    """How members connect to each other by a rendered file."""
    return str(json.loads(text)["postgresql"]["authentication"]["replication"].get("sslmode", PREFER))


def patroni_config(declared: Declared, pod: Pod, passwords: Passwords, runtime_dir: Path, sslmode: str = PREFER) -> dict[str, Any]:
    """The whole configuration of one member.

    :param runtime_dir: where the fence's file lies.
    :param sslmode: how it connects to other members, where this pod has a CA to verify them.
    """
    config = copy.deepcopy(declared.patroni)
    config["name"] = pod.name  # must be the pod's name: Patroni patches the pod of that name
    config["kubernetes"]["namespace"] = pod.namespace
    config["kubernetes"]["pod_ip"] = pod.ip
    # Addresses and not names: they are right the moment the pod has them, and need no DNS while nodes are failing.
    config["postgresql"]["connect_address"] = f"{pod.host}:{_port(config['postgresql']['listen'])}"
    config["restapi"]["connect_address"] = f"{pod.host}:{_port(config['restapi']['listen'])}"
    names = {role["username_key"]: role["name"] for role in declared.roles}
    to_members = {key: value | {"sslmode": sslmode} for key, value in config["postgresql"].get("authentication", {}).items()}
    config["postgresql"]["authentication"] = {
        "superuser": {"username": names["postgres-username"], "password": passwords.superuser},
        "replication": {"username": names["replication-username"], "password": passwords.replication, **to_members.get("replication", {})},
        "rewind": {"username": names["rewind-username"], "password": passwords.rewind, **to_members.get("rewind", {})},
    }
    config["postgresql"]["pg_hba"] = [fence.hba_line(runtime_dir), *config["postgresql"]["pg_hba"]]
    config["restapi"]["authentication"] = {"username": declared.credential("patroni-username"), "password": passwords.restapi}
    return config


def as_text(config: dict[str, Any]) -> str:
    """The file's text; the same configuration gives the same text."""
    return json.dumps(config, indent=2, sort_keys=True) + "\n"


def _port(listen: str) -> str:
    return listen.rpartition(":")[2]
