"""The API server's rules of names and labels (RFC 1123; Kubernetes, "Object Names and IDs" and "Labels and Selectors")."""

from __future__ import annotations

import re
from typing import Any

from sos_constructs import names
from sos_constructs.errors import InvalidOption

import pytest


@pytest.mark.parametrize("value", ["a", "0", "a-b", "a--b", "x" * 63])
def test_labels_of_dns(value: str):
    assert names.dns_label("name", value) == value


@pytest.mark.parametrize("value", ["", "-a", "a-", "A", "a.b", "a_b", "ä", "a\n", "x" * 64, None, 5, ["a"]])
def test_no_labels_of_dns(value: Any):
    with pytest.raises(InvalidOption, match="^" + re.escape(f"name={value!r} must be a DNS-1123 label: lower-case letters, digits and '-'")):
        names.dns_label("name", value)


@pytest.mark.parametrize("rule", [names.dns_label, names.service_name])
def test_a_shorter_limit_is_told(rule: Any):
    assert rule("name", "x" * 46, at_most=46)
    with pytest.raises(InvalidOption, match="at most 46 characters"):
        rule("name", "x" * 47, at_most=46)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("ConfigMap", "a.b-c"),
        ("ConfigMap", "x" * 253),
        ("Namespace", "sos-app"),
        ("Namespace", "1st"),
        ("Service", "postgres-service"),
        ("Service", "a1"),
        ("Role", "system:node"),
        ("ClusterRoleBinding", "Has Capitals:and spaces"),
    ],
)
def test_names_of_objects(kind: str, value: str):
    assert names.object_name(kind, value) == value


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("ConfigMap", "a..b"),
        ("ConfigMap", ".a"),
        ("ConfigMap", "a_b"),
        ("ConfigMap", "x" * 254),
        ("ConfigMap", None),
        ("Namespace", "a.b"),
        ("Service", "x" * 64),
        ("Service", "1db"),
        ("Service", "-db"),
        ("Service", "db-"),
        ("Role", "a/b"),
        ("Role", "a%b"),
        ("Role", ".."),
        ("ClusterRole", ""),
        ("RoleBinding", 1),
    ],
)
def test_no_names_of_objects(kind: str, value: Any):
    with pytest.raises(InvalidOption, match="^" + re.escape(str(InvalidOption(f"{kind} metadata.name", value, "must be a")))):
        names.object_name(kind, value)


@pytest.mark.parametrize(("key", "value"), [("a", ""), ("A_b.c-d", "A_b.c-9"), ("example.org/x", "v"), ("p" * 253 + "/" + "n" * 63, "v" * 63)])
def test_pairs(key: str, value: str):
    names.label_pair(key, value)


@pytest.mark.parametrize("key", ["", "a b", "-a", "a/", "/a", "A.org/x", "a/b/c", "n" * 64, "p" * 254 + "/n", "a\n"])
def test_no_keys(key: str):
    with pytest.raises(InvalidOption, match="^" + re.escape(str(InvalidOption("label", key, "must be [prefix/]name")))):
        names.label_pair(key, "v")


@pytest.mark.parametrize("value", [None, 1, True, "a b", "-a", "a-", "ä", "v" * 64, "a\n"])
def test_no_values(value: Any):
    with pytest.raises(InvalidOption, match="^" + re.escape(f"label k={value!r} must be a string of at most 63")):
        names.label_pair("k", value)
