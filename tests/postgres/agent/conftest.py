"""A member's pod with a fake Patroni and a fake psql."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from sos_constructs.postgres.agent.reconcile import Member, render
from sos_constructs.postgres.agent.scram import verifier

import pytest
from attrs import frozen

from tests.postgres.agent.fakes import FakePatroni, FakePsql
from tests.postgres.example import spec
from tests.postgres.mounted import mount, passwords


@frozen
class Pod:
    """Where everything of the member is."""

    folder: Path
    member: Member
    patroni: FakePatroni
    psql: FakePsql

    def set_config(self, name: str, **changes: object) -> None:
        """Change keys of a mounted JSON file."""
        path = self.member.config_dir / name
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))

    def set_password(self, key: str, value: str) -> None:
        (self.member.credentials_dir / key).write_text(value)

    def everything_is_as_declared(self) -> None:
        """The catalogue of a cluster on which the agent has nothing to do."""
        declared = self.member.declared()
        keys = {role["name"]: role["password_key"] for role in declared.roles}
        self.psql.answer("rolpassword", *((name, verifier(declared.credential(key), b"salt", 1)) for name, key in keys.items()))
        self.psql.answer("pg_auth_members", ("monitoring", "pg_monitor"))
        self.psql.answer("pg_get_userbyid(datdba)", *((d["name"], d["owner"]) for d in declared.databases), ("postgres", "postgres"))
        self.psql.answer("aclexplode", *((d["name"], who) for d in declared.databases for who in (d["owner"], "monitoring")), ("postgres", ""))


@pytest.fixture
def pod(tmp_path: Path) -> Iterator[Pod]:
    """Rendered, and its server running with the rendered settings."""
    member = mount(tmp_path, spec())
    psql = FakePsql(tmp_path)
    with FakePatroni().listening() as patroni:
        found = Pod(tmp_path, member, patroni, psql)
        config = json.loads((member.config_dir / "patroni.json").read_text())
        config["restapi"]["listen"] = f"*:{patroni.url.rpartition(':')[2]}"
        config["postgresql"]["bin_dir"] = str(psql.bin_dir)
        found.set_config("patroni.json", **config)
        render(member)
        patroni.answers["GET /config"] = (200, config["bootstrap"]["dcs"])
        found.everything_is_as_declared()
        yield found


CANARIES = tuple(passwords(spec()).values())
