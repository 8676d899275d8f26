"""Who may log in to which database: pg_hba.conf and pg_ident.conf. Whose packets arrive at all is the NetworkPolicy's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sos_constructs.postgres import names as n
from sos_constructs.postgres import roles
from sos_constructs.postgres.pooler.options import USER as POOLER_USER

if TYPE_CHECKING:
    from sos_constructs.postgres.spec import Spec


def pg_hba(spec: Spec, *, members: str, clients: str) -> list[str]:
    """First match wins, and what no line matches is refused.

    Each owner opens its own database only, each further role those it may connect to. The superuser logs in through the socket of its own pod, by
    uid: its password opens nothing. An address cannot tell members from clients, whose pods share a network; the names of roles and the NetworkPolicy can.

    :param members: ``hostssl``, or ``host`` where a member may come without TLS.
    :param clients: the same for everybody else.
    """
    # "+" is a role with its members: the dated logins that stand for it while its password is changed.
    owned = [(f'"{database.name}"', f'+"{database.owner}"') for database in spec.databases]
    names = [name for name, _ in owned]
    admitted = [(",".join(f'"{name}"' for name in databases), f'+"{role.name}"') for role, databases in roles.logins(spec)]
    pooler = [f"{clients} {','.join(names)} {POOLER_USER} all scram-sha-256"] if spec.pooler and names else []
    return [
        f"local all {n.SUPERUSER} peer map=sos",
        f"local all {n.MONITORING_USER} peer map=sos",
        *(f"local {name} {role} scram-sha-256" for name, role in (*owned, *admitted)),
        f"{members} replication {n.REPLICATION_USER} all scram-sha-256",
        f"{members} postgres {n.REWIND_USER} all scram-sha-256",
        f"host all {n.SUPERUSER},{n.REPLICATION_USER},{n.REWIND_USER} all reject",
        *spec.pg_hba,  # after the lines that protect the cluster's own roles, before all others
        *(f"{clients} {name} {role} all scram-sha-256" for name, role in (*owned, *admitted)),
        *pooler,
        f"{clients} {','.join(['postgres', *names])} +{n.MONITORING_USER} all scram-sha-256",
    ]


def pg_ident() -> list[str]:
    """Operating-system user (by uid, as in the mounted passwd file) to role: Patroni and agent, and the exporter."""
    return [f"sos postgres {n.SUPERUSER}", f"sos nobody {n.MONITORING_USER}"]


def with_tls(spec: Spec) -> dict[str, Any]:
    """What pods with a certificate have instead of the same keys of the configuration; those of an older template cannot speak TLS."""
    if spec.tls is None:
        return {}
    return {"tls": {"pg_hba": pg_hba(spec, members="hostssl", clients="host" if spec.tls.plain_clients else "hostssl")}}
