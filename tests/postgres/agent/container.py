"""A made-up /proc with Patroni and a server, and the API server that they talk to. Remembers what happened in which order."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

from sos_constructs.postgres.agent.handover import SERVICE_AHEAD_SECONDS, hand_over
from sos_constructs.postgres.agent.serving import OUT

FILE = Path("/run/sos/patroni.yml")
SERVER, PATRONI = 20, 10
LOCATION, TIMELINE = "1/5A69978", 7
"""Of the last checkpoint."""
CLOSED = "clients are turned out"
STARTED = 1_796_000_000
"""When the server was, a minute after the machine."""
TICKS = 60 * os.sysconf("SC_CLK_TCK")


class Container:
    """Patroni is process 10, its server process 20."""

    def __init__(self, folder: Path, ends_after: int = 3, others: str = "replica") -> None:
        self.proc, self.data, self.ends_after, self.others = folder / "proc", folder / "data", ends_after, others
        self.happened: list[object] = []
        self.now, self.looks, self.leader = 0.0, 0, "pg-0"
        self.asked: dict[str, str] = {}
        self.config_value = "{}"
        self.not_before = 0.0
        self.ending = True
        self.patience: list[float] = []
        self.voters = {"leader": "pg-0", "sync_standby": "pg-1,pg-2"}
        self.proc.mkdir()
        self.data.mkdir()
        (self.proc / "meminfo").touch()
        self.process(1, "0", "python3", "-m", "agent.entry", "patroni", str(FILE))
        self.process(PATRONI, "1", "python3", "/usr/bin/patroni", str(FILE))
        self.process(SERVER, "1", "postgres", "-D", "/data")
        self.process(30, "0", "python3", "-B", "-m", "agent", "leave", str(FILE))
        (self.data / "postmaster.pid").write_text(f"{SERVER}\n/data\n{STARTED}\n5432\n")
        (self.proc / "stat").write_text(f"cpu 1 2\nbtime {STARTED - 60}\nprocesses 9\n")
        self.says("shut down")

    def process(self, pid: int, parent: str, *arguments: str) -> None:
        (self.proc / str(pid)).mkdir()
        (self.proc / str(pid) / "stat").write_text(f"{pid} (a (strange) name) S {parent} {'0 ' * 17}{TICKS} 0")
        (self.proc / str(pid) / "cmdline").write_bytes(b"\0".join(map(str.encode, arguments)) + b"\0")

    def says(self, state: str) -> None:
        """What pg_controldata prints."""
        program = self.data / "pg_controldata"
        lines = (
            "pg_control version number:            1300",
            f"Database cluster state:               {state}",
            f"Latest checkpoint location:           {LOCATION}",
            f"Latest checkpoint's TimeLineID:       {TIMELINE}",
        )
        program.write_text("#!/bin/sh\n" + "".join(f'echo "{line}"\n' for line in lines))
        program.chmod(0o755)

    def kill(self, pid: int, number: int) -> None:
        self.happened.append((pid, signal.Signals(number)))

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        if (SERVER, signal.SIGINT) in self.happened:
            self.ends_after -= 1
        elif seconds:
            self.happened.append(seconds)
        if self.ends_after == 0:
            for file in (self.proc / str(SERVER)).iterdir():
                file.unlink()
            (self.proc / str(SERVER)).rmdir()

    def within(self, seconds: float) -> Container:
        self.patience.append(seconds)
        return self

    def metadata(self, path: str) -> dict[str, Any]:
        if path == "configmaps/pg-leader":
            return {"annotations": {"leader": self.leader, "renewTime": "r", "ttl": "20"}, "resourceVersion": "7"}
        if path == "configmaps/pg-sync":
            return {"annotations": self.voters, "resourceVersion": "6"}
        if path == "pods/pg-1":
            return {"annotations": {"status": '{"conn_url":"postgres://10.1.2.3:5432/postgres"}'}, "resourceVersion": "9"}
        if path == "configmaps/pg-failover":
            return {"annotations": self.asked, "resourceVersion": "5"}
        assert path == "pods/pg-0"
        ending = {"deletionTimestamp": "now"} if self.ending else {}
        return {"annotations": {"status": '{"api_url":"https://pg-0","role":"primary"}'}, "labels": {"role": "primary"}, "resourceVersion": "8", **ending}

    def annotations(self, config_map: str) -> dict[str, str]:
        """A switchover that was asked for, the lock, and Patroni's configuration."""
        return {"pg-failover": self.asked, "pg-leader": {"leader": self.leader}, "pg-config": {"config": self.config_value}}[config_map]

    def annotate(self, path: str, version: str, annotations: dict[str, str | None], labels: dict[str, str | None] | None = None) -> None:
        self.happened.append((path, version, annotations, labels or {}))

    def pods(self, labels: dict[str, str]) -> list[dict[str, Any]]:
        """The successor is labelled when it has been asked for three times."""
        self.looks += "role" in labels
        others = {"replica": [{"name": "pg-1"}], "going": [{"name": "pg-1", "deletionTimestamp": "now"}], "": []}[self.others]
        return [{"name": "pg-0", "deletionTimestamp": "now"}, *(others if labels == {"app": "pg"} or self.looks > 2 else [])]

    def hand_over(self) -> None:
        kube: Any = self
        hand_over(kube, self.config, FILE, self.close, self.not_before, self.proc, self.kill)

    def close(self) -> None:
        self.happened.append(CLOSED)

    @property
    def config(self) -> dict[str, Any]:
        return {
            "kubernetes": {"labels": {"app": "pg"}, "leader_label_value": "primary", "role_label": "role"},
            "name": "pg-0",
            "postgresql": {
                "authentication": {"superuser": {"username": "postgres"}},
                "bin_dir": str(self.data),
                "data_dir": str(self.data),
                "parameters": {"unix_socket_directories": "/socket"},
            },
            "scope": "pg",
        }


STRUCK_OFF: object = ("pods/pg-0", "8", {"status": '{"role":"primary"}'}, {"role": None, **OUT})
ANNOUNCED: object = ("configmaps/pg-leader", "7", {"sos-constructs/leaving": "r"}, {})
STOPPED = [(PATRONI, signal.SIGTERM), (PATRONI, signal.SIGSTOP), ANNOUNCED, STRUCK_OFF, SERVICE_AHEAD_SECONDS, CLOSED, (SERVER, signal.SIGINT)]
VACATED: object = ("configmaps/pg-leader", "7", {"leader": None}, {})
GOES_ON = (PATRONI, signal.SIGCONT)
