"""Labels: the recommended ones, and a selector that never has to change."""

from __future__ import annotations

from sos_constructs import names
from sos_constructs.labels import labels, selector


def test_all_labels():
    assert labels("postgres", "main", "database") == {
        "app.kubernetes.io/component": "database",
        "app.kubernetes.io/instance": "main",
        "app.kubernetes.io/name": "postgres",
        "app.kubernetes.io/part-of": "sos-app",
    }


def test_the_selector_is_a_part_of_them_and_holds_nothing_that_changes():
    assert selector("postgres", "main") == {"app.kubernetes.io/instance": "main", "app.kubernetes.io/name": "postgres"}
    assert selector("postgres", "main").items() <= labels("postgres", "main", "database").items()


def test_the_api_server_takes_them():
    for key, value in labels("postgres", "main", "database").items():
        names.label_pair(key, value)
