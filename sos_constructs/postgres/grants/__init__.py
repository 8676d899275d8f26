"""``HaPostgres.grant``: environment, CA and network access for one workload, whichever way it was written."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sos_constructs.emit import Objects
from sos_constructs.errors import InvalidOption
from sos_constructs.foundation.construct import denies_egress
from sos_constructs.pod_security import restricted
from sos_constructs.postgres.clients import is_open
from sos_constructs.postgres.grants import network
from sos_constructs.postgres.grants.access import Access
from sos_constructs.postgres.grants.manifest import ManifestWorkload
from sos_constructs.postgres.grants.network import Client, Server
from sos_constructs.postgres.spec import Spec
from sos_constructs.synth_checks import at_synth

from constructs import Construct, IConstruct

if TYPE_CHECKING:
    from sos_constructs.postgres.grants.plus import PlusWorkload

__all__ = ["Access", "Grants"]


class Grants:
    """Those of one HaPostgres.

    :param scope: the HaPostgres.
    :param spec: its options.
    :param objects: where its objects go.
    """

    def __init__(self, scope: Construct, spec: Spec, objects: Objects) -> None:
        self._scope, self._spec, self._objects = scope, spec, objects
        self._granted: list[tuple[ManifestWorkload | PlusWorkload, Server]] = []
        self._emitted: dict[str, dict[str, Any]] = {}

    def add(self, given: Any, access: Access, server: Server, *, containers: Collection[str] | None, egress: bool, restrict: bool) -> Any:
        """The workload with access; its policies are emitted. Either all of it or, with an error, nothing.

        :raises InvalidOption: when the workload cannot have it.
        """
        workload = self._workload(given)
        client = workload.client
        self._check_namespace(client)
        policies = list(self._policies(client, server, egress=egress))
        made = workload.add(access, containers)
        for policy in policies:
            self._emitted[policy["metadata"]["name"]] = policy
            self._objects.add(policy)
        path: str = self._scope.node.path
        at_synth(self._scope, ("grants", path), lambda nodes: [f"{path}: {problem}" for problem in self._problems(nodes)])
        self._granted.append((workload, server))
        return restricted(made) if restrict else made

    def _workload(self, given: Any) -> ManifestWorkload | PlusWorkload:
        if isinstance(given, Mapping):
            return ManifestWorkload.of(given)
        from sos_constructs.postgres.grants.plus import PlusWorkload

        import cdk8s_plus_27 as kplus

        if isinstance(given, kplus.AbstractPod):
            return PlusWorkload(given, self._scope)
        raise InvalidOption(
            "workload", given, "must be a manifest (a dict, not yet emitted), or a Deployment, StatefulSet, DaemonSet, Job, CronJob or Pod of cdk8s_plus_27"
        )

    def _check_namespace(self, client: Client) -> None:
        ours = self._spec.namespace
        if client.namespace not in (None, ours):
            fix = f"is in namespace {client.namespace!r}, where pods cannot have the database's Secrets; put it into {ours!r}"
            raise InvalidOption("workload", client.title, fix)

    def _policies(self, client: Client, server: Server, *, egress: bool) -> Iterator[dict[str, Any]]:
        """Those that are not there yet."""
        wanted = [] if is_open(self._spec) else [network.ingress(self._spec, server, client)]
        if egress or self._is_restricted(client):
            wanted.append(network.egress(self._spec, server, client))
        for policy in wanted:
            name = policy["metadata"]["name"]
            if name not in self._emitted:
                yield policy
            elif self._emitted[name] != policy:
                raise InvalidOption("workload", client.title, "was given access before, with other labels on its pods; let one workload have the name")

    def _is_restricted(self, client: Client) -> bool:
        """Whether ``SosNamespace`` restricts the egress of these pods, by their label or for all of the namespace, as far as the app is built by now."""
        if client.restricted:
            return True
        return denies_egress(self._scope, self._spec.namespace)

    def _problems(self, nodes: Sequence[IConstruct]) -> list[str]:
        from sos_constructs.postgres.grants import reach  # it brings the reviewer of manifests, which nobody else needs at synth

        return list(reach.problems(nodes, self._spec.namespace, [(workload.client, server) for workload, server in self._granted]))
