"""The fast failover's rounds, in a thread of their own, and what a new pod owes to its predecessor's flag."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from .evidence import ANSWER, Renewals, silent
from .fast import STEPS, WATCHING, Agent, Surroundings
from .fast_cut import UNKNOWN, About, Cut, NotCut
from .files import Declared, DeclaredError
from .kube_api import Kube, KubeError, NotFound, in_cluster_url
from .lock_store import Store
from .log import log
from .patroni_api import Patroni, PatroniError
from .psql import SqlError
from .tls import rest_api

if TYPE_CHECKING:
    from .metrics import Metrics
    from .reconcile import Member

EXPECTED = (DeclaredError, KubeError, NotCut, PatroniError, SqlError, OSError)
API_SECONDS = 2.0
"""For one answer of the API server. A slower one delays the release; Patroni's ttl is the fallback."""


def watch_leader(member: Member, metrics: Metrics, token_dir: Path) -> None:
    """Round after round, for as long as the process lives; without the option it only looks whether it has come."""
    agent: Agent | None = None
    said = ""
    while True:
        pause, error = 5.0, ""
        try:
            declared = member.declared()
            detect = declared_detect(member)
            if agent is None and (detect is not None or cut_of(member).about() is not None):
                agent = new_agent(member, declared, metrics, token_dir, os.environ)
            if agent is not None:
                metrics.cut_off(agent.cut.about() is not None)  # also while a round fails
                around = surroundings(member, declared, agent.store)
                if detect is None:
                    agent.stop(around)
                    agent = None
                    metrics.cut_off(None)
                else:
                    agent.detect = detect
                    pause = agent.round(around)
                metrics.record("failover", success=True)
        except Exception as problem:  # noqa: BLE001  # a mistake here must not end the thread, and its text could quote a value
            error = str(problem) if isinstance(problem, EXPECTED) else f"unexpected {type(problem).__name__}"
            metrics.record("failover", success=False)
            pause = WATCHING
        if error != said:
            log("error" if error else "info", "failover", error or "works again")
            said = error
        time.sleep(pause)


def keep_promise(member: Member, token_dir: Path) -> None:
    """Before a new pod's server starts: a flag of its predecessor that still counts says that this standby is cut off, so it begins cut off.

    So it does when the API server cannot say; the agent then finds out, and reconnects.
    """
    if declared_detect(member) is None:
        return
    about: About | None = None
    try:
        lock = store_of(member, member.declared(), token_dir, os.environ).lock()
        if member.pod.name in lock.flagged:
            about = About(lock.holder, lock.renewed)
    except NotFound:
        pass  # a new cluster
    except (KubeError, KeyError):
        about = UNKNOWN
    if about is not None:
        cut_of(member).begin(about)
        log("warning", "failover", "begins cut off", leader=about.leader or "unknown")


def declared_detect(member: Member) -> float | None:
    """The option, or None without it."""
    try:
        return float(json.loads((member.config_dir / "failover.json").read_text())["detect"])
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise DeclaredError(f"ConfigMap file failover.json: {type(error).__name__}") from None


def cut_of(member: Member) -> Cut:
    """The cut of this pod's standby."""
    return Cut(member.runtime_dir / "cut")


def store_of(member: Member, declared: Declared, token_dir: Path, environment: Mapping[str, str]) -> Store:
    """Patroni's store, with this pod's rights."""
    kube = Kube(in_cluster_url(environment), member.pod.namespace, token_dir, API_SECONDS)
    return Store(kube, declared.patroni["scope"], declared.patroni["kubernetes"]["role_label"])


def new_agent(member: Member, declared: Declared, metrics: Metrics, token_dir: Path, environment: Mapping[str, str]) -> Agent:
    """An agent that knows nothing yet."""
    metrics.failover_may(STEPS)
    return Agent(
        pod=member.pod.name,
        detect=0.0,
        store=store_of(member, declared, token_dir, environment),
        cut=cut_of(member),
        renewals=Renewals(),
        count=metrics.failover,
    )


def surroundings(member: Member, declared: Declared, store: Store) -> Surroundings:
    """The server, Patroni, the leader and the other standbys as a round meets them."""
    api = rest_api(declared.patroni)
    postgres = int(declared.patroni["postgresql"]["listen"].rpartition(":")[2])

    def is_silent(host: str, within: float) -> bool:
        return silent(host, api.port, postgres, tls=api.scheme == "https", within=within)

    def unfed(host: str) -> bool:
        try:
            status = Patroni(api.url(host), "", "", api.context()).health(ANSWER)
        except PatroniError:
            return False
        return status.role == "replica" and status.running and not status.streaming

    return Surroundings(
        own_host=member.pod.ip,
        psql=member.psql(declared),
        paused=lambda: member.patroni(declared).health().paused,
        host=store.address,
        silent=is_silent,
        unfed=unfed,
    )
