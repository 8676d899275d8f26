"""Pod Security Standards: what ``restricted`` asks for, filled in by one call, and what a namespace would refuse, told at synth."""

from __future__ import annotations

from sos_constructs.pod_security.at_synth import check_admission
from sos_constructs.pod_security.restricted import restricted

__all__ = ["check_admission", "restricted"]
