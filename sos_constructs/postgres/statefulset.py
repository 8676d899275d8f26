"""The StatefulSet: three containers per member (PostgreSQL under Patroni, exporter, agent) and their volumes."""

from __future__ import annotations

from typing import Any

from sos_constructs.postgres import names as n
from sos_constructs.postgres import patroni, tls, tuning
from sos_constructs.postgres.configmaps import passwd
from sos_constructs.postgres.monitoring import exporter_container, queries
from sos_constructs.postgres.settings import SHARED
from sos_constructs.postgres.spec import Spec
from sos_constructs.postgres.storage import claim
from sos_constructs.rollout import checksum

GRACE_SECONDS = 300
"""Patroni's shutdown checkpoints and lets the standbys receive the last record; killed earlier, it would lose the clean hand-over."""

_STATE = {"mountPath": n.STATE_DIR, "name": "data", "subPath": "agent"}


def stateful_set(spec: Spec) -> dict[str, Any]:
    """The members. ``selector``, ``serviceName``, ``podManagementPolicy`` and the claim template cannot be changed later."""
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"labels": spec.names.labels, "name": spec.name, "namespace": spec.namespace},
        "spec": {
            # Parallel: after an outage of all members the one with the newest data may not be the first, and OrderedReady would wait for the first.
            "podManagementPolicy": "Parallel",
            "replicas": spec.instances,
            "selector": {"matchLabels": spec.names.selector},
            "serviceName": spec.names.headless,
            "template": {
                "metadata": spec.pods.metadata(
                    annotations={"sos-constructs/restart-checksum": restart_checksum(spec), "kubectl.kubernetes.io/default-container": "postgres"},
                    # never the role label: only Patroni sets it
                    labels=spec.names.pod_labels,
                ),
                "spec": pod(spec),
            },
            "updateStrategy": {"type": "OnDelete"},  # the primary's agent replaces the pods, itself last: agent/rolling.py
            "volumeClaimTemplates": [claim(spec)],
        },
    }


def restart_checksum(spec: Spec) -> str:
    """Changes exactly when something changed that a running pod cannot take over (the exporter reads its queries once).

    Everything else the agent reloads; for settings that all members share it restarts PostgreSQL in the pods it has, in the right order.
    """
    settings = {name: value for name, value in tuning.restart_settings(spec).items() if name not in SHARED}
    return checksum({"exporter": queries(), "passwd": passwd(spec), "patroni": patroni.restart_parts(spec), "postgresql": settings})


