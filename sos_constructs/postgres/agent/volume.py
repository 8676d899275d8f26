"""A larger volume. The StatefulSet's claim template is fixed for its life, so each agent enlarges the claim of its own member."""

from __future__ import annotations

import re
from collections.abc import Callable

from .kube_api import Kube, KubeError
from .log import log
from .patroni_api import Status
from .reconcile import Member, NotYet

_FACTORS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}


def reconcile_volume(member: Member, _status: Status, *, connect: Callable[[Member], Kube]) -> None:
    """Ask for the declared size, if the claim asks for less; the storage driver does the rest while the volume is in use.

    :raises NotYet: when the API server refuses, most likely because the storage class does not allow it.
    """
    wanted = member.declared().storage
    if not wanted:
        return
    kube, claim = connect(member), f"data-{member.pod.name}"
    asked = kube.claim(claim)["spec"]["resources"]["requests"]["storage"]
    if size(asked) >= size(wanted):
        return
    try:
        kube.enlarge(claim, wanted)
    except KubeError as error:
        raise NotYet(f"{claim} does not grow from {asked} to {wanted}; does its storage class have allowVolumeExpansion? ({error})") from None
    log("info", "volume", "asked for a larger volume", claim=claim, before=asked, now=wanted)


def size(quantity: str) -> float:
    """Bytes of a Kubernetes quantity of storage."""
    match = re.fullmatch(r"([0-9.]+)([kMGT]?i?)", quantity)
    if not match:
        raise NotYet(f"the size {quantity!r} is not understood")
    return float(match[1]) * _FACTORS[match[2]]
