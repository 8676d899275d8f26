"""Kubernetes resource quantities: the only unit arithmetic in the library.

Source of the grammar: Kubernetes API reference, "Quantity" (suffixes m, k, M, G, T, P, E and Ki, Mi, Gi, Ti, Pi, Ei).
"""

from __future__ import annotations

import re
from decimal import Decimal

from sos_constructs.errors import InvalidOption

_QUANTITY = re.compile(r"([0-9]+(?:\.[0-9]+)?)(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?")
_FACTOR = {None: Decimal(1), "m": Decimal(1) / 1000} | {
    suffix: Decimal(base) ** power
    for base, suffixes in ((1000, ("k", "M", "G", "T", "P", "E")), (1024, ("Ki", "Mi", "Gi", "Ti", "Pi", "Ei")))
    for power, suffix in enumerate(suffixes, start=1)
}

KiB, MiB, GiB = 1024, 1024**2, 1024**3


def _value(option: str, quantity: object, example: str) -> Decimal:
    match = _QUANTITY.fullmatch(quantity) if isinstance(quantity, str) else None
    if not match or (value := Decimal(match[1]) * _FACTOR[match[2]]) <= 0:
        raise InvalidOption(option, quantity, f"must be a positive Kubernetes quantity such as {example!r}")
    return value


def parse_bytes(option: str, quantity: str) -> int:
    """Bytes of a memory or storage quantity such as ``4Gi``; raises :class:`InvalidOption` for anything else."""
    value = _value(option, quantity, "4Gi")
    if value != int(value):
        raise InvalidOption(option, quantity, "is not a whole number of bytes; write for instance '4Gi' (did you mean 'Mi' for 'm'?)")
    return int(value)


def parse_millicores(option: str, quantity: str) -> int:
    """Thousandths of a CPU of a quantity such as ``500m`` or ``2``; finer than one thousandth is refused, as by the API server."""
    value = _value(option, quantity, "500m") * 1000
    if value != int(value):
        raise InvalidOption(option, quantity, "is finer than one millicore; write for instance '500m'")
    return int(value)


def bytes_quantity(number: int) -> str:
    """The shortest exact binary quantity: ``1073741824`` → ``1Gi``."""
    for suffix, factor in (("Gi", GiB), ("Mi", MiB), ("Ki", KiB)):
        if number % factor == 0:
            return f"{number // factor}{suffix}"
    return str(number)
