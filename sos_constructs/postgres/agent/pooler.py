"""Beside PgBouncer: ``python3 -m agent.pooler render`` before it starts, ``run`` while it runs, ``drain`` before it ends."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from .files import DeclaredError, folder_digest, read_credential, write_whole
from .log import log
from .metrics import serve
from .pooler_certificate import Serving, first
from .pooler_console import Console, ConsoleError
from .pooler_metrics import PoolerMetrics
from .pooler_probe import FIRST_INTERVAL, Probe
from .pooler_probe import INTERVAL as PROBE_INTERVAL
from .pooler_watch import Session, Watch, cannot_log_in
from .tls import Places

INTERVAL = 2.0
"""Seconds between two looks at the mounted files."""
STALE = 60.0
"""Seconds without a look after which the liveness probe has the agent restarted."""
LEAVE_SECONDS = 5.0
"""Until no node sends new connections to a pod that is told to end."""
PAUSE_SECONDS = 3.0
"""For transactions under way to end; together less than PgBouncer's own preStop of 8 s."""


@dataclass(frozen=True)
class Pod:
    """Where things are mounted in this pod."""

    config_dir: Path
    credentials_dir: Path
    runtime_dir: Path
    certificates_dir: Path | None = None
    """Where the Secret with the certificate is mounted; a pod of an older template has none, and PgBouncer serves no TLS there."""
    server_ca_dir: Path | None = None
    """Where the CA is mounted that PgBouncer verifies the database by."""

    @property
    def tls(self) -> Places | None:
        """The certificate that is mounted, and the copy that PgBouncer reads."""
        return Places(self.certificates_dir, self.runtime_dir / "tls") if self.certificates_dir else None

    @property
    def userlist(self) -> Path:
        """PgBouncer's auth_file."""
        return self.runtime_dir / "userlist.txt"

    @property
    def used_file(self) -> Path:
        """The password that PgBouncer has, for the agent itself."""
        return self.runtime_dir / "password"

    @property
    def loaded_file(self) -> Path:
        """Digest of the configuration that PgBouncer last loaded."""
        return self.runtime_dir / "loaded"

    @property
    def served_file(self) -> Path:
        """There once a client of the primary's side was served in this pod; the startup probe of PgBouncer's containers waits for it."""
        return self.runtime_dir / "served"

    def digest(self) -> str:
        """Changes with what PgBouncer reads at RELOAD: its configuration, and the database's CA."""
        return folder_digest(self.config_dir, *([self.server_ca_dir] if self.server_ca_dir else []))

    def declared(self) -> dict[str, Any]:
        """``pooler.json``."""
        try:
            value: dict[str, Any] = json.loads((self.config_dir / "pooler.json").read_text("utf-8"))
            return value
        except (OSError, ValueError) as error:
            raise DeclaredError(f"ConfigMap file pooler.json: {error}") from None

    def password(self, declared: dict[str, Any]) -> str:
        """The Secret's password for the declared role."""
        if read_credential(self.credentials_dir, declared["username_key"]) != declared["role"]:
            raise DeclaredError(f"Secret key {declared['username_key']}: differs from the declared role {declared['role']!r}; change one of the two")
        return read_credential(self.credentials_dir, declared["password_key"])

    def consoles(self, declared: dict[str, Any]) -> dict[str, Console]:
        """One per PgBouncer in the pod."""
        psql = f"{declared['bin_dir']}/psql"
        return {side: Console(psql, where["socket_dir"], where["port"]) for side, where in declared["sides"].items()}


def main(arguments: list[str]) -> int:
    """Run one verb; returns the exit code."""
    own, server_ca = _folder("SOS_CERTIFICATES_DIR"), _folder("SOS_SERVER_CA_DIR")
    pod = Pod(Path(os.environ["SOS_CONFIG_DIR"]), Path(os.environ["SOS_CREDENTIALS_DIR"]), Path(os.environ["SOS_RUNTIME_DIR"]), own, server_ca)
    verbs = {"drain": drain, "render": render, "run": run}
    if len(arguments) != 1 or arguments[0] not in verbs:
        print("usage: python3 -m agent.pooler render|run|drain", file=sys.stderr)
        return 2
    try:
        verbs[arguments[0]](pod)
    except DeclaredError as error:
        log("error", arguments[0], str(error))
        return 1
    return 0


def _folder(variable: str) -> Path | None:
    """Not there in a pod of an older template, or without TLS."""
    return Path(os.environ[variable]) if variable in os.environ else None


def render(pod: Pod) -> None:
    """Before PgBouncer starts: its user list, its certificate, and the folders of its sockets."""
    declared = pod.declared()
    if pod.tls:
        first(pod.tls, declared)
    write_password(pod, declared, pod.password(declared))
    write_whole(pod.loaded_file, pod.digest())
    for where in declared["sides"].values():
        Path(where["socket_dir"]).mkdir(mode=0o700, exist_ok=True)
    log("info", "render", "wrote PgBouncer's user list")


