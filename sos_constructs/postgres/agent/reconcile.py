"""The steps of the sidecar. Each reads what is declared and what is, acts on the difference, and may be run again at any time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import databases, fence, logins, scram
from .certificates import first_certificate
from .files import Declared, write_whole
from .log import log
from .owner_sql import Running, Sql, run_now
from .patroni_api import Patroni, Status, difference
from .psql import Psql, SqlError
from .render import Passwords, Pod, as_text, declared_passwords, patroni_config, rendered_passwords, rendered_sslmode
from .tls import PREFER, VERIFY, Places, rest_api, sslmode_between


@dataclass(frozen=True)
class Member:
    """This pod: where things are mounted, and how to reach the server."""

    pod: Pod
    config_dir: Path
    credentials_dir: Path
    runtime_dir: Path
    socket_dir: str
    state_dir: Path
    certificates_dir: Path | None = None
    """Where the certificate is mounted; not at all in pods that serve none."""

    @property
    def tls(self) -> Places | None:
        return Places(self.certificates_dir, self.runtime_dir / "tls") if self.certificates_dir else None

    @property
    def tls_note(self) -> Path:
        """There since this member saw that all members serve TLS; outlives the pod."""
        return self.state_dir / "all-members-serve-tls"

    @property
    def patroni_file(self) -> Path:
        return self.runtime_dir / "patroni.yml"

    @property
    def loaded_file(self) -> Path:
        """Digest of the postgresql.conf that the server last loaded; outlives a restart of the agent, not of the pod."""
        return self.runtime_dir / "loaded-settings"

    def declared(self) -> Declared:
        return Declared(self.config_dir, self.credentials_dir, self.tls)

    def psql(self, declared: Declared) -> Psql:
        superuser = next(role["name"] for role in declared.roles if role["password_key"] == "postgres-password")
        return Psql(declared.patroni["postgresql"]["bin_dir"], self.socket_dir, superuser)

    def patroni(self, declared: Declared) -> Patroni:
        password = rendered_passwords(self.patroni_file.read_text()).restapi  # what Patroni has loaded, not what will be next
        api = rest_api(declared.patroni)
        return Patroni(api.url("127.0.0.1"), declared.credential("patroni-username"), password, api.own_context())


def render(member: Member) -> None:
    """Before Patroni starts: write its configuration with the passwords of the Secret."""
    declared = member.declared()
    for role in declared.roles:
        logins.wanted(declared, role)
    if member.tls:
        first_certificate(member.tls)
    fence.prepare(member.runtime_dir)
    sslmode = VERIFY if member.tls_note.exists() else PREFER
    write_whole(member.patroni_file, as_text(patroni_config(declared, member.pod, declared_passwords(declared), member.runtime_dir, sslmode)))
    write_whole(member.loaded_file, declared.settings_digest())
    log("info", "render", "wrote Patroni's configuration", member=member.pod.name)


def reconcile_databases(member: Member, status: Status, run_sql: Callable[[Sql, Psql], Iterator[str]] = run_now) -> None:
    """On the primary: roles, passwords, databases, extensions, SQL."""
    if status.role == "primary" and status.running:
        declared = member.declared()
        try:
            for description in databases.reconcile(declared, member.psql(declared), run_sql):
                log("info", "databases", description)
        except Running as error:
            raise NotYet(str(error)) from None


def reconcile_member(member: Member, status: Status) -> None:
    """On every member: Patroni's file and PostgreSQL's settings, loaded without a restart."""
    declared = member.declared()
    current = member.patroni_file.read_text()
    passwords = usable_passwords(declared, rendered_passwords(current), member.psql(declared), status)
    sslmode = sslmode_now(member, declared, rendered_sslmode(current))
    wanted, digest = as_text(patroni_config(declared, member.pod, passwords, member.runtime_dir, sslmode)), declared.settings_digest()
    changed = {"patroni": wanted != current, "settings": member.loaded_file.read_text() != digest}
    if any(changed.values()):
        patroni = member.patroni(declared)
        write_whole(member.loaded_file, "")  # until Patroni has taken it, so that a failure here is tried again
        write_whole(member.patroni_file, wanted)
        patroni.reload()
        write_whole(member.loaded_file, digest)
        log("info", "member", "reloaded", changed=[what for what, is_so in changed.items() if is_so])
    if status.running:
        report_broken_settings(member.psql(declared))
    if passwords != declared_passwords(declared):
        raise NotYet("a new password is in the Secret but not yet in the catalogue of this member")


def sslmode_now(member: Member, declared: Declared, before: str) -> str:
    """How this member connects to others, and a note of it for the next pod: a member that knows that all serve TLS never starts without."""
    if member.tls is None:
        return before
    now = sslmode_between(member.patroni(declared).members(), before)
    if now == VERIFY:
        member.tls_note.touch()
    else:
        member.tls_note.unlink(missing_ok=True)
    return now


class NotYet(Exception):
    """Something has to happen elsewhere first; the step is tried again in the next round."""


def usable_passwords(declared: Declared, current: Passwords, psql: Psql, status: Status) -> Passwords:
    """The Secret's passwords, each as soon as it works.

    A standby that switched to a new replication password before the primary knows it would lose its stream, and with it the quorum: the
    replicated catalogue says when the primary has changed it. A member that does not stream anyway has nothing to lose and would never
    hear of the change, so it takes the Secret's at once. The REST API's password is in no catalogue: each member follows the Secret.
    """
    wanted = declared_passwords(declared)
    if wanted == current or not status.running or (status.role != "primary" and not status.streaming):
        return wanted
    stored = databases.stored_verifiers(psql)
    names = {role["password_key"]: role["name"] for role in declared.roles}

    def pick(key: str, new: str, old: str) -> str:
        return new if new != old and scram.matches(new, stored.get(names[key], "")) else old

    return Passwords(
        superuser=pick("postgres-password", wanted.superuser, current.superuser),
        replication=pick("replication-password", wanted.replication, current.replication),
        rewind=pick("rewind-password", wanted.rewind, current.rewind),
        restapi=wanted.restapi,
    )


def reconcile_store(member: Member, status: Status, settled: Callable[[list[dict[str, Any]]], bool] = lambda _members: True) -> None:
    """On the primary: the keys of Patroni's dynamic configuration that we declare. Shared settings wait until the members have settled."""
    if status.role == "primary":
        declared = member.declared()
        patroni = member.patroni(declared)
        change = difference(declared.patroni["bootstrap"]["dcs"], patroni.dynamic_config())
        if "parameters" in change.get("postgresql", {}) and not settled(patroni.members()):
            del change["postgresql"]["parameters"]
            change = {key: value for key, value in change.items() if value}
        if change:
            patroni.patch_dynamic_config(change)
            log("info", "store", "changed Patroni's dynamic configuration", change=change)


def report_broken_settings(psql: Psql) -> None:
    """A postgresql.conf that PostgreSQL cannot read goes unnoticed until the next start, which then fails: say so now."""
    broken = psql.query(
        # A setting that waits for a restart is an "error" here as well, in the same words as a value that cannot be; one that is gone from the file
        # has no name of its own. A Patroni that took over a running primary (again.py) no longer writes those of recovery.
        "SELECT f.name, f.error FROM pg_catalog.pg_file_settings AS f"
        """ LEFT JOIN pg_catalog.pg_settings AS s ON s.name = coalesce(f.name, pg_catalog.substring(f.error, 'parameter "([^"]+)"'))"""
        " WHERE f.error IS NOT NULL AND s.pending_restart IS NOT TRUE LIMIT 1"
    )
    if broken:
        raise SqlError(f"postgresql.conf: {broken[0][0]}: {broken[0][1]}")
