"""Access for a workload that is a plain manifest: a copy with it, the original stays."""

from __future__ import annotations

import copy
from collections.abc import Collection, Mapping
from typing import Any

from sos_constructs.errors import InvalidOption
from sos_constructs.postgres.grants.access import Access, check_uris, chosen, occupied, taken
from sos_constructs.postgres.grants.network import Client
from sos_constructs.postgres.handles import ServerCa
from sos_constructs.workloads import POD, check_pod, mapping_at, pod_selector

from attrs import evolve, frozen

KINDS = tuple(kind for kind in POD if kind != "ReplicaSet")


@frozen
class ManifestWorkload:
    """A Deployment, StatefulSet, DaemonSet, Job, CronJob or Pod as a dict, examined."""

    manifest: Mapping[str, Any]
    client: Client

    @classmethod
    def of(cls, manifest: Mapping[str, Any]) -> ManifestWorkload:
        """Raise :class:`InvalidOption` for what is no workload, or one whose pods no policy could name."""
        check_pod(manifest)
        kind, metadata = str(manifest.get("kind")), manifest.get("metadata") or {}
        if kind not in KINDS:
            raise InvalidOption("workload", kind, f"is no workload; there are {', '.join(KINDS)}")
        if not metadata.get("name"):
            raise InvalidOption("workload", kind, "must have metadata.name")
        where = f"{kind}/{metadata['name']}"
        pod = mapping_at(manifest, POD[kind][:-1])
        if not mapping_at(pod, ("spec",)).get("containers"):
            raise InvalidOption("workload", where, f"must have containers at {'.'.join(POD[kind])}.containers")
        labels = dict(mapping_at(pod, ("metadata",)).get("labels") or {})
        selector = pod_selector(manifest)
        client = Client(kind=kind, name=str(metadata["name"]), namespace=metadata.get("namespace"), selector=selector, labels=labels)
        return cls(manifest, client)

    def add(self, access: Access, containers: Collection[str] | None) -> dict[str, Any]:
        """A copy in which the containers have access.

        :raises InvalidOption: when a container is not there, or has one of the variables or the CA's place for something else.
        """
        made = copy.deepcopy(dict(self.manifest))
        pod: Any = mapping_at(made, POD[self.client.kind])
        every = [*pod["containers"], *(pod.get("initContainers") or ())]
        names = [[str(container.get("name")) for container in pod.get(field) or ()] for field in ("containers", "initContainers")]
        wanted = chosen(self.client.title, containers, *names)
        if access.ca is not None and _has_another(pod, access.ca):
            access = access.beside()
        for container in every:
            if str(container.get("name")) in wanted:
                self._add_variables(container, access)
                if access.ca is not None:
                    self._add_once(container, "volumeMounts", "mountPath", access.ca.mount(), access.ca)
        if access.ca is not None:
            self._add_once(pod, "volumes", "name", access.ca.volume(), access.ca)
        return made

    def _add_variables(self, container: dict[str, Any], access: Access) -> None:
        there = {entry.get("name"): entry for entry in container.get("env") or ()}
        for entry in access.variables:
            if there.get(entry["name"], entry) != entry:
                raise taken(self.client.title, str(container.get("name")), entry["name"])
        env = list(container.get("env") or ())
        late = access.late([str(entry.get("name")) for entry in env])
        place = len(env) if not late else [entry.get("name") for entry in env].index(access.variables[-1]["name"])
        added = [copy.deepcopy(entry) for entry in access.variables if entry["name"] not in there or entry["name"] in late]
        container["env"] = [*env[:place], *added, *(entry for entry in env[place:] if entry.get("name") not in late)]
        check_uris(self.client.title, str(container.get("name")), {entry.get("name"): entry.get("value") for entry in container["env"]})

    def _add_once(self, owner: dict[str, Any], field: str, key: str, item: dict[str, Any], ca: ServerCa) -> None:
        for entry in owner.get(field) or ():
            if entry == item:
                return
            if entry.get(key) == item[key]:
                raise occupied(self.client.title, f"{field} {item[key]}", ca)
        owner[field] = [*(owner.get(field) or ()), item]


def _has_another(pod: Mapping[str, Any], ca: ServerCa) -> bool:
    """Whether the CA of another HaPostgres stands where this one would."""
    for volume in pod.get("volumes") or ():
        secret = mapping_at(volume, ("secret",)).get("secretName")
        if volume.get("name") == ca.volume_name and secret not in (None, ca.secret):
            return bool(volume == evolve(ca, secret=secret).volume())
    return False
