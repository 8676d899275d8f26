"""ExternalSecrets with the real External Secrets Operator: from an empty store to strong values, which nothing changes any more.

The stores are namespaces of the same cluster and, where the operator was told of an endpoint that answers (a stand-in for AWS), AWS Secrets Manager.
Needs none of the other tests' deployment.
"""

from __future__ import annotations

import base64
import json
import secrets as random
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Any

from sos_constructs import AwsSecretsManager, AzureKeyVault, ExternalSecrets, GcpSecretManager, KubernetesStore, SosSecrets, Vault
from sos_constructs.secrets import certificates
from sos_constructs.secrets.catalogue import BY_NAME, SECRETS
from sos_constructs.secrets.check import check
from sos_constructs.secrets.servers import postgres_server
from sos_constructs.secrets.stored import read, select

import attrs
import cdk8s
import pytest
from cryptography import x509

from tests.cluster import kube, vault

REGION, SERVER = "eu-central-1", "postgres-tls"
MADE = {secret.name: {row.key for row in secret.keys if row.origin in ("generated", "derived", "fixed")} for secret in SECRETS}
FULL = sorted(name for name, keys in MADE.items() if keys)


@attrs.frozen
class Documents:
    """What is in the store, seen from outside."""

    read: Callable[[str], dict[str, str] | None]
    write: Callable[[str, dict[str, str]], object]
    delete: Callable[[str], object]


@attrs.frozen
class Place:
    """One installation of the twelve secrets."""

    namespace: str
    source: ExternalSecrets
    documents: Documents

    def manifests(self) -> list[dict[str, Any]]:
        chart = cdk8s.Chart(cdk8s.Testing.app(), "external", namespace=self.namespace, disable_resource_name_hashes=True)
        SosSecrets(chart, "secrets", source=self.source)
        return list(cdk8s.Testing.synth(chart))

    def bootstraps(self) -> list[dict[str, Any]]:
        return [m for m in self.manifests() if m["kind"] in ("PushSecret", "ExternalSecret") and m["metadata"]["name"].endswith("-bootstrap")]

    def apply(self) -> None:
        apply(self.manifests())
        self.wait()

    def wait(self) -> None:
        """Until the operator is done with every object."""
        waiting = [manifest for manifest in self.manifests() if manifest["kind"] in ("ExternalSecret", "PushSecret")]
        kube.poll("all objects ready", lambda: all(ready(manifest) for manifest in waiting), pause=2)
        kube.poll("all Secrets", lambda: set(FULL) <= set(self.live()), pause=2)

    def server(self) -> dict[str, str]:
        """The certificate of the database."""
        return {key: base64.b64decode(value).decode() for key, value in kube.get("secret", SERVER, "-n", self.namespace)["data"].items()}

    def live(self) -> dict[str, dict[str, bytes]]:
        found = kube.items("secrets", "-n", self.namespace)
        return {s["metadata"]["name"]: {k: base64.b64decode(v) for k, v in s.get("data", {}).items()} for s in found if s["metadata"]["name"] in MADE}

    def document(self, name: str) -> str:
        return self.source.store.remote_key(self.source.prefix, name)

    def sync(self) -> None:
        """Make the operator read the store now, and wait until it has."""
        before = self.synced()
        self.ask_to_sync()
        kube.poll("synced", lambda: all(before[name] != now for name, now in self.synced().items() if name in MADE), pause=2)

    def ask_to_sync(self) -> None:
        """Make the operator read the store now."""
        mark = f"force-sync={random.token_hex(8)}"
        kube.poll("annotate", lambda: kube.kubectl("annotate", "externalsecret", *MADE, "-n", self.namespace, "--overwrite", mark), pause=2)

    def synced(self) -> dict[str, str]:
        """What of each ExternalSecret was synced last: its generation, and a hash of its labels and annotations."""
        found = kube.items("externalsecrets", "-n", self.namespace)
        return {external["metadata"]["name"]: external["status"]["syncedResourceVersion"] for external in found}


