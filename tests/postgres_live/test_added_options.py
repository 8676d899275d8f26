"""What users add is judged as PostgreSQL judges it: lines of pg_hba.conf, and locales of databases."""

from __future__ import annotations

from sos_constructs import Locale
from sos_constructs.errors import InvalidOption
from sos_constructs.postgres import hba
from sos_constructs.postgres.agent.databases import _locale
from sos_constructs.postgres.locale import ENCODINGS, NOT_ICU

import pytest

from tests.postgres.test_hba import REFUSED, TAKEN
from tests.postgres_live.conftest import PostgresFactory

STRICTER = ("trust", "ident", "password", "cert", "map=", "ldapbindpasswd", "@databases", "# no", "10.0.0.0 reject", "ldap ldapprefix=b")
"""Lines that PostgreSQL reads and that are refused here, each for the reason that the error tells."""


def test_lines_that_are_taken_are_read_and_broken_ones_are_refused(postgres_factory: PostgresFactory):
    server = postgres_factory()
    file = server.data_dir / "pg_hba.conf"
    before = file.read_text()

    def errors(line: str) -> str:
        file.write_text(f"{line}\n{before}")
        found: str = server.psql("SELECT coalesce(string_agg(error, '; '), '') FROM pg_hba_file_rules WHERE error NOT LIKE '%SSL is disabled%'")
        return found.strip()

    assert {line: problem for line in TAKEN if (problem := errors(line))} == {}
    unread = [line for line, _ in REFUSED if line and "\n" not in line and not any(word in line for word in STRICTER)]
    assert [line for line in unread if not errors(line)] == [], "refused here, and PostgreSQL would have read it"
    assert len(unread) > 5
    for line in unread:
        with pytest.raises(InvalidOption):
            hba.check_lines("pg_hba", (line,), tls=True)


def test_icu_takes_the_encodings_that_are_said_to_be_its_own(postgres_factory: PostgresFactory):
    server = postgres_factory()
    refused = set()
    for encoding in sorted(ENCODINGS):
        locale = {"encoding": encoding, "name": "C", "provider": "icu", "icu_locale": "de"}
        statement = f'CREATE DATABASE "{encoding}"' + _locale({"locale": locale})
        try:
            server.psql(statement)
        except RuntimeError as error:
            if "is not supported with ICU provider" not in str(error):
                raise
            refused.add(encoding)
    assert refused == NOT_ICU


def test_a_databases_own_locale(postgres_factory: PostgresFactory):
    server = postgres_factory()
    server.psql('CREATE DATABASE "users"' + _locale({"locale": Locale(name="C.UTF-8", provider="icu", icu_locale="de-DE-u-kn-true").declared()}))
    server.psql('CREATE DATABASE "old"' + _locale({"locale": Locale(name="C", encoding="LATIN1").declared()}))
    columns = "datname, pg_encoding_to_char(encoding), datlocprovider, daticulocale"
    made = f"SELECT {columns} FROM pg_database WHERE datname IN ('users', 'old') ORDER BY 1"
    assert server.psql(made).split() == ["old|LATIN1|c|", "users|UTF8|i|de-DE-u-kn-true"]
