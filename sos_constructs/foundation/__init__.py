"""What has to be there before any workload: the namespace, the priority classes, the network default."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sos_constructs.foundation.network import EGRESS_LABEL, EGRESS_RESTRICTED, ClusterDns
from sos_constructs.foundation.priorities import PRIORITY_CRITICAL, PRIORITY_HIGH, PRIORITY_LOW, PRIORITY_NORMAL

if TYPE_CHECKING:
    from sos_constructs.foundation.construct import SosNamespace

__all__ = [
    "EGRESS_LABEL",
    "EGRESS_RESTRICTED",
    "PRIORITY_CRITICAL",
    "PRIORITY_HIGH",
    "PRIORITY_LOW",
    "PRIORITY_NORMAL",
    "ClusterDns",
    "SosNamespace",
]


def __getattr__(name: str) -> object:
    """The construct is loaded on first use: who declares databases for ``sosctl`` needs no Node."""
    if name != "SosNamespace":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from sos_constructs.foundation.construct import SosNamespace

    return SosNamespace