def new_certificate(namespace: str) -> None:
    """Have the operator renew the certificate now."""
    before = kube.get("secret", SERVER, "-n", namespace)["data"]["tls.crt"]
    kube.kubectl("annotate", "externalsecret", SERVER, "-n", namespace, "--overwrite", f"force-sync={random.token_hex(8)}")
    kube.poll("a new certificate", lambda: kube.get("secret", SERVER, "-n", namespace)["data"]["tls.crt"] != before, pause=2)


def ready(manifest: dict[str, Any]) -> bool:
    found = kube.get(manifest["kind"], manifest["metadata"]["name"], "-n", manifest["metadata"]["namespace"])
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in found.get("status", {}).get("conditions", []))


def apply(manifests: list[dict[str, Any]]) -> None:
    """Patiently: this may be a cluster where things are broken on purpose."""
    kube.poll("apply", lambda: kube.apply(manifests), pause=3)


def recreate(*namespaces: str) -> None:
    """Namespaces with nothing in them."""
    kube.poll("delete", lambda: not kube.run("delete", "namespace", *namespaces, "--ignore-not-found", "--timeout=100s", seconds=110).returncode, 400, 3)
    apply([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in namespaces])


def in_namespace(store: str) -> Documents:
    def find(name: str) -> dict[str, str] | None:
        found = [secret for secret in kube.items("secrets", "-n", store) if secret["metadata"]["name"] == name]
        return {k: base64.b64decode(v).decode() for k, v in found[0].get("data", {}).items()} if found else None

    def write(name: str, values: dict[str, str]) -> None:
        secret = kube.get("secret", name, "-n", store)
        secret["data"] = {k: base64.b64encode(v.encode()).decode() for k, v in values.items()}
        kube.kubectl("replace", "-f", "-", stdin=json.dumps(secret))

    return Documents(find, write, lambda name: kube.kubectl("delete", "secret", name, "-n", store))


def aws_call(endpoint: str, action: str, **arguments: Any) -> dict[str, Any]:
    credential = f"AWS4-HMAC-SHA256 Credential=x/20300101/{REGION}/secretsmanager/aws4_request, SignedHeaders=host, Signature=x"
    headers = {"X-Amz-Target": f"secretsmanager.{action}", "Content-Type": "application/x-amz-json-1.1", "Authorization": credential}
    with urllib.request.urlopen(urllib.request.Request(endpoint, json.dumps(arguments).encode(), headers), timeout=10) as answer:
        return dict(json.load(answer))


def at_aws(endpoint: str) -> Documents:
    call = partial(aws_call, endpoint)

    def find(name: str) -> dict[str, str] | None:
        try:
            return dict(json.loads(call("GetSecretValue", SecretId=name)["SecretString"]))
        except urllib.error.HTTPError as error:
            if json.load(error)["__type"] != "ResourceNotFoundException":
                raise
            return None

    return Documents(
        find,
        lambda name, values: call("PutSecretValue", SecretId=name, SecretString=json.dumps(values), ClientRequestToken=random.token_hex(32)),
        lambda name: call("DeleteSecret", SecretId=name, ForceDeleteWithoutRecovery=True),
    )


def in_vault(server: vault.Server) -> Documents:
    def find(name: str) -> dict[str, str] | None:
        found = server.call("GET", f"secret/data/{name}").get("data", {}).get("data")
        return None if found is None else dict(found)

    return Documents(
        find,
        lambda name, values: server.call("POST", f"secret/data/{name}", {"data": values}),
        lambda name: server.call("DELETE", f"secret/metadata/{name}"),
    )


def vault_place(namespace: str, mount: str, prefix: str) -> Place:
    """A namespace, and an empty Vault that trusts it."""
    server = vault.server()
    recreate(namespace)
    ca = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "vault-ca", "namespace": namespace}, "data": {"ca.crt": server.ca.read_text()}}
    apply([ca, *vault.reviewer(namespace)])
    server.trust(namespace, mount, mount, vault.policy(prefix))
    store = Vault(server=server.address, role=mount, mount=mount, ca_config_map="vault-ca")
    return Place(namespace, ExternalSecrets(store=store, namespace=namespace, prefix=prefix, bootstrap=True), in_vault(server))


