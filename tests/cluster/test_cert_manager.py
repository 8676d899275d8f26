"""`tls=CertManager(...)` with the real cert-manager: it issues the certificate, renews it, and its Secret is made anew, while clients are connected."""

from __future__ import annotations

import base64
import json
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from sos_constructs import SPILO, CertManager, HaPostgres, SosNamespace, SosSecrets

import cdk8s
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from tests.cluster import chart, deploy, kube
from tests.cluster.breakable import Breakable
from tests.cluster.client import Ledger
from tests.cluster.faults import assert_kept
from tests.cluster.installation import Installation
from tests.cluster.test_2_changes import ARRIVES_SECONDS, agents_content
from tests.cluster.test_2_tls import SERVED

pytestmark = pytest.mark.release

NAMESPACE, SECRET, ISSUER = "sos-cert-manager", "postgres-tls", "sos"
GROUP = {"apiVersion": "cert-manager.io/v1"}
AUTHORITY: list[dict[str, Any]] = [
    {**GROUP, "kind": "Issuer", "metadata": {"name": "root", "namespace": NAMESPACE}, "spec": {"selfSigned": {}}},
    {
        **GROUP,
        "kind": "Certificate",
        "metadata": {"name": "sos-ca", "namespace": NAMESPACE},
        "spec": {
            "commonName": "sos cluster test",
            "isCA": True,
            "issuerRef": {"name": "root"},
            "privateKey": {"algorithm": "ECDSA", "size": 256},
            "secretName": "sos-ca",
        },
    },
    {**GROUP, "kind": "Issuer", "metadata": {"name": ISSUER, "namespace": NAMESPACE}, "spec": {"ca": {"secretName": "sos-ca"}}},
]
"""A CA of the cluster's own, as cert-manager's documentation bootstraps one."""


@pytest.fixture(scope="module")
def issued(version: str, tool: Breakable | None) -> Iterator[Installation]:
    """An installation whose certificate cert-manager makes; skips where there is none."""
    done = kube.run("get", "customresourcedefinition", "certificates.cert-manager.io")
    if done.returncode:
        pytest.skip(f"no cert-manager on this cluster: {done.stderr.strip()}")
    deploy.prepare(NAMESPACE, tool)
    kube.kubectl("delete", "secret", SECRET, "-n", NAMESPACE)  # the one that sosctl makes is for those without
    kube.apply(AUTHORITY)
    made = cdk8s.Chart(cdk8s.Testing.app(), NAMESPACE, namespace=NAMESPACE, disable_resource_name_hashes=True)
    SosNamespace(made, "foundation", name=NAMESPACE, create_priority_classes=False)
    tls = CertManager(issuer=ISSUER, duration=timedelta(days=1), renew_before=timedelta(hours=8))
    HaPostgres(made, "postgres", credentials=SosSecrets(made, "secrets").postgres, tls=tls)
    kube.apply(cdk8s.Testing.synth(made))
    installation = Installation(namespace=NAMESPACE, image=SPILO)
    installation.wait_healthy(600)
    yield installation
    deploy.remove(NAMESPACE, tool)


def in_secret(name: str) -> str:
    found = kube.get("secret", SECRET, "-n", NAMESPACE)["data"]
    return base64.b64decode(found[name]).decode()


def served(installation: Installation) -> set[bytes]:
    """What the members show."""
    return {ssl.PEM_cert_to_DER_cert(installation.exec(pod, "python3", "-c", SERVED).strip()) for pod in installation.pod_names}


def wanted() -> set[bytes]:
    """What cert-manager's Secret has."""
    return {x509.load_pem_x509_certificate(in_secret("tls.crt").encode()).public_bytes(Encoding.DER)}


def test_it_issues_what_was_asked_for(issued: Installation):
    certificate = x509.load_pem_x509_certificate(in_secret("tls.crt").encode())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(x509.DNSName)
    assert {"postgres-service", f"postgres-headless.{NAMESPACE}.svc.cluster.local"} <= set(names)
    assert certificate.not_valid_after_utc - certificate.not_valid_before_utc <= timedelta(days=1, minutes=1)
    certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(in_secret("ca.crt").encode()))
    assert served(issued) == wanted()


@pytest.mark.parametrize("service", ["postgres-service", "postgres-readonly-service", "postgres-headless"])
def test_clients_verify_each_service(issued: Installation, service: str):
    kube.apply(chart.client("client-cert-manager", NAMESPACE, issued.image, ("auth",)))
    kube.kubectl("wait", "--for=condition=Ready", "pod/client-cert-manager", "-n", NAMESPACE, "--timeout=120s")
    address = f"host={service} target_session_attrs=any sslmode=verify-full connect_timeout=5"
    command = [f"{issued.image.bin_dir}/psql", "-XqAt", "-d", address, "-c", "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"]
    assert issued.exec("client-cert-manager", *command, container="auth").strip() == "t"


def renew() -> None:
    """As `cmctl renew` does."""
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    conditions = [each for each in kube.get("certificate", SECRET, "-n", NAMESPACE)["status"]["conditions"] if each["type"] != "Issuing"]
    issuing = {"type": "Issuing", "status": "True", "reason": "ManuallyTriggered", "message": "by hand", "lastTransitionTime": now}
    patch = json.dumps({"status": {"conditions": [*conditions, issuing]}})
    kube.kubectl("patch", "certificate", SECRET, "-n", NAMESPACE, "--subresource=status", "--type=merge", "-p", patch)


def lose_the_secret() -> None:
    """Somebody deletes it; cert-manager writes another."""
    kube.kubectl("delete", "secret", SECRET, "-n", NAMESPACE)


@pytest.mark.parametrize("change", [renew, lose_the_secret], ids=["renewed", "deleted and made anew"])
def test_another_certificate_arrives_and_nobody_notices(issued: Installation, change: Any, figure: list[str]):
    issued.wait_healthy()
    before, lives = served(issued), issued.lives()
    ledger = Ledger(issued, "cert-manager", writers=2)
    change()
    kube.poll("cert-manager has issued another", lambda: wanted() != before, 60)
    kube.poll("every member shows it", lambda: served(issued) == wanted(), ARRIVES_SECONDS, pause=3)
    kube.poll("agents without complaint", lambda: agents_content(issued), 120)
    outcome = ledger.stop()
    figure.append(outcome.line(f"certificate of cert-manager {change.__name__}"))
    assert_kept(outcome)
    assert outcome.summary["errors"] == {}, "an open connection broke"
    assert outcome.summary["fresh"]["failed"] == 0
    assert issued.lives() == lives, "nothing has restarted"
