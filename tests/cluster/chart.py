"""The reference chart with other options, and the client pods, all rendered by the library under test."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from unittest import mock

from sos_constructs import HaPostgres, ImageProfile, Pooler, SecretHandle, SosConfig, SosNamespace, SosSecrets
from sos_constructs.emit import emit
from sos_constructs.postgres.handles import DatabaseHandle

import cdk8s
import cdk8s_plus_27 as kplus

import main

NAMESPACE = "sos-app"
LEDGER_DATABASE = "emergency"
CLIENT_LABELS = {"app.kubernetes.io/name": "sos-cluster-test"}
LEDGER_LABELS = {**CLIENT_LABELS, "app.kubernetes.io/component": "ledger"}
LEDGER_SELECTOR = ",".join(f"{key}={value}" for key, value in LEDGER_LABELS.items())
LEDGER = Path(__file__).with_name("ledger.py")


def credentials(*more_databases: str) -> SecretHandle:
    """`postgres-credentials`, with the keys of databases beyond the requirement's five."""
    handle = SosSecrets(cdk8s.Chart(cdk8s.Testing.app(), "keys"), "secrets").postgres
    more = {f"{database}-db-{what}": f"{database}_db_{what}".upper() for database in more_databases for what in ("username", "password")}
    return SecretHandle(name=handle.name, keys={**handle.keys, **more})


def reference(*, waive: Mapping[str, str] | None = None, **options: Any) -> list[dict[str, Any]]:
    """What main.py would write to dist/sos-app.k8s.yaml if it gave HaPostgres these options.

    :param waive: rules of SosConfig that such options break.
    """

    def build(*arguments: Any, **keywords: Any) -> HaPostgres:
        return HaPostgres(*arguments, **{**keywords, **options})

    def configure(*arguments: Any, postgres: HaPostgres, **keywords: Any) -> SosConfig:
        """Services use the pooler where there is one."""
        return SosConfig(*arguments, postgres=postgres.pooled if postgres.spec.pooler else postgres, waive=waive or {}, **keywords)

    with mock.patch.object(main, "HaPostgres", build), mock.patch.object(main, "SosConfig", configure):
        chart, *_ = main.build(cdk8s.Testing.app())
    return list(cdk8s.Testing.synth(chart))


def beside(namespace: str, **options: Any) -> list[dict[str, Any]]:
    """A second installation, with these options of HaPostgres."""
    chart = cdk8s.Chart(cdk8s.Testing.app(), namespace, namespace=namespace, disable_resource_name_hashes=True)
    SosNamespace(chart, "foundation", name=namespace, create_priority_classes=False)
    HaPostgres(chart, "postgres", credentials=SosSecrets(chart, "secrets").postgres, **options)
    return list(cdk8s.Testing.synth(chart))


def client(name: str, namespace: str, image: ImageProfile, databases: tuple[str, ...]) -> list[dict[str, Any]]:
    """A pod with one container per database, and `readonly`, each with the environment that `libpq_env` gives a workload."""
    chart, db = _client_chart(namespace, image)
    assert db.ca is not None
    containers = [_container(database, image, env=db.database(database).libpq_env(), command=["sleep", "infinity"]) for database in databases]
    containers.append(_container("readonly", image, env=db.database(databases[0]).libpq_env(readonly=True), command=["sleep", "infinity"]))
    dsn = db.database(databases[0]).dsn_env()
    containers.append(_container("dsn", image, env=dsn, command=["sleep", "infinity"]))
    for container in containers:
        container["volumeMounts"].append(db.ca.mount())
    emit(chart, _pod(name, namespace, image, CLIENT_LABELS, containers, db.ca.volume()))
    return _synth_last(chart, 1)


def granted(namespace: str, image: ImageProfile) -> list[dict[str, Any]]:
    """Two workloads with what ``grant`` gives them, and their policies: `granted-plain`, a manifest, and `granted-plus`, made with cdk8s-plus."""
    chart, db = _client_chart(namespace, image, allow_from=())
    database = [str(made.name) for made in db.objects.values()]
    labels = CLIENT_LABELS | {"app.kubernetes.io/component": "granted"}
    containers = [_container(name, image, env=[], command=["sleep", "infinity"]) for name in ("libpq", "uris")]
    pod = _pod("granted-plain", namespace, image, labels, containers)
    pod["spec"]["restartPolicy"] = "Always"
    plain: dict[str, Any] = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "granted-plain", "namespace": namespace},
        "spec": {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": pod["spec"]}},
    }
    emit(chart, _grant(db, plain))
    _grant(db, _plus(chart, image))
    return [manifest for manifest in cdk8s.Testing.synth(chart) if manifest["metadata"]["name"] not in database]


def _grant(db: HaPostgres, workload: Any) -> Any:
    workload = db.grant(workload, database="auth", containers=["libpq"])
    workload = db.grant(workload, database="auth", dsn="DATABASE_URL", containers=["uris"])
    return db.grant(workload, database="auth", dsn="READS_URL", readonly=True, containers=["uris"])