def aws_endpoint() -> str:
    """Where the operator finds AWS; skips where that is not a stand-in that answers."""
    names = "jsonpath={.items[*].spec.template.spec.containers[*].env[?(@.name=='AWS_SECRETSMANAGER_ENDPOINT')].value}"
    found = kube.run("get", "deployments", "-A", "-o", names).stdout.split()
    if not found:
        pytest.skip("the operator uses the real AWS: it has no AWS_SECRETSMANAGER_ENDPOINT")
    try:
        urllib.request.urlopen(found[0], timeout=5).close()
    except urllib.error.HTTPError:
        pass
    except OSError as error:
        pytest.skip(f"nothing stands in for AWS at {found[0]}: {error}; start one: moto_server -H ADDRESS -p PORT")
    return found[0]


@pytest.fixture(scope="module")
def operator(version: str) -> None:
    done = kube.run("get", "crd", "externalsecrets.external-secrets.io", "pushsecrets.external-secrets.io", seconds=30)
    if done.returncode:
        pytest.skip(f"no External Secrets Operator on this cluster: {done.stderr.strip()}")


@pytest.fixture(scope="module", params=["kubernetes", *(pytest.param(store, marks=pytest.mark.release) for store in ("aws", "kubernetes-cluster", "vault"))])
def place(request: pytest.FixtureRequest, operator: None) -> Iterator[Place]:
    """Applied to empty namespaces, with an empty store."""
    namespace = f"external-test-{request.param}"
    if request.param == "aws":
        endpoint = aws_endpoint()
        recreate(namespace)
        login = {"access-key-id": base64.b64encode(b"any").decode(), "secret-access-key": base64.b64encode(b"any").decode()}
        apply([{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "aws-access", "namespace": namespace}, "data": login}])
        prefix = f"external-test-{random.token_hex(4)}/x"  # documents of earlier runs are still there
        source = ExternalSecrets(store=AwsSecretsManager(region=REGION, access_key="aws-access"), namespace=namespace, prefix=prefix, bootstrap=True)
        found = Place(namespace, source, at_aws(endpoint))
    elif request.param == "vault":
        mark = f"external-test-{random.token_hex(4)}"
        found = vault_place(namespace, mark, f"{mark}/x")
    else:
        store = f"{namespace}-store"
        recreate(namespace, store)
        cluster = request.param == "kubernetes-cluster"
        source = ExternalSecrets(store=KubernetesStore(namespace=store), namespace=namespace, cluster_store=cluster, bootstrap=True)
        found = Place(namespace, source, in_namespace(store))
    assert found.documents.read(found.document("redis-credentials")) is None
    found.apply()
    yield found
    kube.run("delete", "clustersecretstore", f"{namespace}-secrets", "--ignore-not-found", seconds=30)
    kube.run("delete", "clusterrolebinding", f"{namespace}-{vault.REVIEWER}", "--ignore-not-found", seconds=30)
    kube.run("delete", "namespace", namespace, f"{namespace}-store", "--ignore-not-found", "--wait=false", seconds=30)


@pytest.fixture
def unchanged(place: Place) -> Iterator[None]:
    """Every value is after the test what it was before, and so is the CA of the database, whose certificate may be a new one."""
    before, authority = place.live(), place.server()["ca.crt"]
    yield
    assert place.live() == before, "a live value changed"
    assert place.server()["ca.crt"] == authority, "clients would not know the database any more"


