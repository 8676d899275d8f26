"""The Pod Security Standards, as the API server checks them.

Source: https://kubernetes.io/docs/concepts/security/pod-security-standards/ and the checks of ``k8s.io/pod-security-admission`` of Kubernetes 1.34.
``tests/cluster`` compares the verdicts with those of an API server. One check differs by a feature gate that is off by default
(``UserNamespacesPodSecurityStandards``): with it, pods with ``hostUsers: false`` may run as root.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from attrs import frozen

LEVELS = ("privileged", "baseline", "restricted")
"""From the one that allows everything to the strictest."""

NEWEST = (1, 34)
"""The version of the standards that ``latest`` is judged by."""

CONTAINERS = ("initContainers", "containers", "ephemeralContainers")
"""Fields of a pod that hold containers."""

FILLED = "restricted(workload) sets it"
"""The fix for what :func:`sos_constructs.restricted` fills in."""

_CAPABILITIES = (
    *("AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "SETFCAP", "SETGID", "SETPCAP", "SETUID"),
    "SYS_CHROOT",
)
_VOLUMES = ("configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "image", "persistentVolumeClaim", "projected", "secret")
_SYSCTLS = {
    "kernel.shm_rmid_forced": (1, 0),
    "net.ipv4.ip_local_port_range": (1, 0),
    "net.ipv4.ip_local_reserved_ports": (1, 27),
    "net.ipv4.ip_unprivileged_port_start": (1, 0),
    "net.ipv4.ping_group_range": (1, 0),
    "net.ipv4.tcp_fin_timeout": (1, 29),
    "net.ipv4.tcp_keepalive_intvl": (1, 29),
    "net.ipv4.tcp_keepalive_probes": (1, 29),
    "net.ipv4.tcp_keepalive_time": (1, 29),
    "net.ipv4.tcp_rmem": (1, 32),
    "net.ipv4.tcp_syncookies": (1, 0),
    "net.ipv4.tcp_wmem": (1, 32),
}
"""Allowed ones, and since which version."""
_SELINUX = {"": (1, 0), "container_t": (1, 0), "container_init_t": (1, 0), "container_kvm_t": (1, 0), "container_engine_t": (1, 31)}
_APPARMOR_ANNOTATION = "container.apparmor.security.beta.kubernetes.io/"
_PROFILES = ("RuntimeDefault", "Localhost")

Version = tuple[int, int]


@frozen
class Violation:
    """One thing for which the API server would refuse the pod.

    :param check: Kubernetes' name of the check, in snake case.
    :param where: ``pod``, or the container or volume by name.
    :param field: under ``where``.
    :param fix: what to write, in words that follow on the field.
    """

    check: str
    where: str
    field: str
    fix: str

    def __str__(self) -> str:
        return f"{self.where}: {self.field} {self.fix}"


@frozen
class Pod:
    """What the checks look at: the pod's metadata and specification, and the version of the standards."""

    annotations: Mapping[str, Any]
    spec: Mapping[str, Any]
    version: Version = NEWEST

    @property
    def context(self) -> Mapping[str, Any]:
        """Its own securityContext."""
        return _mapping(self.spec.get("securityContext"))

    @property
    def is_windows(self) -> bool:
        """Fields that Windows does not have are not asked for."""
        return _mapping(self.spec.get("os")).get("name") == "windows"

    def containers(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """All of them, with the words that name them in a message."""
        for field in CONTAINERS:
            for container in self.spec.get(field) or ():
                yield f"container {container.get('name')!r}", _mapping(container)

    def contexts(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """The pod's own securityContext and those of its containers."""
        yield "pod", self.context
        for where, container in self.containers():
            yield where, _mapping(container.get("securityContext"))


def violations(metadata: Mapping[str, Any], spec: Mapping[str, Any], level: str, version: Version = NEWEST) -> list[Violation]:
    """All that the API server would refuse a pod for.

    :param metadata: of the pod; only its annotations count.
    :param spec: of the pod.
    :param level: ``privileged`` (nothing is refused), ``baseline`` or ``restricted``.
    :param version: of the standards.
    """
    pod = Pod(_mapping(metadata.get("annotations")), spec, version)
    checks = {"privileged": (), "baseline": BASELINE, "restricted": (*BASELINE, *RESTRICTED)}[level]
    return [Violation(check.__name__.strip("_"), *found) for check in checks for found in check(pod)]


def parse_version(text: str) -> Version:
    """Of ``v1.30``; of ``latest``, and of what is no version, the newest."""
    found = re.fullmatch(r"v(\d+)\.(\d+)", text)
    return (int(found[1]), int(found[2])) if found else NEWEST


Found = Iterator[tuple[str, str, str]]


def _host_namespaces(pod: Pod) -> Found:
    for field in ("hostNetwork", "hostPID", "hostIPC"):
        if pod.spec.get(field):
            yield "pod", field, "must not be true"


def _privileged(pod: Pod) -> Found:
    for where, context in pod.contexts():
        if where != "pod" and context.get("privileged"):
            yield where, "securityContext.privileged", "must not be true"


def _capabilities_baseline(pod: Pod) -> Found:
    for where, container in pod.containers():
        for added in _capabilities(container, "add"):
            if added not in _CAPABILITIES:
                yield where, "securityContext.capabilities.add", f"must not contain {added}"


def _host_path_volumes(pod: Pod) -> Found:
    for volume in pod.spec.get("volumes") or ():
        if volume.get("hostPath") is not None:
            yield f"volume {volume.get('name')!r}", "hostPath", "is not allowed; use a persistentVolumeClaim or an emptyDir"


def _host_ports(pod: Pod) -> Found:
    for where, container in pod.containers():
        for port in container.get("ports") or ():
            if port.get("hostPort"):
                yield where, "ports[*].hostPort", f"must not be set (it is {port['hostPort']}); use a Service"


def _apparmor_profile(pod: Pod) -> Found:
    for where, context in pod.contexts():
        profile = context.get("appArmorProfile")
        if profile is not None and _mapping(profile).get("type") not in _PROFILES:
            yield where, "securityContext.appArmorProfile.type", f"must be RuntimeDefault or Localhost, not {_mapping(profile).get('type')}"
    for key, value in pod.annotations.items():
        if key.startswith(_APPARMOR_ANNOTATION) and not (value in ("", "runtime/default") or str(value).startswith("localhost/")):
            yield "pod", f"annotation {key}", f"must be runtime/default or localhost/…, not {value}"


def _selinux_options(pod: Pod) -> Found:
    for where, context in pod.contexts():
        options = _mapping(context.get("seLinuxOptions"))
        type = options.get("type") or ""
        if _SELINUX.get(type, (9, 9)) > pod.version:
            yield where, "securityContext.seLinuxOptions.type", f"must not be {type}; allowed are {', '.join(filter(None, _SELINUX))}"
        for field in ("user", "role"):
            if options.get(field):
                yield where, f"securityContext.seLinuxOptions.{field}", "must not be set"


def _proc_mount(pod: Pod) -> Found:
    for where, container in pod.containers():
        mount = _mapping(container.get("securityContext")).get("procMount")
        if mount not in (None, "Default"):
            yield where, "securityContext.procMount", f"must be Default, not {mount}"


def _seccomp_profile_baseline(pod: Pod) -> Found:
    for where, context in pod.contexts():
        profile = context.get("seccompProfile")
        if profile is not None and _mapping(profile).get("type") not in _PROFILES:
            yield where, "securityContext.seccompProfile.type", f"must be RuntimeDefault or Localhost, not {_mapping(profile).get('type')}"


def _sysctls(pod: Pod) -> Found:
    for sysctl in pod.context.get("sysctls") or ():
        if _SYSCTLS.get(sysctl.get("name"), (9, 9)) > pod.version:
            yield "pod", "securityContext.sysctls", f"must not contain {sysctl.get('name')}"


def _windows_host_process(pod: Pod) -> Found:
    for where, context in pod.contexts():
        if _mapping(context.get("windowsOptions")).get("hostProcess"):
            yield where, "securityContext.windowsOptions.hostProcess", "must not be true"


def _host_probes_and_host_lifecycle(pod: Pod) -> Found:
    if pod.version < (1, 34):
        return
    for where, container in pod.containers():
        lifecycle = _mapping(container.get("lifecycle"))
        handlers = {name: container.get(name) for name in ("livenessProbe", "readinessProbe", "startupProbe")}
        handlers |= {f"lifecycle.{name}": lifecycle.get(name) for name in ("postStart", "preStop")}
        for name, handler in handlers.items():
            for action in ("httpGet", "tcpSocket"):
                if _mapping(_mapping(handler).get(action)).get("host"):
                    yield where, f"{name}.{action}.host", "must not be set; the kubelet then asks the pod itself"


def _restricted_volumes(pod: Pod) -> Found:
    for volume in pod.spec.get("volumes") or ():
        types = [key for key, value in volume.items() if key not in ("name", "hostPath") and value is not None]
        for type in types:
            if type not in _VOLUMES:
                yield f"volume {volume.get('name')!r}", type, f"is not allowed; allowed are {', '.join(_VOLUMES)}"


def _allow_privilege_escalation(pod: Pod) -> Found:
    for where, container in pod.containers():
        escalates = _mapping(container.get("securityContext")).get("allowPrivilegeEscalation")
        if not pod.is_windows and escalates is not False:
            filled = escalates is None and not must_escalate(container)
            yield where, "securityContext.allowPrivilegeEscalation", _must("be false", filled=filled)


def must_escalate(container: Mapping[str, Any]) -> bool:
    """Whether the API server refuses ``allowPrivilegeEscalation: false`` for this container, whatever the level."""
    privileged = _mapping(container.get("securityContext")).get("privileged")
    return bool(privileged) or not {"SYS_ADMIN", "CAP_SYS_ADMIN"}.isdisjoint(_capabilities(container, "add"))


def _run_as_non_root(pod: Pod) -> Found:
    if pod.context.get("runAsNonRoot") is False:
        yield "pod", "securityContext.runAsNonRoot", "must be true"
    for where, container in pod.containers():
        context = _mapping(container.get("securityContext"))
        own, is_root = context.get("runAsNonRoot"), context.get("runAsUser", pod.context.get("runAsUser")) == 0
        if own is False or (own is None and pod.context.get("runAsNonRoot") is None):  # of a pod's false the pod tells
            filled = own is None and not is_root
            yield where, "securityContext.runAsNonRoot", _must("be true, here or in the pod's own", filled=filled)


def _run_as_user(pod: Pod) -> Found:
    for where, context in pod.contexts():
        if context.get("runAsUser") == 0:
            yield where, "securityContext.runAsUser", "must not be 0; name a user that the image can run as"


def _seccomp_profile_restricted(pod: Pod) -> Found:
    if pod.is_windows or pod.context.get("seccompProfile") is not None:  # a wrong one is baseline's to tell
        return
    for where, container in pod.containers():
        if _mapping(container.get("securityContext")).get("seccompProfile") is None:
            yield where, "securityContext.seccompProfile.type", _must("be RuntimeDefault or Localhost, here or in the pod's own", filled=True)


def _capabilities_restricted(pod: Pod) -> Found:
    for where, container in pod.containers():
        if pod.is_windows:
            return
        if "ALL" not in _capabilities(container, "drop"):
            yield where, "securityContext.capabilities.drop", _must("contain ALL", filled=True)
        for added in _capabilities(container, "add"):
            if added != "NET_BIND_SERVICE" and added in _CAPABILITIES:  # the others are baseline's to tell
                yield where, "securityContext.capabilities.add", f"must not contain {added}; only NET_BIND_SERVICE is allowed"


Check = Callable[[Pod], Found]
BASELINE: tuple[Check, ...] = (
    *(_host_namespaces, _privileged, _capabilities_baseline, _host_path_volumes, _host_ports, _apparmor_profile, _selinux_options, _proc_mount),
    *(_seccomp_profile_baseline, _sysctls, _windows_host_process, _host_probes_and_host_lifecycle),
)
RESTRICTED: tuple[Check, ...] = (
    *(_restricted_volumes, _allow_privilege_escalation, _run_as_non_root, _run_as_user, _seccomp_profile_restricted, _capabilities_restricted),
)


def _must(what: str, *, filled: bool) -> str:
    return f"must {what}; {FILLED}" if filled else f"must {what}"


def _capabilities(container: Mapping[str, Any], field: str) -> list[Any]:
    return list(_mapping(_mapping(container.get("securityContext")).get("capabilities")).get(field) or ())


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
