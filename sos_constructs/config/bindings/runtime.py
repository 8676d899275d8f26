from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Literal, NewType, TypeVar, cast

Bytes = NewType("Bytes", int)
"""An amount of data in bytes, whatever unit the variable has."""

_T = TypeVar("_T")
_Word = TypeVar("_Word", bound=str)


class SettingsError(ValueError):
    """Variables that are missing or wrong, all of them at once."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        self.problems = problems
        super().__init__("settings cannot be read from the environment:\n" + "\n".join(f"- {problem}" for problem in problems))


class _Reader:
    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._problems: list[str] = []

    def __call__(self, key: str, parse: Callable[[str], _T]) -> _T:
        text = self._environment.get(key)
        if text is None:
            self._problems.append(f"{key} is missing")
        else:
            try:
                return parse(text)
            except ValueError as error:
                self._problems.append(f"{key}={text!r} must be {error}")
        return cast("_T", None)  # nobody sees it: finish() raises

    def finish(self) -> None:
        if self._problems:
            raise SettingsError(tuple(self._problems))


def _switch(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError("true or false")
    return text == "true"


def _choice(*words: _Word) -> Callable[[str], _Word]:
    def parse(text: str) -> _Word:
        for word in words:
            if word == text:
                return word
        raise ValueError(f"one of {', '.join(words)}")

    return parse


def _whole(least: int, most: int, words: str = "a whole number") -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not re.fullmatch("-?(0|[1-9][0-9]{0,14})", text) or not least <= int(text) <= most:
            raise ValueError(f"{words} from {least} to {most}")
        return int(text)

    return parse


def _number(least: float, most: float) -> Callable[[str], float]:
    def parse(text: str) -> float:
        if not re.fullmatch("-?(0|[1-9][0-9]{0,14})([.][0-9]{1,6})?", text) or not least <= float(text) <= most:
            raise ValueError(f"a number from {least:g} to {most:g} with at most six decimals")
        return float(text) + 0.0  # -0.0 + 0.0 is 0.0

    return parse


def _duration(least: int, most: int, unit: timedelta, words: str) -> Callable[[str], timedelta]:
    amount = _whole(least, most, f"a whole number of {words}")
    return lambda text: amount(text) * unit


def _size(least: int, most: int, unit: int, words: str) -> Callable[[str], Bytes]:
    amount = _whole(least, most, f"a whole number of {words}")
    return lambda text: Bytes(amount(text) * unit)


def _text(pattern: str, words: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError(words)
        return text

    return parse


def _items(item: Callable[[str], _T], at_least: int, words: str) -> Callable[[str], tuple[_T, ...]]:
    def parse(text: str) -> tuple[_T, ...]:
        parts = text.split(",") if text else []
        try:
            items = tuple(item(part) for part in parts)
        except ValueError:
            raise ValueError(words) from None
        if len(items) < at_least or len(set(parts)) != len(parts):
            raise ValueError(words)
        return items

    return parse
