"""The database's certificate: verified by every name of its Services, and changed, its CA included, while clients are connected."""

from __future__ import annotations

import base64
import json
import re
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime

from sos_constructs.secrets.certificates import DevelopmentCa
from sos_constructs.secrets.servers import postgres_server

import pytest

from tests.cluster import chart, kube
from tests.cluster.client import Ledger
from tests.cluster.faults import assert_kept
from tests.cluster.installation import Installation
from tests.cluster.scrape import PORTS, fetch
from tests.cluster.test_2_changes import ARRIVES_SECONDS, agents_content

CLIENT, SECRET = "client-tls", "postgres-tls"
SERVICES = ("postgres-service", "postgres-readonly-service", "postgres-headless")
SERVED = """import socket, ssl, sys
context = ssl._create_unverified_context()
plain = socket.create_connection(("127.0.0.1", 5432), timeout=5)
plain.sendall(bytes((0, 0, 0, 8, 4, 210, 22, 47)))
assert plain.recv(1) == b"S"
print(ssl.DER_cert_to_PEM_cert(context.wrap_socket(plain).getpeercert(True)))"""
"""The certificate that the server of this pod shows."""


@pytest.fixture(scope="module")
def client(installation: Installation) -> Iterator[str]:
    """A pod with what `libpq_env` gives a workload, and the CA."""
    installation.wait_healthy()
    kube.apply(chart.client(CLIENT, installation.namespace, installation.image, ("auth",)))
    kube.kubectl("wait", "--for=condition=Ready", f"pod/{CLIENT}", "-n", installation.namespace, "--timeout=120s")
    yield CLIENT
    kube.kubectl("delete", "pod", CLIENT, "-n", installation.namespace, "--now")


def protocol(installation: Installation, address: str) -> str:
    """The protocol of a connection that demands `verify-full` unless the address says otherwise, or what psql says instead of connecting."""
    command = [f"{installation.image.bin_dir}/psql", "-XqAt", "-d", f"target_session_attrs=any connect_timeout=5 {address}", "-c", r"\conninfo"]
    done = installation.try_exec(CLIENT, *command, container="auth")
    found = re.search(r"protocol: (TLSv[0-9.]+)", done.stdout)
    return found[1] if found else done.stderr.strip()


@pytest.mark.parametrize("service", SERVICES)
def test_each_service_is_verified_by_each_of_its_names(installation: Installation, client: str, service: str):
    for ending in ("", f".{installation.namespace}", f".{installation.namespace}.svc", f".{installation.namespace}.svc.cluster.local"):
        assert protocol(installation, f"host={service}{ending}") == "TLSv1.3", ending


def test_each_member_is_verified_by_its_own_name(installation: Installation, client: str):
    for pod in installation.pod_names:
        assert protocol(installation, f"host={pod}.postgres-headless") == "TLSv1.3"


def test_what_is_not_verified_does_not_connect(installation: Installation, client: str):
    address = installation.pods()[0]["status"]["podIP"]
    assert "does not match host name" in protocol(installation, f"host={address}")
    stranger = DevelopmentCa(datetime.now(UTC)).certificate
    installation.exec(CLIENT, "sh", "-c", "cat >/tmp/stranger.crt", container="auth", stdin=stranger)
    assert "certificate verify failed" in protocol(installation, "host=postgres-service sslrootcert=/tmp/stranger.crt")


def test_nobody_gets_in_without_tls_or_with_an_old_one(installation: Installation, client: str):
    assert "no encryption" in protocol(installation, "host=postgres-service sslmode=disable")
    assert protocol(installation, "host=postgres-service ssl_min_protocol_version=TLSv1.2 ssl_max_protocol_version=TLSv1.2") == "TLSv1.2"
    assert not protocol(installation, "host=postgres-service ssl_min_protocol_version=TLSv1 ssl_max_protocol_version=TLSv1.1").startswith("TLSv")
    lowest = [row for pod in installation.pod_names for row in installation.sql(pod, "SHOW ssl_min_protocol_version")]
    assert lowest == [["TLSv1.2"]] * 3


