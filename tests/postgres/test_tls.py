"""The option tls: names, the Certificate for cert-manager, what pods and Prometheus get, and what is refused."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sos_constructs import HaPostgres, SosSecrets
from sos_constructs.errors import InvalidOption
from sos_constructs.postgres import monitoring, names, tls
from sos_constructs.postgres.contents import manifests
from sos_constructs.postgres.statefulset import stateful_set
from sos_constructs.postgres.tls import CertificateSecret, CertManager
from sos_constructs.secrets.servers import MEMBERS, postgres_server

import cdk8s
import pytest

from tests import crds
from tests.postgres.example import spec


def pod(**options: Any) -> dict[str, Any]:
    made: dict[str, Any] = stateful_set(spec(**options))["spec"]["template"]["spec"]
    return made


def test_every_name_that_a_client_may_use():
    made = tls.hosts(spec(name="orders", namespace="shop"))
    for service in ("orders-service", "orders-readonly-service", "orders-headless"):
        assert {service, f"{service}.shop", f"{service}.shop.svc", f"{service}.shop.svc.cluster.local"} <= set(made)
    assert "orders-8.orders-headless.shop.svc.cluster.local" in made
    assert len(made) == len(set(made)) == 4 * (3 + names.MAX_MEMBERS)


def test_the_generated_certificate_is_for_the_same_names_and_stands_where_it_is_looked_for():
    server = postgres_server("orders", "shop")
    assert list(server.hosts) == tls.hosts(spec(name="orders", namespace="shop"))
    assert server.secret.name == tls.secret_name(CertificateSecret(), "orders")
    assert MEMBERS == names.MAX_MEMBERS


def test_certificate_for_cert_manager():
    made = spec(tls=CertManager(issuer="platform-ca", issuer_kind="ClusterIssuer"))
    (found,) = [each for each in manifests(made) if each["kind"] == "Certificate"]
    crds.validate_custom_resource(found)
    crds.typed_second_opinion(found)
    assert found["metadata"]["name"] == found["spec"]["secretName"] == "postgres-tls"
    assert found["spec"]["issuerRef"] == {"group": "cert-manager.io", "kind": "ClusterIssuer", "name": "platform-ca"}
    assert found["spec"]["dnsNames"] == tls.hosts(made)
    assert (found["spec"]["duration"], found["spec"]["renewBefore"]) == ("2160h0m0s", "720h0m0s")
    assert found["spec"]["privateKey"]["rotationPolicy"] == "Always"


def test_nobody_else_is_asked_for_a_certificate():
    for option in (CertificateSecret(), CertificateSecret(name="corporate"), None):
        assert not [each for each in manifests(spec(tls=option)) if each["kind"] == "Certificate"]


@pytest.mark.parametrize(("option", "name"), [(CertificateSecret(), "postgres-tls"), (CertificateSecret(name="corporate"), "corporate")])
def test_the_secret_is_mounted_for_the_agent_alone(option: CertificateSecret, name: str):
    made = pod(tls=option)
    assert [v["secret"] for v in made["volumes"] if v["name"] == "certificates"] == [{"defaultMode": 0o440, "secretName": name}]
    mounted = {c["name"]: m for c in [*made["initContainers"], *made["containers"]] for m in c["volumeMounts"] if m["name"] == "certificates"}
    assert mounted.keys() == {"render", "agent"}
    assert all(mount["readOnly"] for mount in mounted.values())


def test_probes_ask_as_the_pod_answers():
    for option, scheme in ((CertificateSecret(), "HTTPS"), (None, "HTTP")):
        (container,) = [c for c in pod(tls=option)["containers"] if c["name"] == "postgres"]
        assert {container[probe]["httpGet"]["scheme"] for probe in ("livenessProbe", "readinessProbe", "startupProbe")} == {scheme}
        (agent,) = [c for c in pod(tls=option)["containers"] if c["name"] == "agent"]
        assert agent["livenessProbe"]["httpGet"]["scheme"] == "HTTP"


def test_without_tls_nothing_of_it_is_left():
    text = str([each for each in manifests(spec(tls=None)) if each["metadata"]["name"] != "postgres-agent" and each["kind"] != "PrometheusRule"])
    assert "hostssl" not in text
    assert "certificates" not in text
    assert "https" not in text


def test_prometheus_verifies_patroni():
    made = spec()
    assert made.monitoring is not None
    by_port = {each["port"]: each for each in monitoring.pod_monitor(made, made.monitoring)["spec"]["podMetricsEndpoints"]}
    config = by_port["patroni"]["tlsConfig"]
    assert by_port["patroni"]["scheme"] == "https"
    assert config["ca"] == {"secret": {"key": "ca.crt", "name": "postgres-tls"}}
    assert config["serverName"] in tls.hosts(made), "pods are scraped by address"
    assert "scheme" not in by_port["metrics"] | by_port["agent"]


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (True, r"tls=True must be made with CertificateSecret"),
        ("postgres-tls", r"tls='postgres-tls' must be made with CertificateSecret"),
        (CertificateSecret(name="No"), r"tls\.name='No'"),
        (CertManager(issuer=""), r"tls\.issuer=''"),
        (CertManager(issuer="a", issuer_kind="Vault"), r"tls\.issuer_kind='Vault' must be 'Issuer' or 'ClusterIssuer'"),  # type: ignore[arg-type]
        (CertManager(issuer="a", duration=timedelta(minutes=10)), r"tls\.duration='0:10:00' must be a timedelta of whole minutes, at least 1:00:00"),
        (CertManager(issuer="a", renew_before=timedelta(seconds=1)), r"tls\.renew_before='0:00:01' must be"),
        (CertManager(issuer="a", renew_before=timedelta(days=90)), r"tls\.renew_before='90 days, 0:00:00' must be less than tls\.duration"),
        (CertManager(issuer="a", name="A"), r"tls\.name='A'"),
    ],
)
def test_refused(option: Any, message: str):
    with pytest.raises(InvalidOption, match=message):
        spec(tls=option).check()


def test_another_issuers_kinds_are_its_own():
    made = spec(tls=CertManager(issuer="a", issuer_kind="AWSPCAIssuer", issuer_group="awspca.cert-manager.io"))  # type: ignore[arg-type]
    assert made.check() is made


# --- what clients get -------------------------------------------------------------------------------------------------


def database(**options: Any) -> HaPostgres:
    chart = cdk8s.Chart(cdk8s.Testing.app(), "c", namespace="sos-app")
    return HaPostgres(chart, "postgres", credentials=SosSecrets(chart, "secrets").postgres, **options)


def variables(env: list[dict[str, Any]]) -> dict[str, Any]:
    return {each["name"]: each.get("value") for each in env}


def test_clients_verify_by_default_and_get_the_ca_and_no_key():
    db = database()
    assert db.ca is not None
    assert db.ca.volume()["secret"] == {"defaultMode": 0o444, "items": [{"key": "ca.crt", "path": "ca.crt"}], "secretName": "postgres-tls"}
    env = variables(db.database("auth").libpq_env())
    assert (env["PGSSLMODE"], env["PGSSLROOTCERT"]) == ("verify-full", f"{db.ca.mount()['mountPath']}/ca.crt")
    assert env["PGHOST"] in tls.hosts(db.spec)


def test_require_needs_no_file():
    auth = database().database("auth")
    env = variables(auth.libpq_env(sslmode="require"))
    assert env["PGSSLMODE"] == "require"
    assert "PGSSLROOTCERT" not in env
    assert "sslmode=require&target_session_attrs=read-write" in variables(auth.dsn_env(sslmode="require"))["DATABASE_URL"]


def test_less_than_the_database_takes_is_refused():
    with pytest.raises(InvalidOption, match="sslmode='prefer' must be one of 'require', 'verify-ca', 'verify-full'"):
        database().database("auth").libpq_env(sslmode="prefer")  # type: ignore[arg-type]


def test_without_tls_nothing_is_said_of_it():
    db = database(tls=None)
    assert (db.ca, db.sslmode) == (None, "prefer")
    assert "PGSSLMODE" not in variables(db.database("auth").libpq_env())
    assert "ssl" not in variables(db.database("auth").dsn_env(readonly=True))["DATABASE_URL"]