def pod(spec: Spec) -> dict[str, Any]:
    """The pod, valid under Pod Security ``restricted``."""
    body: dict[str, Any] = {
        "automountServiceAccountToken": False,
        "containers": [postgres(spec), exporter_container(resources=spec.exporter_resources.manifest(), image=spec.exporter_image), agent(spec)],
        "enableServiceLinks": False,  # a Service called "postgres" would inject POSTGRES_PORT=tcp://…
        "initContainers": [render(spec)],
        "securityContext": {
            "fsGroup": spec.image.gid,
            # With the default policy the kubelet makes PGDATA group-writable at every pod start, and PostgreSQL refuses the second one.
            "fsGroupChangePolicy": "OnRootMismatch",
            "runAsGroup": spec.image.gid,
            "runAsNonRoot": True,
            "runAsUser": spec.image.uid,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "serviceAccountName": spec.name,
        "terminationGracePeriodSeconds": GRACE_SECONDS,
        "volumes": volumes(spec),
        **spec.pods.placement(spec.names.selector),
    }
    body = dict(sorted(body.items()))
    if spec.priority_class_name is not None:
        body["priorityClassName"] = spec.priority_class_name
    return body


def postgres(spec: Spec) -> dict[str, Any]:
    """PostgreSQL under Patroni; the image's own entry point is not used. The first process prints what both say as one JSON line per event."""
    return _container(
        spec,
        "postgres",
        command=["python3", "-m", "agent.entry", "patroni", n.PATRONI_CONFIG],
        env=[
            {"name": "HOME", "value": "/tmp"},
            {"name": "LANG", "value": "en_US.UTF-8"},
            # kubectl exec … -- psql and patronictl work without options
            {"name": "PATRONICTL_CONFIG_FILE", "value": n.PATRONI_CONFIG},
            {"name": "PGHOST", "value": n.SOCKET_DIR},
            {"name": "PGUSER", "value": n.SUPERUSER},
            {"name": "PYTHONDONTWRITEBYTECODE", "value": "1"},
            {"name": "PYTHONPATH", "value": n.AGENT_PARENT},
        ],
        # a primary that is not the only one to go lets the others leave the quorum first: agent/farewell.py
        lifecycle={"preStop": {"exec": {"command": ["sh", "-c", f"cd {n.AGENT_PARENT} && exec python3 -B -m agent leave {n.PATRONI_CONFIG}"]}}},
        ports=[
            {"containerPort": n.PORT, "name": "postgres", "protocol": "TCP"},
            {"containerPort": n.PATRONI_PORT, "name": "patroni", "protocol": "TCP"},
        ],
        resources=spec.resources.manifest(),
        volumeMounts=[
            _mount("agent", f"{n.AGENT_PARENT}/agent", read_only=True),
            _mount("config", n.CONFIG_DIR, read_only=True),
            _passwd_mount(),
            _mount("data", n.VOLUME_DIR),
            _mount("runtime", n.RUNTIME_DIR),
            _mount("shm", "/dev/shm"),
            _mount("socket", n.SOCKET_DIR),
            _mount("tmp", "/tmp"),
            _mount("token", n.TOKEN_DIR, read_only=True),
        ],
        **probes(spec),
    )


def probes(spec: Spec) -> dict[str, Any]:
    """Probes of Patroni's REST API, in step with its timing (Patroni documentation, REST API).

    Startup: the API answers within seconds even while a base backup or recovery runs for hours. Readiness: fails about when the
    leader lock expires. Liveness: Patroni says 503 when its loop stands still for a ttl; it gets three more before the container is
    killed, because a member that only lost the API server must not be killed for it.
    """
    period = spec.timing.seconds()["loop_wait"]
    shared = {"periodSeconds": period, "timeoutSeconds": max(2, period - 1)}
    scheme = "HTTP" if spec.tls is None else "HTTPS"  # the kubelet verifies no certificate
    return {
        "livenessProbe": _http("/liveness", scheme=scheme, failureThreshold=spec.timing.periods(3), **shared),
        "readinessProbe": _http("/readiness", scheme=scheme, failureThreshold=spec.timing.periods(1), **shared),
        "startupProbe": _http("/liveness", scheme=scheme, failureThreshold=spec.timing.periods(6), **shared),
    }


def agent(spec: Spec) -> dict[str, Any]:
    """The sidecar. Without a readiness probe: what its steps cannot do shows in its metrics, and takes no standby out of its Service."""
    return _agent_container(
        spec,
        "agent",
        "run",
        _STATE,
        _mount("token", n.TOKEN_DIR, read_only=True),
        livenessProbe=_http("/health", "agent", failureThreshold=3, periodSeconds=30, timeoutSeconds=5),
        ports=[{"containerPort": n.AGENT_PORT, "name": "agent", "protocol": "TCP"}],
    )


def render(spec: Spec) -> dict[str, Any]:
    """The init container: writes Patroni's configuration, or says in one line which Secret key is missing."""
    # with the fast failover it also asks the API server what this member has promised to the others
    token = [_mount("token", n.TOKEN_DIR, read_only=True)] if spec.failover is not None else []
    state = [] if spec.tls is None else [_STATE]
    return _agent_container(spec, "render", "render", *state, *token, terminationMessagePolicy="FallbackToLogsOnError")


def _agent_container(spec: Spec, name: str, verb: str, *mounts: dict[str, Any], **extra: Any) -> dict[str, Any]:
    return _container(
        spec,
        name,
        command=["python3", "-m", "agent", verb],
        env=[
            {"name": "POD_IP", "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "status.podIP"}}},
            {"name": "POD_NAME", "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.name"}}},
            {"name": "POD_NAMESPACE", "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}},
            {"name": "PYTHONDONTWRITEBYTECODE", "value": "1"},
            {"name": "PYTHONPATH", "value": n.AGENT_PARENT},
            {"name": "SOS_AGENT_PORT", "value": str(n.AGENT_PORT)},
            *tls.environment(spec),
            {"name": "SOS_CONFIG_DIR", "value": n.CONFIG_DIR},
            {"name": "SOS_CREDENTIALS_DIR", "value": n.CREDENTIALS_DIR},
            {"name": "SOS_RUNTIME_DIR", "value": n.RUNTIME_DIR},
            {"name": "SOS_SOCKET_DIR", "value": n.SOCKET_DIR},
            {"name": "SOS_STATE_DIR", "value": n.STATE_DIR},
        ],
        resources=spec.agent_resources.manifest(),
        volumeMounts=[
            _mount("agent", f"{n.AGENT_PARENT}/agent", read_only=True),
            _mount("config", n.CONFIG_DIR, read_only=True),
            _passwd_mount(),
            *tls.mounts(spec),
            _mount("credentials", n.CREDENTIALS_DIR, read_only=True),
            _mount("runtime", n.RUNTIME_DIR),
            _mount("socket", n.SOCKET_DIR),
            *mounts,
        ],
        **extra,
    )


def volumes(spec: Spec) -> list[dict[str, Any]]:
    """Everything that is mounted, except the claim."""
    return [
        {"configMap": {"defaultMode": 0o444, "name": spec.names.agent}, "name": "agent"},
        {"configMap": {"defaultMode": 0o444, "name": spec.names.config}, "name": "config"},
        *tls.volumes(spec),
        spec.credentials.volume("credentials"),
        {"configMap": {"defaultMode": 0o444, "name": spec.names.exporter_config}, "name": "exporter-config"},
        {"emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}, "name": "runtime"},
        # The runtime's own /dev/shm has 64 MiB, too little for parallel queries.
        {"emptyDir": {"medium": "Memory", "sizeLimit": spec.shared_memory}, "name": "shm"},
        {"emptyDir": {"sizeLimit": "1Mi"}, "name": "socket"},
        {"emptyDir": {"sizeLimit": "1Gi"}, "name": "tmp"},
        {
            "name": "token",
            "projected": {
                "defaultMode": 0o440,
                "sources": [
                    {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
                    {"configMap": {"items": [{"key": "ca.crt", "path": "ca.crt"}], "name": "kube-root-ca.crt"}},
                    {"downwardAPI": {"items": [{"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}, "path": "namespace"}]}},
                ],
            },
        },
    ]


def _container(spec: Spec, name: str, **fields: Any) -> dict[str, Any]:
    return {
        "image": spec.image.image,
        "imagePullPolicy": "IfNotPresent",
        "name": name,
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}, "readOnlyRootFilesystem": True},
        **fields,
    }


def _mount(volume: str, path: str, *, read_only: bool = False) -> dict[str, Any]:
    return {"mountPath": path, "name": volume, **({"readOnly": True} if read_only else {})}


def _passwd_mount() -> dict[str, Any]:
    return {"mountPath": "/etc/passwd", "name": "config", "readOnly": True, "subPath": "passwd"}


def _http(path: str, port: str = "patroni", /, *, scheme: str = "HTTP", **timing: int) -> dict[str, Any]:
    return {"httpGet": {"path": path, "port": port, "scheme": scheme}, **timing}
