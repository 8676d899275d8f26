"""Names, ports and paths of the pooler: an external contract, as those of the database."""

from __future__ import annotations

from sos_constructs import labels as common

import attrs

PORTS = {"primary": 6432, "readonly": 6433}
"""Port of each PgBouncer in the pod. The Services listen on PostgreSQL's own port."""
AGENT_PORT = 8010
CONFIG_DIR = "/etc/sos/pooler"
CREDENTIALS_DIR = "/etc/sos/credentials"
RUNTIME_DIR = "/run/sos"
"""In memory: sockets, and the password with which PgBouncer looks others up."""
USERLIST = f"{RUNTIME_DIR}/userlist.txt"
SERVED = f"{RUNTIME_DIR}/served"
"""The agent makes it when a client of the primary's side was served in this pod for the first time."""
TLS_DIR = f"{RUNTIME_DIR}/tls"
"""The agent's examined copy of the certificate: the only one that PgBouncer reads."""
CA_DIR, CA_VOLUME = "/etc/sos/postgres-pooler-ca", "postgres-pooler-ca"
"""In clients' containers: others than those of the database's CA, so that one pod may have both."""


def config_file(side: str, *, tls: bool) -> str:
    """What one PgBouncer starts with."""
    return f"{side}-tls.ini" if tls else f"{side}.ini"


def socket_dir(side: str) -> str:
    """Where one PgBouncer's console is reached."""
    return f"{RUNTIME_DIR}/{side}"


@attrs.frozen
class PoolerNames:
    """Object names of the pooler of one installation."""

    name: str

    @property
    def pooler(self) -> str:
        return f"{self.name}-pooler"

    @property
    def config(self) -> str:
        return f"{self.name}-pooler-config"

    @property
    def agent(self) -> str:
        return f"{self.name}-pooler-agent"

    @property
    def certificate(self) -> str:
        """Default name of the Secret with the pooler's own certificate."""
        return f"{self.name}-pooler-tls"

    @property
    def services(self) -> dict[str, str]:
        return {"primary": f"{self.name}-pooler-service", "readonly": f"{self.name}-pooler-readonly-service"}

    @property
    def selector(self) -> dict[str, str]:
        """Not the members' labels: Patroni and the database's Services count every pod that has those."""
        return common.selector("pgbouncer", self.name)

    @property
    def labels(self) -> dict[str, str]:
        return common.labels("pgbouncer", self.name, "pooler")
