"""What users add in Kubernetes' own words, on a cluster: what is refused here the API server refuses too, and one installation with many options at once."""

from __future__ import annotations

import base64
import socket
import ssl
import struct
from collections.abc import Iterator, Mapping
from typing import Any

from sos_constructs import SPILO, Clients, Database, Locale, PodOptions, Pooler, ServiceOptions
from sos_constructs.quantities import MiB, parse_bytes, parse_millicores

import attrs
import pytest

from tests.cluster import chart, deploy, kube
from tests.cluster.breakable import Breakable
from tests.cluster.installation import Installation
from tests.cluster.test_1_deployed import scratch
from tests.postgres.scenarios import install

__all__ = ["scratch"]  # the fixture

NAMESPACE = "sos-options"
FIRST_UID = 1000680000
PODS = PodOptions(
    tolerations=({"key": "dedicated", "operator": "Equal", "value": "database", "effect": "NoSchedule"},),
    node_selector={"kubernetes.io/os": "linux"},
    topology_spread_constraints=({"maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "ScheduleAnyway"},),
    labels={"team": "sos"},
    annotations={"example.org/note": "more"},
)
OPTIONS: dict[str, Any] = {
    "size": "laptop",
    "first_uid": FIRST_UID,
    "priority_class_name": None,
    "databases": (
        Database(name="auth"),
        Database(name="users", locale=Locale(provider="icu", icu_locale="de-DE-u-kn-true")),
        Database(name="devices", locale=Locale(name="C", encoding="LATIN1")),
    ),
    "pods": PODS,
    "service": ServiceOptions(type="NodePort", labels={"team": "sos"}),
    "allow_from": (Clients(), Clients(addresses=("0.0.0.0/0", "::/0"))),
    "pg_hba": ("hostssl devices devices all reject",),
    "pooler": Pooler(pods=PODS, ignore_startup_parameters=("extra_float_digits", "options", "search_path"), parameters={"server_idle_timeout": 60}),
}


@pytest.fixture(scope="module")
def running(tool: Breakable | None, version: str) -> Iterator[Installation]:
    deploy.prepare(NAMESPACE, tool)
    kube.apply(chart.beside(NAMESPACE, **OPTIONS))
    found = Installation(namespace=NAMESPACE, image=SPILO)
    found.wait_healthy()
    kube.kubectl("rollout", "status", "deployment/postgres-pooler", "-n", NAMESPACE, "--timeout=300s", seconds=320)
    yield found
    deploy.remove(NAMESPACE, tool)


def ask(running: Installation, database: str, statement: str, *, host: str = "postgres-service", more: Mapping[str, str] = {}) -> str:
    """As the database's owner, from a pod; what is printed, or why not."""
    secret = kube.get("secret", "postgres-credentials", "-n", NAMESPACE)["data"]
    user, password = (base64.b64decode(secret[f"{database}-db-{what}"]).decode() for what in ("username", "password"))
    words = {"host": host, "dbname": database, "user": user, "sslmode": "require", "connect_timeout": "10", **more}
    dsn = " ".join(f"{key}='{value}'" for key, value in words.items())
    program = ["sh", "-c", 'read -r PGPASSWORD && export PGPASSWORD && exec "$0" "$@"', f"{running.image.bin_dir}/psql", "-XqAt", "-c", statement, dsn]
    done = running.try_exec("postgres-0", *program, container="postgres", stdin=f"{password}\n")
    return (done.stdout if done.returncode == 0 else done.stderr).strip()


def test_every_pod_is_ready_with_what_a_laptop_has(running: Installation):
    pods = kube.items("pods", "-n", NAMESPACE)
    assert len(pods) == 5
    cpu = memory = 0
    for pod in pods:
        for container in pod["spec"]["containers"]:
            requests = container["resources"]["requests"]
            cpu += parse_millicores("cpu", requests["cpu"])
            memory += parse_bytes("memory", requests["memory"])
    assert cpu <= 500, "of the 2000 that kind and minikube have, half of which their own pods request"
    assert memory <= 1280 * MiB


def test_every_container_is_of_the_range(running: Installation):
    users = {name: (uid, pod["spec"]["securityContext"]["fsGroup"]) for pod in kube.items("pods", "-n", NAMESPACE) for name, uid in _users(pod).items()}
    assert {uid for uid, _ in users.values()} == {FIRST_UID, FIRST_UID + 1, FIRST_UID + 2}
    assert {group for _, group in users.values()} == {FIRST_UID}
    assert users["postgres-exporter"][0] != users["postgres"][0], "PostgreSQL knows the superuser by its number"
    primary = running.primary()
    assert running.exec(primary, "id", "-u", container="postgres").strip() == str(FIRST_UID)
    assert running.sql(primary, "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'postgres-exporter' AND usename <> 'monitoring'") == [["0"]]
    kube.poll("metrics of the exporter", lambda: "pg_up 1" in _exported(running, primary), 60)


def _users(pod: Mapping[str, Any]) -> dict[str, int]:
    whole = pod["spec"]["securityContext"]["runAsUser"]
    containers = [*pod["spec"]["containers"], *pod["spec"]["initContainers"]]
    return {each["name"]: each.get("securityContext", {}).get("runAsUser", whole) for each in containers}


def _exported(running: Installation, pod: str) -> str:
    return running.exec(pod, "python3", "-c", "import urllib.request as r; print(r.urlopen('http://localhost:9187/metrics', timeout=5).read().decode())")


def test_what_was_added_stands_on_pods_and_services(running: Installation):
    for pod in kube.items("pods", "-n", NAMESPACE):
        assert pod["metadata"]["labels"]["team"] == "sos"
        assert pod["metadata"]["annotations"]["example.org/note"] == "more"
        assert pod["spec"]["nodeSelector"] == {"kubernetes.io/os": "linux"}
        assert {"key": "dedicated", "operator": "Equal", "value": "database", "effect": "NoSchedule"} in pod["spec"]["tolerations"]
        (spread,) = pod["spec"]["topologySpreadConstraints"]
        assert spread["labelSelector"]["matchLabels"].items() <= pod["metadata"]["labels"].items(), "it counts these pods, although nobody said so"
    assert kube.get("service", "postgres-service", "-n", NAMESPACE)["metadata"]["labels"]["team"] == "sos"


def test_each_database_has_its_own_locale(running: Installation):
    rows = running.sql(
        running.primary(),
        "SELECT datname, pg_encoding_to_char(encoding), datlocprovider, datcollate, coalesce(daticulocale, '') FROM pg_database WHERE datname IN"
        " ('auth', 'users', 'devices') ORDER BY 1",
    )
    assert rows == [["auth", "UTF8", "c", "en_US.UTF-8", ""], ["devices", "LATIN1", "c", "C", ""], ["users", "UTF8", "i", "en_US.UTF-8", "de-DE-u-kn-true"]]
    order = "SELECT string_agg(x, ' ' ORDER BY x) FROM (VALUES ('id10'), ('id9'), ('Ärzte'), ('Zug')) AS t(x)"
    assert ask(running, "users", order) == "Ärzte id9 id10 Zug", "ICU counts, and sorts umlauts as a German reader does"


def test_a_line_of_pg_hba_is_in_force_and_the_pods_own_lines_come_first(running: Installation):
    assert ask(running, "auth", "SELECT 1") == "1"
    assert "pg_hba.conf rejects connection" in ask(running, "devices", "SELECT 1")
    for pod in running.pod_names:
        lines = running.sql(
            pod, "SELECT coalesce(array_to_string(user_name, ','), ''), auth_method, coalesce(error, '') FROM pg_hba_file_rules ORDER BY line_number"
        )
        assert {error for *_, error in lines} == {""}
        mine = lines.index(["devices", "reject", ""])
        assert lines.index(["postgres,standby,rewind", "reject", ""]) < mine < lines.index(["+devices", "scram-sha-256", ""], mine)


def test_a_client_outside_the_cluster_reaches_the_primary(running: Installation):
    port = kube.get("service", "postgres-service", "-n", NAMESPACE)["spec"]["ports"][0]["nodePort"]
    nodes = [a["address"] for node in kube.items("nodes") for a in node["status"]["addresses"] if a["type"] == "InternalIP"]
    ca = base64.b64decode(kube.get("secret", "postgres-tls", "-n", NAMESPACE)["data"]["ca.crt"]).decode()
    for node in nodes:
        assert _asks_for_password(node, port, ca) == 10, "SASL"


def _asks_for_password(node: str, port: int, ca: str) -> int:
    """TLS with the database's own certificate, and which authentication it asks user `auth` for."""
    context = ssl.create_default_context(cadata=ca)
    with socket.create_connection((node, port), timeout=10) as plain:
        plain.sendall(struct.pack("!ii", 8, 80877103))
        assert plain.recv(1) == b"S"
        with context.wrap_socket(plain, server_hostname="postgres-service") as connection:
            words = b"user\0auth\0database\0auth\0\0"
            connection.sendall(struct.pack("!ii", 8 + len(words), 196608) + words)
            kind, _, method = struct.unpack("!cii", connection.recv(9))
            assert kind == b"R", kind
            return int(method)


def test_the_pooler_takes_what_it_is_told_to_ignore(running: Installation):
    host = "postgres-pooler-service"
    for more in ({"options": "-c search_path=sos"}, {"options": "-c statement_timeout=5s"}):
        assert ask(running, "auth", "SELECT 1", host=host, more=more) == "1"
    assert ask(running, "auth", "SHOW search_path", host=host, more={"options": "-c search_path=sos"}) == '"$user", public', "taken, and forgotten"
    text = kube.get("configmap", "postgres-pooler-config", "-n", NAMESPACE)["data"]["primary.ini"]
    assert "server_idle_timeout = 60\n" in text


# --- what the API server says ----------------------------------------------------------------------------------------------


def dry_run(scratch: str, options: Mapping[str, Any]) -> list[str]:
    """The API server's complaints about the built-in objects of an installation with these options."""
    _, db = install(dict(options) | {"namespace": scratch})
    found = []
    for manifest in (made.to_json() for made in db.objects.values()):
        if manifest["kind"] in ("ServiceAccount", "Service", "StatefulSet", "Deployment", "NetworkPolicy"):
            done = kube.run("apply", "--dry-run=server", "-f", "-", stdin=kube.documents([manifest]))
            found += [f"{manifest['kind']}: {done.stderr.strip()}"] if done.returncode else []
    return found


WELL: dict[str, dict[str, Any]] = {
    "affinity": {
        "pods": PodOptions(
            affinity={
                "nodeAffinity": {
                    "preferredDuringSchedulingIgnoredDuringExecution": [
                        {"weight": 100, "preference": {"matchExpressions": [{"key": "cpu", "operator": "Gt", "values": ["4"]}]}}
                    ]
                },
                "podAffinity": {
                    "requiredDuringSchedulingIgnoredDuringExecution": [
                        {"topologyKey": "topology.kubernetes.io/zone", "labelSelector": {"matchLabels": {"app": "api"}}, "namespaces": ["web"]}
                    ]
                },
                "podAntiAffinity": {},
            }
        )
    },
    "tolerations": {
        "pods": PodOptions(tolerations=({"operator": "Exists"}, {"key": "a", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 30}))
    },
    "spread": {
        "pods": PodOptions(
            topology_spread_constraints=(
                {"maxSkew": 2, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule", "minDomains": 2, "nodeTaintsPolicy": "Honor"},
                {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway", "matchLabelKeys": ["team"]},
            )
        )
    },
    "load balancer": {
        "service": ServiceOptions(type="LoadBalancer", load_balancer_class="example.net/lb", load_balancer_source_ranges=("10.0.0.0/8", "2001:db8::/32"))
    },
    "huge pages": {"parameters": {"huge_pages": "on"}, "resources": attrs.evolve(install({})[1].spec.resources, hugepages_2mi="1Gi")},
}


@pytest.mark.parametrize("case", WELL)
def test_what_is_taken_here_the_api_server_takes(scratch: str, case: str):
    assert dry_run(scratch, WELL[case]) == []
