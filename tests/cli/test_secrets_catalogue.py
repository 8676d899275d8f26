"""`sosctl secrets --catalogue`: every command works on a catalogue of one's own, and none needs Node for it."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sos_constructs.cli.app import app
from sos_constructs.secrets import ages
from sos_constructs.secrets.catalogue import SECRETS

import pytest
import yaml
from typer.testing import CliRunner, Result

from tests.cli.conftest import Cluster
from tests.secrets.controller import certificate, unseal

SHOP = """\
from sos_constructs import SECRETS, Database, Role, postgres_secret

DATABASES = [Database("shop", owner="shop_app")]
ROLES = [Role("report", login=True, read_only=["shop"])]
CATALOGUE = SECRETS + postgres_secret("shop", databases=DATABASES, roles=ROLES)
"""


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shop.py").write_text(SHOP)
    return tmp_path


def sosctl(*arguments: str, catalogue: str = "shop.py:CATALOGUE", stdin: str = "") -> Result:
    return CliRunner().invoke(app, ["secrets", "--catalogue", catalogue, *arguments], input=stdin)


def test_generate_makes_it_with_its_certificates_and_keeps_it(shop: Path, cluster: Cluster):
    first = sosctl("generate")
    assert first.exit_code == 0, first.stderr
    made = {m["metadata"]["name"]: m for m in yaml.safe_load_all(first.stdout)}
    assert {"shop-postgres", "shop-tls", "shop-pooler-tls", "postgres-credentials", "postgres-tls"} <= set(made)
    assert {"shop-db-password", "report-role-password", "postgres-password"} <= set(made["shop-postgres"]["data"])
    assert made["shop-postgres"]["data"]["postgres-password"] != made["postgres-credentials"]["data"]["postgres-password"]
    cluster.apply(first.stdout)
    assert sosctl("generate").stdout == first.stdout


def test_only_it(shop: Path, cluster: Cluster):
    result = sosctl("generate", "--only", "shop-postgres")
    assert [m["metadata"]["name"] for m in yaml.safe_load_all(result.stdout)] == ["shop-postgres"]
    without = CliRunner().invoke(app, ["secrets", "generate", "--only", "shop-postgres"]).stderr
    assert "no such secret" in without
    assert "For a database of your own: sosctl secrets --catalogue FILE.py:NAME" in without
    assert "--catalogue" not in sosctl("generate", "--only", "shop").stderr


def test_check_knows_it(shop: Path, cluster: Cluster):
    cluster.apply(sosctl("generate", "--only", "shop-postgres").stdout)
    assert sosctl("check", "--cluster", "--only", "shop-postgres").exit_code == 0
    assert "shop-postgres/report-role-password" in sosctl("check", "-", "--only", "shop-postgres", stdin="kind: List\nitems: []\n").stdout


def test_plan_and_rotate_know_it(shop: Path, cluster: Cluster):
    (made,) = yaml.safe_load_all(sosctl("generate", "--only", "shop-postgres").stdout)
    old = dict.fromkeys((key for key in made["data"] if key.endswith("password")), datetime.now(UTC) - timedelta(days=100))
    made["metadata"] |= {"annotations": ages.annotation(old), "resourceVersion": "7"}
    cluster.apply(yaml.safe_dump(made))
    assert "shop-postgres/report-role-password: stage the next value; 100 days old" in sosctl("plan").stdout
    done = sosctl("rotate", "shop-postgres", "--key", "report-role-password")
    assert done.exit_code == 0, done.stderr
    assert {"report-role-password-next", "report-role-username-next"} <= set(cluster.data()["shop-postgres"])
    assert "shop-db-password-next" not in cluster.data()["shop-postgres"]


def test_seal_knows_it(shop: Path, cluster: Cluster):
    (shop / "cert.pem").write_text(certificate())
    made = sosctl("generate", "--only", "shop-postgres").stdout
    sealed = sosctl("seal", "-", "--certificate", "cert.pem", stdin=made)
    assert sealed.exit_code == 0, sealed.stderr
    (found,) = yaml.safe_load_all(sealed.stdout)
    assert unseal(found["spec"]["encryptedData"]["report-role-username"], "sos-app/shop-postgres") == b"report"


def test_docs_are_of_the_catalogue(shop: Path):
    assert "`report-role-password`" in sosctl("docs").stdout
    assert "`report-role-password`" not in CliRunner().invoke(app, ["secrets", "docs"]).stdout


def test_the_variable_names_it_too(shop: Path, cluster: Cluster):
    found = CliRunner().invoke(app, ["secrets", "docs"], env={"SOSCTL_SECRETS_CATALOGUE": "shop.py:CATALOGUE"}).stdout
    assert "shop-postgres" in found


@pytest.mark.parametrize(
    ("catalogue", "message"),
    [
        ("shop.py", "catalogue='shop.py' must be file.py:NAME"),
        ("none.py:X", "catalogue='none.py:X' cannot be read: there is no file none.py"),
        ("shop.py:CATALOG", "cannot be read: shop.py has no CATALOG (did you mean 'CATALOGUE'?)"),
        ("shop.py:ROLES", "must be a SecretCatalogue, such as SECRETS + postgres_secret(…); ROLES is list"),
        ("raises.py:X", "cannot be read: raises.py raised InvalidOption: roles='report' is there twice"),
    ],
)
def test_one_clear_line(shop: Path, catalogue: str, message: str):
    (shop / "raises.py").write_text(SHOP.replace("ROLES = [", "ROLES = [Role('report'), "))
    for command in (["generate"], ["check", "-"], ["plan"], ["rotate", "shop-postgres"], ["seal", "-"], ["docs"]):
        result = sosctl(*command, catalogue=catalogue)
        assert (result.exit_code, result.stdout) == (2, "")
        assert message in result.stderr


def test_a_file_beside_it_may_be_imported(shop: Path):
    (shop / "folder").mkdir()
    (shop / "folder" / "databases.py").write_text(SHOP)
    (shop / "folder" / "secrets_of_mine.py").write_text("from databases import CATALOGUE\n")
    assert "shop-postgres" in sosctl("docs", catalogue="folder/secrets_of_mine.py:CATALOGUE").stdout


def test_no_node_is_started_for_it(shop: Path):
    look = "print('jsii' in sys.modules, 'cdk8s' in sys.modules)"
    program = f"import sys; from sos_constructs.cli import code; code.load('catalogue', 'shop.py:CATALOGUE'); {look}"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == ["False", "False"]


def test_the_platforms_is_the_default():
    assert all(f"### {name}" in CliRunner().invoke(app, ["secrets", "docs"]).stdout for name in SECRETS.names)
