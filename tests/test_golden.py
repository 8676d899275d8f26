"""The golden fixture itself: it compares, it explains, and it writes only when asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import conftest

MANIFEST = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"x": "1"}}


@pytest.fixture
def snapshots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(conftest, "SNAPSHOTS", tmp_path)
    return tmp_path


def test_it_compares(snapshots: Path, golden: conftest.Golden, request: pytest.FixtureRequest):
    if request.config.getoption("--update-golden"):
        pytest.skip("about comparing")
    with pytest.raises(pytest.fail.Exception, match="make golden"):
        golden("a", [MANIFEST])
    (snapshots / "a.yaml").write_text("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\ndata:\n  x: '1'\n")
    with pytest.raises(pytest.fail.Exception, match=r"""-  x: '1'\n\+  x: "1"\n"""):
        golden("a", [MANIFEST])
    (snapshots / "a.yaml").write_text('apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\ndata:\n  x: "1"\n')
    golden("a", [MANIFEST])
