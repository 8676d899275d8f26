"""For every row of the table of consequences, changes that it speaks of. The unit tests judge them; tests/cluster asks a real API server."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

from sos_constructs.review.model import Consequence, Key, Manifests
from sos_constructs.review.sources import _hide

import attrs

NAMESPACE = "review-test"
IMAGE = "registry.k8s.io/pause:3.10"
LABELS = {"app": "review"}
Object = dict[str, Any]


@attrs.frozen
class Example:
    """One update.

    :param row: the row that must speak of it.
    :param old: the object before, ``None`` where the update creates it.
    :param new: the object after, ``None`` where the update deletes it.
    :param beside: other objects that are there before and after.
    :param needs: what a test cluster would need beyond an API server, where an update cannot simply be tried.
    """

    row: str
    old: Object | None
    new: Object | None
    beside: tuple[Object, ...] = ()
    needs: str = ""

    @property
    def id(self) -> str:
        given = self.new or self.old
        assert given
        return f"{self.row}-{given['kind']}"

    def sides(self) -> tuple[Manifests, Manifests]:
        return manifests(self.old, *self.beside), manifests(self.new, *self.beside)


def manifests(*objects: Object | None) -> Manifests:
    return {key(given): _hide(given) for given in objects if given}


def key(given: Object) -> Key:
    metadata = given["metadata"]
    return Key(given["apiVersion"].rpartition("/")[0], given["kind"], metadata.get("namespace", ""), metadata["name"])


def of(api_version: str, kind: str, *, namespaced: bool = True, **fields: Any) -> Object:
    name = f"review-{kind.lower()}"
    metadata = {"name": name, "namespace": NAMESPACE} if namespaced else {"name": name}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **fields}


def put(given: Object, path: str, value: Any) -> Object:
    """A copy with another value at a path such as ``spec.ports.0.port``; ``...`` takes the field out."""
    result: Object = json.loads(json.dumps(given))  # unlike deepcopy it keeps no aliases
    *steps, last = [int(step) if step.isdigit() else step.replace("~", ".") for step in path.split(".")]
    target: Any = result
    for step in steps:
        if isinstance(target, dict):
            target.setdefault(step, {})
        target = target[step]
    at: Any = last
    if value is ...:
        del target[at]
    elif isinstance(target, list) and last == len(target):
        target.append(value)
    else:
        target[at] = value
    return result


CONTAINER = {"name": "pause", "image": IMAGE, "resources": {"limits": {"cpu": "100m", "memory": "16Mi"}}}
POD_SPEC = {"containers": [CONTAINER], "terminationGracePeriodSeconds": 0, "automountServiceAccountToken": False}
TEMPLATE = {"metadata": {"labels": LABELS}, "spec": POD_SPEC}
CLAIM = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
SELECTOR = {"matchLabels": LABELS}

_STATEFUL = {"replicas": 0, "selector": SELECTOR, "serviceName": "review", "template": TEMPLATE}
STATEFUL_SET = of("apps/v1", "StatefulSet", spec={**_STATEFUL, "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": CLAIM}]})
DEPLOYMENT = of("apps/v1", "Deployment", spec={"replicas": 0, "selector": SELECTOR, "template": TEMPLATE})
NOWHERE = put(TEMPLATE, "spec.nodeSelector", {"review-test": "no-such-node"})
DAEMON_SET = of("apps/v1", "DaemonSet", spec={"selector": SELECTOR, "template": NOWHERE})
REPLICA_SET = of("apps/v1", "ReplicaSet", spec={"replicas": 0, "selector": SELECTOR, "template": TEMPLATE})
JOB = of("batch/v1", "Job", spec={"template": {"spec": {**POD_SPEC, "restartPolicy": "Never", "nodeSelector": NOWHERE["spec"]["nodeSelector"]}}})
CRON_JOB = of("batch/v1", "CronJob", spec={"schedule": "0 0 1 1 *", "suspend": True, "jobTemplate": {"spec": JOB["spec"]}})
POD = of("v1", "Pod", spec={**POD_SPEC, "nodeSelector": NOWHERE["spec"]["nodeSelector"]})
SERVICE = of("v1", "Service", spec={"selector": LABELS, "ports": [{"name": "http", "port": 80}]})
HEADLESS = put(SERVICE, "spec.clusterIP", "None")
BALANCER = put(put(SERVICE, "spec.type", "LoadBalancer"), "spec.loadBalancerClass", "example.com/a")
CONFIG_MAP = of("v1", "ConfigMap", data={"LOG_LEVEL": "info"})
SECRET = of("v1", "Secret", data={"password": "<generate>"}, type="Opaque")
KNOWN = put(SECRET, "data.password", "aHVudGVyMg==")
NETWORK_POLICY = of("networking.k8s.io/v1", "NetworkPolicy", spec={"podSelector": SELECTOR, "ingress": [{"ports": [{"port": 80}]}]})
INGRESS_CLASS = of("networking.k8s.io/v1", "IngressClass", namespaced=False, spec={"controller": "example.com/a"})
ROLE = of("rbac.authorization.k8s.io/v1", "Role", rules=[{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}])
BINDING = of(
    "rbac.authorization.k8s.io/v1",
    "RoleBinding",
    roleRef={"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "review-role"},
    subjects=[{"kind": "ServiceAccount", "name": "default", "namespace": NAMESPACE}],
)
ACCOUNT = of("v1", "ServiceAccount", automountServiceAccountToken=True)
PRIORITY = of("scheduling.k8s.io/v1", "PriorityClass", namespaced=False, value=10, description="as it was")
BUDGET = of("policy/v1", "PodDisruptionBudget", spec={"maxUnavailable": 1, "selector": SELECTOR})
LIMITS = of("v1", "LimitRange", spec={"limits": [{"type": "Container", "max": {"cpu": "2"}}]})
QUOTA = of("v1", "ResourceQuota", spec={"hard": {"services": "50"}})
WEBHOOKS = of("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", namespaced=False, webhooks=[])
RUNTIME = of("node.k8s.io/v1", "RuntimeClass", namespaced=False, handler="runc")
STORAGE_CLASS = of("storage.k8s.io/v1", "StorageClass", namespaced=False, provisioner="example.com/none", reclaimPolicy="Retain", mountOptions=["noatime"])
VOLUME = of(
    "v1",
    "PersistentVolume",
    namespaced=False,
    spec={
        "capacity": {"storage": "1Gi"},
        "accessModes": ["ReadWriteOnce"],
        "hostPath": {"path": "/var/review-test"},
        "persistentVolumeReclaimPolicy": "Retain",
        "storageClassName": "review-test-none",
    },
)
VOLUME_CLAIM = of("v1", "PersistentVolumeClaim", spec={**CLAIM, "storageClassName": "review-test-none"})
SPACE: Object = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": {"pod-security.kubernetes.io/warn": "restricted"}}}
SCHEMA = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
DEFINITION: Object = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "reviews.review-test.example.com"},
    "spec": {
        "group": "review-test.example.com",
        "names": {"kind": "Review", "plural": "reviews", "singular": "review", "listKind": "ReviewList"},
        "scope": "Namespaced",
        "versions": [
            {"name": "v1", "served": True, "storage": True, "schema": SCHEMA},
            {"name": "v1beta1", "served": True, "storage": False, "schema": SCHEMA},
        ],
    },
}
POSTGRES = put(
    of(
        "v1",
        "ConfigMap",
        data={
            "databases.json": json.dumps({"databases": [{"name": "auth"}]}) + "\n",
            "patroni.json": json.dumps(
                {
                    "bootstrap": {"dcs": {"ttl": 20, "postgresql": {"parameters": {"max_connections": "200"}}}, "initdb": ["data-checksums"]},
                    "postgresql": {"listen": "*:5432", "pg_hba": ["local all all peer"]},
                    "scope": "postgres-patroni",
                }
            )
            + "\n",
            "postgresql.conf": "# made\nshared_buffers = 512MB  # requirement\nwork_mem = 4MB\n",
        },
    ),
    "metadata.labels",
    {"app.kubernetes.io/name": "postgres"},
)


def text(given: Object, file: str, old: str, new: str) -> Object:
    changed = copy.deepcopy(given)
    assert old in changed["data"][file]
    changed["data"][file] = changed["data"][file].replace(old, new)
    return changed


def with_volume(workload: Object, source: Object) -> Object:
    return put(workload, "spec.template.spec.volumes", [{"name": "data", **source}])


def reading(how: Callable[[Object], None]) -> Object:
    workload = copy.deepcopy(DEPLOYMENT)
    how(workload["spec"]["template"]["spec"])
    return workload


def _by_env(pod: Object) -> None:
    pod["containers"][0]["envFrom"] = [{"configMapRef": {"name": "review-configmap"}}]


def _by_file(pod: Object) -> None:
    pod["volumes"] = [{"name": "config", "configMap": {"name": "review-configmap"}}]
    pod["containers"][0]["volumeMounts"] = [{"name": "config", "mountPath": "/config"}]


BY_ENV, BY_FILE = reading(_by_env), reading(_by_file)
BY_SUB_PATH = put(BY_FILE, "spec.template.spec.containers.0.volumeMounts.0.subPath", "LOG_LEVEL")
RECREATE = put(DEPLOYMENT, "spec.strategy", {"type": "Recreate"})
ON_DELETE = put(STATEFUL_SET, "spec.updateStrategy", {"type": "OnDelete"})
ANNOTATED = "spec.template.metadata.annotations"
HA_POSTGRES = put(put(ON_DELETE, "metadata.labels", {"app.kubernetes.io/name": "postgres"}), ANNOTATED, {"sos-constructs/restart-checksum": "a"})
LIMIT = "spec.template.spec.containers.0.resources.limits.cpu"
DEBUG = put(CONFIG_MAP, "data.LOG_LEVEL", "debug")
LOCKED = put(CONFIG_MAP, "immutable", True)
HASHED = put(LOCKED, "metadata.name", "review-0000000001")
DELETING = put(STATEFUL_SET, "spec.persistentVolumeClaimRetentionPolicy", {"whenScaled": "Delete", "whenDeleted": "Retain"})
BOUND = "a bound claim of a class that allows expansion"
NEVER = "nothing: deleting is always accepted"
REFUSED_ON_PURPOSE = "nothing: the API server refuses a placeholder, which is not base64"

EXAMPLES = [
    Example("namespace-pod-security", SPACE, put(SPACE, "metadata.labels.pod-security~kubernetes~io/warn", "baseline")),
    Example("pod-labels", put(POD, "metadata.labels", {"app": "a"}), put(POD, "metadata.labels", {"app": "b"})),
    *(
        Example("metadata", given, put(given, "metadata.labels", {"team": "one"}))
        for given in (STATEFUL_SET, DEPLOYMENT, DAEMON_SET, CONFIG_MAP, SERVICE, PRIORITY)
    ),
    Example("metadata", STATEFUL_SET, put(STATEFUL_SET, "metadata.annotations", {"example.com/by": "hand"})),
    # Secrets and ConfigMaps
    Example("secret-values", SECRET, KNOWN, needs=REFUSED_ON_PURPOSE),
    Example("secret-values", put(SECRET, "data", {}), KNOWN),
    Example("secret-values", None, KNOWN),
    Example("secret-type", put(SECRET, "data", {}), put(put(SECRET, "data", {}), "type", "example.com/other")),
    Example("immutable-data", LOCKED, put(LOCKED, "data.LOG_LEVEL", "debug")),
    Example("immutable-data", LOCKED, put(LOCKED, "immutable", ...)),
    Example("immutable-set", CONFIG_MAP, LOCKED),
    Example("postgres-comment", POSTGRES, text(POSTGRES, "postgresql.conf", "# made", "# made anew")),
    Example("postgres-comment", POSTGRES, text(POSTGRES, "databases.json", '{"databases', '{ "databases')),
    Example("postgres-restart-setting", POSTGRES, text(POSTGRES, "postgresql.conf", "512MB", "1GB")),
    Example("postgres-shared-setting", POSTGRES, text(POSTGRES, "patroni.json", '"200"', '"300"')),
    Example("postgres-setting", POSTGRES, text(POSTGRES, "postgresql.conf", "4MB", "8MB")),
    Example("patroni-dynamic", POSTGRES, text(POSTGRES, "patroni.json", '"ttl": 20', '"ttl": 30')),
    Example("patroni-bootstrap", POSTGRES, text(POSTGRES, "patroni.json", "data-checksums", "no-data-checksums")),
    Example("patroni-start", POSTGRES, text(POSTGRES, "patroni.json", "*:5432", "*:5433")),
    Example("patroni-start", POSTGRES, text(POSTGRES, "patroni.json", "postgres-patroni", "other")),
    Example("patroni-local", POSTGRES, text(POSTGRES, "patroni.json", "peer", "scram-sha-256")),
    Example("postgres-databases", POSTGRES, text(POSTGRES, "databases.json", "auth", "users")),
    Example("postgres-agent", put(POSTGRES, "data", {"reconcile.py": "a = 1\n"}), put(POSTGRES, "data", {"reconcile.py": "a = 2\n"})),
    Example("placeholder", None, SECRET, needs=REFUSED_ON_PURPOSE),
    Example("read-at-start", CONFIG_MAP, DEBUG, (BY_ENV,)),
    Example("read-at-start", CONFIG_MAP, DEBUG, (BY_SUB_PATH,)),
    Example("read-as-file", CONFIG_MAP, DEBUG, (BY_FILE,)),
    Example("read-elsewhere", CONFIG_MAP, DEBUG),
    Example("read-next", CONFIG_MAP, DEBUG, (put(CRON_JOB, "spec.jobTemplate.spec.template.spec", BY_ENV["spec"]["template"]["spec"]),)),
    Example("content-name", HASHED, put(HASHED, "metadata.name", "review-0000000002"), needs="nothing: they are two objects"),
    Example("content-unread", HASHED, put(put(HASHED, "metadata.name", "review-0000000002"), "data.LOG_LEVEL", "debug"), needs="nothing: they are two objects"),
    Example("unread-gone", CONFIG_MAP, None, needs=NEVER),
    # Pods and their controllers
    *(Example("same-amount", given, put(given, LIMIT, "0.1")) for given in (STATEFUL_SET, DEPLOYMENT)),
    Example("claim-in-template", with_volume(DEPLOYMENT, {"persistentVolumeClaim": {"claimName": "a"}}), with_volume(DEPLOYMENT, {"emptyDir": {}})),
    Example("claim-in-template", with_volume(DEPLOYMENT, {"persistentVolumeClaim": {"claimName": "a"}}), DEPLOYMENT),
    *(
        Example("template-labels", given, put(given, "spec.template.metadata.labels", {"app": "other"}))
        for given in (STATEFUL_SET, DEPLOYMENT, DAEMON_SET, REPLICA_SET)
    ),
    Example("postgres-template", HA_POSTGRES, put(HA_POSTGRES, ANNOTATED, {"sos-constructs/restart-checksum": "b"})),
    Example("template-by-hand", ON_DELETE, put(ON_DELETE, LIMIT, "200m")),
    *(
        Example("restart-checksum", put(given, ANNOTATED, {"checksum/config": "a"}), put(given, ANNOTATED, {"checksum/config": "b"}))
        for given in (STATEFUL_SET, DEPLOYMENT, DAEMON_SET)
    ),
    Example("statefulset-template", STATEFUL_SET, put(STATEFUL_SET, LIMIT, "200m")),
    Example("statefulset-template", STATEFUL_SET, put(STATEFUL_SET, "spec.template.spec.containers.1", {**CONTAINER, "name": "second"})),
    Example("deployment-template", DEPLOYMENT, put(DEPLOYMENT, "spec.template.metadata.labels.more", "x")),
    Example("deployment-template", DEPLOYMENT, put(DEPLOYMENT, "spec.template.spec.containers.0.env", [{"name": "A", "value": "1"}])),
    Example("deployment-all-at-once", RECREATE, put(RECREATE, LIMIT, "200m")),
    Example("daemonset-template", DAEMON_SET, put(DAEMON_SET, LIMIT, "200m")),
    Example("replicaset-template", REPLICA_SET, put(REPLICA_SET, LIMIT, "200m")),
    Example("claim-template-gone", STATEFUL_SET, put(STATEFUL_SET, "spec.volumeClaimTemplates", ...)),
    Example("postgres-claim-template", HA_POSTGRES, put(HA_POSTGRES, "spec.volumeClaimTemplates.0.spec.resources.requests.storage", "2Gi")),
    Example("claim-template", STATEFUL_SET, put(STATEFUL_SET, "spec.volumeClaimTemplates.0.spec.resources.requests.storage", "2Gi")),
    Example("claim-template", STATEFUL_SET, put(STATEFUL_SET, "spec.volumeClaimTemplates.1", {"metadata": {"name": "more"}, "spec": CLAIM})),
    Example("claims-deleted", STATEFUL_SET, DELETING),
    Example("claims-scaled-away", put(DELETING, "spec.replicas", 1), DELETING, needs="a pod, which the cluster's own tests have"),
    Example("ordinals", STATEFUL_SET, put(STATEFUL_SET, "spec.ordinals", {"start": 5})),
    Example("replicas", DEPLOYMENT, put(put(DEPLOYMENT, "spec.replicas", 1), "spec.template", TEMPLATE)),
    Example("on-delete", STATEFUL_SET, ON_DELETE),
    Example("rollout-manner", put(STATEFUL_SET, "spec.updateStrategy", {"type": "RollingUpdate"}), ON_DELETE),
    Example("rollout-manner", STATEFUL_SET, put(STATEFUL_SET, "spec.updateStrategy", {"type": "RollingUpdate", "rollingUpdate": {"partition": 1}})),
    Example("rollout-manner", ON_DELETE, put(ON_DELETE, "spec.updateStrategy.type", "RollingUpdate")),
    Example("rollout-manner", DEPLOYMENT, RECREATE),
    Example("rollout-manner", DAEMON_SET, put(DAEMON_SET, "spec.updateStrategy", {"type": "OnDelete"})),
    Example("rollout-manner", STATEFUL_SET, put(STATEFUL_SET, "spec.minReadySeconds", 5)),
    Example("rollout-manner", DEPLOYMENT, put(DEPLOYMENT, "spec.strategy", {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1}})),
    Example("rollout-manner", DEPLOYMENT, put(DEPLOYMENT, "spec.paused", True)),
    Example("rollout-manner", DAEMON_SET, put(DAEMON_SET, "spec.revisionHistoryLimit", 3)),
    Example("statefulset-fixed", STATEFUL_SET, put(STATEFUL_SET, "spec.serviceName", "other")),
    Example("statefulset-fixed", STATEFUL_SET, put(STATEFUL_SET, "spec.podManagementPolicy", "Parallel")),
    Example("statefulset-fixed", STATEFUL_SET, put(put(STATEFUL_SET, "spec.selector.matchLabels.more", "x"), "spec.template.metadata.labels.more", "x")),
    *(
        Example("selector", given, put(put(given, "spec.selector.matchLabels.more", "x"), "spec.template.metadata.labels.more", "x"))
        for given in (DEPLOYMENT, DAEMON_SET, REPLICA_SET)
    ),
    Example("statefulset-gone", STATEFUL_SET, None, needs=NEVER),
    Example("job-completions", JOB, put(JOB, "spec.completions", 3)),
    Example("job-fixed", JOB, put(JOB, "spec.template.spec.terminationGracePeriodSeconds", 3)),
    Example("job-fixed", JOB, put(put(JOB, "spec.completions", 1), "spec.completionMode", "Indexed")),
    Example("job", JOB, put(JOB, "spec.parallelism", 2)),
    Example("cronjob", CRON_JOB, put(CRON_JOB, "spec.schedule", "0 0 2 1 *")),
    Example("pod-image", POD, put(POD, "spec.containers.0.image", "registry.k8s.io/pause:3.9")),
    Example("pod-tolerations", POD, put(POD, "spec.tolerations", [{"key": "review", "operator": "Exists"}])),
    Example("pod-deadline", POD, put(POD, "spec.activeDeadlineSeconds", 600)),
    Example("pod-fixed", POD, put(POD, "spec.containers.0.resources.limits.cpu", "200m")),
    Example("pod-fixed", POD, put(POD, "spec.hostNetwork", True)),
    # Volumes
    *(Example("volume-data-gone", given, None, needs=NEVER) for given in (VOLUME_CLAIM, VOLUME, SPACE)),
    Example("claim-smaller", VOLUME_CLAIM, put(VOLUME_CLAIM, "spec.resources.requests.storage", "512Mi")),
    Example("claim-larger", VOLUME_CLAIM, put(VOLUME_CLAIM, "spec.resources.requests.storage", "2Gi"), needs=BOUND),
    Example("claim-attributes", VOLUME_CLAIM, put(VOLUME_CLAIM, "spec.volumeAttributesClassName", "fast"), needs=BOUND),
    Example("claim-fixed", VOLUME_CLAIM, put(VOLUME_CLAIM, "spec.storageClassName", "other")),
    Example("claim-fixed", VOLUME_CLAIM, put(VOLUME_CLAIM, "spec.accessModes", ["ReadWriteMany"])),
    Example("volume-deleted", VOLUME, put(VOLUME, "spec.persistentVolumeReclaimPolicy", "Delete")),
    Example("volume-fixed", VOLUME, put(VOLUME, "spec.hostPath.path", "/var/other")),
    *(
        Example("storage-class", STORAGE_CLASS, put(STORAGE_CLASS, field, value))
        for field, value in (
            ("provisioner", "example.com/b"),
            ("reclaimPolicy", "Delete"),
            ("volumeBindingMode", "WaitForFirstConsumer"),
            ("parameters", {"a": "b"}),
        )
    ),
    Example("storage-class-new-volumes", STORAGE_CLASS, put(STORAGE_CLASS, "mountOptions", ["nodiratime"])),
    # Network
    Example("service-external-name", SERVICE, {**put(SERVICE, "spec", {"type": "ExternalName", "externalName": "example.com", "clusterIP": ""})}),
    Example("service-address-kept", HEADLESS, SERVICE),
    Example("service-address", SERVICE, HEADLESS),
    Example("service-class", BALANCER, put(BALANCER, "spec.loadBalancerClass", "example.com/b")),
    Example("service-selector", SERVICE, put(SERVICE, "spec.selector.app", "other")),
    Example("service", SERVICE, put(SERVICE, "spec.ports.0.port", 8080)),
    Example("service", SERVICE, put(SERVICE, "spec.type", "NodePort")),
    Example("network-policy", NETWORK_POLICY, put(NETWORK_POLICY, "spec.ingress.0.ports.0.port", 8080)),
    Example("network-policy", None, NETWORK_POLICY),
    Example("network-policy-gone", NETWORK_POLICY, None, needs=NEVER),
    Example("ingress-class", INGRESS_CLASS, put(INGRESS_CLASS, "spec.controller", "example.com/b")),
    # Rights and policies
    Example("role-reference", BINDING, put(BINDING, "roleRef.name", "other")),
    Example("rights", BINDING, put(BINDING, "subjects.0.name", "other")),
    Example("rights", ROLE, put(ROLE, "rules.0.verbs", ["get", "list"])),
    Example("service-account-pods", ACCOUNT, put(ACCOUNT, "automountServiceAccountToken", False)),
    Example("priority", PRIORITY, put(PRIORITY, "value", 20)),
    Example("priority", PRIORITY, put(PRIORITY, "preemptionPolicy", "Never")),
    Example("priority-default", PRIORITY, put(PRIORITY, "globalDefault", True)),
    Example("priority-text", PRIORITY, put(PRIORITY, "description", "as it is")),
    Example("disruption-budget", BUDGET, put(BUDGET, "spec.maxUnavailable", 2)),
    Example("limit-range", LIMITS, put(LIMITS, "spec.limits.0.max.cpu", "3")),
    Example("quota", QUOTA, put(QUOTA, "spec.hard.services", "60")),
    Example("admission", None, WEBHOOKS),
    Example("runtime-class", RUNTIME, put(RUNTIME, "handler", "other")),
    # Custom resources
    Example("crd-gone", DEFINITION, None, needs=NEVER),
    Example("crd-identity", DEFINITION, put(DEFINITION, "spec.scope", "Cluster")),
    Example("crd-stored-version", DEFINITION, put(put(DEFINITION, "spec.versions.0", ...), "spec.versions.0.storage", True)),
    Example("crd-version", DEFINITION, put(DEFINITION, "spec.versions.1", ...)),
    Example("crd", DEFINITION, put(DEFINITION, "spec.names.shortNames", ["rv"])),
    # Everything else
    Example("added", None, CONFIG_MAP),
    Example("removed", SERVICE, None, needs=NEVER),
    Example("removed", CONFIG_MAP, None, (BY_ENV,), needs=NEVER),
    Example("other", ACCOUNT, put(ACCOUNT, "secrets", [{"name": "a"}])),
]

#: A row about two objects that change together.
TOGETHER = (
    (CONFIG_MAP, put(BY_ENV, ANNOTATED, {"checksum/config": "a"})),
    (DEBUG, put(BY_ENV, ANNOTATED, {"checksum/config": "b"})),
    "read-by-new-pods",
    Consequence.RESTART,
)
