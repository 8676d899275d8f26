"""What can happen to a member, and a drill: something happens while a client writes."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from sos_constructs.postgres.agent.patroni_process import MARK
from sos_constructs.postgres.names import AGENT_PARENT, RUNTIME_DIR

import attrs

from tests.cluster import conntrack, kube
from tests.cluster.breakable import Breakable
from tests.cluster.client import Ledger, Outcome, compare
from tests.cluster.installation import Installation

Heal = Callable[[], object]

KILL_POSTGRES = """
import os
for _ in range(3):
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if open(f"/proc/{pid}/comm").read().strip() == "postgres":
                os.kill(int(pid), 9)
        except OSError:
            pass
"""

KILL_PATRONI = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from agent.handover import patroni_pid
os.kill(patroni_pid(Path("/proc"), Path(os.environ["PATRONICTL_CONFIG_FILE"])), signal.SIGKILL)
"""

NOT_READY = json.dumps({"status": {"conditions": [{"type": "Ready", "status": "False", "reason": "NodeNotReady"}]}})
"""What Kubernetes' node controller says of a pod whose node it has not heard of for ``node-monitor-grace-period``; the kubelet contradicts soon."""

SETTLE_SECONDS = 5.0
"""After the stroke: until its effect can be seen from outside."""


@attrs.frozen(kw_only=True)
class Fault:
    """One thing that happens to the primary, and how it is undone."""

    name: str
    strike: Callable[[Installation, str, Any], Heal]
    breaks_node: bool = False
    """Only where a breakable cluster is known."""
    client_beside: bool = False
    """Have the client on the primary's node: on any other it would be cut from the primary with the standbys."""


STREAMING_SECONDS = 60.0
"""Goal: after the end of any fault, all members stream again within this, without a human."""


def _nothing() -> None:
    """Kubernetes or Patroni heals it."""


def _delete(installation: Installation, primary: str, tool: Any) -> Heal:
    kube.kubectl("delete", "pod", primary, "-n", installation.namespace, "--wait=false")
    return _nothing


def _force_delete(installation: Installation, primary: str, tool: Any) -> Heal:
    kube.kubectl("delete", "pod", primary, "-n", installation.namespace, "--wait=false", "--force", "--grace-period=0")
    return _nothing


def _kill(installation: Installation, primary: str, tool: Any) -> Heal:
    installation.exec(primary, "python3", "-c", KILL_POSTGRES)
    return _nothing


def _kill_patroni(installation: Installation, primary: str, tool: Any) -> Heal:
    """One that has lived for long enough to be started again."""
    kube.poll("it may be killed", lambda: installation.try_exec(primary, "test", "-e", f"{RUNTIME_DIR}/{MARK}", container="postgres").returncode == 0, 60)
    installation.exec(primary, "python3", "-B", "-c", KILL_PATRONI, AGENT_PARENT)
    return _nothing


def _end_agent(installation: Installation, primary: str, tool: Any) -> Heal:
    """Its container starts anew, and its pod is not ready meanwhile, for a second or, after the kubelet's pause, for ten."""
    starts = installation.lives()[primary][1]["agent"]
    installation.try_exec(primary, "python3", "-c", "import os, signal; os.kill(1, signal.SIGTERM)", container="agent")  # may end with its container
    kube.poll("its container was started anew", lambda: installation.lives()[primary][1]["agent"] > starts, 60)
    return _nothing


def _not_ready(installation: Installation, primary: str, tool: Any) -> Heal:
    """For five seconds at least."""
    until = time.monotonic() + SETTLE_SECONDS
    while time.monotonic() < until:
        for pod in installation.pod_names:
            kube.kubectl("patch", "pod", pod, "-n", installation.namespace, "--subresource=status", "-p", NOT_READY)
    return _nothing


def _rollout(installation: Installation, primary: str, tool: Any) -> Heal:
    kube.kubectl("rollout", "restart", f"statefulset/{installation.name}", "-n", installation.namespace)
    wait_rollout(installation)
    return _nothing


def wait_rollout(installation: Installation) -> None:
    """Until every member runs the newest pod template; `kubectl rollout status` does not know the strategy OnDelete."""

    def done() -> bool:
        found = kube.get("statefulset", installation.name, "-n", installation.namespace)
        status, wanted = found["status"], found["spec"]["replicas"]
        seen = status["observedGeneration"] == found["metadata"]["generation"]
        return bool(seen and status.get("updatedReplicas") == status.get("readyReplicas") == status["replicas"] == wanted)

    kube.poll("every pod is of the newest template", done, 900)


def _crash(installation: Installation, primary: str, tool: Breakable) -> Heal:
    node = installation.node_of(primary)
    tool.do("crash", node)
    return lambda: tool.do("heal", node)


def _cut(installation: Installation, primary: str, tool: Breakable) -> Heal:
    node = installation.node_of(primary)
    tool.do("cut", node)
    return lambda: tool.do("heal", node)


