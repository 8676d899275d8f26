"""A real PgBouncer with its agent between real clients and a real server: TLS on both sides, and certificates and passwords that change meanwhile."""

from __future__ import annotations

import importlib
import json
import os
import socket
import ssl
import struct
import subprocess
import tempfile
import threading
import time
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sos_constructs.postgres import access
from sos_constructs.postgres.agent import pooler, pooler_role, scram
from sos_constructs.postgres.agent.certificates import CertificateError, served, used_der
from sos_constructs.postgres.agent.pooler_certificate import Serving
from sos_constructs.postgres.agent.pooler_metrics import PoolerMetrics
from sos_constructs.postgres.pooler import Pooler, ini
from sos_constructs.postgres.pooler.names import config_file
from sos_constructs.postgres.spec import Database
from sos_constructs.postgres.tls import CertificateSecret, Tls
from sos_constructs.secrets.certificates import DevelopmentCa

import psycopg
import pytest
from attrs import evolve

from tests import programs
from tests.ports import free_port
from tests.postgres.mounted import mount_certificate
from tests.postgres.pooler.example import pooled
from tests.postgres_live.conftest import Postgres, PostgresFactory
from tests.waiting import until

for each in ("_strptime", "encodings.ascii", "encodings.idna"):
    importlib.import_module(each)  # Python itself loads them late, and then as a user who may not read them

NAME = "localhost"
"""Stands for the Services' names, which a machine without a cluster's DNS does not know."""
OWNER, OWNERS_PASSWORD, PASSWORD = "one", "owner-canary-0123456789", "pooler-canary-0123456789"
NOW = datetime.now(UTC)
ONE_SIDE = Pooler(readonly=False)
SPEC = pooled(ONE_SIDE, databases=(Database(name=OWNER),))


def pair(ca: DevelopmentCa, *hosts: str) -> dict[str, str]:
    key, signed = ca.issue("x", list(hosts) or [NAME])
    return {"tls.crt": signed, "tls.key": key, "ca.crt": ca.certificate}


@contextmanager
def user_of(server: Postgres) -> Iterator[None]:
    """As the server's user: PgBouncer refuses to run as root, and everything in its pod has one uid."""
    if not server.as_user:
        yield
        return
    os.setegid(server.as_user["group"])
    os.seteuid(server.as_user["user"])
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)


