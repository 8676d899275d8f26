"""The option ``failover``: the agents release the leader lock of a dead primary before its ttl ends."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING

from sos_constructs.checked import checked_in_use
from sos_constructs.errors import InvalidOption
from sos_constructs.postgres import names as n

import attrs

if TYPE_CHECKING:
    from sos_constructs.postgres.spec import Spec

MARGIN = timedelta(seconds=2)
"""A renewal comes every ``loop_wait``; sooner than this after it was due, its absence says nothing."""
LIBRARY_PATH = "dynamic_library_path"
PRELOADED = f"{n.CUT_DIR}:$libdir"


@checked_in_use
@attrs.frozen(kw_only=True)
class FastFailover:
    """A crashed primary is replaced in about ten seconds instead of twenty; docs/explanation/fast-failover.md has the protocol and its proof.

    It starts when no renewal of the leader lock was seen for ``detect``, and the primary answers neither on Patroni's port nor on PostgreSQL's. Then
    each standby's agent cuts its standby off and records that on the lock. When every voter has done so, the lock is released. If the agents
    disagree, are down, or Patroni is paused, Patroni's own ttl decides.

    :param detect: whole seconds, at least ``timing.loop_wait`` + 2 s, less than ``timing.ttl``. Default 6 s: two renewals are missing.
    """

    detect: timedelta = timedelta(seconds=6)


def check(spec: Spec) -> None:
    """Raise :class:`InvalidOption` where the early release would be unsafe or useless."""
    chosen = spec.failover
    if chosen is None:
        return
    if not isinstance(chosen, FastFailover):
        raise InvalidOption("failover", chosen, "must be made with FastFailover(…)")
    if not spec.synchronous_mode_strict:
        raise InvalidOption("failover", chosen, "needs synchronous_mode_strict=True: a primary that may go on alone could acknowledge what nobody else has")
    if spec.synchronous_mode != "quorum":
        raise InvalidOption("failover", chosen, "needs synchronous_mode='quorum': its safety is shown for that mode only")
    if spec.instances < 3:
        raise InvalidOption("failover", chosen, "needs at least three instances: with two, one failure leaves nobody who could confirm a write")
    value: object = chosen.detect
    least = spec.timing.loop_wait + MARGIN
    if not isinstance(value, timedelta) or value != timedelta(seconds=int(value.total_seconds())) or not least <= value < spec.timing.ttl:
        raise InvalidOption(
            "failover.detect",
            str(value),
            f"must be whole seconds, at least timing.loop_wait + {MARGIN.seconds} s = {int(least.total_seconds())} s, and less than timing.ttl",
        )
    if LIBRARY_PATH in spec.parameters:
        raise InvalidOption(f"parameters[{LIBRARY_PATH!r}]", spec.parameters[LIBRARY_PATH], "must be left out: option failover uses it to cut standbys off")


def mounted(spec: Spec) -> dict[str, str]:
    """What the agent reads, as files of the ConfigMap; nothing without the option."""
    if spec.failover is None:
        return {}
    return {"failover.json": json.dumps({"detect": int(spec.failover.detect.total_seconds())}) + "\n"}
