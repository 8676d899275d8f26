"""The table of consequences: whatever runs pods, and what their data lies on."""

from __future__ import annotations

from sos_constructs.review.model import Consequence
from sos_constructs.review.rows import Row

_APPS = "pkg/apis/apps/validation/validation.go"
_STATEFUL = f"{_APPS}, ValidateStatefulSetUpdate"
_JOB = "pkg/apis/batch/validation/validation.go, ValidateJobSpecUpdate"
_POD = "pkg/apis/core/validation/validation.go, ValidatePodUpdate"
_CLAIM = "pkg/apis/core/validation/validation.go, ValidatePersistentVolumeClaimUpdate"
_VOLUME = "pkg/apis/core/validation/validation.go, ValidatePersistentVolumeUpdate"
_ROLLING_SET = "Kubernetes documentation, StatefulSets, Update strategies; DaemonSet, Perform a Rolling Update"
_ROLLOUT = "Kubernetes documentation, Deployments: a rollout is triggered if and only if the pod template changes"

_ALL = ("apps/Deployment", "apps/StatefulSet", "apps/DaemonSet")
_SOURCES = tuple(f"spec {source} **" for source in ("awsElasticBlockStore", "azureDisk", "azureFile", "csi", "fc", "flexVolume", "gcePersistentDisk", "hostPath", "iscsi", "local", "nfs", "rbd"))

_POD_AMOUNTS = tuple(f"spec template spec {containers} [] resources * *" for containers in ("containers", "initContainers"))

PODS = (
    Row(id="same-amount", kinds=(*_ALL, "/PersistentVolumeClaim"), fields=(*_POD_AMOUNTS, "spec volumeClaimTemplates [] spec resources requests storage", "spec resources requests storage"), when="same amount", consequence=Consequence.NONE,
        why="The same amount, written in another way.", source="Kubernetes API reference, Quantity: amounts are stored in one canonical form"),
    Row(id="claim-in-template", kinds=(*_ALL, "apps/ReplicaSet"), fields=("spec template spec volumes [] persistentVolumeClaim **",), when="was there", consequence=Consequence.DATA_LOSS,
        why="The pods turn to another volume, or to none: what lies on the old claim is not moved there.", source="Kubernetes documentation, Persistent Volumes"),
    Row(id="template-labels", kinds=(*_ALL, "apps/ReplicaSet"), fields=("spec template metadata labels **",), when="selector no longer matches", consequence=Consequence.FORBIDDEN,
        why="The selector must find the pods that the template makes.", source=f"{_APPS}, ValidatePodTemplateSpecForStatefulSet, ValidatePodTemplateSpecForReplicaSet"),
    Row(id="postgres-template", kinds=("apps/StatefulSet",), fields=("spec template **",), when="set of HaPostgres", consequence=Consequence.RESTART,
        why="The agent replaces the pods: standbys first, each when all others stream, and the primary last, when a standby with the new template can take over.", source="sos_constructs/postgres/agent/rolling.py"),
    Row(id="template-by-hand", kinds=("apps/StatefulSet", "apps/DaemonSet"), fields=("spec template **",), when="replaced on delete", consequence=Consequence.RECREATE,
        why="The update strategy is OnDelete: a pod keeps its old template until somebody deletes it.", source=_ROLLING_SET),
    Row(id="restart-checksum", kinds=_ALL, fields=("spec template metadata annotations *checksum*",), consequence=Consequence.RESTART,
        why="Something changed that a running pod cannot take over, so its checksum replaces the pods one after the other.", source=_ROLLOUT),
    Row(id="statefulset-template", kinds=("apps/StatefulSet",), fields=("spec template **",), consequence=Consequence.RESTART,
        why="The pod template: pods are replaced one after the other, from the highest number down, each when the one before is ready.", source=_ROLLING_SET),
    Row(id="deployment-all-at-once", kinds=("apps/Deployment",), fields=("spec template **",), when="strategy Recreate", consequence=Consequence.RESTART,
        why="The pod template, with strategy Recreate: all pods stop before the first new one starts.", source="Kubernetes documentation, Deployments, Recreate Deployment"),
    Row(id="deployment-template", kinds=("apps/Deployment",), fields=("spec template **",), consequence=Consequence.RESTART,
        why="The pod template: new pods start and old ones stop step by step.", source=_ROLLOUT),
    Row(id="daemonset-template", kinds=("apps/DaemonSet",), fields=("spec template **",), consequence=Consequence.RESTART,
        why="The pod template: pods are replaced node by node.", source=_ROLLING_SET),
    Row(id="replicaset-template", kinds=("apps/ReplicaSet",), fields=("spec template **",), consequence=Consequence.RECREATE,
        why="Only pods created from now on get it; those that run stay as they are.", source="Kubernetes documentation, ReplicaSet"),
)

