"""Every name, port and path of HaPostgres. They are an external contract: changing one is a major version."""

from __future__ import annotations

from sos_constructs import labels as common

import attrs

PORT = 5432
PATRONI_PORT = 8008
EXPORTER_PORT = 9187
AGENT_PORT = 8009

ROLE_LABEL = "role"
"""Set by Patroni on its own pod and never by us: ``primary`` or ``replica``."""
SCOPE_LABEL = "patroni-scope"
SERVING = {"app.kubernetes.io/component": "database"}
"""What a member is born with. The agents change it on a former primary, and back; agent/serving.py says why."""

SUPERUSER = "postgres"
REPLICATION_USER = "standby"
REWIND_USER = "rewind"
MONITORING_USER = "monitoring"
PATRONI_USER = "patroni"
RESERVED_ROLES = frozenset({SUPERUSER, REPLICATION_USER, REWIND_USER, MONITORING_USER})

SOCKET_DIR = "/var/run/postgresql"
VOLUME_DIR = "/pgdata"
DATA_DIR = "/pgdata/data"
"""A folder below the mount: Patroni renames the data directory aside, and a fresh file system has ``lost+found``."""
CONFIG_DIR = "/etc/sos/config"
CREDENTIALS_DIR = "/etc/sos/credentials"
CERTIFICATES_DIR = "/etc/sos/tls"
CA_DIR = "/etc/sos/postgres-ca"
"""Where clients have the CA, in their own containers."""
AGENT_PARENT = "/opt/sos"
"""The agent's files are mounted in the folder ``agent`` below, so that Python finds a package of that name."""
RUNTIME_DIR = "/run/sos"
"""In memory, because the rendered Patroni configuration holds passwords."""
LOG_DIR = "/tmp/log"
"""Named pipes in the container of PostgreSQL: its log collector writes there, the container's first process (agent/entry.py) reads."""
PATRONI_CONFIG = f"{RUNTIME_DIR}/patroni.yml"
HURRY = f"{RUNTIME_DIR}/hurry"
CUT_DIR = f"{RUNTIME_DIR}/cut"
"""As long as the agent's file lies there, no WAL receiver of this pod comes up (option failover)."""
STATE_DIR = "/var/lib/sos-agent"
"""A folder of the member's volume beside the data: what the agent must remember longer than the pod lives."""
TOKEN_DIR = "/var/run/secrets/kubernetes.io/serviceaccount"

MAX_MEMBERS = 9
"""Pods that RBAC names in advance, so that ``kubectl scale`` works up to here without a new synth."""

TAKEN_SUFFIXES = ("-exporter", "-patroni", "-pooler", "-readonly")
"""Endings that an installation's name must not have: ``postgres-patroni`` would call its ``-config`` what ``postgres`` calls Patroni's."""

MAX_NAME = 63 - len("-readonly-service")
"""Longest name whose longest Service is still a DNS label."""


@attrs.frozen
class Names:
    """Object names of one installation."""

    name: str

    @property
    def headless(self) -> str:
        return f"{self.name}-headless"

    @property
    def primary_service(self) -> str:
        return f"{self.name}-service"

    @property
    def readonly_service(self) -> str:
        return f"{self.name}-readonly-service"

    @property
    def config(self) -> str:
        return f"{self.name}-config"

    @property
    def exporter_config(self) -> str:
        return f"{self.name}-exporter-config"

    @property
    def agent(self) -> str:
        return f"{self.name}-agent"

    @property
    def scope(self) -> str:
        """Patroni names its ConfigMaps ``<scope>-config`` and so on: ``postgres`` would take our own ``postgres-config``."""
        return f"{self.name}-patroni"

    @property
    def store(self) -> list[str]:
        """The ConfigMaps that Patroni creates and keeps its state in."""
        return [f"{self.scope}-{suffix}" for suffix in ("config", "failover", "leader", "sync")]

    @property
    def pods(self) -> list[str]:
        return [f"{self.name}-{ordinal}" for ordinal in range(MAX_MEMBERS)]

    @property
    def selector(self) -> dict[str, str]:
        return common.selector("postgres", self.name)

    @property
    def serving(self) -> dict[str, str]:
        """Members whom the Services may send clients to."""
        return self.selector | SERVING

    @property
    def labels(self) -> dict[str, str]:
        return common.labels("postgres", self.name, "database")

    @property
    def pod_labels(self) -> dict[str, str]:
        """Labels of a member. Patroni counts every pod with its own labels and the scope label as one."""
        return self.labels | {SCOPE_LABEL: self.scope}