def _crash_replica(installation: Installation, primary: str, tool: Breakable) -> Heal:
    others = {installation.node_of(pod) for pod in installation.pod_names if pod != primary}
    clients = kube.items("pods", "-n", installation.namespace, "-l", "app.kubernetes.io/name=sos-cluster-test")
    node = min(others - {pod["spec"]["nodeName"] for pod in clients if pod["status"]["phase"] == "Running"})
    tool.do("crash", node)
    return lambda: tool.do("heal", node)


def _freeze_api(installation: Installation, primary: str, tool: Breakable) -> Heal:
    frozen = tool.begin("api-freeze", "60")
    return lambda: frozen.wait(timeout=120)


def _freeze_pod(installation: Installation, primary: str, tool: Breakable) -> Heal:
    pod = f"{installation.namespace}/{primary}"
    tool.do("freeze", pod)
    return lambda: tool.do("thaw", pod)


def _freeze_node(installation: Installation, primary: str, tool: Breakable) -> Heal:
    node = installation.node_of(primary)
    tool.do("freeze", node)
    return lambda: tool.do("thaw", node)


def _isolate(installation: Installation, primary: str, tool: Breakable) -> Heal:
    node = installation.node_of(primary)
    for other in sorted({installation.node_of(pod) for pod in installation.pod_names} - {node}):
        tool.do("part", node, other)
    return lambda: tool.do("mend")


DELETE = Fault(name="primary deleted", strike=_delete)
KILL = Fault(name="every postgres process of the primary killed", strike=_kill)
PATRONI_KILLED = Fault(name="the primary's Patroni killed", strike=_kill_patroni)
AGENT_ENDED = Fault(name="the primary's agent ended", strike=_end_agent)
NOT_READY_ANY_MORE = Fault(name="all pods marked not ready", strike=_not_ready)
FORCE_DELETE = Fault(name="primary force-deleted", strike=_force_delete)
ROLLOUT = Fault(name="rolling restart of all members", strike=_rollout)
CRASH = Fault(name="primary's node crashed", strike=_crash, breaks_node=True)
CUT = Fault(name="primary's node cut from the network", strike=_cut, breaks_node=True)
FREEZE_API = Fault(name="API server frozen for 60 s", strike=_freeze_api, breaks_node=True)
CRASH_REPLICA = Fault(name="a replica's node crashed", strike=_crash_replica, breaks_node=True)
FREEZE_POD = Fault(name="primary's pod frozen", strike=_freeze_pod, breaks_node=True)
FREEZE_NODE = Fault(name="primary's node frozen", strike=_freeze_node, breaks_node=True)
LONELY = Fault(name="primary's node cut from both standbys, not from the API server", strike=_isolate, breaks_node=True, client_beside=True)

ALL = (
    DELETE,
    KILL,
    PATRONI_KILLED,
    AGENT_ENDED,
    NOT_READY_ANY_MORE,
    FORCE_DELETE,
    ROLLOUT,
    CRASH,
    CUT,
    FREEZE_API,
    CRASH_REPLICA,
    FREEZE_POD,
    FREEZE_NODE,
    LONELY,
)


def drill(installation: Installation, fault: Fault, tool: Breakable | None = None, *, pooled: bool = False) -> Outcome:
    """Let it happen to the primary while a client writes; end with all members streaming again and every member's table compared."""
    primary = installation.wait_healthy()
    beside = installation.node_of(primary) if fault.client_beside else None
    ledger = Ledger(installation, fault.name.split()[-1].strip("'").lower(), pooled=pooled, node=beside)
    if fault.breaks_node and not beside:
        assert ledger.node != installation.node_of(primary), "the client shares the primary's node; is there a second schedulable one?"
    time.sleep(2)
    heal = fault.strike(installation, primary, tool)
    try:
        if fault is FREEZE_API:
            heal()
        time.sleep(SETTLE_SECONDS)
        ledger.wait("writes again", lambda status: status["silent"] < 1)
        if tool:  # from here on no fresh connection may fail, unless the kernel of its node takes it for one to the server that is gone
            service = kube.get("service", f"{installation.name}-service", "-n", installation.namespace)["spec"]["clusterIP"]
            conntrack.forget(service, conntrack.UNANSWERED, inside=tool.on(ledger.node))
        ledger.wait_writing()
    finally:
        heal()
    over = time.monotonic()
    installation.wait_healthy(600)
    streaming_after = time.monotonic() - over
    ledger.wait_writing()
    outcome = attrs.evolve(ledger.stop(), streaming_after=streaming_after)
    for pod in installation.pod_names:
        kube.poll(f"every acknowledged row on {pod}", lambda pod=pod: compare(outcome.summary, ledger.table(pod)).lost == 0, 60)  # type: ignore[misc]
    return outcome


def assert_kept(outcome: Outcome) -> None:
    """Nothing that was promised is missing, and no server took writes after another had taken over."""
    assert outcome.summary["rows"] > 0
    assert outcome.lost == 0, f"{outcome.lost} acknowledged rows are lost"
    assert len(set(outcome.servers)) == len(outcome.servers), f"a former primary acknowledged again: {outcome.summary['servers']}"
