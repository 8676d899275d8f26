"""A larger volume: what stays fixed, what the agent is told, and the rights it gets for that."""

from __future__ import annotations

from typing import Any

from sos_constructs.postgres import configmaps, rbac, storage
from sos_constructs.postgres.statefulset import stateful_set

import pytest

from tests.postgres.example import spec


def template(**options: Any) -> str:
    (claim,) = stateful_set(spec(**options))["spec"]["volumeClaimTemplates"]
    return str(claim["spec"]["resources"]["requests"]["storage"])


def rights(**options: Any) -> list[dict[str, Any]]:
    return [rule for rule in rbac.role(spec(**options))["rules"] if "persistentvolumeclaims" in rule["resources"]]


def test_by_default_the_template_has_the_size_and_the_agent_no_right_to_claims():
    assert template() == "50Gi"
    assert rights() == []
    assert "storage" not in configmaps.declared(spec())


def test_growing_leaves_the_template_and_tells_the_agent():
    grown = {"storage": "100Gi", "storage_template": "50Gi"}
    assert template(**grown) == "50Gi"
    assert configmaps.declared(spec(**grown))["storage"] == "100Gi"
    (rule,) = rights(**grown)
    assert (rule["verbs"], rule["resourceNames"][:2]) == (["get", "patch"], ["data-postgres-0", "data-postgres-1"])
    assert stateful_set(spec(**grown))["spec"]["template"] == stateful_set(spec())["spec"]["template"], "no pod restarts"


def test_the_same_size_written_in_another_way_is_no_growth():
    assert not storage.grows(spec(storage="1Gi", storage_template="1024Mi"))


@pytest.mark.parametrize("size", ["49Gi", "50G"])
def test_no_claim_shrinks(size: str):
    with pytest.raises(ValueError, match=r"must be at most storage='[0-9]+Gi?': Kubernetes lets no claim shrink"):
        storage.check_storage(spec(storage=size, storage_template="50Gi"))
