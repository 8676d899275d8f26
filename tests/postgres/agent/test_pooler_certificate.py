"""The pooler's certificate beside PgBouncer: taken when it can be used, loaded once, and what is wrong said in one line."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sos_constructs.postgres.agent import pooler
from sos_constructs.postgres.agent.certificates import CertificateError, used_der
from sos_constructs.postgres.agent.pooler_certificate import Serving
from sos_constructs.postgres.agent.pooler_metrics import PoolerMetrics
from sos_constructs.postgres.pooler import Pooler, certificate
from sos_constructs.secrets.certificates import DevelopmentCa

import pytest

from tests.postgres.agent.test_pooler import PASSWORD, Mounted, metrics
from tests.postgres.mounted import mount_certificate
from tests.postgres.pooler.example import pooled

NOW = datetime.now(UTC)
Files = dict[str, str]


def pair(ca: DevelopmentCa, hosts: list[str] | None = None) -> Files:
    key, signed = ca.issue("pooler", hosts or certificate.hosts(pooled(), Pooler()))
    return {"tls.crt": signed, "tls.key": key, "ca.crt": ca.certificate}


class Pod(Mounted):
    """A pod with a certificate, whose PgBouncers load the copy at RELOAD."""

    def __init__(self, folder: Path, files: Files) -> None:
        super().__init__(folder, Pooler())
        self.pod = pooler.Pod(self.pod.config_dir, self.pod.credentials_dir, self.pod.runtime_dir, folder / "certificates")
        assert self.pod.tls
        self.places = self.pod.tls
        self.metrics: PoolerMetrics = metrics(self)
        self.obeys = self.listens = True
        self._shown, self._reloads = b"", 0
        self.bring(files)

    def bring(self, files: Files) -> None:
        mount_certificate(self.folder, files)

    def start(self) -> Serving:
        pooler.render(self.pod)
        self._shown = used_der(self.places)
        return self.agent()

    def agent(self) -> Serving:
        return Serving(self.places, ask=self.show, pause=lambda _: None)

    def show(self, port: int, *, by_postgresql: bool) -> bytes:
        assert port in (6432, 6433)
        assert by_postgresql
        if self.asked() > self._reloads:
            self._reloads = self.asked()
            if self.obeys:
                self._shown = used_der(self.places)
        return self._shown if self.listens else b""

    def follow(self, serving: Serving) -> None:
        pooler.follow(self.pod, self.metrics, serving)


@pytest.fixture(scope="module")
def ca() -> DevelopmentCa:
    return DevelopmentCa(NOW)


@pytest.fixture
def pod(tmp_path: Path, ca: DevelopmentCa) -> Pod:
    return Pod(tmp_path, pair(ca))


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


# --- before PgBouncer starts ------------------------------------------------------------------------------------------


def test_pgbouncer_finds_a_copy_that_is_nobody_elses(pod: Pod):
    pod.start()
    key = pod.pod.runtime_dir / "tls" / "tls.key"
    assert key.read_text() == (pod.folder / "certificates" / "tls.key").read_text()
    assert key.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("missing", ["the whole Secret", "tls.key"])
def test_without_a_certificate_one_line_names_the_secret(pod: Pod, missing: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    pod.bring({} if missing == "the whole Secret" else {"tls.crt": "x", "ca.crt": "x"})
    for name, folder in (("CONFIG", "config"), ("CREDENTIALS", "credentials"), ("RUNTIME", "runtime"), ("CERTIFICATES", "certificates")):
        monkeypatch.setenv(f"SOS_{name}_DIR", str(pod.folder / folder))
    assert pooler.main(["render"]) == 1
    (line,) = lines(capsys)
    assert line["message"] == f"Secret postgres-pooler-tls: the Secret has no {'tls.crt' if missing == 'the whole Secret' else 'tls.key'}"
    assert not pod.pod.userlist.exists()


def test_an_expired_one_is_better_than_no_pooler(pod: Pod):
    pod.bring(pair(DevelopmentCa(NOW - timedelta(days=400))))
    serving = pod.start()
    with pytest.raises(CertificateError, match=r"Secret postgres-pooler-tls: the Secret's tls.crt expired|and the Secret has no newer one"):
        pod.follow(serving)


def test_a_pod_of_an_older_template_serves_none(tmp_path: Path):
    """New code and a new ConfigMap reach it too; what it mounts stays as it was."""
    old = Mounted(tmp_path, Pooler())
    assert old.pod.tls is None
    pooler.render(old.pod)
    pooler.follow(old.pod, metrics(old))
    assert old.asked() == 0
    assert not (old.pod.runtime_dir / "tls").exists()
    assert "certificate" not in metrics(old).text()


# --- while it runs ----------------------------------------------------------------------------------------------------


def test_what_it_started_with_is_not_loaded_again(pod: Pod, capsys: pytest.CaptureFixture[str]):
    serving = pod.start()
    for _ in range(3):
        pod.follow(serving)
    pod.follow(pod.agent())  # it may start anew
    assert pod.asked() == 0
    assert [line["message"] for line in lines(capsys) if line["step"] == "certificate"] == ["in use", "in use"]


def test_one_that_is_starting_loads_it_by_itself(pod: Pod, capsys: pytest.CaptureFixture[str]):
    serving = pod.start()
    pod.listens = False
    pod.follow(serving)
    pod.listens = True
    pod.follow(serving)
    assert pod.asked() == 0
    assert [line["message"] for line in lines(capsys) if line["step"] == "certificate"] == ["in use"]


def test_a_new_one_is_loaded_once_on_both_sides(pod: Pod, ca: DevelopmentCa, capsys: pytest.CaptureFixture[str]):
    serving = pod.start()
    pod.follow(serving)
    before = used_der(pod.places)
    pod.bring(pair(ca))
    for _ in range(3):
        pod.follow(serving)
    assert pod.asked() == 2
    assert used_der(pod.places) != before
    said = lines(capsys)
    assert [line["changed"] for line in said if line["message"] == "reloaded"] == [["certificate"]]
    assert len([line for line in said if line["message"] == "in use"]) == 2
    assert not any("BEGIN" in str(line) for line in said)


WRONG: dict[str, tuple[Callable[[Files, Files], Files], str]] = {
    "another key": (lambda good, other: good | {"tls.key": other["tls.key"]}, "the Secret's tls.key does not belong to its tls.crt"),
    "no key": (lambda good, _: {"tls.crt": good["tls.crt"], "ca.crt": good["ca.crt"]}, "the Secret has no tls.key"),
    "expired": (lambda _good, _other: pair(DevelopmentCa(NOW - timedelta(days=400))), "the Secret's tls.crt expired on"),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_bad_one_changes_nothing_and_is_told(pod: Pod, ca: DevelopmentCa, what: str):
    serving = pod.start()
    pod.follow(serving)
    before = used_der(pod.places)
    change, complaint = WRONG[what]
    pod.bring(change(pair(ca), pair(ca)))
    pod.secret("pooler-password", "another-canary")
    with pytest.raises(CertificateError) as told:
        pod.follow(serving)
    assert str(told.value).startswith(f"Secret postgres-pooler-tls: {complaint}")
    assert "; the certificate in use stays, and ends on " in str(told.value)
    assert used_der(pod.places) == before
    assert "another-canary" in pod.pod.userlist.read_text(), "nothing else waits for it"
    pod.bring(pair(ca))
    pod.follow(serving)
    assert used_der(pod.places) != before


def test_one_that_is_not_served_after_all_is_told(pod: Pod, ca: DevelopmentCa):
    serving = pod.start()
    pod.follow(serving)
    pod.bring(pair(ca))
    pod.obeys = False
    with pytest.raises(CertificateError, match="the new certificate is not served yet by primary and readonly"):
        pod.follow(serving)
    pod.obeys = True
    pod.follow(serving)
    assert pod.asked() == 4, "it was asked again"


def test_one_for_other_names_works_and_is_told_once(pod: Pod, ca: DevelopmentCa, capsys: pytest.CaptureFixture[str]):
    pod.bring(pair(ca, ["postgres-pooler-service", "postgres-service"]))
    serving = pod.start()
    for _ in range(2):
        pod.follow(serving)
    (warning,) = [line["message"] for line in lines(capsys) if line["level"] == "warning"]
    assert warning == "Secret postgres-pooler-tls: the certificate is not for postgres-pooler-readonly-service: clients with sslmode=verify-full refuse it"


def test_its_end_is_a_metric(pod: Pod):
    pod.follow(pod.start())
    (line,) = [line for line in pod.metrics.text().splitlines() if line.startswith("sos_pooler_certificate_expiry_timestamp_seconds ")]
    assert float(line.split()[1]) > time.time() + 86400 * 300


def test_nothing_of_it_is_secret_to_the_log(pod: Pod, ca: DevelopmentCa, capsys: pytest.CaptureFixture[str]):
    serving = pod.start()
    pod.bring(pair(ca))
    pod.follow(serving)
    assert PASSWORD not in (said := capsys.readouterr().out)
    assert "PRIVATE" not in said
