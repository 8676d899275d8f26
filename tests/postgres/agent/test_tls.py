"""What a pod with a certificate adds to Patroni's configuration, what one without leaves out, and how members call each other."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sos_constructs.postgres.agent.reconcile import Member, render
from sos_constructs.postgres.agent.tls import rest_api, sslmode_between
from sos_constructs.secrets.certificates import DevelopmentCa

import pytest

from tests.postgres.example import spec
from tests.postgres.mounted import certificate, mount


@pytest.fixture(scope="module")
def files() -> dict[str, str]:
    return certificate(DevelopmentCa(datetime.now(UTC)))


def rendered(member: Member) -> dict[str, Any]:
    render(member)
    config: dict[str, Any] = json.loads(member.patroni_file.read_text())
    return config


def test_a_pod_with_a_certificate(tmp_path: Path, files: dict[str, str]):
    member = mount(tmp_path, spec(), files)
    config = rendered(member)
    crt, key, ca = (str(member.runtime_dir / "tls" / name) for name in ("tls.crt", "tls.key", "ca.crt"))
    assert (config["restapi"]["certfile"], config["restapi"]["keyfile"]) == (crt, key)
    parameters = config["postgresql"]["parameters"]
    assert {name: parameters[name] for name in parameters if name.startswith("ssl")} == {
        "ssl": "on",
        "ssl_cert_file": crt,
        "ssl_key_file": key,
        "ssl_min_protocol_version": "TLSv1.2",
    }
    assert not [line for line in config["postgresql"]["pg_hba"] if line.startswith("host ") and not line.endswith("reject")]
    assert config["ctl"] == {"cacert": ca, "certfile": crt, "keyfile": key, "insecure": True}
    assert "tls" not in config
    assert Path(crt).read_text() == files["tls.crt"]


def test_new_files_leave_a_pod_of_an_older_template_as_it_was(tmp_path: Path):
    config = rendered(mount(tmp_path, spec()))
    assert "certfile" not in config["restapi"]
    assert "hostssl" not in str(config)
    assert "ssl" not in config["postgresql"]["parameters"]
    assert config["ctl"] == {"insecure": True}, "it must be able to ask members that serve TLS already"


def test_switched_off_a_pod_with_a_certificate_serves_tls_until_it_is_rolled(tmp_path: Path, files: dict[str, str]):
    config = rendered(mount(tmp_path, spec(tls=None), files))
    assert config["restapi"]["certfile"], "its probes ask by HTTPS"
    assert "hostssl" not in str(config["postgresql"]["pg_hba"])


@pytest.mark.parametrize(
    ("urls", "before", "now"),
    [
        (["https://10.0.0.1:8008/patroni", "https://10.0.0.2:8008/patroni"], "prefer", "verify-ca"),
        (["https://10.0.0.1:8008/patroni", "http://10.0.0.2:8008/patroni"], "verify-ca", "prefer"),
        ([], "prefer", "prefer"),
        ([], "verify-ca", "verify-ca"),
        (["https://10.0.0.1:8008/patroni", ""], "prefer", "prefer"),
    ],
)
def test_members_insist_on_tls_once_all_have_it(urls: list[str], before: str, now: str):
    assert sslmode_between([{"api_url": url} for url in urls], before) == now


def test_a_member_that_knows_that_all_have_it_never_starts_without(tmp_path: Path, files: dict[str, str]):
    member = mount(tmp_path, spec(), files)
    assert rendered(member)["postgresql"]["authentication"]["replication"]["sslmode"] == "prefer"
    member.tls_note.touch()
    authentication = rendered(member)["postgresql"]["authentication"]
    for role in ("replication", "rewind"):
        assert authentication[role]["sslmode"] == "verify-ca"
        assert authentication[role]["sslrootcert"] == str(member.runtime_dir / "tls" / "ca.crt")
    assert "sslmode" not in authentication["superuser"], "it comes through the socket"


def test_how_others_are_called(tmp_path: Path, files: dict[str, str]):
    member = mount(tmp_path, spec(), files)
    render(member)
    api = rest_api(member.declared().patroni)
    assert (api.url("10.0.0.1"), api.url("fd00::1")) == ("https://10.0.0.1:8008", "https://[fd00::1]:8008")
    context = api.context()
    assert context is not None
    assert [entry["subject"] for entry in context.get_ca_certs()], "our CA is what it trusts"
    (tmp_path / "plain").mkdir()
    plain = rest_api(mount(tmp_path / "plain", spec()).declared().patroni)
    assert (plain.url("10.0.0.1"), plain.context()) == ("http://10.0.0.1:8008", None)
