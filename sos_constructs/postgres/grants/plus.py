"""Access for a workload of cdk8s-plus. It is imported where such a workload is at hand, so that nobody else loads cdk8s-plus."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sos_constructs.errors import InvalidOption
from sos_constructs.postgres.grants.access import Access, check_uris, chosen, occupied, taken
from sos_constructs.postgres.grants.network import Client
from sos_constructs.postgres.handles import CA_KEY, ServerCa
from sos_constructs.secrets.handles import SecretHandle

import cdk8s_plus_27 as kplus
from attrs import define
from constructs import Construct


@define
class PlusWorkload:
    """A Deployment, StatefulSet, DaemonSet, Job, CronJob or Pod of cdk8s-plus.

    :ivar workload: it is changed itself.
    :ivar scope: owner of the Secrets and volumes that workloads share.
    """

    workload: kplus.AbstractPod
    scope: Construct

    @property
    def client(self) -> Client:
        """Its pods. Every pod of cdk8s-plus has a label that no other workload's pods have, whatever else its author selects by."""
        labels = dict(self.workload.pod_metadata.to_json().get("labels") or {})
        selector = {"matchLabels": {kplus.Pod.ADDRESS_LABEL: labels[kplus.Pod.ADDRESS_LABEL]}}
        return Client(kind=self.workload.kind, name=self.workload.name, namespace=self.workload.metadata.namespace, selector=selector, labels=labels)

    def add(self, access: Access, containers: Collection[str] | None) -> kplus.AbstractPod:
        """The workload, with access for its containers: those that it has by now.

        :raises InvalidOption: when a container is not there, or has one of the variables or the CA's place for something else.
        """
        title = f"{self.workload.kind}/{self.workload.name}"
        every = [*self.workload.containers, *self.workload.init_containers]
        names = [[container.name for container in group] for group in (self.workload.containers, self.workload.init_containers)]
        wanted = chosen(title, containers, *names)
        if access.ca is not None and self._has_another(access.ca):
            access = access.beside()
        picked = [container for container in every if container.name in wanted]
        missing = [_missing(container, access, title) for container in picked]
        unmounted = [container for container in picked if access.ca is not None and not self._mounted(container, access.ca, title)]
        # nothing was changed until here: an error leaves the workload as it was
        for container, variables in zip(picked, missing, strict=True):
            for variable in variables:
                container.env.add_variable(variable["name"], self._value(variable))
        for container in unmounted:
            assert access.ca is not None
            container.mount(access.ca.mount_dir, self._volume(access.ca), read_only=True)
        return self.workload

    def _mounted(self, container: kplus.Container, ca: ServerCa, title: str) -> bool:
        name = ca.volume_name
        if self._others(ca):
            raise occupied(title, f"volumes {name}", ca)
        at = [mount.volume for mount in container.mounts if mount.path == ca.mount_dir]
        if any(volume.name != name for volume in at):
            raise occupied(title, f"volumeMounts {ca.mount_dir}", ca)
        return bool(at)

    def _has_another(self, ca: ServerCa) -> bool:
        """Whether the CA of another HaPostgres stands where this one would."""
        return any(volume.node.id.startswith("ca-") for volume in self._others(ca))

    def _others(self, ca: ServerCa) -> list[kplus.Volume]:
        """Volumes of the CA's name that are not its own."""
        ours = self.scope.node.try_find_child(_id(ca))
        volumes = [*self.workload.volumes, *(mount.volume for each in (*self.workload.containers, *self.workload.init_containers) for mount in each.mounts)]
        return [volume for volume in volumes if volume.name == ca.volume_name and (ours is None or volume.node.path != ours.node.path)]

    def _volume(self, ca: ServerCa) -> kplus.Volume:
        """One object for all workloads: cdk8s-plus takes two of one name in a pod for a mistake."""
        id = _id(ca)
        existing: Any = self.scope.node.try_find_child(id)
        if existing:
            return existing  # type: ignore[no-any-return]
        manifest = ca.volume()
        secret = SecretHandle(ca.secret, {}).secret(self.scope)
        items = {CA_KEY: kplus.PathMapping(path=CA_KEY)}
        return kplus.Volume.from_secret(self.scope, id, secret, name=manifest["name"], default_mode=manifest["secret"]["defaultMode"], items=items)

    def _value(self, variable: dict[str, Any]) -> kplus.EnvValue:
        if "value" in variable:
            return kplus.EnvValue.from_value(variable["value"])
        reference = variable["valueFrom"]["secretKeyRef"]
        secret = SecretHandle(reference["name"], {}).secret(self.scope)
        return kplus.EnvValue.from_secret_value(kplus.SecretValue(secret=secret, key=reference["key"]), optional=reference.get("optional"))


def _id(ca: ServerCa) -> str:
    """Of the volume's construct: the CA can stand at two paths in two workloads."""
    return f"ca-{ca.secret}" if ca.volume_name.startswith("postgres") else f"ca-{ca.secret}-beside"


def _missing(container: kplus.Container, access: Access, title: str) -> list[dict[str, Any]]:
    """The variables that a container does not have yet."""
    there = container.env.variables
    for entry in access.variables:
        if entry["name"] in there:
            found = there[entry["name"]]
            if (found.value, found.value_from) != (entry.get("value"), entry.get("valueFrom")):
                raise taken(title, container.name, entry["name"])
    if late := access.late(list(there)):
        uri = access.variables[-1]["name"]
        fix = f"has {uri} before {' and '.join(late)}, which it refers to, in container {container.name!r}; leave it out, and grant adds it"
        raise InvalidOption("workload", title, fix)
    values = {name: variable.value for name, variable in there.items()} | {entry["name"]: entry.get("value") for entry in access.variables}
    check_uris(title, container.name, values)
    return [entry for entry in access.variables if entry["name"] not in there]
