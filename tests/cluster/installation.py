"""One running HaPostgres, seen from outside."""

from __future__ import annotations

import json
import subprocess
from typing import Any

from sos_constructs import ImageProfile
from sos_constructs.postgres.names import SERVING

import attrs

from tests.cluster import kube

ASK = """import json, os, ssl, sys, urllib.request
config = json.load(open(os.environ["PATRONICTL_CONFIG_FILE"]))
scheme = "https" if "certfile" in config["restapi"] else "http"
context = ssl._create_unverified_context()
print(urllib.request.urlopen(f"{scheme}://localhost:8008/{sys.argv[1]}", timeout=5, context=context).read().decode())"""
"""Asks the Patroni of a pod, with a certificate or of an older template without."""


@attrs.frozen(kw_only=True)
class Installation:
    """Where it runs and with which image."""

    namespace: str
    image: ImageProfile
    instances: int = 3
    name: str = "postgres"
    sync_state: str = "quorum"
    """What pg_stat_replication says of a standby that is as it should be."""

    @property
    def pod_names(self) -> list[str]:
        return [f"{self.name}-{ordinal}" for ordinal in range(self.instances)]

    def pods(self) -> list[dict[str, Any]]:
        """The members' pods as the API server has them."""
        found = kube.items("pods", "-n", self.namespace, "-l", f"app.kubernetes.io/instance={self.name}")
        return [pod for pod in found if pod["metadata"]["name"] in self.pod_names]

    def exec(self, pod: str, *command: str, container: str = "postgres", stdin: str | None = None, seconds: float = 10) -> str:
        """Run a program in a pod and return what it printed."""
        return kube.kubectl(
            "exec", *(["-i"] if stdin is not None else []), "-n", self.namespace, pod, "-c", container, "--", *command, stdin=stdin, seconds=seconds
        )

    def try_exec(self, pod: str, *command: str, container: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run a program that may fail."""
        return kube.run("exec", *(["-i"] if stdin is not None else []), "-n", self.namespace, pod, "-c", container, "--", *command, stdin=stdin, seconds=20)

    def sql(self, pod: str, statement: str, database: str = "postgres") -> list[list[str]]:
        """Ask the server of one pod, as its superuser, through its socket."""
        text = self.exec(pod, f"{self.image.bin_dir}/psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-d", database, "-c", statement)
        return [line.split("|") for line in text.splitlines()]

    def cluster(self) -> list[dict[str, Any]]:
        """Patroni's own view: its members, as the first pod that answers tells it."""
        for pod in self.pods():
            if not ready(pod):
                continue
            done = self.try_exec(pod["metadata"]["name"], "python3", "-c", ASK, "cluster", container="postgres")
            if done.returncode == 0:
                return list(json.loads(done.stdout)["members"])
        raise AssertionError("no ready member answers")

    def primary(self) -> str:
        """The member that has the lock."""
        leaders = [member["name"] for member in self.cluster() if member["role"] == "leader"]
        assert len(leaders) == 1, f"leaders: {leaders}"
        return str(leaders[0])

    def holder(self) -> str:
        """Who has the lock, as the API server knows."""
        lock = kube.get("configmap", f"{self.name}-patroni-leader", "-n", self.namespace)["metadata"].get("annotations", {})
        return str(lock.get("leader", ""))

    def unhealthy(self) -> str:
        """What is not as it should be, or an empty string: every pod ready and in its Services, one leader, all others stream on its timeline, and count.

        The API server says who leads: a primary that was away for a moment answers from a view in which nothing has happened.
        """
        pods = self.pods()
        if (found := sum(ready(pod) for pod in pods)) != self.instances:
            return f"{found} of {self.instances} pods are ready"
        out = [pod["metadata"]["name"] for pod in pods if not pod["metadata"]["labels"].items() >= SERVING.items()]
        if out:
            return f"out of their Services: {out}"
        members = self.cluster()
        states = {member["name"]: (member["role"], member["state"], member.get("timeline")) for member in members}
        leaders = [member for member in members if member["role"] == "leader" and member["state"] == "running"]
        if len(members) != self.instances or len(leaders) != 1:
            return f"members: {states}"
        if (holder := self.holder()) != leaders[0]["name"]:
            return f"{leaders[0]['name']} believes that it leads, and {holder} has the lock"
        others = [member for member in members if member is not leaders[0]]
        if any(member["state"] != "streaming" or member["timeline"] != leaders[0]["timeline"] for member in others):
            return f"not everybody streams: {states}"
        rows = self.sql(leaders[0]["name"], "SELECT application_name, state, sync_state FROM pg_stat_replication ORDER BY 1")
        if rows != [[member["name"], "streaming", self.sync_state] for member in sorted(others, key=lambda member: str(member["name"]))]:
            return f"pg_stat_replication: {rows}"
        return ""

    def wait_healthy(self, seconds: float = 300) -> str:
        """Wait until nothing is wrong and return the primary's name."""

        def healthy() -> bool:
            complaint = self.unhealthy()
            assert not complaint, complaint
            return True

        kube.poll(f"{self.namespace}: all members streaming", healthy, seconds)
        return self.primary()

    def node_of(self, pod: str) -> str:
        """Where a pod runs."""
        return str(kube.get("pod", pod, "-n", self.namespace)["spec"]["nodeName"])

    def nodes(self) -> list[str]:
        """All nodes of the cluster."""
        return [str(node["metadata"]["name"]) for node in kube.items("nodes")]

    def endpoints(self, service: str) -> list[str]:
        """Pods that the Service sends connections to: the ready ones of its EndpointSlices."""
        slices = kube.items("endpointslices", "-n", self.namespace, "-l", f"kubernetes.io/service-name={service}")
        return sorted(
            endpoint["targetRef"]["name"]
            for each in slices
            for endpoint in each.get("endpoints") or []
            if endpoint.get("conditions", {}).get("ready") is not False
        )

    def server_started(self, pod: str) -> str:
        """When PostgreSQL was started: equal before and after means that nobody stopped it."""
        return self.sql(pod, "SELECT pg_postmaster_start_time()")[0][0]

    def lives(self) -> dict[str, tuple[str, dict[str, int]]]:
        """Identity of every pod and how often each of its containers was started: equal before and after means that nothing restarted."""
        return {
            pod["metadata"]["name"]: (pod["metadata"]["uid"], {status["name"]: status["restartCount"] for status in pod["status"]["containerStatuses"]})
            for pod in self.pods()
        }


def ready(pod: dict[str, Any]) -> bool:
    """Whether the pod counts for Services."""
    if "deletionTimestamp" in pod["metadata"]:
        return False
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in pod.get("status", {}).get("conditions", []))
