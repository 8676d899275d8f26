"""Rights and admission on a real API server, in both directions. Needs none of the other tests' deployment."""

from __future__ import annotations

import base64
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sos_constructs import SecretAccess, SecretAdmission, SosSecrets, TemplateSecrets
from sos_constructs.secrets.catalogue import BY_NAME

import cdk8s
import pytest

from tests.cluster import kube
from tests.secrets.samples import ISSUED

NAMESPACE, ELSEWHERE = "guard-test", "guard-test-elsewhere"
READERS = {"auth": ("jwt", "redis"), "api": ("redis",), "web": ()}
WRITER, OTHER = f"system:serviceaccount:{NAMESPACE}:writer", f"system:serviceaccount:{NAMESPACE}:other"


def new_chart() -> cdk8s.Chart:
    return cdk8s.Chart(cdk8s.Testing.app(), "guards", namespace=NAMESPACE, disable_resource_name_hashes=True)


def access() -> list[dict[str, Any]]:
    chart = new_chart()
    secrets = SosSecrets(chart, "secrets")
    SecretAccess(chart, "access", readers={service: [getattr(secrets, name) for name in names] for service, names in READERS.items()})
    return list(cdk8s.Testing.synth(chart))


def admission(**options: Any) -> list[dict[str, Any]]:
    chart = new_chart()
    SecretAdmission(chart, "admission", **options)
    return list(cdk8s.Testing.synth(chart))


def secret(name: str, namespace: str = NAMESPACE, **fields: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": namespace}, **fields}


def encoded(value: str) -> str:
    return base64.b64encode(value.encode()).decode()


def put(manifest: dict[str, Any], *options: str) -> subprocess.CompletedProcess[str]:
    """Whether the API server would take it."""
    return kube.run("apply", "--server-side", "--force-conflicts", "--dry-run=server", "-f", "-", *options, stdin=kube.documents([manifest]))


@pytest.fixture(scope="module")
def namespaces(version: str) -> Iterator[None]:
    spaces = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in (NAMESPACE, ELSEWHERE)]
    kube.poll("namespaces", lambda: kube.apply(spaces), pause=3)
    yield
    kube.run("delete", "validatingadmissionpolicy,validatingadmissionpolicybinding", f"{NAMESPACE}-secrets", "--ignore-not-found", seconds=30)
    kube.run("delete", "namespace", NAMESPACE, ELSEWHERE, "--wait=false", seconds=30)


@pytest.fixture(scope="module")
def rights(namespaces: None) -> None:
    kube.poll("rights", lambda: kube.apply(access()), pause=3)


def can(service: str, verb: str, what: str, namespace: str = NAMESPACE) -> bool:
    done = kube.run("auth", "can-i", verb, what, "-n", namespace, "--as", f"system:serviceaccount:{NAMESPACE}:{service}")
    assert done.stdout.strip() in ("yes", "no"), done.stderr
    return done.stdout.strip() == "yes"


@pytest.mark.parametrize("service", [*READERS, "stranger"])
def test_who_may_read_what(rights: None, service: str):
    wanted = {next(s.name for s in BY_NAME.values() if s.attribute == name) for name in READERS.get(service, ())}
    kube.poll("the API server knows", lambda: all(can(service, "get", f"secret/{name}") for name in wanted))
    for name in BY_NAME:
        assert can(service, "get", f"secret/{name}") == (name in wanted), name


def test_nobody_may_do_more_than_read(rights: None):
    for verb in ("list", "watch", "create", "deletecollection"):
        assert not can("auth", verb, "secrets"), verb
    for verb in ("update", "patch", "delete"):
        assert not can("auth", verb, "secret/jwt-secrets"), verb
    assert not can("auth", "get", "secret/jwt-secrets", ELSEWHERE)
    assert not can("auth", "get", "secret/other")


@pytest.fixture(scope="module")
def guarded(namespaces: None) -> None:
    """The policy is in force: that takes the API server a moment."""
    kube.poll("the policy", lambda: kube.apply(admission()), pause=3)
    kube.poll("it is in force", lambda: put(secret("probe", data={"k": encoded("CHANGE_ME")})).returncode != 0)


