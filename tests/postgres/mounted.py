"""The files of a member's pod, as the kubelet mounts them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from sos_constructs.postgres import configmaps
from sos_constructs.postgres.agent.reconcile import Member
from sos_constructs.postgres.agent.render import Pod
from sos_constructs.postgres.spec import Spec
from sos_constructs.postgres.tls import hosts
from sos_constructs.secrets.certificates import DevelopmentCa

from tests.postgres.example import spec

AGENT = Path(configmaps.__file__).parent / "agent"
POD = Pod("postgres-0", "sos-app", "10.1.2.3")


def passwords(made: Spec) -> dict[str, str]:
    """A different one for every key of the Secret that holds one."""
    keys = {role["password_key"] for role in _with_passwords(made)} | {"patroni-password"}
    return {key: f"canary-{key}-0123456789" for key in sorted(keys)}


def _with_passwords(made: Spec) -> list[dict[str, str]]:
    declared = configmaps.declared(made)
    return [role for role in (*declared["roles"], *declared.get("more_roles", [])) if "password_key" in role]


def mount(folder: Path, made: Spec, certificate: Mapping[str, str] | None = None) -> Member:
    """Write ConfigMap and Secret below ``folder``; its ``runtime`` is empty as in a new pod.

    :param certificate: files of the Secret with the certificate; without, the pod is of a template that mounts none.
    """
    for name in ("config", "credentials", "runtime", "socket", "state"):
        (folder / name).mkdir(exist_ok=True)
    mount_config(folder, made)
    secret = {role["username_key"]: role["name"] for role in _with_passwords(made)} | {"patroni-username": "patroni"} | passwords(made)
    for key, value in secret.items():
        (folder / "credentials" / key).write_text(value)
    if certificate is not None:
        mount_certificate(folder, certificate)
    certificates = None if certificate is None else folder / "certificates"
    return Member(POD, folder / "config", folder / "credentials", folder / "runtime", str(folder / "socket"), folder / "state", certificates)


def mount_certificate(folder: Path, files: Mapping[str, str]) -> None:
    """Bring another certificate, as the kubelet does when the Secret changed."""
    (folder / "certificates").mkdir(exist_ok=True)
    for old in (folder / "certificates").iterdir():
        old.unlink()
    for name, text in files.items():
        (folder / "certificates" / name).write_text(text)


def certificate(ca: DevelopmentCa, *, of: DevelopmentCa | None = None) -> dict[str, str]:
    """A new pair for ``postgres``, with its CA, or another's."""
    key, signed = ca.issue("postgres-service", hosts(spec()))
    return {"tls.crt": signed, "tls.key": key, "ca.crt": (of or ca).certificate}


def mount_config(folder: Path, made: Spec) -> None:
    """Bring the ConfigMap of another specification, as after ``kubectl apply``."""
    for name, text in configmaps.config(made)["data"].items():
        (folder / "config" / name).write_text(text)


def environment(member: Member, port: int) -> dict[str, str]:
    """The variables of the agent's containers."""
    return {
        "KUBERNETES_SERVICE_HOST": "127.0.0.1",
        "KUBERNETES_SERVICE_PORT": "1",
        "PATH": os.environ["PATH"],
        "POD_IP": member.pod.ip,
        "POD_NAME": member.pod.name,
        "POD_NAMESPACE": member.pod.namespace,
        "PYTHONDONTWRITEBYTECODE": "1",
        "SOS_AGENT_PORT": str(port),
        "SOS_CONFIG_DIR": str(member.config_dir),
        "SOS_CREDENTIALS_DIR": str(member.credentials_dir),
        "SOS_RUNTIME_DIR": str(member.runtime_dir),
        "SOS_SOCKET_DIR": member.socket_dir,
        "SOS_STATE_DIR": str(member.state_dir),
    }
