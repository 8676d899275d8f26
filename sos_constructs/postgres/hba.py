"""The option ``pg_hba``: lines of a user's own, read as PostgreSQL reads them. One line that it cannot read would keep every server from starting."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence

from sos_constructs.errors import InvalidOption, did_you_mean

TYPES = ("host", "hostgssenc", "hostnogssenc", "hostnossl", "hostssl", "local")
_LDAP = frozenset({"basedn", "binddn", "port", "prefix", "scheme", "searchattribute", "searchfilter", "server", "suffix", "tls", "url"})
METHODS: dict[str, frozenset[str]] = {
    "gss": frozenset({"include_realm", "krb_realm"}),
    "ldap": frozenset(f"ldap{what}" for what in _LDAP),
    "md5": frozenset(),
    "pam": frozenset({"pam_use_hostname", "pamservice"}),
    "password": frozenset(),
    "reject": frozenset(),
    "scram-sha-256": frozenset(),
}
"""Each method with its options (PostgreSQL 15 manual, chapter 21)."""

REFUSED = {
    "bsd": "is there on OpenBSD only",
    "cert": "needs a CA for clients' certificates, which this library does not set up",
    "ident": "believes what the client's machine says; use scram-sha-256",
    "peer": "is for the pod's own processes, whose lines are the library's",
    "radius": "needs radiussecrets, and a ConfigMap must hold no secret",
    "sspi": "is there on Windows only",
    "trust": "lets everybody in without a password; use scram-sha-256",
}
REFUSED_OPTIONS = {
    "clientcert": "needs a CA for clients' certificates, which this library does not set up",
    "ldapbindpasswd": "would put a password into a ConfigMap; bind with ldapprefix and ldapsuffix, or let the directory be searched without a password",
    "map": "names a map of pg_ident.conf, whose lines are the library's",
}


def check_lines(option: str, lines: object, *, tls: bool) -> None:
    """Raise :class:`InvalidOption` for the first line that PostgreSQL 15 would not read, or that opens what must stay closed."""
    if isinstance(lines, str) or not isinstance(lines, Sequence):
        raise InvalidOption(option, lines, "must be a list of lines, for instance ('hostssl auth all 10.0.0.0/8 reject',)")
    for index, line in enumerate(lines):
        _check(f"{option}[{index}]", line, tls=tls)


def _check(option: str, line: object, *, tls: bool) -> None:
    if not isinstance(line, str) or not re.fullmatch(r"[ -~]+", line):
        raise InvalidOption(option, line, "must be one line of printable ASCII characters")
    if line.count('"') % 2 or line.rstrip().endswith("\\"):
        raise InvalidOption(option, line, "must end on its line: it has an open quote or a backslash at its end")
    fields = _fields(line)
    if "#" in re.sub(r'"[^"]*"', "", line) or not fields:
        raise InvalidOption(option, line, "must be a rule without a comment")
    kind = fields[0]
    if kind not in TYPES:
        raise InvalidOption(option, line, f"must begin with one of {', '.join(TYPES)}{did_you_mean(kind, TYPES)}")
    if kind == "hostssl" and not tls:
        raise InvalidOption(option, line, "can never match with tls=None; use host")
    if len(fields) < (4 if kind == "local" else 5):
        wanted = "database user" if kind == "local" else "database user address"
        raise InvalidOption(option, line, f"must be: {kind} {wanted} method, and the method's options")
    for names in fields[1:3]:
        if re.search(r'(^|,)"?@', names) or names.startswith(",") or names.endswith(",") or ",," in names:
            raise InvalidOption(option, line, "must name databases and roles themselves, with commas between and no file ('@')")
    rest = fields[3:] if kind == "local" else _after_address(option, line, fields[3:])
    _check_method(option, line, kind, rest)


def _check_method(option: str, line: str, kind: str, rest: Sequence[str]) -> None:
    method = rest[0]
    given = {name: value for name, _, value in (item.partition("=") for item in rest[1:])}
    if method not in METHODS:
        reason = REFUSED.get(method, f"PostgreSQL 15 does not know{did_you_mean(method, METHODS)}")
        raise InvalidOption(option, line, f"has the method {method!r}, which {reason}")
    if method == "gss" and kind == "local":
        raise InvalidOption(option, line, "must not have the method gss on a local line")
    if method == "password" and kind != "hostssl":
        raise InvalidOption(option, line, "must begin with hostssl: the method password sends it readable")
    for name, value in given.items():
        if name not in METHODS[method]:
            raise InvalidOption(option, line, f"has the option {name!r}, which {REFUSED_OPTIONS.get(name, f'the method {method} does not have')}")
        if not value:
            raise InvalidOption(option, line, f"must give the option {name} a value, as {name}=value")
    if method == "ldap":
        _check_ldap(option, line, given)


def _check_ldap(option: str, line: str, given: dict[str, str]) -> None:
    url = given.get("ldapurl", "")
    if not url and "ldapserver" not in given:
        raise InvalidOption(option, line, "must have ldapserver=… or ldapurl=…")
    simple = {"ldapprefix", "ldapsuffix"} & given.keys()
    search = {"ldapbasedn", "ldapbinddn", "ldapsearchattribute", "ldapsearchfilter", "ldapurl"} & given.keys()
    if simple and search:
        raise InvalidOption(option, line, f"must not have {', '.join(sorted(simple))} together with {', '.join(sorted(search))}")
    if not simple and "ldapbasedn" not in given and not re.fullmatch(r"ldaps?://[^/]+/[^?]+.*", url):
        raise InvalidOption(option, line, "must have ldapbasedn, or ldapprefix or ldapsuffix")
    if {"ldapsearchattribute", "ldapsearchfilter"} <= given.keys():
        raise InvalidOption(option, line, "must have one of ldapsearchattribute and ldapsearchfilter")
    if url and not re.match(r"ldaps?://", url):
        raise InvalidOption(option, line, "must have an ldapurl that begins with ldap:// or ldaps://")
    if "ldapport" in given and not given["ldapport"].isdigit():
        raise InvalidOption(option, line, "must have a number as ldapport")
    for name, known in (("ldapscheme", ("ldap", "ldaps")), ("ldaptls", ("0", "1"))):
        if given.get(name, known[0]) not in known:
            raise InvalidOption(option, line, f"must have {name}={' or '.join(known)}")


def _after_address(option: str, line: str, fields: Sequence[str]) -> Sequence[str]:
    """What follows the address, and its mask where it has one."""
    address = fields[0]
    if address in ("all", "samehost", "samenet"):
        return fields[1:]
    if re.fullmatch(r"[0-9a-fA-F:.]*[:.][0-9a-fA-F:.]*(/.*)?|[0-9.]+(/.*)?", address) and not re.search(r"[g-zG-Z]", address):
        mask = "" if "/" in address else f"/{fields[1]}"
        try:
            ipaddress.ip_network(address + mask, strict=False)
        except ValueError:
            raise InvalidOption(option, line, "must have an address such as 10.0.0.0/8, all, samenet, or the name of a host") from None
        if mask and not re.search(r"[.:]", mask):
            raise InvalidOption(option, line, "must have a prefix or a mask after its address, such as 10.1.2.3/32")
        rest = fields[2 if mask else 1 :]
    elif re.fullmatch(r"\.?[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*", address):
        rest = fields[1:]
    else:
        raise InvalidOption(option, line, "must have an address such as 10.0.0.0/8, all, samenet, or the name of a host")
    if not rest:
        raise InvalidOption(option, line, "must end in a method, such as scram-sha-256")
    return rest


def _fields(line: str) -> list[str]:
    """The fields of a line: blanks end one, but neither inside quotes nor after a comma."""
    found = re.findall(r'(?:"[^"]*"|[^\s"])+', re.sub(r'("[^"]*")|\s*,\s*', lambda match: match[1] or ",", line))
    return [field if index in (1, 2) else field.replace('"', "") for index, field in enumerate(found)]