def test_every_value_that_can_be_made_is_there_and_strong(place: Place):
    live = place.live()
    assert {name: set(values) for name, values in live.items()} == {name: MADE[name] for name in FULL}
    stored = select(read(json.dumps(kube.get("secrets", "-n", place.namespace)), "cluster"), MADE, "cluster")
    findings = [f for f in check(stored, now=datetime.now(UTC), only=FULL) if f.key in MADE.get(f.secret, ())]
    assert findings == []
    assert {len(base64.b64decode(key)) for key in live["encryption-keys"].values()} == {32}
    private = live["jwt-secrets"]["jwt-private-key"].decode()
    assert private.startswith("-----BEGIN RSA PRIVATE KEY-----\n"), "PKCS#1"
    assert live["jwt-secrets"]["jwt-public-key"].decode() == certificates.public_key(private)
    assert live["jwt-secrets"]["jwt-key-id"].decode() == certificates.key_id(private)
    for name in FULL:
        document = place.documents.read(place.document(name))
        assert document == {key: value.decode() for key, value in live[name].items()}, "the store has what is live, and nothing else"


def test_the_database_has_a_certificate_of_a_ca_that_stays(place: Place):
    first, now = place.server(), datetime.now(UTC)
    assert set(first) == {"tls.crt", "tls.key", "ca.crt"}, "the CA's private key stays in the store"
    server = postgres_server("postgres", place.namespace)
    stored = select(read(json.dumps(kube.get("secret", SERVER, "-n", place.namespace)), "cluster"), [SERVER], "cluster")
    assert check(stored, now=now, only=[SERVER], servers=[server]) == [], "valid, of this key, signed by this CA"
    loaded = x509.load_pem_x509_certificate(first["tls.crt"].encode())
    assert loaded.extensions.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(x509.DNSName) == list(server.hosts)
    assert certificates.days_left(first["tls.crt"], now) in (89, 90)
    assert certificates.days_left(first["ca.crt"], now) > 3600
    document = place.documents.read(place.document("postgres-ca"))
    assert document is not None
    assert set(document) == {"ca.crt", "ca.key"}
    assert document["ca.crt"] == first["ca.crt"]
    new_certificate(place.namespace)
    second = place.server()
    assert second["ca.crt"] == first["ca.crt"]
    assert second["tls.key"] != first["tls.key"]
    assert certificates.signed_by(second["tls.crt"], first["ca.crt"])


def test_no_object_and_no_log_shows_a_value(place: Place):
    """What `kubectl describe` and `kubectl get -o yaml` of everything but Secrets show, and what the operator says."""
    values = [v.decode() for name, keys in place.live().items() for k, v in keys.items() if BY_NAME[name][k].origin == "generated"]
    values += [place.server()["tls.key"], (place.documents.read(place.document("postgres-ca")) or {})["ca.key"]]
    kinds = "externalsecrets,pushsecrets,secretstores,clustersecretstores,fakes,serviceaccounts,roles,rolebindings,events"
    shown = {}
    for namespace in {place.namespace, place.source.store.namespace} if isinstance(place.source.store, KubernetesStore) else {place.namespace}:
        shown[f"describe {namespace}"] = kube.kubectl("describe", f"{kinds},secrets", "-n", namespace)
        shown[f"get {namespace}"] = kube.kubectl("get", kinds, "-n", namespace, "-o", "yaml")
        of_secrets = "jsonpath={range .items[*]}{.metadata}{end}"
        shown[f"metadata of Secrets in {namespace}"] = kube.kubectl("get", "secrets", "-n", namespace, "-o", of_secrets)
    pods = "jsonpath={range .items[?(@.spec.containers[*].image)]}{.metadata.namespace} {.metadata.name} {.spec.containers[0].image}{'\\n'}{end}"
    for line in kube.kubectl("get", "pods", "-A", "-o", pods).splitlines():
        namespace, pod, image = line.split()
        if "/external-secrets:" in image:
            shown[f"log of {pod}"] = kube.kubectl("logs", "-n", namespace, pod)
    assert any(where.startswith("log of ") and text for where, text in shown.items())
    for value in values:
        parts = [part for part in value.splitlines() if len(part) >= 32] or [value]  # of a PEM each line counts
        shapes = [shape for part in parts if "-----" not in part for shape in (part, base64.b64encode(part.encode()).decode()[:40])]
        assert shapes
        for where, text in shown.items():
            assert not [shape for shape in shapes if shape in text], where


