"""Pods that Pod Security admits or refuses, as a table: also for the API server's own verdict (tests/cluster/test_1_admission.py)."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from attrs import Factory, frozen

GOOD: dict[str, Any] = {
    "containers": [
        {"name": "main", "image": "x", "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}},
    ],
    "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
}
"""Admitted at every level."""

LEFT_OUT = object()


@frozen
class Case:
    """One pod.

    :param strictest: the strictest level that admits it.
    :param where: what the message names first; empty where every level admits it.
    :param field: what the message names next.
    """

    name: str
    spec: dict[str, Any]
    strictest: str
    where: str = ""
    field: str = ""
    annotations: dict[str, str] = Factory(dict[str, str])


def _changed(changes: dict[str, Any]) -> dict[str, Any]:
    """GOOD with other values at paths such as ``containers.0.securityContext.privileged``."""
    spec = copy.deepcopy(GOOD)
    for path, value in changes.items():
        owner: Any = spec
        *steps, last = [int(step) if step.isdigit() else step for step in path.split("/")]
        for step in steps:
            owner = owner.setdefault(step, {}) if isinstance(owner, dict) else owner[step]
        if value is LEFT_OUT:
            del owner[last]
        else:
            owner[last] = copy.deepcopy(value)
    return spec


C = "containers/0"
SC = f"{C}/securityContext"
MAIN = "container 'main'"


def _init(context: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"name": "init", "image": "x", "securityContext": context}]


INIT = _init({"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}})
CLAIM = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
DEFAULT = {"type": "RuntimeDefault"}
NOTHING = {f"{SC}": LEFT_OUT, "securityContext": LEFT_OUT}
UNESCALATED = {f"{SC}/allowPrivilegeEscalation": LEFT_OUT}
"""The API server refuses ``allowPrivilegeEscalation: false`` together with some fields, whatever the level."""
HOSTS: dict[str, dict[str, Any]] = {"httpGet": {"port": 80, "host": "10.0.0.1"}, "tcpSocket": {"port": 80, "host": "10.0.0.1"}}


def _volume(type: str, value: Any) -> dict[str, Any]:
    return {"volumes": [{"name": "data", type: value}]}


TABLE: list[tuple[str, dict[str, Any], str, str, str]] = [
    ("good", {}, "restricted", "", ""),
    ("nothing said", NOTHING, "baseline", MAIN, "securityContext.allowPrivilegeEscalation"),
    ("empty contexts", {SC: {}, "securityContext": {}}, "baseline", MAIN, "securityContext.allowPrivilegeEscalation"),
    # host namespaces
    ("host network", {"hostNetwork": True}, "privileged", "pod", "hostNetwork"),
    ("host PID", {"hostPID": True}, "privileged", "pod", "hostPID"),
    ("host IPC", {"hostIPC": True}, "privileged", "pod", "hostIPC"),
    ("no host network", {"hostNetwork": False, "hostPID": False, "hostIPC": False}, "restricted", "", ""),
    # privileged
    ("privileged", {f"{SC}/privileged": True, **UNESCALATED}, "privileged", MAIN, "securityContext.privileged"),
    ("not privileged", {f"{SC}/privileged": False}, "restricted", "", ""),
    (
        "privileged init",
        {"initContainers": _init({"privileged": True})},
        "privileged",
        "container 'init'",
        "securityContext.privileged",
    ),
    # capabilities
    ("adds NET_BIND_SERVICE", {f"{SC}/capabilities/add": ["NET_BIND_SERVICE"]}, "restricted", "", ""),
    ("adds CHOWN", {f"{SC}/capabilities/add": ["CHOWN"]}, "baseline", MAIN, "securityContext.capabilities.add"),
    ("adds CHOWN and another", {f"{SC}/capabilities/add": ["NET_BIND_SERVICE", "SYS_CHROOT"]}, "baseline", MAIN, "securityContext.capabilities.add"),
    ("adds NET_ADMIN", {f"{SC}/capabilities/add": ["NET_ADMIN"]}, "privileged", MAIN, "securityContext.capabilities.add"),
    ("adds NET_RAW", {f"{SC}/capabilities/add": ["NET_RAW"]}, "privileged", MAIN, "securityContext.capabilities.add"),
    ("adds ALL", {f"{SC}/capabilities/add": ["ALL"]}, "privileged", MAIN, "securityContext.capabilities.add"),
    ("adds with prefix", {f"{SC}/capabilities/add": ["CAP_CHOWN"]}, "privileged", MAIN, "securityContext.capabilities.add"),
    ("drops one", {f"{SC}/capabilities/drop": ["NET_RAW"]}, "baseline", MAIN, "securityContext.capabilities.drop"),
    ("drops one and ALL", {f"{SC}/capabilities/drop": ["NET_RAW", "ALL"]}, "restricted", "", ""),
    ("drops all in lower case", {f"{SC}/capabilities/drop": ["all"]}, "baseline", MAIN, "securityContext.capabilities.drop"),
    ("drops none", {f"{SC}/capabilities": LEFT_OUT}, "baseline", MAIN, "securityContext.capabilities.drop"),
    (
        "init drops none",
        {"initContainers": _init({"allowPrivilegeEscalation": False})},
        "baseline",
        "container 'init'",
        "securityContext.capabilities.drop",
    ),
    ("good init", {"initContainers": INIT}, "restricted", "", ""),
    # volumes
    ("hostPath", _volume("hostPath", {"path": "/var"}), "privileged", "volume 'data'", "hostPath"),
    ("nfs", _volume("nfs", {"server": "nfs", "path": "/"}), "baseline", "volume 'data'", "nfs"),
    ("iscsi", _volume("iscsi", {"targetPortal": "10.0.0.1", "iqn": "iqn.2000-01.example:a", "lun": 0}), "baseline", "volume 'data'", "iscsi"),
    ("fc", _volume("fc", {"targetWWNs": ["50060e801049cfd1"], "lun": 0}), "baseline", "volume 'data'", "fc"),
    ("cephfs", _volume("cephfs", {"monitors": ["10.0.0.1"]}), "baseline", "volume 'data'", "cephfs"),
    ("azureFile", _volume("azureFile", {"secretName": "a", "shareName": "b"}), "baseline", "volume 'data'", "azureFile"),
    ("flexVolume", _volume("flexVolume", {"driver": "example.com/a"}), "baseline", "volume 'data'", "flexVolume"),
    ("emptyDir", _volume("emptyDir", {}), "restricted", "", ""),
    ("no type", {"volumes": [{"name": "data"}]}, "restricted", "", ""),
    ("configMap", _volume("configMap", {"name": "a"}), "restricted", "", ""),
    ("secret", _volume("secret", {"secretName": "a"}), "restricted", "", ""),
    ("projected", _volume("projected", {"sources": [{"configMap": {"name": "a"}}]}), "restricted", "", ""),
    ("downwardAPI", _volume("downwardAPI", {"items": [{"path": "a", "fieldRef": {"fieldPath": "metadata.name"}}]}), "restricted", "", ""),
    ("claim", _volume("persistentVolumeClaim", {"claimName": "a"}), "restricted", "", ""),
    ("csi", _volume("csi", {"driver": "example.com"}), "restricted", "", ""),
    (
        "ephemeral",
        _volume("ephemeral", {"volumeClaimTemplate": {"spec": CLAIM}}),
        "restricted",
        "",
        "",
    ),
    # ports
    ("host port", {f"{C}/ports": [{"containerPort": 80, "hostPort": 80}]}, "privileged", MAIN, "ports[*].hostPort"),
    ("host port 0", {f"{C}/ports": [{"containerPort": 80, "hostPort": 0}]}, "restricted", "", ""),
    ("port", {f"{C}/ports": [{"containerPort": 80}]}, "restricted", "", ""),
    # AppArmor
    ("AppArmor unconfined pod", {"securityContext/appArmorProfile": {"type": "Unconfined"}}, "privileged", "pod", "securityContext.appArmorProfile.type"),
    ("AppArmor unconfined", {f"{SC}/appArmorProfile": {"type": "Unconfined"}}, "privileged", MAIN, "securityContext.appArmorProfile.type"),
    ("AppArmor local", {f"{SC}/appArmorProfile": {"type": "Localhost", "localhostProfile": "a"}}, "restricted", "", ""),
    ("AppArmor default", {"securityContext/appArmorProfile": {"type": "RuntimeDefault"}}, "restricted", "", ""),
    # SELinux
    ("SELinux type", {"securityContext/seLinuxOptions": {"type": "spc_t"}}, "privileged", "pod", "securityContext.seLinuxOptions.type"),
    ("SELinux user", {f"{SC}/seLinuxOptions": {"user": "system_u"}}, "privileged", MAIN, "securityContext.seLinuxOptions.user"),
    ("SELinux role", {f"{SC}/seLinuxOptions": {"role": "r", "type": "container_t"}}, "privileged", MAIN, "securityContext.seLinuxOptions.role"),
    ("SELinux engine", {f"{SC}/seLinuxOptions": {"type": "container_engine_t"}}, "restricted", "", ""),
    ("SELinux level", {"securityContext/seLinuxOptions": {"level": "s0:c1"}}, "restricted", "", ""),
    # /proc
    ("proc default", {f"{SC}/procMount": "Default"}, "restricted", "", ""),
    ("proc unmasked", {f"{SC}/procMount": "Unmasked", "hostUsers": False}, "privileged", MAIN, "securityContext.procMount"),
    # seccomp
    ("seccomp unconfined pod", {"securityContext/seccompProfile": {"type": "Unconfined"}}, "privileged", "pod", "securityContext.seccompProfile.type"),
    ("seccomp unconfined", {f"{SC}/seccompProfile": {"type": "Unconfined"}}, "privileged", MAIN, "securityContext.seccompProfile.type"),
    ("seccomp local", {"securityContext/seccompProfile": {"type": "Localhost", "localhostProfile": "a.json"}}, "restricted", "", ""),
    ("no seccomp", {"securityContext/seccompProfile": LEFT_OUT}, "baseline", MAIN, "securityContext.seccompProfile.type"),
    ("container's seccomp", {"securityContext/seccompProfile": LEFT_OUT, f"{SC}/seccompProfile": DEFAULT}, "restricted", "", ""),
    (
        "one container's seccomp",
        {"securityContext/seccompProfile": LEFT_OUT, f"{SC}/seccompProfile": DEFAULT, "initContainers": INIT},
        "baseline",
        "container 'init'",
        "securityContext.seccompProfile.type",
    ),
    # sysctls
    ("sysctl", {"securityContext/sysctls": [{"name": "net.ipv4.tcp_syncookies", "value": "1"}]}, "restricted", "", ""),
    ("newest sysctl", {"securityContext/sysctls": [{"name": "net.ipv4.tcp_rmem", "value": "4096"}]}, "restricted", "", ""),
    ("unsafe sysctl", {"securityContext/sysctls": [{"name": "net.core.somaxconn", "value": "1024"}]}, "privileged", "pod", "securityContext.sysctls"),
    # Windows
    ("host process", {"securityContext/windowsOptions": {"hostProcess": True}, "hostNetwork": True}, "privileged", "pod", "hostNetwork"),
    ("windows", {SC: LEFT_OUT, "securityContext": {"runAsNonRoot": True}, "os": {"name": "windows"}}, "restricted", "", ""),
    ("linux", {"os": {"name": "linux"}}, "restricted", "", ""),
    # probes and lifecycle
    ("probe's host", {f"{C}/livenessProbe": {"httpGet": HOSTS["httpGet"]}}, "privileged", MAIN, "livenessProbe.httpGet.host"),
    ("TCP probe's host", {f"{C}/startupProbe": {"tcpSocket": HOSTS["tcpSocket"]}}, "privileged", MAIN, "startupProbe.tcpSocket.host"),
    ("lifecycle's host", {f"{C}/lifecycle": {"preStop": {"httpGet": HOSTS["httpGet"]}}}, "privileged", MAIN, "lifecycle.preStop.httpGet.host"),
    ("probe", {f"{C}/readinessProbe": {"httpGet": {"port": 80}}}, "restricted", "", ""),
    # privilege escalation
    ("escalates", {f"{SC}/allowPrivilegeEscalation": True}, "baseline", MAIN, "securityContext.allowPrivilegeEscalation"),
    ("may escalate", UNESCALATED, "baseline", MAIN, "securityContext.allowPrivilegeEscalation"),
    # user
    ("root allowed by pod", {"securityContext/runAsNonRoot": False}, "baseline", "pod", "securityContext.runAsNonRoot"),
    ("root allowed by pod only", {"securityContext/runAsNonRoot": False, f"{SC}/runAsNonRoot": True}, "baseline", "pod", "securityContext.runAsNonRoot"),
    ("root allowed by container", {f"{SC}/runAsNonRoot": False}, "baseline", MAIN, "securityContext.runAsNonRoot"),
    ("nothing on root", {"securityContext/runAsNonRoot": LEFT_OUT}, "baseline", MAIN, "securityContext.runAsNonRoot"),
    ("container refuses root", {"securityContext/runAsNonRoot": LEFT_OUT, f"{SC}/runAsNonRoot": True}, "restricted", "", ""),
    ("pod runs as root", {"securityContext/runAsUser": 0}, "baseline", "pod", "securityContext.runAsUser"),
    ("container runs as root", {f"{SC}/runAsUser": 0}, "baseline", MAIN, "securityContext.runAsUser"),
    ("runs as 1000", {"securityContext/runAsUser": 1000}, "restricted", "", ""),
    ("root in a user namespace", {"hostUsers": False, "securityContext/runAsUser": 0}, "baseline", "pod", "securityContext.runAsUser"),
]


def cases() -> Iterator[Case]:
    """The table's, and those with annotations."""
    for name, changes, strictest, where, field in TABLE:
        yield Case(name, _changed(changes), strictest, where, field)
    annotation = "container.apparmor.security.beta.kubernetes.io/main"
    yield Case("AppArmor annotation unconfined", _changed({}), "privileged", "pod", f"annotation {annotation}", {annotation: "unconfined"})
    yield Case("AppArmor annotation local", _changed({}), "restricted", annotations={annotation: "localhost/a"})


CASES = list(cases())
