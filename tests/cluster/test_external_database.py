"""From an empty store, with one apply: the operator makes the credentials and the certificate, and HaPostgres runs with them."""

from __future__ import annotations

import base64
import secrets as random
from collections.abc import Iterator
from functools import partial

from sos_constructs import SPILO, ExternalDsns, ExternalSecrets, HaPostgres, KubernetesStore, SosSecrets
from sos_constructs.secrets.catalogue import SECRETS
from sos_constructs.secrets.catalogue_stores import POSTGRES

import cdk8s
import pytest

from tests.cluster import chart as charts
from tests.cluster import deploy, kube
from tests.cluster.breakable import Breakable
from tests.cluster.installation import Installation
from tests.cluster.test_external_secrets import in_namespace, new_certificate

NAMESPACE, STORE = "external-test-database", "external-test-database-store"
OWNERS = ("auth", "medical")


@pytest.fixture(scope="module")
def database(version: str, tool: Breakable | None) -> Iterator[Installation]:
    done = kube.run("get", "crd", "externalsecrets.external-secrets.io", seconds=30)
    if done.returncode:
        pytest.skip(f"no External Secrets Operator on this cluster: {done.stderr.strip()}")
    for name in (NAMESPACE, STORE):
        deploy.remove(name, tool)
        deploy.create_namespace(name)
    chart = cdk8s.Chart(cdk8s.Testing.app(), "external", namespace=NAMESPACE, disable_resource_name_hashes=True)
    others = [secret.name for secret in SECRETS if secret.name != POSTGRES.name]
    source = ExternalSecrets(store=KubernetesStore(namespace=STORE), namespace=NAMESPACE, bootstrap=True, without=others)
    secrets = SosSecrets(chart, "secrets", source=source)
    db = HaPostgres(chart, "postgres", credentials=secrets.postgres, instances=1, priority_class_name=None)
    ExternalDsns(chart, "dsns", source=source, databases=[db.database(owner) for owner in OWNERS])
    kube.poll("apply", lambda: kube.apply([*cdk8s.Testing.synth(chart), *charts.client("client", NAMESPACE, SPILO, OWNERS)]), pause=3)
    yield Installation(namespace=NAMESPACE, image=SPILO, instances=1)
    for name in (NAMESPACE, STORE):
        deploy.remove(name, tool)


def secret(name: str) -> dict[str, str]:
    return {key: base64.b64decode(value).decode() for key, value in kube.get("secret", name, "-n", NAMESPACE)["data"].items()}


def test_the_database_runs_with_credentials_nobody_has_typed(database: Installation):
    primary = database.wait_healthy()
    for owner in OWNERS:
        password = secret(POSTGRES.name)[f"{owner}-db-password"]
        kube.poll(f"{owner} logs in", partial(logs_in, database, primary, owner, password), 120)
        assert not logs_in(database, primary, owner, f"{password}x")


def test_clients_know_it_by_the_ca_that_the_operator_made(database: Installation):
    """With what `libpq_env` gives a workload, `verify-full`; also after a renewal, by which nothing restarts."""
    database.wait_healthy()
    for owner in OWNERS:
        kube.poll(f"{owner} verifies the server", partial(verifies, database, owner), 120)
    before = database.lives()
    new_certificate(NAMESPACE)
    certificate = secret("postgres-tls")["tls.crt"]

    def taken_over() -> bool:
        used = database.exec("postgres-0", "sh", "-c", "cat /run/sos/tls/tls.crt || true")
        return used.strip() == certificate.strip()

    kube.poll("the new certificate in use", taken_over, 240, 3)
    for owner in OWNERS:
        assert verifies(database, owner)
    assert database.lives() == before, "nothing restarted"


def test_uris_lead_there(database: Installation):
    dsns = secret("postgres-dsns")
    assert set(dsns) == {f"{owner}-dsn" for owner in OWNERS}
    for owner in OWNERS:
        assert asks(database, owner, dsns[f"{owner}-dsn"]) == owner
        assert "sslmode=verify-full" in dsns[f"{owner}-dsn"]


def test_a_password_of_other_characters_is_escaped(database: Installation):
    owner, password = "medical", "ab+c/d@e:f%g?h#i&j=k'l\\m~n-0123456789"
    documents = in_namespace(STORE)
    document = documents.read("sos-app-postgres-credentials")
    assert document is not None
    documents.write("sos-app-postgres-credentials", document | {f"{owner}-db-password": password})
    mark = f"force-sync={random.token_hex(8)}"
    kube.kubectl("annotate", "externalsecret", POSTGRES.name, "postgres-dsns", "-n", NAMESPACE, "--overwrite", mark)
    kube.poll("the new password", lambda: secret(POSTGRES.name)[f"{owner}-db-password"] == password)
    kube.poll("the new URI", lambda: "%2F" in secret("postgres-dsns")[f"{owner}-dsn"])
    uri = secret("postgres-dsns")[f"{owner}-dsn"]
    kube.poll("the agent sets it", lambda: asks(database, owner, uri) == owner, 240, 3)


def test_nothing_shows_a_value(database: Installation):
    """`kubectl describe` of everything, the logs of every container, and the arguments of every process in the pod."""
    values = [value for key, value in secret(POSTGRES.name).items() if key.endswith("password")]
    values += [line for line in secret("postgres-tls")["tls.key"].splitlines() if len(line) >= 32]
    assert len(values) > len(OWNERS)
    shown = {"describe": kube.kubectl("describe", "all,secrets,configmaps,externalsecrets,events", "-n", NAMESPACE)}
    for pod in database.pods():
        name = pod["metadata"]["name"]
        shown[f"logs of {name}"] = kube.kubectl("logs", "-n", NAMESPACE, name, "--all-containers", "--tail=-1")
        for container in pod["spec"]["containers"]:
            done = database.try_exec(name, "sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '", container=container["name"])
            shown[f"processes of {container['name']}"] = done.stdout
    assert "patroni" in shown["processes of postgres"]
    for where, text in shown.items():
        found = [value for value in values if value in text or base64.b64encode(value.encode()).decode()[:40] in text]
        assert not found, f"{len(found)} values in {where}"


def verifies(database: Installation, owner: str) -> bool:
    """Whether a client pod gets in with its environment alone."""
    return asks(database, owner, "") == owner


def asks(database: Installation, owner: str, uri: str) -> str:
    """Who the server says that a client pod is, by URI or by its environment alone."""
    script = f"read -r uri; {database.image.bin_dir}/psql -XqAt ${{uri:+\"$uri\"}} -c 'SELECT current_user'"
    return database.try_exec("client", "sh", "-c", script, container=owner, stdin=f"{uri}\n").stdout.strip()


def logs_in(database: Installation, pod: str, user: str, password: str) -> bool:
    """Over the network, so that the password counts."""
    address = f"host=postgres-service port=5432 user={user} dbname={user} connect_timeout=5"
    script = f"read -r PGPASSWORD; export PGPASSWORD; {database.image.bin_dir}/psql -XqAt '{address}' -c 'SELECT current_user'"
    return database.try_exec(pod, "sh", "-c", script, container="postgres", stdin=f"{password}\n").stdout.strip() == user
