"""The table of consequences. Sources are files of Kubernetes 1.34 unless they say otherwise; tests/cluster asks a real API server."""

from __future__ import annotations

from sos_constructs.review.catalogue_data import DATA
from sos_constructs.review.catalogue_workloads import WORKLOADS
from sos_constructs.review.model import Consequence
from sos_constructs.review.rows import ANY, Row

_APPLY = "Kubernetes documentation, Declarative Management of Kubernetes Objects: apply does not delete; pruning tools do"
_SERVICE = "pkg/apis/core/validation/validation.go, ValidateServiceUpdate"
_RBAC = "Kubernetes documentation, Using RBAC Authorization: every request is checked"
_POLICY = "Kubernetes documentation, Network Policies"
_ADMISSION = "Kubernetes documentation, Admission Controllers: objects are checked when they are created or updated"
_CRD = "apiextensions-apiserver, pkg/apis/apiextensions/validation/validation.go, ValidateCustomResourceDefinitionUpdate"
_LIVE = "Kubernetes documentation, Controllers: desired state is acted on when it changes"

METADATA = (
    Row(id="namespace-pod-security", kinds=("/Namespace",), fields=("metadata labels pod-security.kubernetes.io/*",), consequence=Consequence.RECREATE,
        why="Pod Security looks at pods when they are created: running ones stay, and one that the new level refuses cannot come back.", source="Kubernetes documentation, Pod Security Admission"),
    Row(id="pod-labels", kinds=("/Pod",), fields=("metadata labels **",), consequence=Consequence.RELOAD,
        why="Services, policies and controllers that select by this label see the pod come or go at once.", source="Kubernetes documentation, Labels and Selectors"),
    Row(id="metadata", kinds=ANY, fields=("metadata labels **", "metadata annotations **", "apiVersion"), consequence=Consequence.NONE,
        why="Labels, annotations and the API version of the object itself: no pod changes.", source="Kubernetes documentation, Labels and Selectors"),
)

NETWORK = (
    Row(id="service-external-name", kinds=("/Service",), fields=("spec clusterIP **", "spec clusterIPs **"), when="from or to ExternalName", consequence=Consequence.RELOAD,
        why="From or to a Service without an address of its own: clients get another answer from DNS.", source=_SERVICE),
    Row(id="service-address-kept", kinds=("/Service",), fields=("spec clusterIP", "spec clusterIPs"), when="left out now", consequence=Consequence.NONE,
        why="Left out, the address stays as it is, also a headless Service's None; only re-creating the Service changes it.", source="pkg/registry/core/service/storage/storage.go, patchAllocatedValues"),
    Row(id="service-address", kinds=("/Service",), fields=("spec clusterIP **", "spec clusterIPs **"), consequence=Consequence.FORBIDDEN,
        why="A Service keeps its address: delete and create it; until its clients look the name up again they are cut off.", source=_SERVICE),
    Row(id="service-class", kinds=("/Service",), fields=("spec loadBalancerClass",), when="stays a LoadBalancer", consequence=Consequence.FORBIDDEN,
        why="The class of a load balancer is fixed: delete and create the Service, which brings another external address.", source=f"{_SERVICE}, validateLoadBalancerClassField"),
    Row(id="service-selector", kinds=("/Service",), fields=("spec selector **",), consequence=Consequence.RELOAD,
        why="New connections go to the pods that the new selector finds, at once.", source="Kubernetes documentation, Service"),
    Row(id="service", kinds=("/Service",), fields=("spec **",), consequence=Consequence.RELOAD,
        why="Clients meet the changed Service at once; no pod restarts.", source="Kubernetes documentation, Service"),
    Row(id="network-policy", kinds=("networking.k8s.io/NetworkPolicy",), fields=("spec **", "+"), consequence=Consequence.RELOAD,
        why="Traffic is allowed or denied by it from now on; no pod restarts.", source=_POLICY),
    Row(id="network-policy-gone", kinds=("networking.k8s.io/NetworkPolicy",), fields=("-",), consequence=Consequence.REMOVAL,
        why="What only this policy allowed is denied, or, where it was the last one for a pod, what it denied is allowed.", source=_POLICY),
    Row(id="ingress-class", kinds=("networking.k8s.io/IngressClass",), fields=("spec controller",), consequence=Consequence.FORBIDDEN,
        why="The controller of an IngressClass is fixed: make another class.", source="pkg/apis/networking/validation/validation.go, validateIngressClassSpecUpdate"),
)

