"""The agent enlarges its member's claim, against a made-up API server."""

from __future__ import annotations

import json
from typing import Any, cast

from sos_constructs.postgres.agent.kube_api import Kube, KubeError
from sos_constructs.postgres.agent.patroni_api import Status
from sos_constructs.postgres.agent.reconcile import NotYet
from sos_constructs.postgres.agent.volume import reconcile_volume, size

import pytest

from tests.postgres.agent.conftest import Pod

ANY = Status("replica", running=True, streaming=True)


class Api:
    def __init__(self, *, grows: bool = True) -> None:
        self.asked, self.grows = "50Gi", grows

    def claim(self, name: str) -> dict[str, Any]:
        assert name == "data-postgres-0"
        return {"spec": {"resources": {"requests": {"storage": self.asked}}}}

    def enlarge(self, claim: str, size: str) -> None:
        if not self.grows:
            raise KubeError(f"PATCH persistentvolumeclaims/{claim}: HTTP 403")
        self.asked = size


def run(pod: Pod, api: Api) -> None:
    reconcile_volume(pod.member, ANY, connect=lambda _member: cast("Kube", api))


def test_nothing_declared_nothing_asked(pod: Pod):
    run(pod, cast("Api", None))


def test_the_claim_grows_once(pod: Pod, capsys: pytest.CaptureFixture[str]):
    pod.set_config("databases.json", storage="100Gi")
    api = Api()
    capsys.readouterr()
    for _ in range(2):
        run(pod, api)
    assert api.asked == "100Gi"
    (line,) = capsys.readouterr().out.splitlines()
    assert (json.loads(line)["before"], json.loads(line)["now"]) == ("50Gi", "100Gi")


def test_a_claim_that_somebody_made_larger_stays_so(pod: Pod):
    pod.set_config("databases.json", storage="100Gi")
    api = Api()
    api.asked = "1Ti"
    run(pod, api)
    assert api.asked == "1Ti"


def test_a_class_that_does_not_allow_it_is_told(pod: Pod):
    pod.set_config("databases.json", storage="100Gi")
    with pytest.raises(NotYet, match=r"data-postgres-0 does not grow from 50Gi to 100Gi; does its storage class have allowVolumeExpansion\?"):
        run(pod, Api(grows=False))


@pytest.mark.parametrize(("quantity", "expected"), [("1Gi", 2**30), ("1.5Gi", 1.5 * 2**30), ("2G", 2e9), ("512Mi", 2**29), ("1024", 1024)])
def test_sizes(quantity: str, expected: float):
    assert size(quantity) == expected


def test_a_size_that_is_none():
    with pytest.raises(NotYet, match="is not understood"):
        size("many")
