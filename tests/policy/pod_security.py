"""Pod Security Standards, profile ``restricted`` (which includes ``baseline``), as Kubernetes documents them for Linux pods.

Source: kubernetes.io/docs/concepts/security/pod-security-standards. Rules that later releases relaxed are kept as strict as any of 1.27 to 1.37
has them, rules that later releases added are included.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.policy.objects import Manifest, containers

VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
SYSCTLS = {
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.ping_group_range",
    "net.ipv4.tcp_syncookies",
}
SELINUX_TYPES = {"", "container_init_t", "container_kvm_t", "container_t"}
APPARMOR = "container.apparmor.security.beta.kubernetes.io/"


def violations(pod: Manifest) -> list[str]:
    """What the admission plugin would refuse, one sentence each; empty for a pod that is ``restricted``."""
    return [*_of_the_pod(pod), *(fault for container in containers(pod) for fault in _of_a_container(container, pod["spec"].get("securityContext", {})))]


def _of_the_pod(pod: Manifest) -> Iterator[str]:
    spec = pod["spec"]
    for field in ("hostNetwork", "hostPID", "hostIPC"):
        if spec.get(field):
            yield f"{field} must not be true"
    for volume in spec.get("volumes", ()):
        if not volume.keys() - {"name"} <= VOLUMES:
            yield f"volume {volume['name']} has a forbidden type: {', '.join(volume.keys() - {'name'})}"
    for key, value in pod.get("metadata", {}).get("annotations", {}).items():
        if key.startswith(APPARMOR) and value != "runtime/default" and not value.startswith("localhost/"):
            yield f"annotation {key} must be runtime/default or localhost/…"
    context = spec.get("securityContext", {})
    for sysctl in context.get("sysctls", ()):
        if sysctl["name"] not in SYSCTLS:
            yield f"sysctl {sysctl['name']} is not a safe one"
    yield from _of_both("pod", context)


def _of_a_container(container: Manifest, pod: Manifest) -> Iterator[str]:
    name, context = container["name"], container.get("securityContext", {})
    yield from _of_both(name, context)
    if context.get("privileged"):
        yield f"{name}: privileged must not be true"
    if context.get("allowPrivilegeEscalation") is not False:
        yield f"{name}: allowPrivilegeEscalation must be false"
    if context.get("procMount", "Default") != "Default":
        yield f"{name}: procMount must be Default"
    capabilities = context.get("capabilities", {})
    if "ALL" not in capabilities.get("drop", ()):
        yield f"{name}: capabilities.drop must include ALL"
    if not set(capabilities.get("add", ())) <= {"NET_BIND_SERVICE"}:
        yield f"{name}: capabilities.add may hold NET_BIND_SERVICE only"
    if context.get("runAsNonRoot", pod.get("runAsNonRoot")) is not True:
        yield f"{name}: runAsNonRoot must be true, in the container or in the pod"
    if (context.get("seccompProfile") or pod.get("seccompProfile") or {}).get("type") not in ("RuntimeDefault", "Localhost"):
        yield f"{name}: seccompProfile.type must be RuntimeDefault or Localhost, in the container or in the pod"
    if any(port.get("hostPort") for port in container.get("ports", ())):
        yield f"{name}: hostPort must not be set"
    handlers: list[Any] = [container.get(kind) or {} for kind in ("livenessProbe", "readinessProbe", "startupProbe")]
    handlers += (container.get("lifecycle") or {}).values()
    if any(handler.get(kind, {}).get("host") for handler in handlers for kind in ("httpGet", "tcpSocket")):
        yield f"{name}: a probe or hook must not name a host"


def _of_both(where: str, context: Manifest) -> Iterator[str]:
    """What a pod's and a container's securityContext have in common."""
    if context.get("runAsUser") == 0:
        yield f"{where}: runAsUser must not be 0"
    if context.get("runAsNonRoot") is False:
        yield f"{where}: runAsNonRoot must not be false"
    if context.get("windowsOptions", {}).get("hostProcess"):
        yield f"{where}: hostProcess must not be true"
    if context.get("seccompProfile", {}).get("type", "RuntimeDefault") not in ("RuntimeDefault", "Localhost"):
        yield f"{where}: seccompProfile.type must be RuntimeDefault or Localhost"
    if context.get("appArmorProfile", {}).get("type", "RuntimeDefault") not in ("RuntimeDefault", "Localhost"):
        yield f"{where}: appArmorProfile.type must be RuntimeDefault or Localhost"
    options = context.get("seLinuxOptions", {})
    if options.get("type", "") not in SELINUX_TYPES or options.get("user") or options.get("role"):
        yield f"{where}: seLinuxOptions must have one of the container types and no user or role"
