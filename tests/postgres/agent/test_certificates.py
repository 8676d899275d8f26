"""The certificate in use: taken when it can be used, kept when the new one cannot."""

from __future__ import annotations

import stat
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sos_constructs.postgres.agent import certificates
from sos_constructs.postgres.agent.certificates import CertificateError, examine, first_certificate, take_over
from sos_constructs.postgres.agent.tls import Places
from sos_constructs.secrets.certificates import DevelopmentCa

import pytest
from cryptography import x509

from tests.postgres.mounted import certificate, mount_certificate

NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def ca() -> DevelopmentCa:
    return DevelopmentCa(NOW)


@pytest.fixture
def places(tmp_path: Path) -> Places:
    (tmp_path / "runtime").mkdir()
    return Places(tmp_path / "certificates", tmp_path / "runtime" / "tls")


def bring(places: Places, files: dict[str, str]) -> dict[str, str]:
    mount_certificate(places.mounted.parent, files)
    return files


def used(places: Places) -> dict[str, str]:
    return {path.name: path.read_text() for path in sorted(places.used.iterdir())}


def test_the_first_is_taken_whole_and_its_key_is_nobody_elses(places: Places, ca: DevelopmentCa):
    files = bring(places, certificate(ca))
    found = take_over(places, time.time(), first=True)
    assert used(places) == files
    assert {stat.S_IMODE(path.stat().st_mode) for path in places.used.iterdir()} == {0o600}
    parsed = x509.load_pem_x509_certificate(files["tls.crt"].encode())
    assert found is not None
    assert (int(found.serial, 16), found.ends) == (parsed.serial_number, parsed.not_valid_after_utc.timestamp())
    assert "postgres-service.sos-app.svc" in found.names


def test_nothing_is_written_while_nothing_changes(places: Places, ca: DevelopmentCa):
    bring(places, certificate(ca))
    take_over(places, time.time(), first=True)
    before = places.used.readlink(), places.used.stat().st_mtime_ns
    assert take_over(places, time.time()) is None
    assert (places.used.readlink(), places.used.stat().st_mtime_ns) == before


def test_a_new_one_replaces_the_old_and_leaves_no_old_key_behind(places: Places, ca: DevelopmentCa):
    bring(places, certificate(ca))
    take_over(places, time.time(), first=True)
    files = bring(places, certificate(ca))
    assert take_over(places, time.time()) is not None
    assert used(places) == files
    assert len([path for path in places.used.parent.iterdir() if path.is_dir() and not path.is_symlink()]) == 1


def test_one_of_another_ca_with_that_ca_is_taken(places: Places, ca: DevelopmentCa):
    bring(places, certificate(ca))
    take_over(places, time.time(), first=True)
    bring(places, certificate(DevelopmentCa(NOW)))
    assert take_over(places, time.time()) is not None


def wrong(ca: DevelopmentCa, what: str) -> dict[str, str]:
    good, other = certificate(ca), certificate(ca)
    return {
        "other key": good | {"tls.key": other["tls.key"]},
        "no key": {name: text for name, text in good.items() if name != "tls.key"},
        "no CA": {name: text for name, text in good.items() if name != "ca.crt"},
        "other CA": certificate(ca, of=DevelopmentCa(NOW)),
        "expired": certificate(DevelopmentCa(NOW - timedelta(days=400))),
        "not yet": certificate(DevelopmentCa(NOW + timedelta(days=2))),
        "empty": good | {"tls.crt": ""},
        "cut off": good | {"tls.key": good["tls.key"][:60]},
        "no CA in it": good | {"ca.crt": "-----BEGIN NOTHING-----"},
        "for clients": dict(zip(("tls.key", "tls.crt"), ca.issue("sos-app"), strict=True)) | {"ca.crt": ca.certificate},
        "passphrase": good | {"tls.key": ENCRYPTED},
    }[what]


ENCRYPTED = """-----BEGIN ENCRYPTED PRIVATE KEY-----
MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAhrGAMwMvOLYQICCAAw
-----END ENCRYPTED PRIVATE KEY-----
"""

WRONG = {
    "other key": "the Secret's tls.key does not belong to its tls.crt",
    "no key": "the Secret has no tls.key",
    "no CA": "the Secret has no ca.crt",
    "other CA": "the Secret's tls.crt is not signed by its ca.crt, or not for a server",
    "expired": "the Secret's tls.crt expired on",
    "not yet": "the Secret's tls.crt is not valid before",
    "empty": "are not a certificate and a private key in PEM form",
    "cut off": "are not a certificate and a private key in PEM form",
    "no CA in it": "the Secret's ca.crt is no certificate in PEM form",
    "for clients": "or not for a server",
    "passphrase": "without a passphrase",
}


@pytest.mark.parametrize("what", WRONG)
def test_what_cannot_be_used_is_told_in_one_line_and_changes_nothing(what: str, places: Places, ca: DevelopmentCa):
    files = bring(places, certificate(ca))
    take_over(places, time.time(), first=True)
    bring(places, wrong(ca, what))
    with pytest.raises(CertificateError, match=WRONG[what]) as told:
        take_over(places, time.time())
    assert "\n" not in str(told.value)
    assert "PRIVATE" not in str(told.value)
    assert used(places) == files
    bring(places, certificate(ca))
    assert take_over(places, time.time()) is not None, "a good one is taken afterwards"


def test_an_unreadable_file_is_told(places: Places, ca: DevelopmentCa):
    bring(places, certificate(ca))
    (places.mounted / "tls.key").unlink()
    (places.mounted / "tls.key").mkdir()
    with pytest.raises(CertificateError, match=r"the Secret's tls\.key cannot be read: Is a directory"):
        take_over(places, time.time())


def test_a_pod_starts_with_an_expired_certificate_rather_than_not_at_all(places: Places, capsys: pytest.CaptureFixture[str]):
    files = bring(places, certificate(DevelopmentCa(NOW - timedelta(days=400))))
    first_certificate(places)
    assert used(places) == files
    assert "expired on" in capsys.readouterr().out


def test_a_pod_does_not_start_without_a_pair_that_a_server_could_use(places: Places, ca: DevelopmentCa):
    bring(places, wrong(ca, "other key"))
    with pytest.raises(CertificateError, match="does not belong"):
        first_certificate(places)


def test_an_init_container_that_runs_again_goes_on_with_what_is_in_use(places: Places, ca: DevelopmentCa, capsys: pytest.CaptureFixture[str]):
    files = bring(places, certificate(ca))
    first_certificate(places)
    bring(places, wrong(ca, "other key"))
    first_certificate(places)
    assert used(places) == files
    assert "the certificate in use stays" in capsys.readouterr().out


def test_a_certificate_ends_while_it_is_in_use(places: Places, ca: DevelopmentCa):
    bring(places, certificate(ca))
    take_over(places, time.time(), first=True)
    found = examine(places.used)
    assert found.problem(found.ends - 1) == ""
    assert found.problem(found.ends).startswith("tls.crt expired on")


def test_the_leaf_comes_first_and_is_what_a_server_shows(places: Places, ca: DevelopmentCa):
    files = certificate(ca)
    bring(places, files | {"tls.crt": files["tls.crt"] + ca.certificate})
    take_over(places, time.time(), first=True)
    assert x509.load_der_x509_certificate(certificates.used_der(places)) == x509.load_pem_x509_certificate(files["tls.crt"].encode())
