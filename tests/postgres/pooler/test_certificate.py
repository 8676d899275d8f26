"""The pooler's certificate in the manifests: a Secret of its own, for its own names, which only the agent sees."""

from __future__ import annotations

from typing import Any

from sos_constructs import CertificateSecret, CertManager, HaPostgres, Pooler, SosConfig, SosSecrets
from sos_constructs.errors import InvalidOption
from sos_constructs.postgres import tls
from sos_constructs.postgres.pooler import certificate, ini
from sos_constructs.postgres.pooler import names as p
from sos_constructs.postgres.spec import Spec
from sos_constructs.secrets.servers import pooler_server

import cdk8s
import pytest

from tests import crds
from tests.postgres.pooler.example import objects, pooled


def pod(made: Spec) -> dict[str, Any]:
    found: dict[str, Any] = objects(made)["Deployment/postgres-pooler"]["spec"]["template"]["spec"]
    return found


def files(made: Spec) -> dict[str, str]:
    found: dict[str, str] = objects(made)["ConfigMap/postgres-pooler-config"]["data"]
    return found


def test_the_generated_certificate_is_for_the_same_names_and_stands_where_it_is_looked_for():
    made = pooled(name="orders", namespace="shop")
    server = pooler_server("orders", "shop")
    assert list(server.hosts) == certificate.hosts(made, Pooler())
    assert list(server.clients_use) == certificate.services(made, Pooler())
    assert server.secret.name == certificate.secret_name(made, Pooler())
    for service in ("orders-pooler-service", "orders-pooler-readonly-service"):
        assert {service, f"{service}.shop", f"{service}.shop.svc", f"{service}.shop.svc.cluster.local"} <= set(server.hosts)
    assert not set(server.hosts) & set(tls.hosts(made)), "neither may pass for the other"


def test_the_agent_alone_sees_the_secret_and_pgbouncer_none_of_the_databases_keys():
    made = pod(pooled())
    (volume,) = [each["secret"] for each in made["volumes"] if each["name"] == "certificates"]
    assert volume == {"defaultMode": 0o440, "optional": True, "secretName": "postgres-pooler-tls"}
    mounted = {each["name"] for each in [*made["initContainers"], *made["containers"]] for mount in each["volumeMounts"] if mount["name"] == "certificates"}
    assert mounted == {"render", "agent"}
    of_the_database = [each["secret"] for each in made["volumes"] if each.get("secret", {}).get("secretName") == "postgres-tls"]
    assert [each["items"] for each in of_the_database] == [[{"key": "ca.crt", "path": "ca.crt"}]]


def test_clients_must_speak_tls_by_default():
    for side in ("primary", "readonly"):
        lines = files(pooled())[f"{side}-tls.ini"].splitlines()
        assert {"client_tls_sslmode = require", "client_tls_protocols = secure"} <= set(lines)
        assert f"client_tls_key_file = {p.RUNTIME_DIR}/tls/tls.key" in lines
        (container,) = [each for each in pod(pooled())["containers"] if each["name"] == side]
        assert container["command"] == ["pgbouncer", f"/etc/sos/pooler/{side}-tls.ini"]


def test_plain_clients_are_let_in_by_a_reload():
    plain = pooled(tls=CertificateSecret(plain_clients=True))
    assert "client_tls_sslmode = allow\n" in files(plain)["primary-tls.ini"]
    assert pod(plain) == pod(pooled())
    assert ini.restart_checksum(plain, Pooler()) == ini.restart_checksum(pooled(), Pooler())


def test_pods_of_an_older_template_are_not_told_of_files_that_they_do_not_have():
    assert "client_tls" not in files(pooled())["primary.ini"]
    assert files(pooled())["primary.ini"].partition("[pgbouncer]\n")[2], "the section that goes on in the other file"
    assert files(pooled())["primary.ini"].count("\n[") == 2


def test_without_tls_nothing_of_it_is_left():
    made = pooled(tls=None)
    assert list(files(made)) == ["primary.ini", "readonly.ini", "pooler.json"]
    assert "certificate" not in files(made)["pooler.json"]
    text = str(pod(made)).lower()
    assert "certificate" not in text
    assert "tls" not in text
    (container,) = [each for each in pod(made)["containers"] if each["name"] == "primary"]
    assert container["command"] == ["pgbouncer", "/etc/sos/pooler/primary.ini"]


