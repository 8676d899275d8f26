"""Two clusters with databases, owners and roles of their own in one namespace: readers only read, and nothing of one opens the other."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

from sos_constructs import SPILO, HaPostgres, Pooler, Resources, Role, SosNamespace, SosSecrets

import attrs
import cdk8s
import pytest

from examples.own_databases.databases import CATALOGUE, SHOP, SHOP_ROLES, STOCK
from tests.cluster import deploy, kube
from tests.cluster.breakable import ROOT, Breakable
from tests.cluster.installation import Installation

NAMESPACE = "databases-own"
ARRIVES_SECONDS = 300
"""The kubelet brings a changed mount within about 90 s, the agent acts 5 s later."""
SMALL: dict[str, Any] = {
    "instances": 1,
    "storage": "1Gi",
    "resources": Resources(cpu_request="50m", cpu_limit="1", memory_request="128Mi", memory_limit="512Mi"),
    "exporter_resources": Resources(cpu_request="5m", cpu_limit="200m", memory_request="16Mi", memory_limit="128Mi"),
    "shared_memory": "64Mi",
    "priority_class_name": None,
}
POOLER = Pooler(pool_size=2, readonly=False, cpu_request="5m", memory_request="16Mi")


def manifests(roles: list[Role]) -> list[dict[str, Any]]:
    made = cdk8s.Chart(cdk8s.Testing.app(), "own", namespace=NAMESPACE, disable_resource_name_hashes=True)
    SosNamespace(made, "foundation", name=NAMESPACE, create_priority_classes=False)
    secrets = SosSecrets(made, "secrets", catalogue=CATALOGUE)
    HaPostgres(made, "shop", name="shop", databases=SHOP, roles=roles, credentials=secrets["shop-postgres"], pooler=POOLER, **SMALL)
    HaPostgres(made, "stock", name="stock", databases=STOCK, credentials=secrets["stock-postgres"], **SMALL)
    return list(cdk8s.Testing.synth(made))


def sosctl(*arguments: str) -> str:
    catalogue = str(ROOT / "examples" / "own_databases" / "databases.py") + ":CATALOGUE"
    command = [sys.executable, "-m", "sos_constructs.cli", "secrets", "--catalogue", catalogue, *arguments, "--namespace", NAMESPACE]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@attrs.frozen
class Both:
    """The two clusters."""

    shop: Installation
    stock: Installation

    def secret(self, name: str) -> dict[str, str]:
        return {key: base64.b64decode(value).decode() for key, value in kube.get("secret", name, "-n", NAMESPACE)["data"].items()}

    def ask(self, user: str, word: str, sql: str = "SELECT 1", *, host: str = "shop-service", database: str = "shop") -> str:
        """What psql says over the network."""
        script = f'read -r PGPASSWORD; export PGPASSWORD; exec {SPILO.bin_dir}/psql -XqAt -v ON_ERROR_STOP=1 -h {host} -U {user} -d {database} -c "$0"'
        done = self.shop.try_exec("shop-0", "sh", "-c", script, sql, container="postgres", stdin=f"{word}\n")
        return (done.stderr if done.returncode else done.stdout).strip()

    def report(self, sql: str = "SELECT 1", **where: str) -> str:
        there = self.secret("shop-postgres")
        return self.ask(there["report-role-username"], there["report-role-password"], sql, **where)

    def owner(self, sql: str) -> str:
        there = self.secret("shop-postgres")
        return self.ask(there["shop-db-username"], there["shop-db-password"], sql)


@pytest.fixture(scope="module")
def both(tool: Breakable | None) -> Iterator[Both]:
    remove(tool)
    deploy.create_namespace(NAMESPACE)
    kube.kubectl("apply", "-f", "-", stdin=sosctl("generate"))
    kube.apply(manifests(SHOP_ROLES))
    found = Both(*(Installation(namespace=NAMESPACE, image=SPILO, instances=1, name=name) for name in ("shop", "stock")))
    for each in (found.shop, found.stock):
        each.wait_healthy()
    kube.poll("the report logs in", lambda: found.report() == "1", ARRIVES_SECONDS)
    yield found
    remove(tool)


def remove(tool: Breakable | None) -> None:
    kube.run("delete", "statefulset", "shop", "stock", "-n", NAMESPACE, "--ignore-not-found", "--cascade=foreground", "--timeout=200s", seconds=230)
    deploy.remove(NAMESPACE, tool)


def test_only_its_own_secrets_are_made(both: Both):
    names = {secret["metadata"]["name"] for secret in kube.items("secrets", "-n", NAMESPACE)}
    assert names == {"shop-postgres", "stock-postgres", "shop-tls", "stock-tls", "shop-pooler-tls", "stock-pooler-tls"}


def test_a_reader_reads_what_the_owner_makes_later_and_writes_nothing(both: Both):
    assert both.report("SELECT count(*) FROM orders") == "0", "made by Database.sql; read through the group"
    assert both.owner("CREATE TABLE later (n int); INSERT INTO later VALUES (7)") == ""
    assert both.report("SELECT n FROM later") == "7"
    for sql in ("INSERT INTO later VALUES (8)", "DELETE FROM later", "CREATE TABLE mine (n int)", "DROP TABLE later"):
        answer = both.report(sql)
        assert "permission denied" in answer or "must be owner" in answer, answer
    assert "no pg_hba.conf entry" in both.report(database="postgres")


def test_the_pooler_lets_the_role_in(both: Both):
    assert kube.poll("through the pooler", lambda: both.report("SELECT count(*) FROM orders", host="shop-pooler-service") == "0", ARRIVES_SECONDS)


def test_nothing_of_one_cluster_opens_the_other(both: Both):
    shop, stock = both.secret("shop-postgres"), both.secret("stock-postgres")
    common = {key for key in shop if key.endswith("password")} & set(stock)
    assert len(common) == 6
    assert all(shop[key] != stock[key] for key in common)
    assert both.ask("monitoring", shop["monitoring-password"], database="postgres") == "1"
    assert "password authentication failed" in both.ask("monitoring", stock["monitoring-password"], database="postgres")
    assert "password authentication failed" in both.ask("monitoring", shop["monitoring-password"], host="stock-service", database="postgres")
    assert both.ask("stock", stock["stock-db-password"], host="stock-service", database="stock") == "1"
    assert both.ask("stock", stock["stock-db-password"]) != "1"
    assert both.report(host="stock-service", database="stock") != "1"


def test_one_roles_password_is_rotated_and_nobody_is_turned_away(both: Both):
    before = both.secret("shop-postgres")
    started = both.shop.server_started("shop-0")
    sosctl("rotate", "shop-postgres", "--key", "report-role-password")
    there = both.secret("shop-postgres")
    user, word = there["report-role-username-next"], there["report-role-password-next"]
    kube.poll("the next login", lambda: both.ask(user, word, "SELECT count(*) FROM orders") == "0", ARRIVES_SECONDS)
    assert both.report() == "1", "the one before"
    sosctl("rotate", "shop-postgres", "--key", "report-role-password", "--force")
    sosctl("rotate", "shop-postgres", "--key", "report-role-password", "--retire", "--force")
    old = before["report-role-username"], before["report-role-password"]
    kube.poll("the old password opens nothing", lambda: "authentication failed" in both.ask(*old), ARRIVES_SECONDS)
    assert both.report("SELECT current_user") == "report"
    after = both.secret("shop-postgres")
    assert {key for key in before if before[key] != after.get(key) and "report-role" not in key} == {"sos-app-times"} & set(before)
    assert both.shop.server_started("shop-0") == started


def test_a_role_that_is_no_longer_declared_does_not_get_in(both: Both):
    kube.apply(manifests([role for role in SHOP_ROLES if role.name != "report"]))
    refusals = ("no pg_hba.conf entry", "authentication failed", "not permitted to log in")
    kube.poll("the report is refused", lambda: any(words in both.report() for words in refusals), ARRIVES_SECONDS)
    retired = "SELECT rolcanlogin, (SELECT count(*) FROM pg_auth_members WHERE member = r.oid) FROM pg_roles AS r WHERE rolname = 'report'"
    kube.poll("it is retired", lambda: both.shop.sql("shop-0", retired) == [["f", "0"]], ARRIVES_SECONDS)
    kube.apply(manifests(SHOP_ROLES))
    kube.poll("the report logs in again", lambda: both.report("SELECT count(*) FROM orders") == "0", ARRIVES_SECONDS)


def test_the_agents_are_content(both: Both):
    """Nothing failed that no other test has seen."""
    for each in (both.shop, both.stock):
        lines = kube.kubectl("logs", "-n", NAMESPACE, f"{each.name}-0", "-c", "agent").splitlines()
        assert [line for line in lines if json.loads(line)["level"] == "error" and json.loads(line)["step"] == "databases"] == []