class Pod:
    """One PgBouncer, and the functions of its agent, called by the test instead of every two seconds."""

    def __init__(self, program: str, server: Postgres, home: Path, *, certificate: dict[str, str] | None) -> None:
        self.program, self.server, self.home = program, server, home
        self.port = free_port()
        with user_of(server):
            for name in ("config", "credentials", "runtime", "server-ca"):
                (home / name).mkdir(mode=0o755, parents=True)
            for key, value in (("pooler-username", "pgbouncer"), ("pooler-password", PASSWORD)):
                (home / "credentials" / key).write_text(value)
        self.trust((server.data_dir.parent / "ca.crt").read_text())
        if certificate:
            self.bring(certificate)
        own = home / "certificates" if certificate else None
        self.pod = pooler.Pod(home / "config", home / "credentials", home / "runtime", own, home / "server-ca")
        self.declare()
        with user_of(server):
            pooler.render(self.pod)
            self.serving = Serving(self.pod.tls) if self.pod.tls else None
            self.metrics = PoolerMetrics(self.pod.consoles(self.pod.declared()))
        self.log = home / "log"
        with self.log.open("w") as log:
            ini_file = home / "config" / config_file("primary", tls=certificate is not None)
            self.process = subprocess.Popen([program, str(ini_file)], stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=home, **server.as_user)
        until(lambda: self.process.poll() is not None or ("process up" in self.said() and self.listens()), self.said)
        assert self.process.poll() is None, self.said()

    def declare(self, tls: Tls | None = CertificateSecret(), options: Pooler = ONE_SIDE) -> None:  # noqa: B008 (frozen)
        """Another ConfigMap."""
        made = ini.config_map(evolve(SPEC, pooler=options, tls=tls), options)["data"]
        told = json.loads(made["pooler.json"])
        told["bin_dir"], told["primary"] = str(self.server.bin_dir), {**told["primary"], "host": NAME, "port": str(self.server.port)}
        told["sides"]["primary"] = {"port": str(self.port), "socket_dir": str(self.home / "runtime" / "primary")}
        made["pooler.json"] = json.dumps(told)
        places = {
            "/run/sos/": f"{self.home}/runtime/",
            "/etc/sos/pooler/": f"{self.home}/config/",
            "/etc/sos/postgres-ca/ca.crt": f"{self.home}/server-ca/ca.crt",
            "host=postgres-service port=5432": f"host={NAME} port={self.server.port}",
            "listen_port = 6432": f"listen_port = {self.port}",
            "listen_addr = *": "listen_addr = 127.0.0.1",
        }
        with user_of(self.server):
            for name, text in made.items():
                for there, here in places.items():
                    text = text.replace(there, here)  # noqa: PLW2901
                (self.home / "config" / name).write_text(text)

    def bring(self, files: dict[str, str]) -> None:
        """Another Secret."""
        with user_of(self.server):
            mount_certificate(self.home, files)

    def trust(self, certificate: str) -> None:
        """Another CA of the database, as the kubelet brings it."""
        with user_of(self.server):
            (self.home / "server-ca" / "ca.crt").write_text(certificate)

    def follow(self) -> None:
        """The agent's look at the mounted files."""
        with user_of(self.server):
            pooler.follow(self.pod, self.metrics, self.serving)

    def shown(self) -> bytes:
        """What a new client is shown."""
        return served(self.port, by_postgresql=True)

    def said(self) -> str:
        return self.log.read_text()

    def listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def connect(self, *, host: str = NAME, **options: Any) -> psycopg.Connection[Any]:
        """A client."""
        no_client_certificate = str(self.home / "none")  # else libpq looks in the home of whoever runs the tests
        options = {"sslmode": "verify-full", "sslrootcert": str(self.home / "certificates" / "ca.crt"), "sslcert": no_client_certificate, **options}
        return psycopg.connect(
            host=host,
            hostaddr="127.0.0.1",
            port=self.port,
            user=OWNER,
            password=OWNERS_PASSWORD,
            dbname=OWNER,
            autocommit=True,
            connect_timeout=10,
            prepare_threshold=None,
            **options,
        )

    def end(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture(scope="module")
def program() -> str:
    return programs.program("pgbouncer")


@pytest.fixture(scope="module")
def ca() -> DevelopmentCa:
    return DevelopmentCa(NOW)


@pytest.fixture(scope="module")
def server(postgres_factory: PostgresFactory, ca: DevelopmentCa) -> Postgres:
    """As a member is for the pooler: over the network by TLS and password only, with the role and the function of its agent."""
    port = free_port()
    hba = "\n".join(["local all postgres trust", *access.pg_hba(SPEC, members="hostssl", clients="hostssl")])
    made = evolve(postgres_factory(hba=hba, listen_addresses=NAME, port=str(port)), port=port)
    with user_of(made):
        for name, text in pair(ca).items():
            (made.data_dir.parent / name).write_text(text)
            (made.data_dir.parent / name).chmod(0o600)
    made.append_conf(f"ssl = on\nssl_cert_file = '{made.data_dir.parent}/tls.crt'\nssl_key_file = '{made.data_dir.parent}/tls.key'")
    made.restart()
    for role, password in ((OWNER, OWNERS_PASSWORD), ("pgbouncer", PASSWORD)):
        made.psql(f"CREATE ROLE {role} LOGIN PASSWORD '{scram.verifier(password)}'")
    made.psql(f"CREATE DATABASE {OWNER} OWNER {OWNER}")
    made.psql(pooler_role._CREATE.format(role="pgbouncer", body=pooler_role._BODY), OWNER)
    return made


@pytest.fixture(scope="module")
def root() -> Iterator[Path]:
    """Not pytest's tmp_path: a socket's path may have 107 characters, and the server's user must be able to reach it."""
    with tempfile.TemporaryDirectory(prefix="sos-pooler-") as made:
        Path(made).chmod(0o777)  # for the moment of a test, on purpose
        yield Path(made)


@pytest.fixture
def pod(program: str, server: Postgres, root: Path, ca: DevelopmentCa) -> Iterator[Pod]:
    made = Pod(program, server, _home(root, server), certificate=pair(ca))
    yield made
    made.end()


def _home(root: Path, server: Postgres) -> Path:
    with user_of(server):
        return Path(tempfile.mkdtemp(dir=root))


def one(connection: psycopg.Connection[Any], sql: Any) -> Any:
    row = connection.execute(sql).fetchone()
    assert row is not None
    return row[0]


# --- who gets in ------------------------------------------------------------------------------------------------------


def test_encrypted_and_verified_from_the_client_to_the_server(pod: Pod):
    with pod.connect() as client:
        assert client.pgconn.ssl_in_use
        assert one(client, "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()") is True


def test_a_client_knows_whom_it_talks_to(pod: Pod):
    with pytest.raises(psycopg.OperationalError, match='server certificate for "localhost" does not match host name "elsewhere"'):
        pod.connect(host="elsewhere")
    other = pod.home / "other.crt"
    other.touch()
    other.write_text(DevelopmentCa(NOW).certificate)
    with pytest.raises(psycopg.OperationalError, match="certificate verify failed"):
        pod.connect(sslrootcert=str(other))


def test_another_ca_of_the_database_is_taken_while_it_runs(pod: Pod, ca: DevelopmentCa):
    pod.trust(DevelopmentCa(NOW).certificate)
    pod.follow()
    with ThreadPoolExecutor(1) as aside:
        waiting = aside.submit(pod.connect)
        until(lambda: "certificate verify failed" in pod.said(), pod.said)
        pod.trust(ca.certificate)
        pod.follow()
        try:
            waiting.result(30).close()
        except psycopg.OperationalError as error:
            assert "server login" in str(error) or "certificate" in str(error)  # noqa: PT017  # or it still waited, and got in
    with pod.connect() as client:
        assert one(client, "SELECT 1") == 1


def test_who_speaks_no_tls_is_refused(pod: Pod):
    with pytest.raises(psycopg.OperationalError, match="SSL required"):
        pod.connect(sslmode="disable", sslrootcert="")


@pytest.mark.parametrize(("version", "refused"), [(ssl.TLSVersion.TLSv1_1, True), (ssl.TLSVersion.TLSv1_2, False), (ssl.TLSVersion.TLSv1_3, False)])
def test_no_version_before_1_2(pod: Pod, version: ssl.TLSVersion, refused: bool):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")  # else OpenSSL does not even offer the old ones
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it is an old one is the point
        context.minimum_version = context.maximum_version = version
    with socket.create_connection(("127.0.0.1", pod.port)) as plain:
        plain.sendall(struct.pack("!ii", 8, 80877103))
        assert plain.recv(1) == b"S"
        if refused:
            with pytest.raises(ssl.SSLError, match="ALERT_PROTOCOL_VERSION"):  # said by the other side
                context.wrap_socket(plain)
        else:
            with context.wrap_socket(plain) as secure:
                assert secure.version() == version.name.replace("_", ".")


def test_plain_clients_are_let_in_where_they_may(pod: Pod):
    with pod.connect() as before:
        pod.declare(CertificateSecret(plain_clients=True))
        pod.follow()
        with pod.connect(sslmode="disable", sslrootcert="") as plain, pod.connect() as secure:
            assert (plain.pgconn.ssl_in_use, secure.pgconn.ssl_in_use) == (False, True)
            pod.declare()
            pod.follow()
            assert [one(each, "SELECT 1") for each in (before, plain, secure)] == [1, 1, 1], "who is in stays"
    with pytest.raises(psycopg.OperationalError, match="SSL required"):
        pod.connect(sslmode="disable", sslrootcert="")


def test_a_pod_of_an_older_template_goes_on_as_it_was(program: str, server: Postgres, root: Path):
    """The new ConfigMap reaches it before it is replaced."""
    old = Pod(program, server, _home(root, server), certificate=None)
    try:
        with old.connect(sslmode="disable", sslrootcert="") as before:
            old.declare(CertificateSecret(), Pooler(readonly=False, max_clients=77))
            old.follow()
            assert one(before, "SELECT 1") == 1
        with old.connect(sslmode="disable", sslrootcert="") as after:
            assert one(after, "SELECT 1") == 1
        assert old.shown() == b""
        assert "max_client_conn" not in old.said() or "ERROR" not in old.said()
    finally:
        old.end()


# --- what changes -----------------------------------------------------------------------------------------------------


def test_a_renewal_drops_nobody(pod: Pod, ca: DevelopmentCa):
    pod.follow()
    before = pod.shown()
    with pod.connect() as idle, pod.connect() as busy, busy.transaction():
        backend = one(busy, "SELECT pg_backend_pid()")
        pod.bring(pair(DevelopmentCa(NOW)))  # of another CA even
        pod.follow()
        assert pod.pod.tls
        with user_of(pod.server):
            wanted = used_der(pod.pod.tls)
        assert pod.shown() == wanted != before
        assert one(busy, "SELECT pg_backend_pid()") == backend, "in the same transaction"
        assert one(idle, "SELECT 1") == 1
        with pod.connect() as fresh:
            assert one(fresh, "SELECT 1") == 1


@pytest.mark.parametrize("what", ["another key", "expired", "no CA"])
def test_a_bad_one_changes_nothing(pod: Pod, ca: DevelopmentCa, what: str):
    pod.follow()
    before = pod.shown()
    assert before
    wrong = {
        "another key": pair(ca) | {"tls.key": pair(ca)["tls.key"]},
        "expired": pair(DevelopmentCa(NOW - timedelta(days=400))),
        "no CA": {name: text for name, text in pair(ca).items() if name != "ca.crt"},
    }[what]
    good = pod.home / "good.crt"
    with pod.connect() as client:
        with user_of(pod.server):
            good.write_text((pod.home / "certificates" / "ca.crt").read_text())
        pod.bring(wrong)
        with pytest.raises(CertificateError, match=r"Secret postgres-pooler-tls: the Secret.*; the certificate in use stays"):
            pod.follow()
        assert pod.shown() == before
        assert one(client, "SELECT 1") == 1
    with pod.connect(sslrootcert=str(good)) as fresh:
        assert one(fresh, "SELECT 1") == 1


class Crowd:
    """Clients that come, ask and go, for as long as the block lasts."""

    def __init__(self, pod: Pod, count: int) -> None:
        self.pod, self.worked = pod, 0
        self.refused: list[str] = []
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run) for _ in range(count)]

    @contextmanager
    def there(self) -> Iterator[None]:
        for thread in self._threads:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            for thread in self._threads:
                thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            self._once()

    def _once(self) -> None:
        try:
            with self.pod.connect() as client:
                one(client, "SELECT 1")
        except psycopg.OperationalError as error:
            self.refused.append(str(error))
        else:
            self.worked += 1