@pytest.mark.parametrize(
    "fields",
    [
        {"data": {"good": encoded("kD3mPq8ZrT5vXw2Y"), "redis-password": encoded("<base64 of 32 characters>")}},
        {"data": {"redis-password": encoded("<fill me in>")}},
        {"data": {"redis-password": encoded("CHANGE_ME:redis")}},
        {"data": {"redis-password": encoded("changeme")}},
        {"data": {"redis-password": encoded("replace-me")}},
        {"data": {"redis-password": encoded("PLACEHOLDERPASSWORD")}},
        {"stringData": {"redis-password": "<base64 of 32 characters>"}},
        {"stringData": {"redis-password": "ChangeMe"}},
    ],
    ids=lambda fields: str(next(iter(fields.values())))[-30:],
)
def test_placeholders_are_refused(guarded: None, fields: dict[str, Any]):
    done = put(secret("redis-credentials", **fields))
    assert done.returncode != 0
    assert "Secret redis-credentials has placeholders instead of values: redis-password" in done.stderr
    assert "good" not in done.stderr.partition("values: ")[2]


def test_an_update_to_a_placeholder_is_refused(guarded: None):
    good = secret("redis-credentials", data={"redis-password": encoded("kD3mPq8ZrT5vXw2YbN7cF9hJ4gLs6uAe")})
    kube.apply([good], "--server-side")
    assert put(secret("redis-credentials", data={"redis-password": encoded("CHANGE_ME")})).returncode != 0
    assert kube.get("secret", "redis-credentials", "-n", NAMESPACE)["data"] == good["data"]


def test_everything_that_is_made_or_issued_passes(guarded: None):
    command = [sys.executable, "-m", "sos_constructs.cli", "secrets", "generate", "--existing", "none", "-n", NAMESPACE]
    generated = subprocess.run(command, capture_output=True, text=True, timeout=180).stdout
    assert "redis-password" in generated
    kube.kubectl("apply", "--server-side", "--force-conflicts", "--dry-run=server", "-f", "-", stdin=generated)
    issued = put(secret("external-api-keys", stringData={key.replace("/", "-"): value for key, value in ISSUED.items()}))
    assert issued.returncode == 0, issued.stderr
    assert put(secret("empty")).returncode == 0
    assert put(secret("blank", data={"k": ""})).returncode == 0


def test_other_namespaces_are_left_alone(guarded: None):
    assert put(secret("probe", ELSEWHERE, data={"k": encoded("CHANGE_ME")})).returncode == 0


def test_the_template_is_refused_with_or_without_the_policy(guarded: None, tmp_path: Path):
    app = cdk8s.App(outdir=str(tmp_path))
    SosSecrets(cdk8s.Chart(app, "template", namespace=ELSEWHERE, disable_resource_name_hashes=True), "secrets", source=TemplateSecrets())
    app.synth()
    done = kube.run("apply", "--dry-run=server", "-f", str(tmp_path / "template.k8s.yaml"))
    assert done.returncode != 0
    assert "created" not in done.stdout


def test_only_writers_change_the_platforms_secrets(guarded: None):
    rbac, metadata = "rbac.authorization.k8s.io", {"name": "all-secrets", "namespace": NAMESPACE}
    rules = [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["*"]}]
    subjects = [{"kind": "ServiceAccount", "name": user.rpartition(":")[2], "namespace": NAMESPACE} for user in (WRITER, OTHER)]
    role = {"apiVersion": f"{rbac}/v1", "kind": "Role", "metadata": metadata, "rules": rules}
    reference = {"apiGroup": rbac, "kind": "Role", "name": "all-secrets"}
    binding = {"apiVersion": f"{rbac}/v1", "kind": "RoleBinding", "metadata": metadata, "roleRef": reference, "subjects": subjects}
    kube.apply([role, binding, *admission(writers=[WRITER])])
    good = {"redis-password": encoded("Zt6WnQ4xHs8RkV2dJy5Mb9LgPc3TfE7u")}
    refusal = f"Secret redis-credentials may not be changed by {OTHER}"
    kube.poll("it is in force", lambda: refusal in put(secret("redis-credentials", data=good), "--as", OTHER).stderr)
    kube.poll("the writer may", lambda: put(secret("redis-credentials", data=good), "--as", WRITER).returncode == 0)
    assert put(secret("of-their-own", data=good), "--as", OTHER).returncode == 0
    assert put(secret("redis-credentials", data={"k": encoded("CHANGE_ME")}), "--as", WRITER).returncode != 0
