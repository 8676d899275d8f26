"""The examples run, from anywhere, and write what was reviewed; so does what docs/how-to/config-library.md shows."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import sos_constructs  # first: it chooses the Node that jsii runs on

import cdk8s
import kubernetes_validate
import pytest
import yaml

from tests.conftest import Golden

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = sorted((ROOT / "examples").glob("*/main.py"))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.parent.name)
def test_an_example_runs(example: Path, tmp_path: Path, golden: Golden) -> None:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("JSII_")} | {
        "CDK8S_OUTDIR": str(tmp_path / "out"),
        "PYTHONPATH": str(ROOT),
    }
    result = subprocess.run([sys.executable, example], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
    assert (result.returncode, result.stderr) == (0, "")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    for path in sorted((tmp_path / "out").iterdir()):
        for manifest in yaml.safe_load_all(path.read_text()):
            kubernetes_validate.validate(manifest, "1.34", strict=True)
        golden(f"examples/{example.parent.name}/{path.name.removesuffix('.k8s.yaml')}", yaml.safe_load_all(path.read_text()))


def test_there_are_examples() -> None:
    assert "ticket_shop" in {path.parent.name for path in EXAMPLES}


def test_the_quick_start_quotes_its_example() -> None:
    example = "".join((ROOT / "examples" / "quick_start" / name).read_text(encoding="utf-8") for name in ("databases.py", "main.py")).splitlines()
    quoted = re.findall(r"^```python\n(.*?)^```", (ROOT / "docs" / "start" / "kind.md").read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    assert len(quoted) >= 2
    assert [line for block in quoted for line in block.splitlines() if line not in example] == []


def test_the_ticket_shop_rolls_only_what_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from examples.ticket_shop import main as shop

    live, trial = (shop.build(cdk8s.Testing.app(), environment) for environment in shop.CATALOGUE.environments)
    sections = [section.name for section in shop.CATALOGUE.sections]
    assert [name for name in sections if live.config_map_name(name) != trial.config_map_name(name)] == ["sales", "payments", "logging"]
    assert (live.waivers, [waiver.rule.id for waiver in trial.waivers]) == ((), ["hold-covers-payment"])
    (tmp_path / "basel.yaml").write_text("LOG_LEVEL: warn\n" + (shop.HERE / "basel.yaml").read_text())
    monkeypatch.setattr(shop, "HERE", tmp_path)
    quieter = shop.build(cdk8s.Testing.app(), "live")
    assert [name for name in sections if live.config_map_name(name) != quieter.config_map_name(name)] == ["logging"]


def test_the_page_about_databases_of_ones_own_is_run() -> None:
    page = (ROOT / "docs" / "how-to" / "own-database.md").read_text(encoding="utf-8")
    pod = {"metadata": {"labels": {"app": "x"}}, "spec": {"containers": [{"name": "x", "image": "x"}]}}
    manifest = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "x"}, "spec": {"template": pod}}
    names: dict[str, Any] = {"manifest": manifest, "report": {**manifest, "metadata": {"name": "report"}}}
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    for number, block in enumerate(blocks):
        names["chart"] = cdk8s.Chart(cdk8s.Testing.app(), f"block-{number}", namespace="shop")
        exec(block, names)
    assert len(blocks) == 5
    assert "report-role-password" in str(names["report"])
    assert names["MINE"]["postgres-credentials"]["report-role-password"]
    stateful_sets = [manifest for manifest in cdk8s.Testing.synth(names["chart"]) if manifest["kind"] == "StatefulSet"]
    assert [found["metadata"]["name"] for found in stateful_sets] == ["shop", "stock"]


def test_every_role_of_the_pages_table_is_one() -> None:
    page = (ROOT / "docs" / "how-to" / "own-database.md").read_text(encoding="utf-8")
    written = re.findall(r"`(Role\(.*?\))`", page)
    names: dict[str, Any] = {"Role": sos_constructs.Role}
    made = [eval(text, names) for text in written]
    assert len(made) == 6
    given = {role.name: role for role in made}
    sos_constructs.postgres_secret("shop", databases=[sos_constructs.Database("shop", owner="shop_app")], roles=list(given.values()))


def test_the_page_about_the_library_is_run() -> None:
    page = (ROOT / "docs" / "how-to" / "config-library.md").read_text(encoding="utf-8")
    chart = cdk8s.Chart(cdk8s.Testing.app(), "x")
    names: dict[str, object] = {"chart": chart, "Layer": sos_constructs.Layer}
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    for block in blocks:
        exec(block, names)
    assert len(blocks) == 4
    assert len(cdk8s.Testing.synth(chart)) == 14 + 14 + 13 + 13
    quoted = re.search(r"```text\n(BILLING_MAX.*?)\n```", page, re.DOTALL)
    catalogue = names["SOS"] + names["BILLING"] + names["NOT_BLOCKED"]  # type: ignore[operator]
    with pytest.raises(ValueError, match="rule billing-not-blocked") as raised:
        sos_constructs.SosConfig(
            chart,
            "broken",
            catalogue=catalogue,
            layers=[sos_constructs.Layer("site.yaml", {"BILLING_MAX_ATTEMPTS": 6}, origins={"BILLING_MAX_ATTEMPTS": "site.yaml:4"})],
        )
    assert quoted
    assert str(raised.value).endswith("- " + quoted[1].replace("\n", " "))
