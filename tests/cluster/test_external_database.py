"""From an empty store, with one apply: the operator makes the credentials, and HaPostgres runs with them."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from functools import partial

from sos_constructs import SPILO, ExternalSecrets, HaPostgres, KubernetesStore, SosSecrets
from sos_constructs.secrets.catalogue import SECRETS

import cdk8s
import pytest

from tests.cluster import deploy, kube
from tests.cluster.breakable import Breakable
from tests.cluster.installation import Installation

NAMESPACE, STORE = "external-test-database", "external-test-database-store"


@pytest.fixture(scope="module")
def database(version: str, tool: Breakable | None) -> Iterator[Installation]:
    done = kube.run("get", "crd", "externalsecrets.external-secrets.io", seconds=30)
    if done.returncode:
        pytest.skip(f"no External Secrets Operator on this cluster: {done.stderr.strip()}")
    for name in (NAMESPACE, STORE):
        deploy.remove(name, tool)
        deploy.create_namespace(name)
    chart = cdk8s.Chart(cdk8s.Testing.app(), "external", namespace=NAMESPACE, disable_resource_name_hashes=True)
    others = [secret.name for secret in SECRETS if secret.name != "postgres-credentials"]
    source = ExternalSecrets(store=KubernetesStore(namespace=STORE), namespace=NAMESPACE, bootstrap=True, without=others)
    secrets = SosSecrets(chart, "secrets", source=source)
    HaPostgres(chart, "postgres", credentials=secrets.postgres, instances=1, priority_class_name=None)
    kube.poll("apply", lambda: kube.apply(cdk8s.Testing.synth(chart)), pause=3)
    yield Installation(namespace=NAMESPACE, image=SPILO, instances=1)
    for name in (NAMESPACE, STORE):
        deploy.remove(name, tool)


def test_the_database_runs_with_credentials_nobody_has_typed(database: Installation):
    primary = database.wait_healthy()
    live = kube.get("secret", "postgres-credentials", "-n", NAMESPACE)["data"]
    for owner in ("auth", "medical"):
        password = base64.b64decode(live[f"{owner}-db-password"]).decode()
        kube.poll(f"{owner} logs in", partial(logs_in, database, primary, owner, password), 120)
        assert not logs_in(database, primary, owner, f"{password}x")


def logs_in(database: Installation, pod: str, user: str, password: str) -> bool:
    """Over the network, so that the password counts."""
    address = f"host=postgres-service port=5432 user={user} dbname={user} connect_timeout=5"
    script = f"read -r PGPASSWORD; export PGPASSWORD; {database.image.bin_dir}/psql -XqAt '{address}' -c 'SELECT current_user'"
    return database.try_exec(pod, "sh", "-c", script, container="postgres", stdin=f"{password}\n").stdout.strip() == user
