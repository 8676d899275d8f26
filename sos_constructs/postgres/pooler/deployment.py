"""The pooler's Deployment: one PgBouncer for each side, and an agent that keeps them in step with the Secret and the primary."""

from __future__ import annotations

from typing import Any

from sos_constructs.postgres import names as n
from sos_constructs.postgres import tls
from sos_constructs.postgres.handles import ServerCa
from sos_constructs.postgres.pooler import certificate
from sos_constructs.postgres.pooler import names as p
from sos_constructs.postgres.pooler.ini import restart_checksum, sides
from sos_constructs.postgres.pooler.options import PASSWORD_KEY, SURGE, USERNAME_KEY, Pooler
from sos_constructs.postgres.spec import Spec

STOP_SECONDS = 8
"""PgBouncer goes on for this long after its pod was told to end: the agent waits until nobody is sent here any more, then lets transactions
end (``agent/pooler.py``, drain)."""
GRACE_SECONDS = 30
START_SECONDS = 3600
"""Seconds until a PgBouncer that has never served a client is restarted. It is long, because the database may not be there yet."""


def deployment(spec: Spec, pooler: Pooler) -> dict[str, Any]:
    """The pods. They hold nothing, so they are replaced one more at a time and none less."""
    names = p.PoolerNames(spec.name)
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"labels": names.labels, "name": names.pooler, "namespace": spec.namespace},
        "spec": {
            "replicas": pooler.replicas,
            "revisionHistoryLimit": 3,
            "selector": {"matchLabels": names.selector},
            "strategy": {"rollingUpdate": {"maxSurge": SURGE, "maxUnavailable": 0}, "type": "RollingUpdate"},
            "template": {
                "metadata": pooler.pods.metadata(
                    annotations={
                        "kubectl.kubernetes.io/default-container": "primary",
                        "sos-constructs/restart-checksum": restart_checksum(spec, pooler),
                    },
                    labels=names.labels,
                ),
                "spec": pod(spec, pooler),
            },
        },
    }