def _plus(chart: cdk8s.Chart, image: ImageProfile) -> kplus.Deployment:
    """Under Pod Security `restricted`, for which cdk8s-plus-27 lacks two words."""
    containers = [
        kplus.ContainerProps(
            name=name,
            image=image.image,
            image_pull_policy=kplus.ImagePullPolicy.IF_NOT_PRESENT,
            command=["sleep", "infinity"],
            env_variables={"HOME": kplus.EnvValue.from_value("/tmp")},
            resources=kplus.ContainerResources(cpu=kplus.CpuResources(request=kplus.Cpu.millis(10))),
            security_context=kplus.ContainerSecurityContextProps(user=image.uid, group=image.gid),
        )
        for name in ("libpq", "uris")
    ]
    made = kplus.Deployment(chart, "granted", metadata=cdk8s.ApiObjectMetadata(name="granted-plus"), replicas=1, containers=containers)
    pod = "/spec/template/spec"
    cdk8s.ApiObject.of(made).add_json_patch(
        cdk8s.JsonPatch.add(f"{pod}/securityContext/seccompProfile", {"type": "RuntimeDefault"}),
        cdk8s.JsonPatch.add(f"{pod}/terminationGracePeriodSeconds", 1),
        *(cdk8s.JsonPatch.add(f"{pod}/containers/{number}/securityContext/capabilities", {"drop": ["ALL"]}) for number in range(len(containers))),
    )
    return made


def ledger(
    name: str,
    namespace: str,
    image: ImageProfile,
    *,
    writers: int = 4,
    database: str = LEDGER_DATABASE,
    pooled: bool = False,
    plain: bool = False,
    node: str | None = None,
) -> list[dict[str, Any]]:
    """The pod that writes and keeps books, and the ConfigMap with its script.

    :param plain: a client that was told nothing of TLS: libpq then takes what the server has.
    :param node: where it runs; default: where the scheduler puts it.
    """
    chart, db = _client_chart(namespace, image, **({"tls": None} if plain else {}), **({"pooler": Pooler()} if pooled else {}))
    handle = db.database(database).pooled if pooled else db.database(database)
    env = [
        *handle.libpq_env(),
        {"name": "LEDGER_PSQL", "value": f"{image.bin_dir}/psql"},
        {"name": "LEDGER_RUN", "value": name},
        {"name": "LEDGER_WRITERS", "value": str(writers)},
    ]
    container = _container("ledger", image, env=env, command=["python3", "-u", "/opt/ledger/ledger.py"])
    container["volumeMounts"].append({"mountPath": "/opt/ledger", "name": "script", "readOnly": True})
    script = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"labels": LEDGER_LABELS, "name": name, "namespace": namespace},
        "data": {"ledger.py": LEDGER.read_text()},
    }
    volumes = [{"configMap": {"name": name}, "name": "script"}]
    if handle.ca is not None:
        container["volumeMounts"].append(handle.ca.mount())
        volumes.append(handle.ca.volume())
    emit(chart, script)
    pod = _pod(name, namespace, image, LEDGER_LABELS, [container], *volumes)
    if node is not None:
        pod["spec"]["nodeName"] = node
    emit(chart, pod)
    return _synth_last(chart, 2)


def database_handle(namespace: str, image: ImageProfile, database: str = LEDGER_DATABASE) -> DatabaseHandle:
    """What a workload gets from the construct."""
    return _client_chart(namespace, image)[1].database(database)


def _client_chart(namespace: str, image: ImageProfile, **options: Any) -> tuple[cdk8s.Chart, HaPostgres]:
    chart = cdk8s.Chart(cdk8s.Testing.app(), "client", namespace=namespace, disable_resource_name_hashes=True)
    return chart, HaPostgres(chart, "postgres", credentials=credentials(), image=image, **options)


def _synth_last(chart: cdk8s.Chart, count: int) -> list[dict[str, Any]]:
    """The client's own objects; the database's are there only for their handles."""
    return list(cdk8s.Testing.synth(chart))[-count:]


def _container(name: str, image: ImageProfile, *, env: list[dict[str, Any]], command: list[str]) -> dict[str, Any]:
    return {
        "command": command,
        "env": [{"name": "HOME", "value": "/tmp"}, *env],
        "image": image.image,
        "imagePullPolicy": "IfNotPresent",
        "name": name,
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}, "readOnlyRootFilesystem": True},
        "volumeMounts": [{"mountPath": "/tmp", "name": "tmp"}],
    }


def _pod(name: str, namespace: str, image: ImageProfile, labels: dict[str, str], containers: list[dict[str, Any]], *volumes: dict[str, Any]) -> dict[str, Any]:
    away = {"podAffinityTerm": {"labelSelector": {"matchLabels": {"role": "primary"}}, "topologyKey": "kubernetes.io/hostname"}, "weight": 100}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"labels": labels, "name": name, "namespace": namespace},
        "spec": {
            # its node must not be the one that a drill breaks
            "affinity": {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [away]}},
            "automountServiceAccountToken": False,
            "containers": containers,
            "enableServiceLinks": False,
            "restartPolicy": "Never",
            "securityContext": {"runAsGroup": image.gid, "runAsNonRoot": True, "runAsUser": image.uid, "seccompProfile": {"type": "RuntimeDefault"}},
            "terminationGracePeriodSeconds": 1,
            "volumes": [{"emptyDir": {}, "name": "tmp"}, *volumes],
        },
    }