SETS = (
    Row(id="claim-template-gone", kinds=("apps/StatefulSet",), fields=("spec volumeClaimTemplates", "spec volumeClaimTemplates []"), when="left out now", consequence=Consequence.DATA_LOSS, refused=True,
        why="The API server refuses it; a StatefulSet re-created without it starts its pods without their volumes.", source=_STATEFUL),
    Row(id="postgres-claim-template", kinds=("apps/StatefulSet",), fields=("spec volumeClaimTemplates [] spec resources requests storage",), when="set of HaPostgres", consequence=Consequence.FORBIDDEN,
        why="The claim template is fixed: leave the old size in it with storage_template=… beside the new storage=…, and the agent enlarges the claims; none can shrink.", source=_STATEFUL),
    Row(id="claim-template", kinds=("apps/StatefulSet",), fields=("spec volumeClaimTemplates **",), consequence=Consequence.FORBIDDEN,
        why="Claim templates are fixed: delete the StatefulSet with --cascade=orphan and create it; claims that exist keep their size and class until they are changed themselves.", source=_STATEFUL),
    Row(id="claims-deleted", kinds=("apps/StatefulSet",), fields=("spec persistentVolumeClaimRetentionPolicy **",), when="becomes Delete", consequence=Consequence.DATA_LOSS,
        why="From now on claims are deleted, with the pods that scaling takes away or with the StatefulSet.", source="Kubernetes documentation, StatefulSets, PersistentVolumeClaim retention"),
    Row(id="claims-scaled-away", kinds=("apps/StatefulSet",), fields=("spec replicas",), when="fewer, and claims are deleted", consequence=Consequence.DATA_LOSS,
        why="The claims of the pods that go are deleted with them (whenScaled: Delete).", source="Kubernetes documentation, StatefulSets, PersistentVolumeClaim retention"),
    Row(id="ordinals", kinds=("apps/StatefulSet",), fields=("spec ordinals **",), consequence=Consequence.RECREATE,
        why="Pods get other numbers, hence other names and other claims: those with the old numbers stop, and their volumes stay behind.", source="Kubernetes documentation, StatefulSets, Start ordinal"),
    Row(id="replicas", kinds=("apps/StatefulSet", "apps/Deployment", "apps/ReplicaSet"), fields=("spec replicas",), consequence=Consequence.RELOAD,
        why="Pods are started or stopped; the others run on. Claims of a StatefulSet's pods that go are kept.", source="Kubernetes documentation, Scaling"),
    Row(id="on-delete", kinds=("apps/StatefulSet",), fields=("spec updateStrategy type",), when="becomes OnDelete from the default", consequence=Consequence.FORBIDDEN,
        why="Where no strategy was given, the server filled in a rollingUpdate, which kubectl apply leaves beside it and which is refused: use kubectl replace.", source="pkg/apis/apps/v1/defaults.go, SetDefaults_StatefulSet; ValidateStatefulSetSpec"),
    Row(id="rollout-manner", kinds=_ALL, fields=tuple(f"spec {field} **" for field in ("updateStrategy", "strategy", "minReadySeconds", "revisionHistoryLimit", "progressDeadlineSeconds", "persistentVolumeClaimRetentionPolicy", "paused")),
        consequence=Consequence.NONE, why="How rollouts go, from the next one on; one that was held back goes on.", source=_STATEFUL),
    Row(id="statefulset-fixed", kinds=("apps/StatefulSet",), fields=("spec **",), consequence=Consequence.FORBIDDEN,
        why="Fixed in a StatefulSet: delete it with --cascade=orphan and create it; pods and claims stay.", source=_STATEFUL),
    Row(id="selector", kinds=("apps/Deployment", "apps/DaemonSet", "apps/ReplicaSet"), fields=("spec selector **",), consequence=Consequence.FORBIDDEN,
        why="The selector is fixed: delete and create the object, or give the new one another name.", source=f"{_APPS}, ValidateDeploymentUpdate, ValidateDaemonSetSpecUpdate, ValidateReplicaSetUpdate"),
    Row(id="statefulset-gone", kinds=("apps/StatefulSet",), fields=("-",), when="had claims", consequence=Consequence.DATA_LOSS,
        why="The database or queue stops when it is pruned; its claims are kept, unless its retention policy says Delete.", source="Kubernetes documentation, StatefulSets, PersistentVolumeClaim retention"),
)