def test_cert_manager_issues_one_more():
    found = objects(pooled(tls=CertManager(issuer="platform-ca")))["Certificate/postgres-pooler-tls"]
    crds.validate_custom_resource(found)
    crds.typed_second_opinion(found)
    assert found["spec"]["secretName"] == "postgres-pooler-tls"
    assert found["spec"]["dnsNames"] == certificate.hosts(pooled(), Pooler())
    assert found["spec"]["secretTemplate"]["labels"]["app.kubernetes.io/name"] == "pgbouncer"
    for option in (CertificateSecret(), None):
        assert "Certificate/postgres-pooler-tls" not in objects(pooled(tls=option))


def test_one_of_your_own():
    made = pooled(Pooler(tls_secret="corporate-pooler"))
    assert "corporate-pooler" in [each.get("secret", {}).get("secretName") for each in pod(made)["volumes"]]
    assert '"secret": "corporate-pooler"' in files(made)["pooler.json"]
    issued = objects(pooled(Pooler(tls_secret="corporate-pooler"), tls=CertManager(issuer="a")))
    assert issued["Certificate/corporate-pooler"]["spec"]["secretName"] == "corporate-pooler"


@pytest.mark.parametrize(
    ("secret", "option", "message"),
    [
        ("No", CertificateSecret(), r"pooler\.tls_secret='No'"),
        ("x", None, r"pooler\.tls_secret='x' is of no use with tls=None; leave it out, or give tls=CertificateSecret\(\)"),
        (
            "postgres-tls",
            CertManager(issuer="a"),
            r"pooler\.tls_secret='postgres-tls' is the database's: cert-manager would write two",
        ),
    ],
)
def test_refused(secret: str, option: Any, message: str):
    with pytest.raises(InvalidOption, match=message):
        pooled(Pooler(tls_secret=secret), tls=option).check()


def test_the_databases_own_is_a_choice():
    made = pooled(Pooler(tls_secret="postgres-tls"), tls=CertificateSecret())
    assert made.check() is made


# --- what clients get -------------------------------------------------------------------------------------------------


def database(**options: Any) -> tuple[cdk8s.Chart, HaPostgres]:
    chart = cdk8s.Chart(cdk8s.Testing.app(), "c", namespace="sos-app")
    return chart, HaPostgres(chart, "postgres", credentials=SosSecrets(chart, "secrets").postgres, **{"pooler": Pooler(), **options})


def variables(env: list[dict[str, Any]]) -> dict[str, Any]:
    return {each["name"]: each.get("value") for each in env}


def test_clients_verify_the_pooler_as_they_verify_the_database():
    _, db = database()
    auth = db.database("auth").pooled
    assert auth.ca is not None
    env = variables(auth.libpq_env())
    assert (env["PGSSLMODE"], env["PGSSLROOTCERT"]) == ("verify-full", f"{auth.ca.mount()['mountPath']}/ca.crt")
    assert env["PGHOST"] in certificate.hosts(db.spec, Pooler())
    assert variables(auth.libpq_env(readonly=True))["PGHOST"] in certificate.hosts(db.spec, Pooler())
    assert f"?sslmode=verify-full&sslrootcert={auth.ca.file}" in auth.dsn_env()[-1]["value"]
    assert auth.ca.volume()["secret"] == {"defaultMode": 0o444, "items": [{"key": "ca.crt", "path": "ca.crt"}], "secretName": "postgres-pooler-tls"}


def test_one_pod_may_have_both_cas():
    _, db = database()
    direct, through = db.ca, db.database("auth").pooled.ca
    assert direct is not None
    assert through is not None
    assert direct.volume()["name"] != through.volume()["name"]
    assert direct.mount()["mountPath"] != through.mount()["mountPath"]
    assert direct.volume()["name"] == direct.mount()["name"] == "postgres-ca", "as it always was"
    assert through.volume()["name"] == through.mount()["name"]
    assert (through.volume("x")["name"], through.mount("x")["name"]) == ("x", "x")


def test_the_configuration_of_services_leads_to_the_same():
    chart, db = database()
    config = SosConfig(chart, "config", postgres=db.pooled)
    assert db.pooled.ca is not None
    assert (config.value("POSTGRES_SSL_MODE"), config.value("POSTGRES_SSL_ROOT_CERT")) == ("verify-full", db.pooled.ca.file)


def test_without_tls_clients_are_told_nothing_of_it():
    chart, db = database(tls=None)
    assert db.pooled.ca is None
    assert "PGSSLMODE" not in variables(db.database("auth").pooled.libpq_env())
    assert "?" not in db.database("auth").pooled.dsn_env()[-1]["value"]
    assert SosConfig(chart, "config", postgres=db.pooled).value("POSTGRES_SSL_MODE") == "prefer"
