"""Regular expressions for numbers within bounds, in the part of the language that Python and ECMAScript share."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

_SPECIAL = re.compile(r"[\^$\\.*+?()[\]{}|/]")


def literal(text: str) -> str:
    """The text itself. ``re.escape`` also escapes what ECMAScript does not allow to be escaped."""
    return _SPECIAL.sub(r"\\\g<0>", text)


def is_integer(text: str) -> bool:
    """Whether text is a whole number without leading zeros."""
    return bool(re.fullmatch(r"-?(?:0|[1-9][0-9]*)", text))


def integers(least: int, most: int) -> str:
    """Whole numbers from ``least`` to ``most``, without leading zeros; zero may have a sign."""
    parts = []
    if least <= 0 <= most:
        parts.append("-?0")
    if least < 0:
        parts.append(f"-(?:{_natural(max(1, -most), -least)})")
    if most > 0:
        parts.append(_natural(max(1, least), most))
    return "|".join(parts)


def decimals(least: float, most: float, *, places: int) -> str:
    """Numbers from ``least`` to ``most`` with some decimals. Bounds that are not whole, or below zero, are not looked at."""
    digits = f"[0-9]{{1,{places}}}"
    low, high = int(least), int(most)
    if low != least or high != most or low < 0:
        return rf"-?(?:0|[1-9][0-9]{{0,14}})(?:\.{digits})?"
    zeros = f"0{{1,{places}}}"
    parts = [rf"-?0(?:\.{zeros})?"] if low == 0 else []
    parts += [rf"0\.{digits}"] if low == 0 < high else []
    parts += [rf"(?:{_natural(max(low, 1), high - 1)})(?:\.{digits})?"] if high - 1 >= max(low, 1) else []
    parts += [rf"{high}(?:\.{zeros})?"] if high > 0 else []
    return "|".join(parts)


def amounts(least: int, most: int, unit: int, symbols: Mapping[str, int]) -> str:
    """Amounts from ``least`` to ``most``, as numbers of ``unit`` or with one of the symbols after them.

    Text in a unit smaller than the key's must be a whole number of the key's; that is checked where the one is a power of ten of the other.

    :param unit: in the unit of the bounds, as are the symbols' factors.
    """
    patterns: dict[str, list[str]] = {}
    for symbol, factor in {"": unit, **symbols}.items():
        step = unit // factor
        tens = len(str(step)) - 1
        if factor < unit and unit % factor == 0 and step == 10**tens:
            low, high, zeros = -(-least // unit), most // unit, "0" * tens
        else:
            low, high, zeros = -(-least // factor), most // factor, ""
        if low > high:
            continue
        number = _zeros(integers(low, high), zeros) if zeros else integers(low, high)
        patterns.setdefault(number, []).append(symbol)
    return "|".join(f"(?:{number}){_one_of(found)}" for number, found in patterns.items())


def _zeros(number: str, zeros: str) -> str:
    """Numbers with zeros after them; zero itself is written with one digit."""
    return f"-?0|(?:{number.removeprefix('-?0|')}){zeros}" if number.startswith("-?0|") else f"(?:{number}){zeros}" if number != "-?0" else number


def _one_of(symbols: list[str]) -> str:
    words = [symbol for symbol in symbols if symbol]
    if not words:
        return ""
    return f"(?:{'|'.join(words)}){'?' if '' in symbols else ''}"


def _natural(least: int, most: int) -> str:
    """Whole numbers from ``least`` to ``most``, both above zero."""
    return "|".join(_same_length(first, last) for first, last in _spans(least, most))


def _spans(least: int, most: int) -> Iterator[tuple[str, str]]:
    """Parts of the range in which every digit runs on its own: 8..123 is 8..9, 10..99, 100..119, 120..123."""
    ends = {most}
    for digits in range(1, len(str(most)) + 1):
        ends |= {least - least % 10**digits + 10**digits - 1, (most + 1) - (most + 1) % 10**digits - 1}
    for end in sorted(end for end in ends if least <= end <= most):
        yield str(least), str(end)
        least = end + 1


def _same_length(first: str, last: str) -> str:
    pattern, free = "", 0
    for low, high in zip(first, last, strict=True):
        if (low, high) == ("0", "9"):
            free += 1
        else:
            pattern += low if low == high else f"[{low}-{high}]"
    return pattern + ("[0-9]" + (f"{{{free}}}" if free > 1 else "") if free else "")
