"""The Kubernetes API, with the pod's own narrow rights."""

from __future__ import annotations

import http.client
import json
import ssl
import time
import urllib.parse
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from .http_call import FAILURES, answered, whole

TOKEN_DIR = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where a pod has its own token, its namespace and the CA."""


class KubeError(Exception):
    """The API server did not answer, or refused."""


class Conflict(KubeError):
    """Somebody changed the object meanwhile, or a disruption budget says not now."""


class Throttled(KubeError):
    """The API server has too much to do, and says for how long it wants no further call."""


class NotFound(KubeError):
    """There is no such object."""


LONGEST_REASON = 4096
"""Bytes of an answer that refuses; an API server's Status has a few hundred."""

KINDS: dict[int, type[KubeError]] = {404: NotFound, 409: Conflict, 429: Throttled}
"""By HTTP status; every other one is a plain :class:`KubeError`."""

LONGEST_PAUSE = 30.0
_pauses: dict[str, float] = {}
"""By API server: the moment before which it wants no further call of this process."""


def in_cluster_url(environment: Mapping[str, str]) -> str:
    """Where the API server is, from the two variables that every pod has."""
    host = environment["KUBERNETES_SERVICE_HOST"]
    return f"https://{f'[{host}]' if ':' in host else host}:{environment['KUBERNETES_SERVICE_PORT']}"


