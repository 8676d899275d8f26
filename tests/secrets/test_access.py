"""Rights to Secrets: exactly those that were asked for."""

from __future__ import annotations

from typing import Any

from sos_constructs import SecretAccess, SosSecrets

import cdk8s
import kubernetes_validate
import pytest


def build(readers: Any, *, namespace: str | None = "sos-app", **options: Any) -> tuple[SecretAccess, list[dict[str, Any]]]:
    chart = cdk8s.Chart(cdk8s.Testing.app(), "c", namespace=namespace, disable_resource_name_hashes=True)
    secrets = SosSecrets(chart, "secrets")
    resolved = {service: [getattr(secrets, each) if isinstance(each, str) else each for each in wanted] for service, wanted in readers.items()}
    access = SecretAccess(chart, "access", readers=resolved, **options)
    return access, list(cdk8s.Testing.synth(chart))


def rights(manifests: list[dict[str, Any]]) -> set[tuple[str, str]]:
    """Who may read what, worked out from the objects."""
    roles = {m["metadata"]["name"]: m["rules"] for m in manifests if m["kind"] == "Role"}
    found = set()
    for binding in (m for m in manifests if m["kind"] == "RoleBinding"):
        (rule,) = roles.pop(binding["roleRef"]["name"])
        assert rule == {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"], "resourceNames": rule["resourceNames"]}
        found |= {(subject["name"], name) for subject in binding["subjects"] for name in rule["resourceNames"]}
        assert all(subject["namespace"] == "sos-app" and subject["kind"] == "ServiceAccount" for subject in binding["subjects"])
    assert roles == {}, "a right that nobody has"
    return found


def test_each_service_reads_its_secrets_and_no_other():
    _, manifests = build({"auth": ["jwt", "redis"], "api": ["redis", "redis"], "web": []})
    assert rights(manifests) == {("auth", "jwt-secrets"), ("auth", "redis-credentials"), ("api", "redis-credentials")}
    accounts = {m["metadata"]["name"]: m["automountServiceAccountToken"] for m in manifests if m["kind"] == "ServiceAccount"}
    assert accounts == {"api": False, "auth": False, "web": False}


def test_nobody_may_list_and_nothing_is_cluster_wide():
    _, manifests = build({"auth": ["jwt"]})
    assert {m["kind"] for m in manifests} == {"ServiceAccount", "Role", "RoleBinding"}
    assert not any({"list", "watch", "*"} & set(rule["verbs"]) for m in manifests for rule in m.get("rules", []))


def test_the_same_whatever_the_order_they_are_named_in():
    assert build({"a": ["jwt", "redis"], "b": ["redis"]})[1] == build({"b": ["redis"], "a": ["redis", "jwt"]})[1]


def test_service_accounts_of_others():
    access, manifests = build({"auth": ["jwt"]}, create_service_accounts=False)
    assert {m["kind"] for m in manifests} == {"Role", "RoleBinding"}
    assert access.service_account("auth") == "auth"
    with pytest.raises(ValueError, match=r"'aut' is not one of the readers \(did you mean 'auth'\?\)"):
        access.service_account("aut")


def test_the_objects_are_kubernetes_objects():
    for manifest in build({"auth": ["jwt"]})[1]:
        kubernetes_validate.validate(manifest, "1.34", strict=True)


@pytest.mark.parametrize(
    ("readers", "namespace", "message"),
    [
        ({"auth": ["jwt"]}, None, "namespace=None must be given to the chart"),
        ({"Auth": ["jwt"]}, "sos-app", "readers='Auth' must be a DNS-1123 subdomain"),
        ({"default": ["jwt"]}, "sos-app", "is what every pod runs as"),
        ({"auth": [7]}, "sos-app", r"readers\['auth'\]\[0\]=7 must be made with SecretHandle"),
    ],
)
def test_what_is_refused(readers: Any, namespace: str | None, message: str):
    with pytest.raises(ValueError, match=message) as error:
        build(readers, namespace=namespace)
    assert str(error.value).startswith("c/access: ")
