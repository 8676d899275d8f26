"""What `sosctl diff` says of HaPostgres is what HaPostgres does: pods are replaced if and only if a setting is said to need it."""

from __future__ import annotations

from typing import Any

from sos_constructs.postgres import Database, manifests
from sos_constructs.review import Consequence, review

import pytest

from tests.postgres.example import spec
from tests.review import examples


def reviewed(**options: Any) -> dict[str, Any]:
    """Changes of each object against the default, by name; not those of the StatefulSet's own fields."""
    sides = [examples.manifests(*(dict(manifest) for manifest in manifests(made))) for made in (spec(), spec(**options))]
    return {f"{changed.key.kind} {changed.key.name}": changed for changed in review(*sides).objects}


@pytest.mark.parametrize(
    ("options", "restart"),
    [
        ({"parameters": {"work_mem": "8MB"}}, False),
        ({"parameters": {"log_min_duration_statement": "2s", "wal_compression": "off"}}, False),
        ({"parameters": {"autovacuum_max_workers": 5}}, True),
        ({"parameters": {"work_mem": "8MB", "shared_buffers": "1GB"}}, True),
        ({"parameters": {"wal_keep_size": "1GB"}}, False),
        ({"synchronous_mode_strict": True}, False),
        ({"synchronous_mode": "off"}, False),
        ({"databases": (Database(name="auth"),)}, False),
    ],
    ids=str,
)
def test_pods_are_replaced_if_and_only_if_the_review_says_so(options: dict[str, Any], restart: bool):
    changed = reviewed(**options)
    config = changed.pop("ConfigMap postgres-config")
    assert all(change.row.startswith(("postgres-", "patroni-")) for change in config.changes)
    assert (config.consequence is Consequence.RESTART) is restart
    if restart:
        (checksum,) = changed.pop("StatefulSet postgres").changes
        assert (checksum.row, checksum.consequence) == ("postgres-template", Consequence.RESTART)
    assert "StatefulSet postgres" not in changed


@pytest.mark.parametrize("name", ["max_connections", "max_wal_senders"])
def test_a_shared_setting_restarts_postgresql_in_its_pods(name: str):
    changed = reviewed(parameters={name: 300})
    (change,) = [change for change in changed["ConfigMap postgres-config"].changes if change.row != "postgres-comment"]
    assert (change.row, change.consequence) == ("postgres-shared-setting", Consequence.RESTART)
    assert "StatefulSet postgres" not in changed


def test_changed_queries_of_the_exporter_are_read_by_the_pods_that_the_checksum_replaces(monkeypatch: pytest.MonkeyPatch):
    from sos_constructs.postgres import monitoring, statefulset

    old = examples.manifests(*manifests(spec()))
    monkeypatch.setattr(monitoring, "queries", lambda: "changed:\n  query: SELECT 1\n")
    monkeypatch.setattr(statefulset, "queries", monitoring.queries)
    changed = {changed.key.kind: changed for changed in review(old, examples.manifests(*manifests(spec()))).objects}
    assert [change.row for change in changed["ConfigMap"].changes] == ["read-by-new-pods"]
    assert [change.row for change in changed["StatefulSet"].changes] == ["postgres-template"]


def test_a_larger_volume_is_refused():
    assert {name: changed.consequence for name, changed in reviewed(storage="100Gi").items()} == {
        "StatefulSet postgres": Consequence.FORBIDDEN,
        "ConfigMap postgres-config": Consequence.RELOAD,  # sizes of write-ahead log follow from it
    }
