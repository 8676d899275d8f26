"""What is wrong with a set of Secrets: missing, placeholder, weak and malformed values. Findings never contain a value."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Literal

from sos_constructs.errors import did_you_mean
from sos_constructs.secrets import ages, certificates, strength
from sos_constructs.secrets.catalogue import SECRETS
from sos_constructs.secrets.catalogues import SecretCatalogue
from sos_constructs.secrets.forms import recipe
from sos_constructs.secrets.model import Form, Key, SecretSpec
from sos_constructs.secrets.rings import old_version
from sos_constructs.secrets.servers import Server
from sos_constructs.secrets.stored import StoredSecret

from attrs import frozen

Problem = Literal["missing", "placeholder", "weak", "malformed", "note"]
"""``note`` is worth knowing but not wrong."""

NOTICE_DAYS = 30
"""A certificate that ends sooner gets a note."""

_MULTI_LINE: frozenset[Form] = frozenset(
    {"rsa-private-key", "rsa-public-key", "ec-private-key", "service-account", "ca-certificate", "certificate", "private-key"}
)


@frozen
class Finding:
    """One thing that is wrong.

    :param secret: name of the Secret.
    :param key: key in it, empty when the Secret itself is meant.
    :param problem: what kind.
    :param detail: what exactly, and what to do.
    :param issued: whether only a vendor can supply what is missing.
    """

    secret: str
    key: str
    problem: Problem
    detail: str
    issued: bool = False


def check(
    stored: Mapping[str, StoredSecret], *, now: datetime, only: Collection[str] = (), servers: Sequence[Server] = (), catalogue: SecretCatalogue = SECRETS
) -> list[Finding]:
    """Everything that is wrong with ``stored``, in the catalogue's order.

    :param stored: the Secrets by name. Those that are not in the catalogue are not looked at.
    :param now: the time at which certificates must be valid.
    :param only: names of the Secrets wanted; empty for all.
    :param servers: servers inside the cluster whose certificates are looked at too, where they are there.
    :param catalogue: which Secrets there are.
    """
    findings: list[Finding] = []
    reused: dict[bytes, str] = {}
    clients_use = {server.secret.name: server.clients_use for server in servers}
    for secret in (*catalogue, *(server.secret for server in servers if server.secret.name in stored)):
        if only and secret.name not in only:
            continue
        found = stored.get(secret.name, StoredSecret(secret.name, type=secret.type))
        if found.type != secret.type:
            findings.append(
                Finding(secret.name, "", "malformed", f"has type {found.type}; it must be {secret.type}, which needs a new Secret: the type cannot be changed")
            )
        for row in secret.keys:
            findings += _check_key(secret, row, found, now)
            value = found.values.get(row.key)
            if value and row.origin == "generated":
                first = reused.setdefault(value, f"{secret.name}/{row.key}")
                if first != f"{secret.name}/{row.key}":
                    findings.append(Finding(secret.name, row.key, "weak", f"is the same value as {first}: anyone who learns one has both"))
        findings += _check_relations(secret, found, now)
        findings += _check_names(secret, found, clients_use.get(secret.name, ()), now)
        findings += _check_choice(secret, found)
        known = [row.key for row in secret.keys]
        for key in sorted({*found.values, *found.placeholders, *found.broken} - {*known, ages.DOCUMENT_KEY}):
            if old := old_version(secret, key):
                found_problem = problem(old, found.values.get(key, b""), now)
                findings += [Finding(secret.name, key, *found_problem)] if found_problem else []
                continue
            findings.append(Finding(secret.name, key, "note", f"is not in the catalogue{did_you_mean(key, known)}; nothing reads it"))
    return findings


def _check_key(secret: SecretSpec, row: Key, found: StoredSecret, now: datetime) -> Iterator[Finding]:
    if row.key in found.broken:
        yield Finding(secret.name, row.key, "malformed", found.broken[row.key])
    elif row.key in found.placeholders:
        yield Finding(secret.name, row.key, "placeholder", "is not filled in" + ("; fill it in or delete the line" if row.optional else f": {recipe(row)}"))
    elif not found.values.get(row.key):
        if not row.optional:
            yield Finding(secret.name, row.key, "missing", f"{recipe(row)}. Without it: {row.breaks}", issued=row.origin == "issued")
    elif wrong := problem(row, found.values[row.key], now):
        yield Finding(secret.name, row.key, *wrong)


def problem(row: Key, value: bytes, now: datetime) -> tuple[Problem, str] | None:
    """What is wrong with ``value`` as the value of ``row``, and why; ``None`` when nothing is."""
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return "malformed", "is not text (UTF-8)"
    if text.lstrip().startswith("<") and text.rstrip().endswith(">"):
        return "placeholder", "is a placeholder that was encoded instead of replaced"
    if row.form not in _MULTI_LINE and text != text.strip():
        return "malformed", "begins or ends with a space or a line break; encode it with printf %s instead of echo"
    if row.pattern and not re.fullmatch(row.pattern, text, re.ASCII):
        return "malformed", f"does not look like one: it should match {row.pattern}"
    if row.origin == "fixed" and not row.pattern and text != row.value:
        return "malformed", f"must be {row.value}"
    found = _CHECKS[row.form](text) if row.form in _CHECKS else None
    if row.form in ("certificate", "ca-certificate") and (reason := certificates.certificate_problem(text, now)):
        return "malformed", reason
    return None if found is None else ("weak" if found[0] == "weak" else "malformed", found[1])


def _malformed(check_text: Callable[[str], str | None]) -> Callable[[str], tuple[str, str] | None]:
    return lambda text: ("malformed", reason) if (reason := check_text(text)) else None


def _service_account_problem(text: str) -> str | None:
    try:
        account = json.loads(text)
    except ValueError:
        return "is not JSON; paste the whole file"
    wanted = ("client_email", "private_key", "project_id")
    if not isinstance(account, dict) or account.get("type") != "service_account" or not all(account.get(field) for field in wanted):
        return f"is not a service account key: it needs type service_account, {', '.join(wanted)}"
    return None


def _key_id_problem(text: str) -> str | None:
    return None if re.fullmatch(r"[\w-]{1,64}", text, re.ASCII) else "is not 1 to 64 characters of A-Z a-z 0-9 - _"


_CHECKS: Mapping[Form, Callable[[str], tuple[str, str] | None]] = {
    "token": strength.token_problem,
    "password": strength.password_problem,
    "hs256": strength.hs256_problem,
    "aes256": strength.aes256_problem,
    "mongodb-keyfile": strength.keyfile_problem,
    "rsa-private-key": lambda text: certificates.rsa_problem(text, private=True),
    "rsa-public-key": lambda text: certificates.rsa_problem(text, private=False),
    "key-id": _malformed(_key_id_problem),
    "ec-private-key": _malformed(certificates.ec_problem),
    "service-account": _malformed(_service_account_problem),
    "private-key": certificates.private_key_problem,
}


def _check_relations(secret: SecretSpec, found: StoredSecret, now: datetime) -> Iterator[Finding]:
    """Public with private key, certificate with key and CA: only where each of them is good by itself."""
    good: dict[str, str] = {}
    for row in secret.keys:
        value = found.values.get(row.key)
        if value and problem(row, value, now) is None:
            good[row.key] = value.decode()
    authorities = {row.source: row.key for row in secret.keys if row.form == "ca-certificate"}
    for row in secret.keys:
        if row.key not in good:
            continue
        if row.form == "rsa-public-key" and row.source in good and certificates.public_key(good[row.source]).split() != good[row.key].split():
            yield Finding(secret.name, row.key, "malformed", f"does not belong to {row.source}")
        if row.form == "certificate":
            if row.source in good and not certificates.belongs(good[row.key], good[row.source]):
                yield Finding(secret.name, row.key, "malformed", f"does not belong to {row.source}")
            authority = authorities.get(row.source, "")
            if authority in good and not certificates.signed_by(good[row.key], good[authority]):
                yield Finding(secret.name, row.key, "malformed", f"is not signed by {authority}")
        if row.form in ("certificate", "ca-certificate") and (days := certificates.days_left(good[row.key], now)) < NOTICE_DAYS:
            yield Finding(secret.name, row.key, "note", f"ends in {days} days")


def _check_names(secret: SecretSpec, found: StoredSecret, hosts: Sequence[str], now: datetime) -> Iterator[Finding]:
    """A server's certificate, where it is good by itself: is it for the names by which clients call?"""
    row = next((row for row in secret.keys if row.form == "certificate"), None)
    value = found.values.get(row.key) if row else None
    if not hosts or row is None or not value or problem(row, value, now):
        return
    if missing := certificates.not_for(value.decode(), hosts):
        detail = f"is not for {', '.join(missing)}: clients with sslmode=verify-full refuse it; have it issued for these names too, or remove the whole set"
        yield Finding(secret.name, row.key, "malformed", detail)


def _check_choice(secret: SecretSpec, found: StoredSecret) -> Iterator[Finding]:
    if secret.one_of and not any(all(found.values.get(key) for key in keys) for keys in secret.one_of):
        choices = " or ".join(" with ".join(keys) for keys in secret.one_of)
        yield Finding(secret.name, "", "missing", f"needs {choices}. Without it: {secret[secret.one_of[0][0]].breaks}", issued=True)
