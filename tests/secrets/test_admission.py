"""The policy against placeholders: what it is made of, and by which prefixes it goes. Its expressions run on a cluster, in tests/cluster."""

from __future__ import annotations

import base64
from typing import Any

from sos_constructs import SecretAdmission
from sos_constructs.secrets.admission import placeholder_prefixes
from sos_constructs.secrets.catalogue import SECRETS
from sos_constructs.secrets.forms import placeholder
from sos_constructs.secrets.generate import Generated

import cdk8s
import kubernetes_validate
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.secrets.samples import ISSUED

PREFIXES = tuple(placeholder_prefixes())


def build(*, namespace: str | None = "sos-app", **options: Any) -> list[dict[str, Any]]:
    chart = cdk8s.Chart(cdk8s.Testing.app(), "c", namespace=namespace, disable_resource_name_hashes=True)
    SecretAdmission(chart, "admission", **options)
    return list(cdk8s.Testing.synth(chart))


def encoded(value: str) -> str:
    return base64.b64encode(value.encode()).decode()


@given(st.text(max_size=20))
def test_everything_that_begins_with_a_bracket_and_nothing_else_by_chance(rest: str):
    assert encoded("<" + rest).startswith(PREFIXES) or rest == ""
    if not rest.lower().startswith(("<", "change", "replac", "placeholde")):
        assert not encoded(rest).startswith(PREFIXES)


@pytest.mark.parametrize(
    "value", ["CHANGE_ME", "changeme", "change-me-please", "Change it", "REPLACE_ME", "replace this", "placeholder", "PLACEHOLDERPASSWORD"]
)
def test_common_placeholders(value: str):
    assert encoded(value).startswith(PREFIXES)


@pytest.mark.parametrize("row", [row for secret in SECRETS for row in secret.keys if row.origin != "ring"], ids=lambda row: row.key)
def test_every_placeholder_of_the_templates(row: Any):
    assert encoded(placeholder(row)).startswith(PREFIXES)


def test_no_value_that_we_make_or_a_vendor_issues(generated: Generated):
    values = [value for manifest in generated.manifests for value in manifest["data"].values()] + [encoded(value) for value in ISSUED.values()]
    assert [value for value in values if value.startswith(PREFIXES)] == []


def test_a_policy_with_its_binding():
    policy, binding = build()
    assert (policy["metadata"]["name"], binding["metadata"]["name"], binding["spec"]["policyName"]) == ("sos-app-secrets",) * 3
    assert "namespace" not in policy["metadata"]
    assert policy["spec"]["failurePolicy"] == "Fail"
    assert len(policy["spec"]["validations"]) == 1
    assert binding["spec"]["validationActions"] == ["Deny"]
    assert binding["spec"]["matchResources"]["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": "sos-app"}
    for manifest in (policy, binding):
        kubernetes_validate.validate(manifest, "1.34", strict=True)


def test_writers_and_a_first_look():
    policy, binding = build(writers=["system:serviceaccount:a:b", "c@example.org"], action="Warn")
    expression = policy["spec"]["validations"][1]["expression"]
    assert "request.userInfo.username in ['system:serviceaccount:a:b', 'c@example.org']" in expression
    assert all(f"'{secret.name}'" in expression for secret in SECRETS)
    assert binding["spec"]["validationActions"] == ["Warn"]


def test_no_message_holds_a_value():
    """A message may name keys and users; values reach the API server's answer and its log."""
    policy, _ = build(writers=["a"])
    for validation in policy["spec"]["validations"]:
        message = validation["messageExpression"].replace("object.data[key].startsWith(prefix)", "")
        assert "object.data[" not in message


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"namespace": None}, "namespace=None must be given to the chart"),
        ({"writers": "someone"}, r"writers='someone' must be a list of text; put it into a list: \['someone'\]"),
        ({"writers": ["it's"]}, "must be a list of user names"),
        ({"writers": [""]}, r"writers\[0\]='' must not be empty"),
        ({"action": "deny"}, "action='deny' must be one of 'Deny', 'Audit', 'Warn' .did you mean 'Deny'"),
    ],
)
def test_what_is_refused(options: dict[str, Any], message: str):
    with pytest.raises(ValueError, match=message):
        build(**options)
