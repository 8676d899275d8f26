"""Patroni's file: the declared configuration plus this pod and the passwords, and nothing of them in the log."""

from __future__ import annotations

import json
import stat
from pathlib import Path

from sos_constructs.postgres import patroni
from sos_constructs.postgres.agent.fence import hba_line
from sos_constructs.postgres.agent.files import DeclaredError
from sos_constructs.postgres.agent.reconcile import render
from sos_constructs.postgres.agent.render import Pod, as_text, declared_passwords, patroni_config, rendered_passwords

import pytest

from tests.postgres.example import spec
from tests.postgres.mounted import POD, mount, passwords


def test_the_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    member = mount(tmp_path, spec())
    render(member)
    config = json.loads(member.patroni_file.read_text())
    added = patroni.local(spec())
    del added["tls"]  # for pods with a certificate
    added["ctl"] = {"insecure": True}
    added["name"] = "postgres-0"
    added["kubernetes"] |= {"namespace": "sos-app", "pod_ip": "10.1.2.3"}
    added["postgresql"]["connect_address"] = "10.1.2.3:5432"
    added["postgresql"]["authentication"] = {
        "superuser": {"username": "postgres", "password": "canary-postgres-password-0123456789"},
        "replication": {"username": "standby", "password": "canary-replication-password-0123456789"},
        "rewind": {"username": "rewind", "password": "canary-rewind-password-0123456789"},
    }
    added["postgresql"]["pg_hba"] = [hba_line(member.runtime_dir), *added["postgresql"]["pg_hba"]]
    added["restapi"] |= {"connect_address": "10.1.2.3:8008", "authentication": {"username": "patroni", "password": "canary-patroni-password-0123456789"}}
    assert config == added
    assert (member.runtime_dir / "fenced").read_text() == "", "PostgreSQL refuses the rules without it"
    assert stat.S_IMODE(member.patroni_file.stat().st_mode) == 0o600
    assert member.loaded_file.read_text() == member.declared().settings_digest(), "the server starts with these settings"
    out, err = capsys.readouterr()
    assert (json.loads(out)["message"], err) == ("wrote Patroni's configuration", "")
    assert "canary" not in out


def test_addresses_of_version_6_are_bracketed(tmp_path: Path):
    declared = mount(tmp_path, spec()).declared()
    config = patroni_config(declared, Pod("a", "b", "fd00::5"), declared_passwords(declared), tmp_path)
    assert (config["postgresql"]["connect_address"], config["restapi"]["connect_address"]) == ("[fd00::5]:5432", "[fd00::5]:8008")
    assert config["kubernetes"]["pod_ip"] == "fd00::5"


def test_passwords_are_read_back_from_the_file(tmp_path: Path):
    declared = mount(tmp_path, spec()).declared()
    text = as_text(patroni_config(declared, POD, declared_passwords(declared), tmp_path))
    assert rendered_passwords(text) == declared_passwords(declared)
    assert text == as_text(json.loads(text)), "the same configuration, the same text"


def test_the_declared_configuration_is_not_changed(tmp_path: Path):
    declared = mount(tmp_path, spec()).declared()
    before = json.dumps(declared.patroni)
    patroni_config(declared, POD, declared_passwords(declared), tmp_path)
    assert json.dumps(declared.patroni) == before


@pytest.mark.parametrize("key", [*sorted(passwords(spec())), "patroni-username", "auth-db-username"])
def test_every_key_is_needed_before_patroni_starts(key: str, tmp_path: Path):
    """Better a pod that says which key is missing than a cluster without an owner for its database."""
    member = mount(tmp_path, spec())
    (member.credentials_dir / key).unlink()
    with pytest.raises(DeclaredError, match=f"^Secret key {key}: is missing$"):
        render(member)
    assert not member.patroni_file.exists()
