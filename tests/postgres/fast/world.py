"""Three agents around one made-up API server, with made-up servers, Patronis and clocks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sos_constructs.postgres.agent import fast_cut
from sos_constructs.postgres.agent.evidence import Renewals
from sos_constructs.postgres.agent.fast import Agent, Surroundings
from sos_constructs.postgres.agent.fast_cut import Cut
from sos_constructs.postgres.agent.kube_api import Conflict, KubeError, NotFound
from sos_constructs.postgres.agent.lock_store import Store

from attrs import define, field

PODS = ("pg-0", "pg-1", "pg-2")
HOSTS = {pod: f"10.0.0.{number}" for number, pod in enumerate(PODS)}


@define
class FakeApi:
    """Objects with annotations and versions."""

    notes: dict[str, dict[str, str]] = field(factory=dict)
    labels: dict[str, dict[str, str]] = field(factory=dict)
    versions: dict[str, int] = field(factory=dict)
    changes: list[tuple[str, dict[str, str | None]]] = field(factory=list)
    away: bool = False
    gone: set[str] = field(factory=set)
    before_change: Any = None

    def metadata(self, path: str) -> dict[str, Any]:
        if self.away:
            raise KubeError("GET: TimeoutError")
        if path in self.gone:
            raise NotFound(f"GET {path}: HTTP 404")
        return {"annotations": dict(self.notes[path]), "labels": dict(self.labels.get(path, {})), "resourceVersion": str(self.versions.get(path, 0))}

    def annotate(self, path: str, version: str, annotations: Mapping[str, str | None], labels: Mapping[str, str | None] | None = None) -> None:
        if self.before_change:
            change, self.before_change = self.before_change, None
            change()
        if self.away or version != str(self.versions.get(path, 0)):
            raise Conflict(f"PATCH {path}: HTTP 409")
        self.changes.append((path, dict(annotations)))
        self.set(path, **annotations)
        if labels:
            self.labels[path] = {key: value for key, value in (self.labels.get(path, {}) | dict(labels)).items() if value is not None}

    def set(self, path: str, **annotations: str | None) -> None:
        """As anybody else would."""
        self.versions[path] = self.versions.get(path, 0) + 1
        kept = self.notes.get(path, {}) | annotations
        self.notes[path] = {key: value for key, value in kept.items() if value is not None}


@define
class FakeServer:
    """A standby's PostgreSQL as the agent asks it."""

    folder: Path
    path: str = ""
    receiver: int = 77
    stubborn: bool = False
    recovering: bool = True
    source: str = HOSTS["pg-0"]
    heard_from_primary: bool = False
    asked: list[str] = field(factory=list)

    def query(self, sql: str, database: str = "postgres") -> list[list[str]]:
        self.asked.append(sql)
        if sql == fast_cut.PATH:
            return [[self.path or f"{self.folder}:$libdir"]]
        if sql == fast_cut.RECEIVERS:
            return [[str(self.receiver)]] if self.receiver else []
        if "kill -TERM" in sql and not self.stubborn:
            self.receiver = 0
        if sql == fast_cut.SOURCE:
            return [["t" if self.recovering else "f", f"user=standby host={self.source} port=5432"]]
        if sql == "SELECT pg_catalog.pg_is_in_recovery()":
            return [["t" if self.recovering else "f"]]
        if "pg_stat_wal_receiver" in sql:
            return [["1"]] if self.heard_from_primary else []
        return []


@define
class World:
    """pg-0 leads; pg-1 and pg-2 vote. Time passes by `tick` and in `sleep`."""

    folder: Path
    api: FakeApi = field(factory=FakeApi)
    now: float = 1000.0
    silent: bool = False
    pause: bool = False
    unfed: set[str] = field(factory=set)
    """Pods whose Patroni says that they do not stream."""
    agents: dict[str, Agent] = field(factory=dict)
    servers: dict[str, FakeServer] = field(factory=dict)
    counted: list[str] = field(factory=list)
    renewals: int = 0

    def __attrs_post_init__(self) -> None:
        self.api.set("configmaps/pg-leader", leader="pg-0", ttl="20")
        self.api.set("configmaps/pg-sync", leader="pg-0", sync_standby="pg-1,pg-2", quorum="1")
        for pod in PODS:
            self.api.set(
                f"pods/{pod}", status=json.dumps({"api_url": f"http://{HOSTS[pod]}:8008/patroni", "conn_url": f"postgres://{HOSTS[pod]}:5432/postgres"})
            )
            self.api.labels[f"pods/{pod}"] = {"app": "pg", "role": "primary" if pod == "pg-0" else "replica"}
            self.start(pod)
        self.renew()

    def start(self, pod: str) -> None:
        """A new agent process beside the same server."""
        folder = self.folder / pod / "cut"
        folder.parent.mkdir(exist_ok=True)
        self.servers.setdefault(pod, FakeServer(folder))
        self.agents[pod] = Agent(
            pod=pod,
            detect=6.0,
            store=Store(self.api, "pg", "role"),  # type: ignore[arg-type]  # a fake
            cut=Cut(folder, self.clock, self.sleep),
            renewals=Renewals(self.clock),
            count=lambda step: self.counted.append(f"{pod} {step}"),
            clock=self.clock,
            sleep=self.sleep,
        )

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    @property
    def lock(self) -> dict[str, str]:
        return self.api.notes["configmaps/pg-leader"]

    @property
    def released(self) -> bool:
        return self.lock["ttl"] == "-1"

    def renew(self, leader: str = "pg-0") -> None:
        """Patroni's renewal or acquisition."""
        self.renewals += 1
        self.api.set("configmaps/pg-leader", leader=leader, ttl="20", renewTime=f"r{self.renewals}")

    def is_cut(self, pod: str) -> bool:
        return self.agents[pod].cut.about() is not None

    def around(self, pod: str) -> Surroundings:
        return Surroundings(
            own_host=HOSTS[pod],
            psql=self.servers[pod],  # type: ignore[arg-type]  # a fake
            paused=lambda: self.pause,
            host=self.agents[pod].store.address,
            silent=lambda _host, _within: self.silent,
            unfed=lambda host: host in {HOSTS[each] for each in self.unfed},
        )

    def round(self, pod: str) -> float:
        return self.agents[pod].round(self.around(pod))

    def run(self, seconds: float, *pods: str) -> None:
        """Rounds of these agents, half a second apart."""
        until = self.now + seconds
        while self.now < until:
            for pod in pods:
                self.round(pod)
            self.now += 0.5
