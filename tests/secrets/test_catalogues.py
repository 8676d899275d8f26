"""Catalogues of Secrets as values, and the Secret of a further database in every source."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from sos_constructs import (
    SECRETS,
    AwsSecretsManager,
    Database,
    ExistingSecrets,
    ExternalDsns,
    ExternalSecrets,
    HaPostgres,
    KubernetesStore,
    Role,
    SealedSecrets,
    SecretAdmission,
    SecretCatalogue,
    SosSecrets,
    TemplateSecrets,
    postgres_secret,
)
from sos_constructs.secrets.docs import markdown
from sos_constructs.secrets.model import SecretSpec
from sos_constructs.secrets.sealing import sealed_secret
from sos_constructs.secrets.sources import SecretSource
from sos_constructs.secrets.stored import StoredSecret, dump

import cdk8s
import pytest

from tests.secrets.controller import KEY

SHOP = (Database("shop", owner="shop_app"),)
ROLES = (Role("readers", read_only=["shop"]), Role("report", login=True, member_of=["readers"]))
ROW = postgres_secret("shop", databases=SHOP, roles=ROLES)
BOTH = SECRETS + ROW
ONLY = SecretCatalogue([ROW])
AWS = AwsSecretsManager(region="eu-central-1")
_SOURCES: tuple[SecretSource, ...] = (ExistingSecrets(), ExternalSecrets(store=AWS))


def synth(source: Any, catalogue: SecretCatalogue = BOTH) -> list[dict[str, Any]]:
    chart = cdk8s.Chart(cdk8s.Testing.app(), "c", namespace="sos-app", disable_resource_name_hashes=True)
    SosSecrets(chart, "secrets", source=source, catalogue=catalogue)
    return list(cdk8s.Testing.synth(chart))


def test_the_row_has_what_the_installation_reads():
    keys = {row.key: row for row in ROW.keys if row.origin != "ring"}
    own = {f"{who}-{what}" for who in ("postgres", "replication", "rewind", "monitoring", "pooler", "patroni") for what in ("username", "password")}
    assert keys.keys() == own | {"shop-db-username", "shop-db-password", "report-role-username", "report-role-password"}
    assert (keys["shop-db-username"].value, keys["report-role-username"].value) == ("shop_app", "report")
    assert keys["report-role-password"].rotation == keys["shop-db-password"].rotation == SECRETS["postgres-credentials"]["auth-db-password"].rotation
    assert {"report-role-password-next", "report-role-username-previous"} <= {row.key for row in ROW.keys}


def test_variables_of_two_installations_differ():
    assert ROW["postgres-password"].env == "SHOP_POSTGRES_PASSWORD"
    assert ROW["report-role-password"].env == "SHOP_REPORT_ROLE_PASSWORD"
    assert not {row.env for row in ROW.keys} & {row.env for secret in SECRETS for row in secret.keys}


def test_the_default_installations_secret_can_be_replaced():
    mine = SECRETS.without("postgres-credentials") + postgres_secret("postgres", databases=SHOP)
    assert set(mine.names) == set(SECRETS.names)
    assert mine["postgres-credentials"]["postgres-password"].env == "POSTGRES_PASSWORD"
    chart = cdk8s.Chart(cdk8s.Testing.app(), "c")
    secrets = SosSecrets(chart, "secrets", catalogue=mine)
    assert secrets.postgres == secrets["postgres-credentials"]
    assert HaPostgres(chart, "postgres", databases=SHOP, credentials=secrets.postgres).database("shop").user == "shop_app"


def test_catalogues_add_up():
    assert (SECRETS + ONLY).names == BOTH.names == (*SECRETS.names, "shop-postgres")
    assert (BOTH.postgres, ONLY.postgres, SECRETS.without("postgres-credentials").postgres) == (("postgres", "shop"), ("shop",), ())
    assert "shop-postgres" in BOTH
    assert ROW in BOTH
    assert "shop-postgres" not in SECRETS
    assert len(BOTH) == 13


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: BOTH + ROW, "catalogue='shop-postgres' is there twice as name; to put one in the place of another: SECRETS.without('name') + …"),
        (lambda: SECRETS + postgres_secret("postgres", databases=SHOP), "catalogue='postgres-credentials' is there twice as name"),
        (lambda: SecretCatalogue(["shop"]), "SecretCatalogue.secrets[0]='shop' must be made with postgres_secret(…)"),  # type: ignore[list-item]
        (lambda: SECRETS.without("postgres"), "secret='postgres' is not in the catalogue"),
        (lambda: BOTH["shop-postgre"], "secret='shop-postgre' is not in the catalogue (did you mean 'shop-postgres'?)"),
        (lambda: postgres_secret("Shop", databases=SHOP), "name='Shop' must be a DNS-1035 label"),
        (lambda: postgres_secret("shop", databases="shop"), "databases='shop' must be a list"),  # type: ignore[arg-type]
        (lambda: postgres_secret("shop", databases=SHOP[0]), "databases=Database(name='shop'"),  # type: ignore[arg-type]
        (lambda: postgres_secret("shop", databases=["shop"]), "databases[0]='shop' must be made with Database(…)"),  # type: ignore[list-item]
        (lambda: postgres_secret("shop", databases=SHOP, roles=None), "roles=None must be a list"),  # type: ignore[arg-type]
        (lambda: SosSecrets(cdk8s.Chart(cdk8s.Testing.app(), "c"), "s", catalogue=[ROW]), "c/s: catalogue="),  # type: ignore[arg-type]
        (lambda: SosSecrets(cdk8s.Chart(cdk8s.Testing.app(), "c"), "s")["shop-postgres"], "c/s: secret='shop-postgres' is not in the catalogue"),
    ],
)
def test_refused(make: Any, message: str):
    with pytest.raises(ValueError, match="^" + re.escape(message)):
        make()


def test_a_handle_says_the_same_whatever_the_source():
    chart = cdk8s.Chart(cdk8s.Testing.app(), "c", namespace="sos-app")
    there, copied = (SosSecrets(chart, type(each).__name__, source=each, catalogue=BOTH)["shop-postgres"] for each in _SOURCES)
    assert there == copied
    assert there.env("shop-db-password")["valueFrom"] == {"secretKeyRef": {"name": "shop-postgres", "key": "shop-db-password"}}


def test_templates_have_it():
    made = {m["metadata"]["name"]: m for m in synth(TemplateSecrets())}
    assert set(made) == set(BOTH.names)
    assert made["shop-postgres"]["data"]["report-role-username"].startswith("<base64 of the text report")


@pytest.mark.parametrize("store", [AWS, KubernetesStore(namespace="sos-store")], ids=["aws", "kubernetes"])
def test_external_secrets_copy_it_make_it_and_its_certificates(store: Any):
    made = synth(ExternalSecrets(store=store, bootstrap=True))
    copies = {m["metadata"]["name"] for m in made if m["kind"] == "ExternalSecret" and m["metadata"]["namespace"] == "sos-app"}
    assert {"shop-postgres", "shop-tls", "shop-pooler-tls", "postgres-tls"} <= copies
    text = str([m for m in made if "shop-postgres" in str(m) and "randAlphaNum" in str(m)])
    assert 'report-role-password: {{ index . "report-role-password" | default (randAlphaNum 40) | toJson }}' in text
    assert 'shop-db-username: {{ index . "shop-db-username" | default "shop_app" | toJson }}' in text


def test_external_versions_pin_it_and_dsns_read_it(tmp_path: Path):
    (tmp_path / "versions.yaml").write_text("shop-postgres: 3\n")
    source = ExternalSecrets(store=AWS, versions=tmp_path / "versions.yaml")
    chart = cdk8s.Chart(cdk8s.Testing.app(), "c", namespace="sos-app", disable_resource_name_hashes=True)
    secrets = SosSecrets(chart, "secrets", source=source, catalogue=BOTH)
    assert secrets["shop-postgres"].version == "3"
    db = HaPostgres(chart, "shop", name="shop", databases=SHOP, roles=ROLES, credentials=secrets["shop-postgres"])
    databases = [db.database("shop", role="report")]
    dsns = ExternalDsns(chart, "dsns", source=source, databases=databases, name="shop-dsns", catalogue=BOTH)
    spec = dsns.objects["ExternalSecret", "shop-dsns"].to_json()["spec"]
    assert spec["dataFrom"][0]["extract"]["key"] == "sos-app/shop-postgres-v3"
    assert 'index . "report-role-password"' in spec["target"]["template"]["data"]["shop-dsn"]
    with pytest.raises(ValueError, match="is no document of it; give the catalogue it is in"):
        ExternalDsns(chart, "other", source=source, databases=databases)


def test_sealed_secrets_are_read_and_must_be_complete(tmp_path: Path):
    values = {row.key: b"v" for row in ROW.keys if not row.optional}

    def sealed(some: dict[str, bytes]) -> SealedSecrets:
        made = sealed_secret(StoredSecret("shop-postgres", values=some), KEY.public_key(), namespace="sos-app")
        (tmp_path / "sealed.yaml").write_text(dump([made]))
        return SealedSecrets(tmp_path / "sealed.yaml", without=SECRETS.names)

    assert [m["metadata"]["name"] for m in synth(sealed(values))] == ["shop-postgres"]
    values.pop("report-role-password")
    with pytest.raises(ValueError, match="lacks report-role-password of shop-postgres"):
        synth(sealed(values))


def test_admission_guards_it():
    chart = cdk8s.Chart(cdk8s.Testing.app(), "c", namespace="sos-app", disable_resource_name_hashes=True)
    SecretAdmission(chart, "admission", writers=["system:admin"], catalogue=BOTH)
    assert "'shop-postgres'" in str(cdk8s.Testing.synth(chart))


def test_the_page_of_a_catalogue():
    page = markdown(ONLY)
    assert '| [`shop-postgres`](#shop-postgres) | `secrets["shop-postgres"]` |' in page
    assert "| `report-role-password` | `SHOP_REPORT_ROLE_PASSWORD` | Password of the role report. |" in page


def test_a_catalogue_without_the_platforms_secrets_has_no_attribute_for_them():
    secrets = SosSecrets(cdk8s.Chart(cdk8s.Testing.app(), "c"), "secrets", catalogue=ONLY)
    with pytest.raises(AttributeError, match="redis"):
        _ = secrets.redis
    assert isinstance(ROW, SecretSpec)