def put(installation: Installation, **files: str) -> None:
    """New files in the Secret, as cert-manager would put them there."""
    data = {key.replace("_", "."): base64.b64encode(text.encode()).decode() for key, text in files.items()}
    kube.kubectl("patch", "secret", SECRET, "-n", installation.namespace, "-p", json.dumps({"data": data}))


def test_certificate_and_ca_change_and_nobody_notices(installation: Installation, figure: list[str]):
    """First both CAs, then the new certificate, then the new CA alone: docs say so."""
    installation.wait_healthy()
    lives, old_ca = installation.lives(), base64.b64decode(kube.get("secret", SECRET, "-n", installation.namespace)["data"]["ca.crt"]).decode()
    authority = DevelopmentCa(datetime.now(UTC))
    key, certificate = authority.issue("postgres-service", postgres_server("postgres", installation.namespace).hosts)
    ledger = Ledger(installation, "certificate", writers=2)

    def known_everywhere(count: int) -> bool:
        files = [installation.exec(pod, "cat", "/run/sos/tls/ca.crt") for pod in installation.pod_names]
        files.append(installation.exec(ledger.name, "sh", "-c", 'cat "$PGSSLROOTCERT"', container="ledger"))
        return all(file.count("BEGIN CERTIFICATE") == count and authority.certificate in file for file in files)

    def served_everywhere() -> bool:
        served = {installation.exec(pod, "python3", "-c", SERVED).strip() for pod in installation.pod_names}
        return {ssl.PEM_cert_to_DER_cert(each) for each in served} == {ssl.PEM_cert_to_DER_cert(certificate[: certificate.index("-----END") + 25])}

    put(installation, ca_crt=old_ca + authority.certificate)
    kube.poll("both CAs everywhere", lambda: known_everywhere(2), ARRIVES_SECONDS, pause=3)
    put(installation, tls_crt=certificate, tls_key=key)
    kube.poll("the new certificate on every member", served_everywhere, ARRIVES_SECONDS, pause=3)
    put(installation, ca_crt=authority.certificate)
    kube.poll("the new CA alone everywhere", lambda: known_everywhere(1), ARRIVES_SECONDS, pause=3)
    primary = installation.wait_healthy()
    for standby in sorted(set(installation.pod_names) - {primary}):  # one after the other: the quorum needs one
        installation.sql(primary, f"SELECT pg_terminate_backend(pid) FROM pg_stat_replication WHERE application_name = '{standby}'")
        installation.wait_healthy()
    kube.poll("agents without complaint", lambda: agents_content(installation), 120)
    outcome = ledger.stop()
    figure.append(outcome.line("certificate and CA changed"))
    assert_kept(outcome)
    assert outcome.summary["errors"] == {}, "an open connection broke"
    assert outcome.summary["fresh"]["failed"] == 0
    assert installation.lives() == lives, "nothing has restarted"


def test_a_pair_that_does_not_match_changes_nothing(installation: Installation):
    installation.wait_healthy()
    before = kube.get("secret", SECRET, "-n", installation.namespace)["data"]
    other_key, _ = DevelopmentCa(datetime.now(UTC)).issue("postgres-service", ["postgres-service"])
    ledger = Ledger(installation, "mismatch", writers=2)

    def refused() -> bool:
        return all('sos_agent_reconcile_success{step="certificate"} 0' in fetch(installation, pod, PORTS["agent"]) for pod in installation.pod_names)

    put(installation, tls_key=other_key)
    try:
        kube.poll("every agent says so", refused, ARRIVES_SECONDS, pause=3)
    finally:
        kube.kubectl("patch", "secret", SECRET, "-n", installation.namespace, "-p", json.dumps({"data": before}))
    kube.poll("agents without complaint", lambda: agents_content(installation), ARRIVES_SECONDS, pause=3)
    outcome = ledger.stop()
    assert_kept(outcome)
    assert outcome.summary["errors"] == {}
    assert outcome.summary["fresh"]["failed"] == 0