def write_password(pod: Pod, declared: dict[str, Any], password: str) -> None:
    """Give PgBouncer the password; it reads it at its start and at RELOAD."""
    quoted = password.replace('"', '""')
    write_whole(pod.userlist, f'"{declared["role"]}" "{quoted}"\n')
    write_whole(pod.used_file, password)


def run(pod: Pod) -> None:
    """Follow the mounted files and the primary until told to stop."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise SystemExit(0)

    signal.signal(signal.SIGTERM, stop)
    declared = pod.declared()
    metrics = PoolerMetrics(pod.consoles(declared))
    serving = Serving(pod.tls) if pod.tls else None
    serve(metrics, int(os.environ["SOS_POOLER_PORT"]), stale_after=STALE)
    for thread in (watch, probe):
        threading.Thread(target=thread, args=(pod, metrics), daemon=True).start()
    log("info", "agent", "started")
    complaint = ""
    while True:
        try:
            follow(pod, metrics, serving)
            said = ""
        except (DeclaredError, ConsoleError, OSError) as error:
            said = str(error)
        metrics.config_current(not said)
        if said != complaint:
            log("error" if said else "info", "follow", said or "works again")
            complaint = said
        metrics.round()
        time.sleep(INTERVAL)


def follow(pod: Pod, metrics: PoolerMetrics, serving: Serving | None = None) -> None:
    """Bring a changed password, configuration or certificate to PgBouncer, without a dropped connection.

    A new password is taken when the server takes it: the primary's agent sets it some time after this pod sees it, and connections that are
    open stay open either way.
    """
    declared = pod.declared()
    wanted, used = pod.password(declared), pod.used_file.read_text("ascii")
    refusal = "" if wanted == used else cannot_log_in(declared, wanted)
    metrics.password_current(not refusal)
    digest = pod.digest()
    differs = {
        "password": wanted != used and not refusal,
        "configuration": digest != pod.loaded_file.read_text(),
        "certificate": serving is not None and serving.look(declared),
    }
    changed = [what for what, is_so in differs.items() if is_so]
    if changed:
        if "password" in changed:
            write_password(pod, declared, wanted)
        write_whole(pod.loaded_file, "")  # until PgBouncer has taken it, so that a failure here is tried again
        for console in pod.consoles(declared).values():
            console.ask("RELOAD")
        write_whole(pod.loaded_file, digest)
        log("info", "follow", "reloaded", changed=changed)
    if serving:
        if differs["certificate"]:
            serving.loaded(declared)
        serving.complain(metrics)


def watch(pod: Pod, metrics: PoolerMetrics) -> None:
    """Hold clients while there is no primary, in a thread of its own. Whatever happens here, PgBouncer must not stay paused."""
    console = pod.consoles(pod.declared())["primary"]
    watching: Watch | None = None
    while True:
        try:
            declared = pod.declared()
            console = pod.consoles(declared)["primary"]
            if watching is None:
                watching = Watch(Session, console, pause_seconds=declared["pause_seconds"])
                watching.resume_what_another_left()
            watching.look(declared, pod.used_file.read_text("ascii"))
        except Exception as error:  # noqa: BLE001  # a mistake must not end the watch, and its text could quote a value
            log("error", "watch", str(error) if isinstance(error, (ConsoleError, DeclaredError, OSError)) else f"unexpected {type(error).__name__}")
            if watching:
                watching.close()
            watching = None
        metrics.watched(watching)
        time.sleep(Watch.INTERVAL)


def probe(pod: Pod, metrics: PoolerMetrics) -> None:
    """Ask as a client does, in a thread of its own: an answer may take long."""
    asking, said = Probe(metrics.serves), ""
    while True:
        try:
            if "primary" in asking.look(pod.declared(), pod.used_file.read_text("ascii")):
                pod.served_file.touch()
            error = ""
        except Exception as problem:  # noqa: BLE001  # as in watch
            error = str(problem) if isinstance(problem, (DeclaredError, OSError)) else f"unexpected {type(problem).__name__}"
        if error != said:
            log("error" if error else "info", "probe", error or "works again")
            said = error
        time.sleep(PROBE_INTERVAL if pod.served_file.exists() else FIRST_INTERVAL)


def drain(pod: Pod) -> None:
    """Before the pod ends: wait until no new client is sent here, let transactions end, then close what is left.

    PgBouncer itself ends at once (up to 1.22) or waits for every client to leave (from 1.23): neither suits a pool of clients that come
    back by themselves, and elsewhere.
    """
    consoles = pod.consoles(pod.declared())
    time.sleep(LEAVE_SECONDS)
    pausing = [console.begin("PAUSE") for console in consoles.values()]
    until = time.monotonic() + PAUSE_SECONDS
    while time.monotonic() < until and any(process.poll() is None for process in pausing):
        time.sleep(0.05)
    for process in pausing:
        process.kill()
        process.wait()
    for console in consoles.values():
        console.try_to("SHUTDOWN")  # it has ended, or ends while it answers
    log("info", "drain", "done")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
