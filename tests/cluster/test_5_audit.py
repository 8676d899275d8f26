"""What the members asked of the API server while all of the above happened; last, because it looks back."""

from __future__ import annotations

from collections import Counter

from tests.cluster import kube
from tests.cluster.breakable import Breakable
from tests.cluster.installation import Installation


def resource(reference: dict[str, str]) -> str:
    """As a Role names it."""
    return "/".join(filter(None, (reference["resource"], reference.get("subresource"))))


def test_the_members_used_no_right_beyond_their_role(installation: Installation, nodes_may_break: Breakable, audit_offset: int):
    rules = kube.get("role", "postgres", "-n", installation.namespace)["rules"]
    account = f"system:serviceaccount:{installation.namespace}:postgres"
    events = list(nodes_may_break.audited(audit_offset, account))
    assert events, "the audit log knows nothing of the members"
    refused = Counter(event["requestURI"].partition("?")[0] for event in events if event.get("responseStatus", {}).get("code") in (401, 403))
    assert refused == {}

    def allowed(verb: str, resource: str, name: str) -> bool:
        return any(verb in rule["verbs"] and resource in rule["resources"] and ("resourceNames" not in rule or name in rule["resourceNames"]) for rule in rules)

    used = Counter((event["verb"], resource(event["objectRef"]), event["objectRef"].get("name", "")) for event in events if "objectRef" in event)
    assert {use for use in used if not allowed(*use)} == set()
    assert {event["requestURI"] for event in events if "objectRef" not in event} == set()
    granted = {(verb, each) for rule in rules for verb in rule["verbs"] for each in rule["resources"]}
    assert granted - {(verb, each) for verb, each, _ in used} == set(), "nobody used it: take the right away, or drill what needs it"
