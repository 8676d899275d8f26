"""PgBouncer in front of HaPostgres: a Deployment of its own, for the primary and for the replicas."""

from __future__ import annotations

from sos_constructs.postgres.pooler.options import PGBOUNCER, Pooler, PoolerImage

__all__ = ["PGBOUNCER", "Pooler", "PoolerImage"]
