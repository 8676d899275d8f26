"""Rotating a document where it is: in the store that a Secret is copied from, through the operator that copies it."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sos_constructs.cli import common, files, kubectl
from sos_constructs.labels import labels
from sos_constructs.secrets import ages, holders
from sos_constructs.secrets.external import rotation
from sos_constructs.secrets.external.pins import changed
from sos_constructs.secrets.external.rotation import SUFFIX, Source
from sos_constructs.secrets.external.stores import AwsSecretsManager
from sos_constructs.secrets.stored import SecretInputError

from attrs import frozen

WAIT_SECONDS = 90
"""The operator acts within seconds; a new Secret of a busy cluster takes longer."""


@frozen(kw_only=True)
class Place:
    """The document behind a Secret.

    :param source: what the ExternalSecret says.
    :param remote: the namespace that is the store, where it is one.
    :param about: what PushSecret has to know to write there.
    :param versions: the file that pins it, if any.
    """

    source: Source
    namespace: str
    context: str | None
    remote: str | None
    about: Mapping[str, Any]
    versions: Path | None

    def current(self) -> dict[str, Any]:
        """The Secret with the document's values as they are now.

        :raises SecretInputError: when the store does not answer.
        """
        self._sync()
        if self.remote is not None:
            return self._get("secret", self.source.document, self.remote)
        return self._get("secret", self.source.name, self.namespace)

    def write(self, manifest: Mapping[str, Any]) -> None:
        """Make ``manifest`` the document, and the Secret follow; or, where it is pinned, make it the next version and pin that.

        :raises SecretInputError: when it was not written.
        """
        pinned = self._pinned() if self.source.number is not None else None
        if self.remote is not None and self.source.number is not None:
            made = rotation.payload(manifest, self.source.next, self.remote, labels=labels("secrets", "sos-app", holders.DOCUMENT))
            kubectl.send("create", made, namespace=self.remote, context=self.context, there_is_fine=True)
        elif self.remote is not None:
            times = manifest["metadata"].get("annotations", {}).get(ages.ANNOTATION, "{}")
            data = {**manifest["data"], ages.DOCUMENT_KEY: holders.base64_of(times)}
            kubectl.replace({**manifest, "data": data}, namespace=self.remote, context=self.context)
        else:
            self._push(manifest)
        if pinned is not None and self.versions is not None:
            files.write_public(self.versions, pinned)
        else:
            self._sync()

    def report(self) -> str:
        """What is left to do."""
        if self.source.number is None:
            return f"written to document {self.source.document} of {self.source.store['kind']} {self.source.store['name']}; the Secret has it"
        return f"document {self.source.next} is there; {self.versions} says so: commit it and apply the chart. To go back, revert the commit"

    def _pinned(self) -> str:
        """The versions file as it will be; looked at before anything is written."""
        if self.versions is None or self.source.number is None:
            raise SecretInputError(f"{self.source.name} is pinned to version {self.source.number}; name the file that says so with --versions FILE")
        return changed(common.text(str(self.versions)), str(self.versions), self.source.name, self.source.number, self.source.number + 1)

    def _push(self, manifest: Mapping[str, Any]) -> None:
        name = f"{self.source.name}{SUFFIX}"
        with self._for_a_moment():
            made = rotation.payload(manifest, name, self.namespace, labels=labels("secrets", "sos-app", "secrets"))
            kubectl.send("create", made, namespace=self.namespace, context=self.context)
            kubectl.send("create", rotation.push(self.source, self.namespace, self.about), namespace=self.namespace, context=self.context)
            self._wait("the store did not take it", lambda: rotation.ready(self._get("pushsecret", name, self.namespace)))

    @contextmanager
    def _for_a_moment(self) -> Iterator[None]:
        """The two objects of a rotation go in the end, whatever comes of it, and those that an earlier one left at the start."""
        what = ["pushsecret,secret", f"{self.source.name}{SUFFIX}"]
        kubectl.delete(what, namespace=self.namespace, context=self.context)
        try:
            yield
        finally:
            kubectl.delete(what, namespace=self.namespace, context=self.context)

    def _sync(self) -> None:
        """Have the operator read the store now, and wait until it has."""
        before = self._external().get("status", {}).get("syncedResourceVersion")
        kubectl.annotate("externalsecret", self.source.name, f"force-sync={secrets.token_hex(8)}", namespace=self.namespace, context=self.context)

        def synced() -> tuple[bool, str]:
            external = self._external()
            done, said = rotation.ready(external)
            return done and external["status"].get("syncedResourceVersion") != before, said

        self._wait("the store was not read", synced)

    def _external(self) -> dict[str, Any]:
        return self._get("externalsecret", self.source.name, self.namespace)

    def _get(self, kind: str, name: str, namespace: str) -> dict[str, Any]:
        return one(kind, name, namespace, self.context)

    def _wait(self, problem: str, question: Callable[[], tuple[bool, str]]) -> None:
        until = time.monotonic() + WAIT_SECONDS
        while True:
            done, said = question()
            if done:
                return
            if time.monotonic() >= until:
                raise SecretInputError(f"{self.source.name}: {problem} within {WAIT_SECONDS} seconds: {said}")
            time.sleep(1)


def one(kind: str, name: str, namespace: str, context: str | None) -> dict[str, Any]:
    """One object.

    :raises SecretInputError: when it is not there.
    """
    found = kubectl.read_manifests([kind, name], namespace=namespace, context=context)
    if not found:
        raise SecretInputError(f"there is no {kind} {name} in namespace {namespace}")
    return found[0]


def place_of(manifest: Mapping[str, Any], namespace: str, context: str | None, versions: Path | None) -> Place | None:
    """Where the values of a Secret come from; ``None`` when no ExternalSecret writes it.

    :raises SecretInputError: when it is not copied in a way that can be rotated from here.
    """
    if not holders.is_copy(manifest):
        if versions is not None:
            raise SecretInputError(f"--versions {versions}: {manifest['metadata']['name']} is no copy of a document in a store; leave it out")
        return None
    name = manifest["metadata"]["name"]
    external = one("externalsecret", name, namespace, context)
    source = rotation.source_of(external, pinned=versions is not None)
    provider: Mapping[str, Any] = one(source.store.get("kind", "SecretStore").lower(), source.store["name"], namespace, context)["spec"]["provider"]
    about = AwsSecretsManager(region="eu-central-1").push_metadata() if "aws" in provider else {}
    remote = provider["kubernetes"].get("remoteNamespace", "default") if "kubernetes" in provider else None
    if versions is None and rotation.source_of(external, pinned=True).number is not None:
        raise SecretInputError(f"{name} is pinned to document {source.document}; name the file that says so with --versions FILE")
    return Place(source=source, namespace=namespace, context=context, remote=remote, about=about, versions=versions)