def pod(spec: Spec, pooler: Pooler) -> dict[str, Any]:
    """The pod, valid under Pod Security ``restricted``."""
    names = p.PoolerNames(spec.name)
    body: dict[str, Any] = {
        "automountServiceAccountToken": False,
        "containers": [*(pgbouncer(spec, pooler, side) for side in sides(pooler)), agent(spec, pooler)],
        "enableServiceLinks": False,
        "initContainers": [render(spec, pooler)],
        "securityContext": {
            "fsGroup": pooler.image.gid,
            "runAsGroup": pooler.image.gid,
            "runAsNonRoot": True,
            # The agent has PgBouncer's uid: its console knows it by that.
            "runAsUser": pooler.image.uid,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "serviceAccountName": names.pooler,
        "terminationGracePeriodSeconds": GRACE_SECONDS,
        "volumes": volumes(spec, pooler),
        **pooler.pods.placement(names.selector),
    }
    body = dict(sorted(body.items()))
    if spec.priority_class_name is not None:
        body["priorityClassName"] = spec.priority_class_name
    return body


def pgbouncer(spec: Spec, pooler: Pooler, side: str) -> dict[str, Any]:
    """One PgBouncer. It is ready once it has served a client, and from then on as long as it listens.

    Clients wait in it while the database is away, instead of being refused: so what decides about the Service opens a connection, which
    costs nothing, and never logs in. But a new pod that nobody can log in through, because of a password, a CA or a NetworkPolicy, must
    not take the place of one that works: a rollout stops there.
    """
    probe = {"tcpSocket": {"port": side}, "timeoutSeconds": 3}
    return _container(
        pooler.image.image,
        side,
        command=[pooler.image.command, f"{p.CONFIG_DIR}/{p.config_file(side, tls=spec.tls is not None)}"],
        lifecycle={"preStop": {"exec": {"command": ["sleep", str(STOP_SECONDS)]}}},
        livenessProbe={**probe, "failureThreshold": 6, "periodSeconds": 10},
        ports=[{"containerPort": p.PORTS[side], "name": side, "protocol": "TCP"}],
        readinessProbe={**probe, "failureThreshold": 2, "periodSeconds": 5},
        resources=pooler.resources(spec).manifest(),
        startupProbe={"exec": {"command": ["test", "-e", p.SERVED]}, "failureThreshold": START_SECONDS, "periodSeconds": 1},
        volumeMounts=[_mount("config", p.CONFIG_DIR, read_only=True), _mount("runtime", p.RUNTIME_DIR), *(ca.mount() for ca in _ca(spec))],
    )


def _ca(spec: Spec) -> list[ServerCa]:
    """What the database is verified by."""
    return [] if spec.tls is None else [ServerCa(secret=tls.secret_name(spec.tls, spec.name))]


def agent(spec: Spec, pooler: Pooler) -> dict[str, Any]:
    """The sidecar, on the database's image for its Python and psql: PgBouncer's image is used as it is published.

    It has no readiness probe, so that it can never take PgBouncer out of its Service.
    """
    return _agent_container(
        spec,
        pooler,
        "agent",
        "run",
        lifecycle={"preStop": {"exec": {"command": ["python3", "-m", "agent.pooler", "drain"]}}},
        livenessProbe={"failureThreshold": 3, "httpGet": {"path": "/health", "port": "agent", "scheme": "HTTP"}, "periodSeconds": 10, "timeoutSeconds": 5},
        ports=[{"containerPort": p.AGENT_PORT, "name": "agent", "protocol": "TCP"}],
    )


def render(spec: Spec, pooler: Pooler) -> dict[str, Any]:
    """The init container: writes PgBouncer's user list and copies its certificate, or says in one line what of the Secrets is missing."""
    return _agent_container(spec, pooler, "render", "render", terminationMessagePolicy="FallbackToLogsOnError")


def volumes(spec: Spec, pooler: Pooler) -> list[dict[str, Any]]:
    """Everything that is mounted. The keys are optional to the kubelet, so that the init container can say what is missing."""
    credentials = spec.credentials.volume("credentials", keys=(USERNAME_KEY, PASSWORD_KEY))
    credentials["secret"]["optional"] = True
    names = p.PoolerNames(spec.name)
    return [
        {"configMap": {"defaultMode": 0o444, "name": names.agent}, "name": "agent"},
        {"configMap": {"defaultMode": 0o444, "name": names.config}, "name": "config"},
        credentials,
        {"emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}, "name": "runtime"},
        *(ca.volume() for ca in _ca(spec)),
        *certificate.volumes(spec, pooler),
    ]


def _agent_container(spec: Spec, pooler: Pooler, name: str, verb: str, **extra: Any) -> dict[str, Any]:
    return _container(
        spec.image.image,
        name,
        command=["python3", "-m", "agent.pooler", verb],
        env=[
            {"name": "PYTHONDONTWRITEBYTECODE", "value": "1"},
            {"name": "PYTHONPATH", "value": n.AGENT_PARENT},
            {"name": "SOS_CONFIG_DIR", "value": p.CONFIG_DIR},
            {"name": "SOS_CREDENTIALS_DIR", "value": p.CREDENTIALS_DIR},
            {"name": "SOS_POOLER_PORT", "value": str(p.AGENT_PORT)},
            {"name": "SOS_RUNTIME_DIR", "value": p.RUNTIME_DIR},
            *({"name": "SOS_SERVER_CA_DIR", "value": ca.mount_dir} for ca in _ca(spec)),
            *tls.environment(spec),
        ],
        resources=pooler.agent_resources_for(spec).manifest(),
        volumeMounts=[
            _mount("agent", f"{n.AGENT_PARENT}/agent", read_only=True),
            _mount("config", p.CONFIG_DIR, read_only=True),
            _mount("credentials", p.CREDENTIALS_DIR, read_only=True),
            _mount("runtime", p.RUNTIME_DIR),
            *(ca.mount() for ca in _ca(spec)),
            *tls.mounts(spec),
        ],
        **extra,
    )


def _container(image: str, name: str, **fields: Any) -> dict[str, Any]:
    return {
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "name": name,
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}, "readOnlyRootFilesystem": True},
        **fields,
    }


def _mount(volume: str, path: str, *, read_only: bool = False) -> dict[str, Any]:
    return {"mountPath": path, "name": volume, **({"readOnly": True} if read_only else {})}
