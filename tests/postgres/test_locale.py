"""Locales: what initdb and CREATE DATABASE get, and what no image could take."""

from __future__ import annotations

import re
from typing import Any

from sos_constructs import Database, Locale
from sos_constructs.postgres.agent.databases import _locale
from sos_constructs.postgres.locale import ENCODINGS, NOT_ICU
from sos_constructs.postgres.patroni import local

import pytest

from tests.postgres.scenarios import install

GERMAN = Locale(name="de_DE.UTF-8", provider="icu", icu_locale="de-DE")


def test_the_clusters_goes_to_initdb():
    initdb = local(install({"locale": GERMAN})[1].spec)["bootstrap"]["initdb"]
    assert initdb == [{"encoding": "UTF8"}, {"locale": "de_DE.UTF-8"}, {"locale-provider": "icu"}, {"icu-locale": "de-DE"}, "data-checksums"]


def test_a_change_restarts_nothing():
    restarts = [install({"databases": (Database(name="auth", locale=locale),)})[1].objects["StatefulSet", "postgres"].to_json() for locale in (None, GERMAN)]
    assert restarts[0] == restarts[1]


def test_a_databases_own():
    assert _locale({}) == ""
    assert _locale({"locale": GERMAN.declared()}) == (" TEMPLATE template0 ENCODING 'UTF8' LOCALE_PROVIDER icu LOCALE 'de_DE.UTF-8' ICU_LOCALE 'de-DE'")
    assert _locale({"locale": Locale(name="C", encoding="LATIN1").declared()}) == " TEMPLATE template0 ENCODING 'LATIN1' LOCALE_PROVIDER libc LOCALE 'C'"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"name": "de DE"}, "locale.name='de DE' must be a locale of the C library"),
        ({"provider": "ICU"}, "locale.provider='ICU' must be one of 'libc', 'icu' (did you mean 'icu'?)"),
        ({"encoding": "UTF-8"}, "locale.encoding='UTF-8' is no encoding of a PostgreSQL server (did you mean 'UTF8'?)"),
        ({"encoding": "LATIN1"}, "locale.encoding='LATIN1' is not that of the locale 'en_US.UTF-8', which is UTF8"),
        ({"name": "de_DE.ISO-8859-15"}, "locale.encoding='UTF8' is not that of the locale 'de_DE.ISO-8859-15', which is LATIN9"),
        ({"icu_locale": "de"}, "locale.icu_locale='de' needs provider='icu'"),
        ({"provider": "icu"}, "locale.icu_locale=None must be a language tag such as 'de-AT'"),
        ({"provider": "icu", "icu_locale": "de", "name": "C", "encoding": "SQL_ASCII"}, "locale.encoding='SQL_ASCII' is not supported by ICU"),
    ],
)
def test_refused(given: dict[str, Any], message: str):
    with pytest.raises(ValueError, match=re.escape(f"sos-app/postgres: {message}")):
        install({"locale": Locale(**given)})
    with pytest.raises(ValueError, match=re.escape(f"sos-app/postgres: databases['auth'].{message}")):
        install({"databases": (Database(name="auth", locale=Locale(**given)),)})


def test_the_tables_agree():
    assert NOT_ICU < ENCODINGS