def test_what_is_missing_is_listed_with_its_reason(place: Place):
    command = [sys.executable, "-m", "sos_constructs.cli", "secrets", "check", "--cluster", "--namespace", place.namespace]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (1, "")
    *lines, summary = done.stdout.splitlines()
    assert all(line.startswith("missing ") and ". Without it: " in line for line in lines)
    assert summary == f"{len(SECRETS) + 2} secrets: {len(lines)} missing", "and the certificates of database and pooler"
    required = {f"{s.name}/{row.key}" for s in SECRETS for row in s.keys if row.key not in MADE[s.name] and not row.optional}
    assert {line.split()[1] for line in lines} == required | {"object-storage-credentials"}


def test_the_api_server_adds_nothing_that_we_did_not_write(place: Place):
    for manifest in place.manifests():
        arguments = (
            manifest["kind"],
            manifest["metadata"]["name"],
            *(["-n", manifest["metadata"]["namespace"]] if "namespace" in manifest["metadata"] else []),
        )
        if "spec" in manifest:
            assert kube.get(*arguments)["spec"] == manifest["spec"], arguments


@pytest.mark.usefixtures("unchanged")
def test_a_second_apply_changes_nothing(place: Place):
    place.apply()
    place.sync()


@pytest.mark.usefixtures("unchanged")
def test_deleted_objects_take_nothing_with_them(place: Place):
    kube.kubectl("delete", "externalsecret,pushsecret", "--all", "-n", place.namespace, "--timeout=100s")
    assert set(place.live()) == set(FULL)
    place.apply()


@pytest.mark.usefixtures("unchanged")
def test_the_bootstrap_runs_again_and_keeps_everything(place: Place):
    for manifest in place.bootstraps():
        kube.kubectl("delete", manifest["kind"], manifest["metadata"]["name"], "-n", manifest["metadata"]["namespace"], "--timeout=100s")
    place.apply()
    place.sync()


@pytest.mark.usefixtures("unchanged")
def test_a_namespace_made_anew_gets_the_same_values(place: Place):
    kept = kube.items("secrets", "-n", place.namespace, "--field-selector=metadata.name=aws-access")
    kept += kube.items("configmaps", "-n", place.namespace, "--field-selector=metadata.name=vault-ca")
    if isinstance(place.source.store, Vault):
        kept += vault.reviewer(place.namespace)
    recreate(place.namespace)
    again = [
        {**thing, "metadata": {"name": thing["metadata"]["name"], "namespace": place.namespace}} for thing in kept if thing["kind"] != "ClusterRoleBinding"
    ]
    if again:
        apply(again)
    if isinstance(place.source.store, Vault):
        vault.server().trust_again(place.namespace, place.source.store.mount)
    place.apply()


def test_what_people_add_arrives_and_stays(place: Place):
    name, value = place.document("external-api-keys"), "SG." + "q8Rz3LmX7vTb2KwY5nHc9J" * 2
    before = place.live()
    place.documents.write(name, {"sendgrid-api-key": value})
    place.sync()
    kube.poll("the key arrives", lambda: place.live().get("external-api-keys") == {"sendgrid-api-key": value.encode()})
    for manifest in place.bootstraps():
        kube.kubectl("delete", manifest["kind"], manifest["metadata"]["name"], "-n", manifest["metadata"]["namespace"], "--timeout=100s")
    place.apply()
    assert place.documents.read(name) == {"sendgrid-api-key": value}
    assert place.live() == before | {"external-api-keys": {"sendgrid-api-key": value.encode()}}


def test_in_a_namespace_a_missing_key_is_added_to_its_document(place: Place):
    if not isinstance(place.source.store, KubernetesStore):
        pytest.skip("PushSecret can only write a document that is not there")
    name = place.document("mongodb-credentials")
    before = place.documents.read(name)
    assert before is not None
    place.documents.write(name, {key: value for key, value in before.items() if key != "mongodb-password"})
    (bootstrap,) = (m for m in place.bootstraps() if m["metadata"]["name"] == f"{name}-bootstrap")
    kube.kubectl("delete", "externalsecret", f"{name}-bootstrap", "-n", bootstrap["metadata"]["namespace"], "--timeout=100s")
    apply([bootstrap])
    after = kube.poll("the key is made", lambda: (now := place.documents.read(name)) and "mongodb-password" in now and now)
    assert isinstance(after, dict)
    assert {**after, "mongodb-password": ""} == {**before, "mongodb-password": ""}
    assert after["mongodb-password"] != before["mongodb-password"]