@dataclass(frozen=True)
class Kube:
    """Where the API server is and who asks: the mounted service account."""

    url: str
    namespace: str
    token_dir: Path
    timeout: float = 5.0

    def within(self, seconds: float) -> Kube:
        """The same, for whoever has less time for an answer."""
        return replace(self, timeout=seconds)

    def annotations(self, config_map: str) -> dict[str, str]:
        """Annotations of a ConfigMap, read now."""
        found: dict[str, str] = self._call("GET", f"configmaps/{config_map}").get("metadata", {}).get("annotations", {})
        return found

    def metadata(self, path: str) -> dict[str, Any]:
        """Metadata of one object, such as ``configmaps/name``, read now."""
        found: dict[str, Any] = self._call("GET", path).get("metadata", {})
        return found

    def annotate(self, path: str, version: str, annotations: Mapping[str, str | None], labels: Mapping[str, str | None] | None = None) -> None:
        """Change annotations and labels of the object as it was read; raises :class:`Conflict` when it has changed since. None removes one."""
        change = {"metadata": {"annotations": dict(annotations), "labels": dict(labels or {}), "resourceVersion": version}}
        self._call("PATCH", path, change, "application/merge-patch+json")

    def watch_annotations(self, config_map: str, seconds: float) -> Iterator[dict[str, str]]:
        """Annotations of a ConfigMap: now, and after each change, until the API server ends the watch after so many seconds."""
        for metadata in self._watch("configmaps", f"fieldSelector=metadata.name%3D{config_map}", seconds):
            yield metadata.get("annotations", {})

    def watch_pods(self, labels: dict[str, str], seconds: float) -> Iterator[dict[str, Any]]:
        """Metadata of the pods that carry all the labels: those that do now, and each that comes to or changes, for so many seconds."""
        return self._watch("pods", f"labelSelector={_selector(labels)}", seconds)

    def _watch(self, kind: str, which: str, seconds: float) -> Iterator[dict[str, Any]]:
        # From what the server has in memory: a watch from "now" first asks etcd, and a busy server answered it with 504.
        path = f"{kind}?watch=1&resourceVersion=0&timeoutSeconds={seconds:.0f}&{which}"
        try:
            with self._answered("GET", path, None, "application/json", seconds + self.timeout) as answer:
                if answer.status >= 300:
                    raise self._refused(f"watch {kind}", answer)
                for line in answer:
                    event = json.loads(line)
                    if event["type"] in ("ADDED", "MODIFIED"):
                        yield event["object"]["metadata"]
                    elif event["type"] == "ERROR":
                        raise KubeError(f"watch {kind}: {event['object'].get('code')}")
        except (*FAILURES, LookupError, TypeError) as error:
            raise KubeError(f"watch {kind}: {type(error).__name__}") from None

    def pods(self, labels: dict[str, str]) -> list[dict[str, Any]]:
        """Metadata of the pods that carry all the labels."""
        return [item["metadata"] for item in self.pod_objects(labels)]

    def pod_objects(self, labels: dict[str, str]) -> list[dict[str, Any]]:
        """The pods that carry all the labels, whole."""
        found: list[dict[str, Any]] = self._call("GET", f"pods?labelSelector={_selector(labels)}").get("items", [])
        return found

    def stateful_set(self, name: str) -> dict[str, Any]:
        """One StatefulSet, read now."""
        return self._call("GET", f"statefulsets/{name}")

    def claim(self, name: str) -> dict[str, Any]:
        """One PersistentVolumeClaim, read now."""
        return self._call("GET", f"persistentvolumeclaims/{name}")

    def enlarge(self, claim: str, size: str) -> None:
        """Ask for a larger volume."""
        change = {"spec": {"resources": {"requests": {"storage": size}}}}
        self._call("PATCH", f"persistentvolumeclaims/{claim}", change, "application/merge-patch+json")

    def label(self, pod: dict[str, Any], labels: Mapping[str, str | None]) -> None:
        """Change labels of the pod as it was read; raises :class:`Conflict` when it has changed since. None removes one."""
        self.annotate(f"pods/{pod['name']}", pod["resourceVersion"], {}, labels)

    def evict(self, pod: str) -> None:
        """Have the pod restarted, if its disruption budget allows it now; raises :class:`Conflict` if not."""
        body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod, "namespace": self.namespace}}
        try:
            self._call("POST", f"pods/{pod}/eviction", body, "application/json")
        except Throttled as error:  # so the API server says that the disruption budget lets nobody go
            raise Conflict(str(error)) from None

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None, content: str = "application/json") -> dict[str, Any]:
        what, data = f"{method} {path.partition('?')[0]}", None if body is None else json.dumps(body).encode()
        try:
            with self._answered(method, path, data, content, self.timeout) as answer:
                if answer.status >= 300:
                    raise self._refused(what, answer)
                value = json.loads(whole(answer))
        except FAILURES as error:
            raise KubeError(f"{what}: {type(error).__name__}") from None
        if not isinstance(value, dict):
            raise KubeError(f"{what}: the answer is no object")
        return value

    @contextmanager
    def _answered(self, method: str, path: str, data: bytes | None, content: str, seconds: float) -> Iterator[http.client.HTTPResponse]:
        pause = _pauses.get(self.url, 0.0) - time.monotonic()
        if pause >= self.timeout:
            raise Throttled(f"{method} {path.partition('?')[0]}: the API server wants no call for {pause:.0f} s")
        if pause > 0:
            time.sleep(pause)
        token = (self.token_dir / "token").read_text()  # read each time: the kubelet renews it
        url = f"{self.url}/{_group(path)}/namespaces/{self.namespace}/{path}"
        headers = {"Authorization": f"Bearer {token}", "Content-Type": content}
        with answered(method, url, headers, data, seconds - max(0.0, pause), self._context()) as answer:
            yield answer

    def _refused(self, what: str, answer: http.client.HTTPResponse) -> KubeError:
        if answer.status == 429 and "eviction" not in what:
            after = answer.headers.get("Retry-After", "")
            _pauses[self.url] = time.monotonic() + min(LONGEST_PAUSE, float(after) if after.isascii() and after.isdigit() else 1.0)
        return KINDS.get(answer.status, KubeError)(f"{what}: HTTP {answer.status}{_why(answer)}")

    def _context(self) -> ssl.SSLContext | None:
        return ssl.create_default_context(cafile=str(self.token_dir / "ca.crt")) if self.url.startswith("https:") else None


def _group(path: str) -> str:
    return "apis/apps/v1" if path.startswith("statefulsets/") else "api/v1"


def _selector(labels: dict[str, str]) -> str:
    return urllib.parse.quote(",".join(f"{key}={value}" for key, value in sorted(labels.items())))


def _why(refusal: http.client.HTTPResponse) -> str:
    """The API server's own words: 403 alone is a missing right as well as a storage class that cannot grow."""
    try:
        return f", {json.loads(refusal.read(LONGEST_REASON))['message']}"
    except (*FAILURES, LookupError, TypeError):  # a proxy's page, cut off, or nothing
        return ""
