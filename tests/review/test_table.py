"""The table of consequences: every row says what it should of a change made for it, and every row has one."""

from __future__ import annotations

import re

from sos_constructs.review import review
from sos_constructs.review.catalogue import ROWS
from sos_constructs.review.conditions import CONDITIONS, _restart_settings, amount
from sos_constructs.review.judge import _HASHED
from sos_constructs.review.model import Consequence

import pytest

from tests.review import examples
from tests.review.examples import EXAMPLES, Example, key, manifests, put

BY_ID = {row.id: row for row in ROWS}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.id)
def test_the_row_speaks_of_its_example(example: Example):
    result = review(*example.sides())
    given = example.new or example.old
    assert given
    (changed,) = [changed for changed in result.objects if changed.key == key(given)]
    row = BY_ID[example.row]
    assert changed.consequence is row.consequence
    assert row.id in {change.row for change in changed.changes if change.consequence is row.consequence}
    assert all(change.why and "{" not in change.why and change.source for change in changed.changes)


def test_every_row_has_an_example():
    assert {row.id for row in ROWS} - {example.row for example in EXAMPLES} == {examples.TOGETHER[2]}


def test_a_config_map_that_changes_with_its_pods_is_read_by_the_new_ones():
    old, new, row, consequence = examples.TOGETHER
    (workload, config) = sorted(review(manifests(*old), manifests(*new)).objects, key=lambda changed: changed.key.kind, reverse=True)
    assert (workload.key.kind, workload.changes[0].row) == ("Deployment", "restart-checksum")
    assert [(change.row, change.consequence) for change in config.changes] == [(row, consequence)]
    assert config.changes[0].why.startswith("Deployment review-deployment (review-test) read")


def test_a_map_named_by_its_content_is_compared_with_the_one_before():
    old, new = examples.HASHED, put(put(examples.HASHED, "metadata.name", "review-0000000002"), "data.LOG_LEVEL", "debug")
    pods = [put(examples.BY_ENV, "spec.template.spec.containers.0.envFrom.0.configMapRef.name", made["metadata"]["name"]) for made in (old, new)]
    result = review(manifests(old, pods[0]), manifests(new, pods[1]))
    assert [(changed.key.name, changed.event, [change.row for change in changed.changes]) for changed in result.objects] == [
        ("review-0000000002", "replaced", ["read-by-new-pods", "content-name"]),
        ("review-deployment", "changed", ["deployment-template"]),
    ]


def test_the_hash_is_as_long_as_that_of_sosconfig():
    from sos_constructs.config.configmaps import _HASH_DIGITS

    assert _HASHED.fullmatch(f"sos-app-config-{'a' * _HASH_DIGITS}")


def test_names_that_only_look_like_it_are_two_objects():
    old = [put(examples.CONFIG_MAP, "metadata.name", f"review-000000000{i}") for i in (1, 2)]
    new = put(examples.CONFIG_MAP, "metadata.name", "review-0000000003")
    assert sorted(changed.event for changed in review(manifests(*old), manifests(new)).objects) == ["added", "removed", "removed"]


def test_pods_of_new_objects_need_no_restart():
    result = review(manifests(examples.CONFIG_MAP), manifests(examples.DEBUG, examples.BY_ENV))
    assert {changed.key.kind: [change.row for change in changed.changes] for changed in result.objects} == {"ConfigMap": ["read-next"], "Deployment": ["added"]}


def test_only_the_key_that_is_read_counts():
    pod = examples.reading(
        lambda pod: pod["containers"][0].update(env=[{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "review-configmap", "key": "OTHER"}}}])
    )
    result = review(manifests(examples.CONFIG_MAP, pod), manifests(examples.DEBUG, pod))
    assert [change.row for changed in result.objects for change in changed.changes] == ["read-elsewhere"]


def test_the_table_is_well_formed():
    assert len(BY_ID) == len(ROWS)
    for row in ROWS:
        assert not row.when or row.when in CONDITIONS, row.id
        assert row.why.endswith("."), row.id
        assert row.source, row.id
        assert all(re.fullmatch(r"[\w.*-]*/[\w*]+|\*", kind) for kind in row.kinds), row.id
        assert row.consequence is not Consequence.FORBIDDEN or not row.refused, f"{row.id}: forbidden is refused anyway"
    assert {row.when for row in ROWS} - {""} == set(CONDITIONS)


def test_restart_settings_are_those_of_the_database_package():
    from sos_constructs.postgres.settings import catalogue, needs_restart

    assert {name for name in catalogue() if needs_restart(name)} == _restart_settings()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1Gi", 2**30),
        ("100m", "0.1"),
        ("0.1", "0.1"),
        (2, 2),
        ("1e3", 1000),
        ("1E", 10**18),
        ("-2k", -2000),
        ("1024Mi", 2**30),
        ("500u", "0.0005"),
        (".5", "0.5"),
    ],
)
def test_amounts(text: object, value: object):
    from decimal import Decimal

    assert amount(text) == Decimal(str(value))


@pytest.mark.parametrize("text", ["", "Gi", "1 Gi", "x", True, None, [], "1ee3", "1e999"])
def test_no_amounts(text: object):
    assert amount(text) is None
