"""``python3 -m agent render`` before Patroni starts, ``python3 -m agent run`` beside it, ``python3 -m agent leave FILE`` before it stops."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import FrameType

from . import fast_watch, fence
from .actions import Actions
from .alarm import Alarm
from .certificates import Renewal
from .expiry import INTERVAL as EXPIRY_INTERVAL
from .expiry import Expiry
from .farewell import holds_lock, leave
from .files import DeclaredError
from .kube_api import TOKEN_DIR, Kube, KubeError, in_cluster_url
from .lock_watch import LockWatch, watch_rivals
from .log import log, say_as_first_process
from .metrics import Metrics, serve
from .owner_sql import Beside
from .patroni_api import of_member
from .pooler_role import PoolerRole
from .psql import of_patroni
from .reconcile import Member, reconcile_databases, reconcile_member, reconcile_store, render
from .render import Pod
from .restarts import Restarts, Settled
from .rolling import Rolling
from .runner import INTERVAL, Runner, Situation, Step, words
from .serving import Serving
from .volume import reconcile_volume
from .watches import Watches, new_guard, new_serving

STANDSTILL = 300.0
"""Seconds without a round after which the liveness probe has the agent restarted; a few psql time-outs of 90 s fit into it."""

GUARD_INTERVAL = 1.0
"""Seconds between two looks of the guard."""

STEPS: dict[str, Step] = {"databases": partial(reconcile_databases, run_sql=Beside()), "member": reconcile_member}


def main(arguments: list[str]) -> int:
    """Run one verb; returns the exit code."""
    if arguments[:1] == ["leave"] and len(arguments) == 2:
        say_as_first_process()
        leave(Kube(in_cluster_url(os.environ), (TOKEN_DIR / "namespace").read_text(), TOKEN_DIR), Path(arguments[1]))
        return 0
    member = Member(
        pod=Pod(os.environ["POD_NAME"], os.environ["POD_NAMESPACE"], os.environ["POD_IP"]),
        config_dir=Path(os.environ["SOS_CONFIG_DIR"]),
        credentials_dir=Path(os.environ["SOS_CREDENTIALS_DIR"]),
        runtime_dir=Path(os.environ["SOS_RUNTIME_DIR"]),
        socket_dir=os.environ["SOS_SOCKET_DIR"],
        # new code meets pods of an older template until they are rolled: a variable added later has a default
        state_dir=Path(os.environ.get("SOS_STATE_DIR", os.environ["SOS_RUNTIME_DIR"])),
        certificates_dir=Path(os.environ["SOS_CERTIFICATES_DIR"]) if "SOS_CERTIFICATES_DIR" in os.environ else None,
    )
    if arguments == ["render"]:
        try:
            render(member)
        except DeclaredError as error:
            log("error", "render", str(error))
            return 1
        fast_watch.keep_promise(member, TOKEN_DIR)
        return 0
    if arguments == ["run"]:
        run(member, int(os.environ["SOS_AGENT_PORT"]))
        return 0
    print("usage: python3 -m agent render|run|leave FILE", file=sys.stderr)
    return 2


def run(member: Member, port: int) -> None:
    """Reconcile until told to stop. A failing step is logged, counted and tried again with growing pauses; the others go on."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        os._exit(0)  # an orderly end aborts when one of the threads is just writing a line; files are written whole at any moment

    signal.signal(signal.SIGTERM, stop)
    fence.prepare(member.runtime_dir)  # a pod of an older template was rendered without
    actions = Actions(member.state_dir / "actions.json")
    metrics = Metrics(actions.text)
    serve(metrics, port, stale_after=STANDSTILL)
    expiry = Expiry(member.pod.name)
    for watching in (partial(watch_cluster, expiry), partial(watch_lock, expiry), watch_labels, watch_serving):
        threading.Thread(target=watching, args=(member, metrics, actions), daemon=True).start()
    for watching_alone in (watch_fence, partial(watch_expiry, expiry)):
        threading.Thread(target=watching_alone, args=(member, metrics), daemon=True).start()
    threading.Thread(target=fast_watch.watch_leader, args=(member, metrics, TOKEN_DIR), daemon=True).start()
    own_code = code_digest()
    runners = [Runner(name, step) for name, step in STEPS.items()]
    runners.append(Runner("store", partial(reconcile_store, settled=Settled()), resync=INTERVAL))
    runners.append(Runner("restarts", Restarts(), resync=INTERVAL))
    runners.append(Runner("pooler", PoolerRole()))
    if member.tls:
        runners.insert(0, Runner("certificate", Renewal(metrics.certificate), resync=INTERVAL))
    runners.append(Runner("rolling", Rolling(connect), resync=INTERVAL))
    runners.append(Runner("volume", partial(reconcile_volume, connect=connect)))
    watch = Runner("watch", lambda _member, _status: None)
    log("info", "agent", "started", code=own_code[:12])
    while True:
        while expiry.is_in_flux():  # some of the steps ask Patroni for the cluster
            time.sleep(EXPIRY_INTERVAL)
        try:
            situation = observe(member)
        except Exception as error:  # noqa: BLE001  # see words()
            watch.note(words(error), metrics)
        else:
            watch.note("", metrics)
            for runner in runners:
                runner.round(member, situation, metrics)
        metrics.round()
        time.sleep(INTERVAL)
        if code_digest() != own_code:
            log("info", "agent", "new code is mounted: starting anew")
            os.execv(sys.executable, [sys.executable, "-m", "agent", "run"])


