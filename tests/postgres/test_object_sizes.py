"""What HaPostgres makes fits into `kubectl apply`, with room for what versions add; SQL that does not fit is named as the option that it is."""

from __future__ import annotations

from pathlib import Path

from sos_constructs import DATABASES, HaPostgres, SosSecrets
from sos_constructs.apply_limit import LIMIT, annotation_bytes
from sos_constructs.emit import APPLY

import attrs
import cdk8s
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
HEADROOM = 17_000
"""Bytes that must be left: an object near the limit leaves users no room for labels and annotations of their own."""


def test_every_object_leaves_room():
    files = [*(ROOT / "dist").glob("*.yaml"), *(ROOT / "tests" / "snapshots").rglob("*.yaml")]
    objects = [each for file in files for each in yaml.safe_load_all(file.read_text(encoding="utf-8")) if each and "kind" in each]
    sizes = {f"{each['kind']}/{each['metadata']['name']}": annotation_bytes(each) for each in objects}
    assert sizes["ConfigMap/postgres-agent"] > 100_000, "the largest is among them"
    assert {name: size for name, size in sizes.items() if size > LIMIT - HEADROOM} == {}


def database(chart: cdk8s.Chart, sql: str) -> HaPostgres:
    return HaPostgres(chart, "postgres", credentials=SosSecrets(chart, "secrets").postgres, databases=[DATABASES[0], attrs.evolve(DATABASES[1], sql=sql)])


def test_long_sql_is_named(tmp_path: Path):
    sql = "INSERT INTO t VALUES ('x');\n" * 12_000
    chart = cdk8s.Chart(cdk8s.App(), "shop", namespace="shop")
    with pytest.raises(ValueError, match=rf"^shop/postgres: databases\['{DATABASES[1].name}'\]\.sql=\"INSERT") as raised:
        database(chart, sql)
    assert "has 336000 bytes, too many for the one ConfigMap that holds the SQL of all databases: keep what a new database needs" in str(raised.value)
    assert "kubectl apply --server-side" in str(raised.value)
    assert chart.node.try_find_child("postgres") is None, "nothing is half made"
    app = cdk8s.App(outdir=str(tmp_path))
    app.node.set_context(APPLY, "server-side")
    database(cdk8s.Chart(app, "shop", namespace="shop"), sql)
    app.synth()
    with pytest.raises(ValueError, match=rf"databases\['{DATABASES[1].name}'\]\.sql="):
        database(cdk8s.Chart(app, "more", namespace="more"), sql * 4)
