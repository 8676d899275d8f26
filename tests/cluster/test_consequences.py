"""The table of consequences of ``sosctl diff`` against a real API server: what it calls forbidden is refused, what it calls rolling rolls.

Light objects in a namespace of their own; controllers have no pods, since the revision of a pod template does not need any.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator

from sos_constructs.review.catalogue import ROWS
from sos_constructs.review.model import Consequence

import pytest

from tests.cluster import kube
from tests.review import examples
from tests.review.examples import EXAMPLES, Example, Object

pytestmark = pytest.mark.release

ROW = {row.id: row for row in ROWS}
#: How the API server says that it will not have an update, apart from not answering.
REFUSED = re.compile(r"is invalid|immutable|[Ff]orbidden|may not be (changed|unset)|cannot change|must match|storedVersions")
#: A server that is being started, stopped or frozen by a drill.
AWAY = re.compile(
    r"no answer within|refused - did you|was refused|Unable to connect|timeout|timed out|EOF|etcdserver|TLS handshake|ServiceUnavailable|not yet ready"
)
#: Rows about an amount written in another way promise that nothing rolls.
STEADY = {"metadata", "same-amount", "rollout-manner", "replicas", "claims-deleted"}
TRIED = [example for example in EXAMPLES if not example.needs]
CONTROLLERS = ("StatefulSet", "Deployment", "DaemonSet")


def ask(*arguments: str, stdin: str | None = None) -> tuple[int, str]:
    """kubectl, again when nobody answers."""
    for pause in (1, 2, 4, 8, 16, 0):
        done = kube.run(*arguments, stdin=stdin, seconds=30)
        if done.returncode == 0 or not AWAY.search(done.stderr):
            break
        time.sleep(pause)
    return done.returncode, done.stdout + done.stderr


def apply(given: Object, *options: str) -> tuple[int, str]:
    return ask("apply", *options, "-f", "-", stdin=json.dumps(given))


def delete(given: Object) -> None:
    where = ("-n", given["metadata"]["namespace"]) if "namespace" in given["metadata"] else ()
    code, said = ask("delete", given["kind"], given["metadata"]["name"], *where, "--ignore-not-found", "--wait=true", "--timeout=60s")
    assert code == 0, said


def must(answer: tuple[int, str]) -> str:
    code, said = answer
    assert code == 0, said
    return said


def revision(given: Object) -> str:
    """What changes when pods have to be replaced, once the controller has seen the object as it is now."""

    def seen() -> Object | None:
        code, said = ask("get", given["kind"], given["metadata"]["name"], "-n", examples.NAMESPACE, "-o", "json")
        found: Object = json.loads(said) if code == 0 else {}
        return found if found.get("status", {}).get("observedGeneration") == found.get("metadata", {}).get("generation") else None

    found = kube.poll(f"{given['kind']} is observed", seen, seconds=90)
    assert found
    if given["kind"] == "StatefulSet":
        return str(found["status"]["updateRevision"])
    if given["kind"] == "Deployment":
        annotations = found["metadata"].get("annotations", {})
        return str(annotations.get("deployment.kubernetes.io/revision"))
    said = must(ask("get", "controllerrevisions", "-n", examples.NAMESPACE, "-o", "json"))
    own = [item for item in json.loads(said)["items"] if item["metadata"]["ownerReferences"][0]["uid"] == found["metadata"]["uid"]]
    return str(max(item["revision"] for item in own))


@pytest.fixture(scope="module", autouse=True)
def namespace(version: str) -> Iterator[None]:
    del version
    delete(examples.SPACE)
    must(apply(examples.SPACE))
    kube.poll("the default ServiceAccount", lambda: ask("get", "serviceaccount", "default", "-n", examples.NAMESPACE)[0] == 0, seconds=60)
    yield
    ask("delete", "namespace", examples.NAMESPACE, "--wait=false")


@pytest.fixture(params=TRIED, ids=[f"{i}-{example.id}" for i, example in enumerate(TRIED)])
def example(request: pytest.FixtureRequest) -> Iterator[Example]:
    """With the old object on the server."""
    given: Example = request.param
    if given.old and given.old["kind"] != "Namespace":
        delete(given.old)
        must(apply(given.old))
    yield given
    if given.old and given.old["kind"] != "Namespace":
        delete(given.old)


def test_the_server_agrees(example: Example):
    row = ROW[example.row]
    assert example.new is not None
    code, said = apply(example.new, "--dry-run=server")
    if row.consequence is Consequence.FORBIDDEN or row.refused:
        assert code != 0, f"{row.id} is called forbidden, and the server takes it"
        assert REFUSED.search(said), said
        return
    assert code == 0, f"{row.id} is called {row.consequence.word}, and the server refuses it: {said}"
    if example.old is None or example.old["kind"] not in CONTROLLERS:
        return
    before = revision(example.old)
    must(apply(example.new))
    after = revision(example.new)
    if row.consequence is Consequence.RESTART or row.id in {"template-by-hand", "claim-in-template"}:
        assert after != before, f"{row.id}: nothing rolls"
    elif row.id in STEADY:
        assert after == before, f"{row.id}: it rolls"