JOBS = (
    Row(id="job-completions", kinds=("batch/Job",), fields=("spec completions",), when="not Indexed", consequence=Consequence.FORBIDDEN,
        why="Fixed in a Job: delete and create it, or give it another name.", source=f"{_JOB}, validateCompletions"),
    Row(id="job-fixed", kinds=("batch/Job",), fields=tuple(f"spec {field} **" for field in ("template", "selector", "completionMode", "podFailurePolicy", "backoffLimitPerIndex", "managedBy", "successPolicy")), consequence=Consequence.FORBIDDEN,
        why="Fixed in a Job: delete and create it, or give it another name.", source=_JOB),
    Row(id="job", kinds=("batch/Job",), fields=("spec **",), consequence=Consequence.RELOAD,
        why="A running Job uses it from now on.", source=_JOB),
    Row(id="cronjob", kinds=("batch/CronJob",), fields=("spec **",), consequence=Consequence.RELOAD,
        why="Used from the next run on; a run that has begun is not changed.", source="Kubernetes documentation, CronJob, Modifying a CronJob"),
    Row(id="pod-image", kinds=("/Pod",), fields=("spec containers [] image", "spec initContainers [] image"), consequence=Consequence.RESTART,
        why="The container restarts in the same pod.", source=_POD),
    Row(id="pod-tolerations", kinds=("/Pod",), fields=("spec tolerations", "spec tolerations []"), when="was not there", consequence=Consequence.RELOAD,
        why="Tolerations may be added to a running pod.", source=_POD),
    Row(id="pod-deadline", kinds=("/Pod",), fields=("spec activeDeadlineSeconds",), when="first set or lower", consequence=Consequence.RELOAD,
        why="The deadline of a running pod may be set or lowered.", source=_POD),
    Row(id="pod-fixed", kinds=("/Pod",), fields=("spec **",), consequence=Consequence.FORBIDDEN,
        why="Fixed in a pod: delete and create it.", source=_POD),
)

STORAGE = (
    Row(id="volume-data-gone", kinds=("/PersistentVolumeClaim", "/PersistentVolume", "/Namespace"), fields=("-",), consequence=Consequence.DATA_LOSS,
        why="What is stored in it goes with it when it is pruned or deleted.", source="Kubernetes documentation, Persistent Volumes, Reclaiming; Namespaces"),
    Row(id="claim-smaller", kinds=("/PersistentVolumeClaim",), fields=("spec resources requests storage",), when="smaller", consequence=Consequence.FORBIDDEN,
        why="A claim cannot shrink: make another one and move the data.", source=_CLAIM),
    Row(id="claim-larger", kinds=("/PersistentVolumeClaim",), fields=("spec resources requests storage",), when="larger", consequence=Consequence.RELOAD,
        why="The volume is enlarged while it is in use, where its class allows expansion and it is bound; elsewhere the API server refuses.", source=_CLAIM),
    Row(id="claim-attributes", kinds=("/PersistentVolumeClaim",), fields=("spec volumeAttributesClassName",), consequence=Consequence.RELOAD,
        why="The storage driver changes the bound volume while it is in use; the API server refuses it for a claim that is not bound.", source=_CLAIM),
    Row(id="claim-fixed", kinds=("/PersistentVolumeClaim",), fields=("spec **",), consequence=Consequence.FORBIDDEN,
        why="Fixed in a claim: make another one and move the data.", source=_CLAIM),
    Row(id="volume-deleted", kinds=("/PersistentVolume",), fields=("spec persistentVolumeReclaimPolicy",), when="becomes Delete", consequence=Consequence.DATA_LOSS,
        why="From now on the volume is deleted with its claim.", source="Kubernetes documentation, Persistent Volumes, Reclaiming"),
    Row(id="volume-fixed", kinds=("/PersistentVolume",), fields=(*_SOURCES, "spec volumeMode"), consequence=Consequence.FORBIDDEN,
        why="What a volume is, is fixed: make another one.", source=_VOLUME),
    Row(id="storage-class", kinds=("storage.k8s.io/StorageClass",), fields=("provisioner", "parameters **", "reclaimPolicy", "volumeBindingMode"), consequence=Consequence.FORBIDDEN,
        why="A StorageClass is fixed: make another one; volumes that exist stay as they are.", source="pkg/apis/storage/validation/validation.go, ValidateStorageClassUpdate"),
    Row(id="storage-class-new-volumes", kinds=("storage.k8s.io/StorageClass",), fields=("mountOptions **", "allowedTopologies **"), consequence=Consequence.RECREATE,
        why="Goes for volumes made from now on.", source="Kubernetes documentation, Storage Classes"),
)

WORKLOADS: tuple[Row, ...] = (*PODS, *SETS, *JOBS, *STORAGE)
