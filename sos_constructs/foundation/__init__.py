"""What has to be there before any workload: the namespace, the priority classes, the network default."""

from __future__ import annotations

from sos_constructs.foundation.construct import SosNamespace
from sos_constructs.foundation.network import EGRESS_LABEL, EGRESS_RESTRICTED, ClusterDns
from sos_constructs.foundation.priorities import PRIORITY_CRITICAL, PRIORITY_HIGH, PRIORITY_LOW, PRIORITY_NORMAL

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