def test_its_own_password_changes_and_hardly_anybody_is_turned_away(pod: Pod):
    """The server takes the new one first, and the agent reloads when it does.

    PgBouncer before 1.24 gives up every connection to a server that it verifies at a reload. If a log-in with the old password has just failed, it refuses
    whoever comes before one with the new password has worked.
    """
    new = "another-canary-0123456789"
    crowd = Crowd(pod, 4)
    with pod.connect() as stays, crowd.there():
        until(lambda: crowd.worked > 20)
        with user_of(pod.server):
            (pod.home / "credentials" / "pooler-password").write_text(new)
        pod.follow()
        assert "sos_pooler_password_current 0" in pod.metrics.text(), "the server does not have it yet"
        pod.server.psql(f"ALTER ROLE pgbouncer PASSWORD '{scram.verifier(new)}'")
        try:
            time.sleep(pooler.INTERVAL)
            pod.follow()
            assert new in pod.pod.userlist.read_text()
            worked = crowd.worked
            until(lambda: crowd.worked > worked + 20)
            assert one(stays, "SELECT 1") == 1
            refused, worked = len(crowd.refused), crowd.worked
            until(lambda: crowd.worked > worked + 20)
            assert len(crowd.refused) == refused, "once the new one has worked nobody is turned away"
        finally:
            pod.server.psql(f"ALTER ROLE pgbouncer PASSWORD '{scram.verifier(PASSWORD)}'")
    assert all("server login has been failing" in text for text in crowd.refused)