def test_a_document_that_cannot_be_read_changes_nothing_and_is_not_shown(place: Place):
    if not isinstance(place.source.store, AwsSecretsManager):
        pytest.skip("only AWS takes a document that is no mapping")
    name, before, canary = place.document("mongodb-credentials"), place.live(), f"c4n4ry{random.token_hex(12)}"
    good = place.documents.read(name)
    assert good is not None
    aws_call(aws_endpoint(), "PutSecretValue", SecretId=name, SecretString=f"mongodb-password = {canary}", ClientRequestToken=random.token_hex(32))
    place.ask_to_sync()
    (external,) = (m for m in place.manifests() if m["kind"] == "ExternalSecret" and m["metadata"]["name"] == "mongodb-credentials")
    kube.poll("the operator says so", lambda: not ready(external))
    command = [sys.executable, "-m", "sos_constructs.cli", "secrets", "rotate", "mongodb-credentials", "--namespace", place.namespace]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180)
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)
    assert "mongodb-credentials: the store was not read within " in done.stderr
    assert "nothing was changed" in done.stderr
    said = done.stderr + kube.kubectl("describe", "externalsecrets,events", "-n", place.namespace)
    assert canary not in said
    assert place.live() == before
    place.documents.write(name, good)
    place.sync()


def test_a_deleted_document_is_not_replaced_by_new_values(place: Place):
    name, before = place.document("redis-credentials"), place.live()["redis-credentials"]
    place.documents.delete(name)
    place.ask_to_sync()
    (external,) = (m for m in place.manifests() if m["metadata"]["name"] == "redis-credentials")
    kube.poll("the operator says so", lambda: not ready(external))
    apply(place.manifests())
    assert place.documents.read(name) is None
    assert place.live()["redis-credentials"] == before


def test_only_our_service_accounts_may_read_the_store_and_only_documents(place: Place):
    if not isinstance(place.source.store, KubernetesStore):
        pytest.skip("clouds and Vault have rights of their own")
    store = place.source.store.namespace
    apply([{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "something-else", "namespace": store}}])
    name = place.document("encryption-keys")
    ours = f"system:serviceaccount:{place.namespace}:{place.namespace}-secrets"

    def may(user: str, verb: str, secret: str) -> bool:
        return kube.run("auth", "can-i", verb, f"secret/{secret}", "-n", store, f"--as={user}").stdout.strip() == "yes"

    assert may(ours, "get", name)
    assert not may(ours, "get", "something-else")
    assert not any(may(ours, verb, name) for verb in ("update", "patch", "delete", "list"))
    assert not may(f"system:serviceaccount:{place.namespace}:default", "get", name)


def test_other_namespaces_cannot_use_the_cluster_store(place: Place):
    if not place.source.cluster_store:
        pytest.skip("a SecretStore is in its namespace")
    other = f"{place.namespace}-other"
    recreate(other)
    try:
        (external,) = (m for m in place.manifests() if m["metadata"]["name"] == "encryption-keys")
        thief = {**external, "metadata": {"name": "thief", "namespace": other}}
        apply([thief])

        def refused() -> bool:
            events = kube.items("events", "-n", other, "--field-selector=involvedObject.name=thief")
            return any("denied by spec.condition" in event["message"] for event in events)

        kube.poll("the operator refuses", refused)
        assert not [secret for secret in kube.items("secrets", "-n", other) if secret["metadata"]["name"] == "encryption-keys"]
    finally:
        kube.run("delete", "namespace", other, "--wait=false", seconds=30)