POLICY = (
    Row(id="role-reference", kinds=("rbac.authorization.k8s.io/RoleBinding", "rbac.authorization.k8s.io/ClusterRoleBinding"), fields=("roleRef **",), consequence=Consequence.FORBIDDEN,
        why="A binding keeps its role: delete and create it; in between its subjects have no rights.", source="pkg/apis/rbac/validation/validation.go, ValidateRoleBindingUpdate"),
    Row(id="rights", kinds=("rbac.authorization.k8s.io/*",), fields=("rules **", "subjects **", "aggregationRule **", "+"), consequence=Consequence.RELOAD,
        why="Rights change from the next request on; no pod restarts.", source=_RBAC),
    Row(id="service-account-pods", kinds=("/ServiceAccount",), fields=("automountServiceAccountToken", "imagePullSecrets **"), consequence=Consequence.RECREATE,
        why="Pods take it when they are created: those that run keep what they have until they are replaced.", source="Kubernetes documentation, Configure Service Accounts for Pods"),
    Row(id="priority", kinds=("scheduling.k8s.io/PriorityClass",), fields=("value", "preemptionPolicy"), consequence=Consequence.FORBIDDEN,
        why="A priority is fixed: make another class, or delete and create this one; pods keep the number that they were created with.", source="pkg/apis/scheduling/validation/validation.go, ValidatePriorityClassUpdate"),
    Row(id="priority-default", kinds=("scheduling.k8s.io/PriorityClass",), fields=("globalDefault",), consequence=Consequence.RECREATE,
        why="Pods created from now on without a class get it, or no longer get it.", source="Kubernetes documentation, Pod Priority and Preemption"),
    Row(id="priority-text", kinds=("scheduling.k8s.io/PriorityClass",), fields=("description",), consequence=Consequence.NONE,
        why="A text for people.", source="Kubernetes documentation, Pod Priority and Preemption"),
    Row(id="disruption-budget", kinds=("policy/PodDisruptionBudget",), fields=("spec **", "+"), consequence=Consequence.RELOAD,
        why="Evictions, such as by kubectl drain, are allowed or refused by it from now on.", source="Kubernetes documentation, Disruptions"),
    Row(id="limit-range", kinds=("/LimitRange",), fields=("spec **", "+"), consequence=Consequence.RECREATE,
        why="Limits and defaults are put on pods and claims when they are created; running ones keep theirs.", source="Kubernetes documentation, Limit Ranges"),
    Row(id="quota", kinds=("/ResourceQuota",), fields=("spec **", "+"), consequence=Consequence.RELOAD,
        why="Creating objects is counted against it from now on; what runs stays.", source="Kubernetes documentation, Resource Quotas"),
    Row(id="admission", kinds=("admissionregistration.k8s.io/*",), fields=("webhooks **", "spec **", "+"), consequence=Consequence.RELOAD,
        why="Requests to the API server are checked or changed by it from now on.", source=_ADMISSION),
    Row(id="runtime-class", kinds=("node.k8s.io/RuntimeClass",), fields=("handler",), consequence=Consequence.FORBIDDEN,
        why="The handler of a RuntimeClass is fixed: make another class.", source="pkg/apis/node/validation/validation.go, ValidateRuntimeClassUpdate"),
)

CUSTOM = (
    Row(id="crd-gone", kinds=("apiextensions.k8s.io/CustomResourceDefinition",), fields=("-",), consequence=Consequence.DATA_LOSS,
        why="When a definition is deleted, every object of its kind in the whole cluster goes with it.", source="Kubernetes documentation, Extend the Kubernetes API with CustomResourceDefinitions"),
    Row(id="crd-identity", kinds=("apiextensions.k8s.io/CustomResourceDefinition",), fields=("spec scope", "spec group", "spec names kind", "spec names plural"), consequence=Consequence.FORBIDDEN,
        why="Group, scope and names of a kind are fixed: objects would have to move to another kind.", source=_CRD),
    Row(id="crd-stored-version", kinds=("apiextensions.k8s.io/CustomResourceDefinition",), fields=("spec versions []",), when="storage version gone", consequence=Consequence.FORBIDDEN,
        why="Objects are stored in this version: move them to another one first, then take it out of status.storedVersions.", source=f"{_CRD}, ValidateCustomResourceDefinitionStoredVersions"),
    Row(id="crd-version", kinds=("apiextensions.k8s.io/CustomResourceDefinition",), fields=("spec versions []",), when="left out now", consequence=Consequence.REMOVAL,
        why="Clients of this version get 404 from now on.", source="Kubernetes documentation, Versions in CustomResourceDefinitions"),
    Row(id="crd", kinds=("apiextensions.k8s.io/CustomResourceDefinition",), fields=("spec **",), consequence=Consequence.RELOAD,
        why="Objects of the kind are checked by it from their next update on.", source=_CRD),
)

OBJECTS = (
    Row(id="added", kinds=ANY, fields=("+",), consequence=Consequence.NONE,
        why="New: nothing that runs changes by it.", source=_LIVE),
    Row(id="removed", kinds=ANY, fields=("-",), consequence=Consequence.REMOVAL,
        why="Gone from the manifests: pruning deletes it and what it does ends; plain kubectl apply leaves it in the cluster.", source=_APPLY),
    Row(id="other", kinds=ANY, fields=("**",), consequence=Consequence.RELOAD,
        why="Its controller acts on it at once; no pod restarts by the change itself.", source=_LIVE),
)

ROWS: tuple[Row, ...] = (*METADATA, *DATA, *WORKLOADS, *NETWORK, *POLICY, *CUSTOM, *OBJECTS)
"""All rows; the order counts."""