def keep(step: str, metrics: Metrics, look: Callable[[], None], pause: float = GUARD_INTERVAL) -> None:
    """Look again and again, in a thread of its own: a slow query of the steps must not hold it up."""
    outcome = Runner(step, lambda _member, _status: None)
    while True:
        began = time.monotonic()
        try:
            look()
            outcome.note("", metrics)
        except Exception as error:  # noqa: BLE001  # see words(); a round lasts for milliseconds and more
            outcome.note(words(error), metrics)
            time.sleep(GUARD_INTERVAL)
        else:
            # A watch lasts for long and needs no pause, unless the API server ends it at once.
            time.sleep(pause or max(0.0, GUARD_INTERVAL - (time.monotonic() - began)))


def watch_cluster(expiry: Expiry, member: Member, metrics: Metrics, actions: Actions) -> None:
    """The guard's rounds."""
    watches: Watches | None = None

    def look() -> None:
        nonlocal watches
        if expiry.is_in_flux():
            return
        declared = member.declared()
        watches = watches or Watches(member, declared, actions)
        watches.round(connect(member), member.patroni(declared).cluster())

    keep("guard", metrics, look)


def watch_lock(expiry: Expiry, member: Member, metrics: Metrics, actions: Actions) -> None:
    """The lock's changes as the API server tells them: a label in the wrong place costs clients every moment."""
    watch: LockWatch | None = None

    def look() -> None:
        nonlocal watch
        if watch is None:
            guard = new_guard(member, member.declared(), actions)
            serving = new_serving(member, guard)

            def on_lock(kube: Kube) -> None:
                guard.take_labels(kube)
                serving.come_back(kube, got_lock=True)

            watch = LockWatch(member.pod.name, guard.leader_object, on_lock, expiry.saw)
        watch.round(connect(member))

    keep("lock", metrics, look, pause=0)


def watch_labels(member: Member, metrics: Metrics, actions: Actions) -> None:
    """Pods that are labelled primary as the API server tells it: Patroni of a former one says so once more when a cut ends."""

    def look() -> None:
        guard = new_guard(member, member.declared(), actions)
        watch_rivals(guard, connect(member))

    keep("labels", metrics, look, pause=0)


def watch_serving(member: Member, metrics: Metrics, actions: Actions) -> None:
    """Pods that an agent has taken out of their Services."""
    serving: Serving | None = None

    def look() -> None:
        nonlocal serving
        serving = serving or new_serving(member, new_guard(member, member.declared(), actions))
        serving.watch(replace(connect(member), timeout=1.0))

    keep("serving", metrics, look, pause=0)


def watch_fence(member: Member, metrics: Metrics) -> None:
    """Whether clients may come in, and whether the server is there at all."""
    wall, alarm = fence.Fence(member.runtime_dir), Alarm()

    def look() -> None:
        config = json.loads(member.patroni_file.read_text())  # not what is mounted: a mistake in there must not keep a server closed
        patroni = of_member(config, "127.0.0.1", own=True)
        status = patroni.health()
        alarm.look(status, patroni)
        wall.round(status, of_patroni(config), partial(lock_is_ours, member, config["scope"]))

    keep("fence", metrics, look, pause=fence.INTERVAL)


def watch_expiry(expiry: Expiry, member: Member, metrics: Metrics) -> None:
    """A lock that nobody renews; costs nothing until it is about to end."""

    def look() -> None:
        if expiry.is_near():
            declared = member.declared()
            store = fast_watch.store_of(member, declared, TOKEN_DIR, os.environ)
            expiry.round(store, fast_watch.surroundings(member, declared, store))

    keep("expiry", metrics, look, pause=EXPIRY_INTERVAL)


def lock_is_ours(member: Member, scope: str) -> bool:
    """Whether the API server says so, and soon."""
    try:
        return holds_lock(replace(connect(member), timeout=1.0), member.pod.name, scope)
    except KubeError:
        return False


def connect(member: Member) -> Kube:
    """The API server as this pod reaches it."""
    return Kube(in_cluster_url(os.environ), member.pod.namespace, TOKEN_DIR)


def observe(member: Member) -> Situation:
    """Read the mounted files and ask the local Patroni; both are cheap."""
    declared = member.declared()
    return Situation(declared.digest(), member.patroni(declared).status())


def code_digest() -> str:
    """Changes when the kubelet brings new files of this package."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
