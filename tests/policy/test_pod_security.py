"""Every pod is ``restricted``, and the check sees every way not to be."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from tests.policy.objects import pods
from tests.policy.pod_security import violations


def test_every_pod_is_restricted():
    found = dict(pods())
    assert any("StatefulSet/postgres" in name for name in found)
    assert {name: faults for name, pod in found.items() if (faults := violations(pod))} == {}


GOOD: dict[str, Any] = {
    "metadata": {},
    "spec": {
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "initContainers": [{"name": "first", "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}}],
        "containers": [
            {
                "name": "main",
                "livenessProbe": {"httpGet": {"path": "/", "port": 80}},
                "ports": [{"containerPort": 80}],
                "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]}, "runAsUser": 5},
            }
        ],
        "volumes": [{"name": "a", "emptyDir": {}}, {"name": "b", "projected": {"sources": []}}],
    },
}


def test_a_good_pod_has_no_faults():
    assert violations(GOOD) == []


POD, MAIN, FIRST = "spec.securityContext.", "spec.containers.0.", "spec.initContainers.0."
ABSENT = object()


@pytest.mark.parametrize(
    ("path", "value", "fault"),
    [
        ("spec.hostNetwork", True, "hostNetwork must not be true"),
        ("spec.hostPID", True, "hostPID must not be true"),
        ("spec.hostIPC", True, "hostIPC must not be true"),
        ("spec.volumes.0", {"name": "a", "hostPath": {"path": "/"}}, "volume a has a forbidden type: hostPath"),
        ("spec.volumes.0", {"name": "a", "nfs": {}}, "volume a has a forbidden type: nfs"),
        ("metadata.annotations", {"container.apparmor.security.beta.kubernetes.io/main": "unconfined"}, "must be runtime/default"),
        (POD + "sysctls", [{"name": "kernel.msgmax", "value": "1"}], "sysctl kernel.msgmax is not a safe one"),
        (POD + "runAsNonRoot", ABSENT, "main: runAsNonRoot must be true"),
        (POD + "runAsNonRoot", False, "pod: runAsNonRoot must not be false"),
        (POD + "runAsUser", 0, "pod: runAsUser must not be 0"),
        (POD + "seccompProfile", ABSENT, "main: seccompProfile.type must be"),
        (POD + "seccompProfile", {"type": "Unconfined"}, "pod: seccompProfile.type must be"),
        (POD + "windowsOptions", {"hostProcess": True}, "pod: hostProcess"),
        (POD + "appArmorProfile", {"type": "Unconfined"}, "pod: appArmorProfile.type must be"),
        (POD + "seLinuxOptions", {"type": "spc_t"}, "pod: seLinuxOptions"),
        (POD + "seLinuxOptions", {"role": "x"}, "pod: seLinuxOptions"),
        (MAIN + "securityContext.privileged", True, "main: privileged must not be true"),
        (MAIN + "securityContext.allowPrivilegeEscalation", ABSENT, "main: allowPrivilegeEscalation must be false"),
        (MAIN + "securityContext.capabilities", ABSENT, "main: capabilities.drop must include ALL"),
        (MAIN + "securityContext.capabilities.add", ["SYS_ADMIN"], "main: capabilities.add"),
        (MAIN + "securityContext.procMount", "Unmasked", "main: procMount must be Default"),
        (MAIN + "securityContext.runAsNonRoot", False, "main: runAsNonRoot must not be false"),
        (MAIN + "securityContext.runAsUser", 0, "main: runAsUser must not be 0"),
        (MAIN + "securityContext.seccompProfile", {"type": "Unconfined"}, "main: seccompProfile.type must be"),
        (MAIN + "ports.0.hostPort", 80, "main: hostPort must not be set"),
        (MAIN + "livenessProbe.httpGet.host", "10.0.0.1", "main: a probe or hook must not name a host"),
        (MAIN + "lifecycle", {"preStop": {"tcpSocket": {"host": "x", "port": 1}}}, "main: a probe or hook must not name a host"),
        (FIRST + "securityContext", ABSENT, "first: allowPrivilegeEscalation must be false"),
        ("spec.ephemeralContainers", [{"name": "debug"}], "debug: capabilities.drop must include ALL"),
    ],
)
def test_each_fault_is_found(path: str, value: Any, fault: str):
    pod = copy.deepcopy(GOOD)
    *parents, last = path.split(".")
    target: Any = pod
    for part in parents:
        target = target[int(part) if part.isdigit() else part]
    if value is ABSENT:
        del target[last]
    else:
        target[int(last) if last.isdigit() else last] = value
    assert any(fault in found for found in violations(pod)), violations(pod)
