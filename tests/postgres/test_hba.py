"""Lines of pg_hba.conf that users add: where they stand, what is refused, and that PostgreSQL itself reads what is taken."""

from __future__ import annotations

import re

from sos_constructs.postgres import hba

import pytest

from tests.postgres.scenarios import install

TAKEN = (
    "hostssl auth auth 10.0.0.0/8 scram-sha-256",
    "host all all 10.1.2.3 255.255.255.255 reject",
    "hostnossl all +staff samenet reject",
    'local "auth" "Odd Name" scram-sha-256',
    "hostssl auth,users all 2001:db8::/32 md5",
    "hostssl auth, users all .example.org password",
    'hostssl auth all all ldap ldapserver=ldap.example.org ldaptls=1 ldapprefix="uid=" ldapsuffix=",ou=people,dc=example"',
    'hostssl auth all all ldap ldapurl="ldap://ldap.example.org/dc=example?uid?sub"',
    "host all all host.example.org pam pamservice=postgres",
)
REFUSED = [
    ("host all all all trust", "has the method 'trust', which lets everybody in without a password"),
    ("host all all all ident", "has the method 'ident', which believes what the client's machine says"),
    ("hostssl all all all cert", "has the method 'cert', which needs a CA for clients' certificates"),
    ("host all all all scram-sha256", "which PostgreSQL 15 does not know (did you mean 'scram-sha-256'?)"),
    ("hst all all all reject", "must begin with one of host, hostgssenc"),
    ("host all all reject", "must be: host database user address method"),
    ("host all all 10.0.0.0 reject", "must have an address such as 10.0.0.0/8"),
    ("host all all 10.0.0.0/33 reject", "must have an address such as 10.0.0.0/8"),
    ("host @databases all all reject", "must name databases and roles themselves"),
    ("host all all all reject # no", "must be a rule without a comment"),
    ("host all all all reject\nhost all all all trust", "must be one line"),
    ("host all all all \\", "must end on its line"),
    ('host "all all all reject', "must end on its line"),
    ("host all all all password", "must begin with hostssl"),
    ("hostssl all all all scram-sha-256 map=sos", "has the option 'map', which names a map of pg_ident.conf"),
    ("hostssl all all all ldap ldapserver=a ldapprefix=b ldapbindpasswd=c", "would put a password into a ConfigMap"),
    ("hostssl all all all ldap ldapprefix=b", "must have ldapserver=… or ldapurl=…"),
    ("hostssl all all all ldap ldapserver=a", "must have ldapbasedn, or ldapprefix or ldapsuffix"),
    ("hostssl all all all ldap ldapserver=a ldapprefix=b ldapbasedn=c", "must not have ldapprefix together with ldapbasedn"),
    ("hostssl all all all radius", "a ConfigMap must hold no secret"),
    ("", "must not be empty"),
]


@pytest.mark.parametrize("line", TAKEN)
def test_taken(line: str):
    hba.check_lines("pg_hba", (line,), tls=True)


@pytest.mark.parametrize(("line", "message"), REFUSED)
def test_refused(line: str, message: str):
    with pytest.raises(ValueError, match=f"^sos-app/postgres: {re.escape('pg_hba[0]=')}.*{re.escape(message)}"):
        install({"pg_hba": (line,)})


def test_one_text_is_no_list_and_hostssl_needs_tls():
    with pytest.raises(ValueError, match=re.escape("pg_hba='host all all all reject' must be a list")):
        install({"pg_hba": "host all all all reject"})
    with pytest.raises(ValueError, match="can never match with tls=None"):
        install({"pg_hba": (TAKEN[0],), "tls": None})


def test_they_stand_after_the_lines_that_protect_the_clusters_roles_in_their_order():
    from sos_constructs.postgres.patroni import local

    config = local(install({"pg_hba": TAKEN[:2]})[1].spec)
    for lines in (config["postgresql"]["pg_hba"], config["tls"]["pg_hba"]):
        first = lines.index(TAKEN[0])
        assert lines[first + 1] == TAKEN[1]
        assert lines[first - 1].endswith(" reject")
        assert "postgres,standby,rewind" in lines[first - 1]
        assert all(" reject" in line or line.startswith("local") or "replication" in line or "rewind" in line for line in lines[:first])
