"""Rules that read several keys at once. Values arrive typed, so that keys in different units can be compared."""

from __future__ import annotations

from collections.abc import Callable

from attrs import frozen


@frozen(eq=False, kw_only=True)
class Rule:
    """What must hold between keys.

    :param id: short name, shown with a violation.
    :param keys: the keys it reads.
    :param holds: takes their values in that order.
    :param demand: what must be so, and why, as an instruction.
    """

    id: str
    keys: tuple[str, ...]
    holds: Callable[..., bool]
    demand: str


def _not_above(low: float, high: float) -> bool:
    return low <= high


RULES: tuple[Rule, ...] = (
    Rule(
        id="postgres-pool",
        keys=("POSTGRES_POOL_MIN_CONNECTIONS", "POSTGRES_POOL_MAX_CONNECTIONS"),
        holds=_not_above,
        demand="the minimum of a pool may not be above its maximum",
    ),
    Rule(
        id="mongodb-pool",
        keys=("MONGODB_POOL_MIN_CONNECTIONS", "MONGODB_POOL_MAX_CONNECTIONS"),
        holds=_not_above,
        demand="the minimum of a pool may not be above its maximum",
    ),
    Rule(
        id="access-before-refresh",
        keys=("JWT_ACCESS_TOKEN_TTL_MINUTES", "JWT_REFRESH_TOKEN_TTL_DAYS"),
        holds=lambda access, refresh: access < refresh,
        demand="the refresh token must outlive the access token that it renews",
    ),
    Rule(
        id="kafka-heartbeat",
        keys=("KAFKA_CONSUMER_HEARTBEAT_INTERVAL_SECONDS", "KAFKA_CONSUMER_SESSION_TIMEOUT_SECONDS"),
        holds=lambda heartbeat, session: heartbeat * 3 <= session,
        demand="the heartbeat interval may be a third of the session timeout at most, or one lost heartbeat counts as death",
    ),
)
