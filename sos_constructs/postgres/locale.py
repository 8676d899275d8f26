"""How a database sorts and stores text: option ``locale`` of HaPostgres for the whole cluster, of ``Database`` for one."""

from __future__ import annotations

import re
from typing import Any, Literal

from sos_constructs.checked import checked_in_use
from sos_constructs.errors import InvalidOption, did_you_mean

import attrs

LocaleProvider = Literal["libc", "icu"]

_LATIN = {f"LATIN{number}" for number in range(1, 11)}
_ISO = {f"ISO_8859_{part}" for part in (5, 6, 7, 8)}
_WINDOWS = {f"WIN{page}" for page in (866, 874, *range(1250, 1259))}
_OTHER = {"EUC_CN", "EUC_JIS_2004", "EUC_JP", "EUC_KR", "EUC_TW", "KOI8R", "KOI8U", "MULE_INTERNAL", "SQL_ASCII", "UTF8"}
ENCODINGS = frozenset(_OTHER | _LATIN | _ISO | _WINDOWS)
"""Encodings that a PostgreSQL server can have (PostgreSQL 15 manual, table 24.1)."""

NOT_ICU = frozenset({"EUC_JIS_2004", "LATIN10", "MULE_INTERNAL", "SQL_ASCII", "WIN874"})
"""Of those the ones that ICU does not support (the same table)."""


@checked_in_use
@attrs.frozen(kw_only=True)
class Locale:
    """Collation and encoding. They are set when a database is made and never changed: another value later changes nothing, and no pod restarts.

    ``Locale(provider="icu", icu_locale="de-AT")`` sorts by ICU, whose order does not depend on the image's C library.

    :param name: the C library's locale, ``LC_COLLATE`` and ``LC_CTYPE``. The image must have it. Default ``en_US.UTF-8``, the requirement's;
        ``C.UTF-8`` and ``C`` are in every image.
    :param provider: ``libc`` (default) or ``icu``.
    :param icu_locale: with ``icu``: a language tag such as ``de-AT`` or ``und-u-ks-level2``.
    :param encoding: default ``UTF8``. Another one must be that of ``name``.
    """

    name: str = "en_US.UTF-8"
    provider: LocaleProvider = "libc"
    icu_locale: str | None = None
    encoding: str = "UTF8"

    def check(self, option: str) -> None:
        """Raise :class:`InvalidOption` for what initdb or CREATE DATABASE would refuse on every image."""
        if not _is(self.name, r"[A-Za-z][A-Za-z0-9_-]*(\.[A-Za-z0-9-]+)?(@[A-Za-z0-9]+)?"):
            raise InvalidOption(f"{option}.name", self.name, "must be a locale of the C library, such as 'en_US.UTF-8'")
        if self.provider not in ("libc", "icu"):
            raise InvalidOption(f"{option}.provider", self.provider, "must be 'libc' or 'icu'")
        if self.encoding not in ENCODINGS:
            raise InvalidOption(f"{option}.encoding", self.encoding, f"is no encoding of a PostgreSQL server{did_you_mean(str(self.encoding), ENCODINGS)}")
        if self.provider == "libc" and self.icu_locale is not None:
            raise InvalidOption(f"{option}.icu_locale", self.icu_locale, "needs provider='icu'")
        if self.provider == "icu":
            if not _is(self.icu_locale, r"[A-Za-z0-9][A-Za-z0-9_@=;-]*"):
                raise InvalidOption(f"{option}.icu_locale", self.icu_locale, "must be a language tag such as 'de-AT'")
            if self.encoding in NOT_ICU:
                raise InvalidOption(f"{option}.encoding", self.encoding, "is not supported by ICU; use 'UTF8'")
        codeset = self.name.partition("@")[0].partition(".")[2]
        if codeset and _encoding(codeset) not in (None, self.encoding) and self.encoding != "SQL_ASCII":
            raise InvalidOption(f"{option}.encoding", self.encoding, f"is not that of the locale {self.name!r}, which is {_encoding(codeset)}")

    def initdb(self) -> list[dict[str, str]]:
        """Options of initdb, as Patroni takes them."""
        icu = [{"locale-provider": "icu"}, {"icu-locale": str(self.icu_locale)}] if self.provider == "icu" else []
        return [{"encoding": self.encoding}, {"locale": self.name}, *icu]

    def declared(self) -> dict[str, Any]:
        """What the agent makes the database with."""
        icu = {"icu_locale": self.icu_locale} if self.provider == "icu" else {}
        return {"encoding": self.encoding, "name": self.name, "provider": self.provider, **icu}


def _is(value: object, form: str) -> bool:
    return isinstance(value, str) and bool(re.fullmatch(form, value))


def _encoding(codeset: str) -> str | None:
    """PostgreSQL's name of a codeset in a locale's name; ``None`` for one that this table does not know."""
    plain = re.sub(r"[^A-Z0-9]", "", codeset.upper())
    latin = {str(part): number for number, part in enumerate((1, 2, 3, 4, 9, 10, 13, 14, 15, 16), start=1)}
    if plain.startswith("ISO8859"):
        part = plain.removeprefix("ISO8859")
        return f"LATIN{latin[part]}" if part in latin else f"ISO_8859_{part}"
    if plain.startswith("CP") and f"WIN{plain[2:]}" in ENCODINGS:
        return f"WIN{plain[2:]}"
    return {"UTF8": "UTF8", "KOI8R": "KOI8R", "KOI8U": "KOI8U", "EUCJP": "EUC_JP", "EUCKR": "EUC_KR", "EUCTW": "EUC_TW", "GB2312": "EUC_CN"}.get(plain)
