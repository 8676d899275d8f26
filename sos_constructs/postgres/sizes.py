"""The option ``size``: requests, limits and volumes for a kind of cluster. Every option that is given besides wins over it."""

from __future__ import annotations

from typing import Literal

from sos_constructs.errors import InvalidOption, did_you_mean
from sos_constructs.postgres.containers import Resources

import attrs

SizeName = Literal["standard", "laptop"]


@attrs.frozen(kw_only=True)
class Size:
    """What an installation of this size asks for."""

    storage: str
    shared_memory: str
    postgres: Resources
    exporter: Resources
    agent: Resources
    """Of the init container too."""
    pgbouncer: Resources
    """Of each PgBouncer; a pooler's pod has two."""
    pooler_agent: Resources


SIZES: dict[SizeName, Size] = {
    "standard": Size(
        storage="50Gi",
        shared_memory="256Mi",
        postgres=Resources(),
        exporter=Resources(cpu_request="50m", cpu_limit="200m", memory_request="64Mi", memory_limit="256Mi"),
        # Measured: about 25 MiB resident, with psql 35 MiB. Idle it needs 1 % of a core; at a failover every throttled moment is one in which
        # clients still find the dead primary (with 200m: 0.2 to 0.4 s).
        agent=Resources(cpu_request="20m", cpu_limit="1", memory_request="48Mi", memory_limit="128Mi"),
        pgbouncer=Resources(cpu_request="50m", cpu_limit="1", memory_request="32Mi", memory_limit="128Mi"),
        pooler_agent=Resources(cpu_request="20m", cpu_limit="200m", memory_request="48Mi", memory_limit="128Mi"),
    ),
    # Three members and two poolers ask for 0.45 CPU and 1.2 GiB: kind and minikube with 2 CPUs and 4 GiB have that beside themselves.
    "laptop": Size(
        storage="2Gi",
        shared_memory="64Mi",
        postgres=Resources(cpu_request="100m", cpu_limit="2", memory_request="256Mi", memory_limit="512Mi"),
        exporter=Resources(cpu_request="10m", cpu_limit="200m", memory_request="32Mi", memory_limit="128Mi"),
        agent=Resources(cpu_request="10m", cpu_limit="1", memory_request="48Mi", memory_limit="128Mi"),
        pgbouncer=Resources(cpu_request="10m", cpu_limit="500m", memory_request="16Mi", memory_limit="64Mi"),
        pooler_agent=Resources(cpu_request="10m", cpu_limit="200m", memory_request="48Mi", memory_limit="128Mi"),
    ),
}


def size_of(name: SizeName) -> Size:
    """The size of this name, or :class:`InvalidOption`."""
    given: object = name
    if not isinstance(given, str) or given not in SIZES:
        raise InvalidOption("size", given, f"must be one of {', '.join(SIZES)}{did_you_mean(str(given), SIZES)}")
    return SIZES[name]