def test_in_a_namespace_sosctl_rotates_the_document_where_it_is(operator: None):
    namespace, store = "external-test-rotate", "external-test-rotate-store"
    recreate(namespace, store)
    others = [secret.name for secret in SECRETS if secret.name != "redis-credentials"]
    source = ExternalSecrets(store=KubernetesStore(namespace=store), namespace=namespace, prefix="", bootstrap=True, without=others)
    place = Place(namespace, source, in_namespace(store))
    apply(place.manifests())
    before = kube.poll("the copy", lambda: place.live().get("redis-credentials"), pause=2)

    def rotate(where: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "sos_constructs.cli", "secrets", "rotate", "redis-credentials", "--namespace", where]
        return subprocess.run(command, capture_output=True, text=True, timeout=120)

    try:
        done = rotate(store)
        assert done.returncode == 0, done.stderr
        kube.kubectl("annotate", "externalsecret", "redis-credentials", "-n", namespace, "--overwrite", "force-sync=now")
        after = kube.poll("the new password", lambda: (now := place.live()["redis-credentials"]) != before and now)
        assert isinstance(before, dict)
        assert isinstance(after, dict)
        assert after["redis-password-previous"] == before["redis-password"]
        assert after["redis-password"] != before["redis-password"]
    finally:
        kube.run("delete", "namespace", namespace, store, "--wait=false", seconds=30)


@pytest.mark.release
def test_a_running_installation_moves_into_a_store_without_a_new_value(operator: None):
    namespace, prefix = "external-test-move", f"external-test-{random.token_hex(4)}"
    documents = at_aws(aws_endpoint())
    recreate(namespace)
    others = [secret.name for secret in SECRETS if secret.name != "redis-credentials"]
    login = {"access-key-id": base64.b64encode(b"any").decode(), "secret-access-key": base64.b64encode(b"any").decode()}
    live = {key: base64.b64encode(random.token_hex(20).encode()).decode() for key in MADE["redis-credentials"]}
    for name, values in (("aws-access", login), ("redis-credentials", live)):
        apply([{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": namespace}, "data": values}])
    options: dict[str, Any] = {"store": AwsSecretsManager(region=REGION, access_key="aws-access"), "namespace": namespace, "prefix": prefix, "without": others}
    try:
        moving = Place(namespace, ExternalSecrets(adopt=True, **options), documents)
        before = moving.live()
        apply(moving.manifests())
        kube.poll("the document", lambda: documents.read(f"{prefix}/redis-credentials"), pause=2)
        moved = Place(namespace, ExternalSecrets(bootstrap=True, **options), documents)
        apply(moved.manifests())
        kube.poll("all objects ready", lambda: all(ready(m) for m in moved.manifests() if m["kind"] in ("ExternalSecret", "PushSecret")), pause=2)
        assert moved.live() == before
    finally:
        kube.run("delete", "namespace", namespace, "--wait=false", seconds=30)


GUID = "11111111-2222-3333-4444-555555555555"


@pytest.mark.parametrize(
    "store",
    [
        AwsSecretsManager(region=REGION, role_arn="arn:aws:iam::123456789012:role/sos"),
        GcpSecretManager(project="sos-production", cluster="europe-west3/main"),
        AzureKeyVault(vault_url="https://sos-app.vault.azure.net", client_id=GUID, tenant_id=GUID),
        Vault(server="https://vault.example.org", role="sos", namespace="admin", ca_config_map="vault-ca"),
    ],
    ids=lambda store: type(store).__name__,
)
@pytest.mark.parametrize("cluster_store", [False, True], ids=["namespaced", "cluster"])
def test_the_operators_own_schemas_take_every_store(operator: None, store: Any, cluster_store: bool):
    manifests = ExternalSecrets(store=store, namespace="default", cluster_store=cluster_store, bootstrap=True).manifests(SECRETS)
    answer = kube.poll("dry run", lambda: kube.apply(manifests, "--dry-run=server", "--validate=strict"), pause=3)
    assert answer.count("(server dry run)") == len(manifests)
