"""What is due, in which order, and whom it restarts."""

from __future__ import annotations

import base64
from datetime import datetime, timedelta
from typing import Any

from sos_constructs.secrets import ages
from sos_constructs.secrets.certificates import DevelopmentCa
from sos_constructs.secrets.consumers import Use, uses
from sos_constructs.secrets.generate import Generated
from sos_constructs.secrets.plan import plan
from sos_constructs.secrets.sealing import sealed_secret
from sos_constructs.secrets.stored import StoredSecret

import pytest

from tests.secrets.conftest import NOW
from tests.secrets.controller import KEY

DAY = timedelta(days=1)


def secret(name: str, *, created: datetime | None = None, rotated: dict[str, datetime] | None = None, values: dict[str, str]) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": name, "annotations": ages.annotation(rotated or {})}
    metadata |= {"creationTimestamp": f"{created:%Y-%m-%dT%H:%M:%SZ}"} if created else {}
    data = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data}


def due(*manifests: Any, now: datetime = NOW) -> list[tuple[str, str]]:
    return [(item.row.key, item.action) for item in plan(manifests) if item.is_due(now)]


def test_a_fresh_set_is_due_when_its_periods_end(generated: Generated):
    assert due(*generated.manifests) == []
    after_passwords = due(*generated.manifests, now=NOW + 90 * DAY)
    assert {action for _, action in after_passwords} == {"change", "stage"}
    assert ("auth-db-password", "stage") in after_passwords
    assert ("postgres-password", "change") in after_passwords
    assert not any(key.startswith("jwt") or key.endswith("encryption-key") for key, _ in after_passwords)
    assert ("jwt-private-key", "stage") in due(*generated.manifests, now=NOW + 180 * DAY)
    assert ("pii-encryption-key", "stage") in due(*generated.manifests, now=NOW + 365 * DAY)


def test_a_sealed_set_is_planned_like_the_secrets_it_becomes():
    stored = StoredSecret("redis-credentials", values={"redis-password": b"x"}, rotated={"redis-password": NOW})
    sealed = sealed_secret(stored, KEY.public_key(), namespace="sos-app")
    assert due(sealed, now=NOW + 89 * DAY) == []
    assert due(sealed, now=NOW + 90 * DAY) == [("redis-password", "change")]


def test_without_a_time_the_age_of_the_secret_is_the_most_it_can_be():
    (item,) = plan([secret("redis-credentials", created=NOW, values={"redis-password": "x"})])
    assert (item.since, item.at_most, item.due) == (NOW, True, NOW + 90 * DAY)
    (item,) = plan([secret("redis-credentials", values={"redis-password": "x"})])
    assert (item.since, item.due, item.is_due(NOW)) == (None, None, True)


def test_certificates_by_their_end():
    ca = DevelopmentCa(NOW)
    private_key, certificate = ca.issue("x")
    (item,) = plan([secret("tls-certificates", rotated={"tls.crt": NOW}, values={"tls.crt": certificate, "tls.key": private_key})])
    assert (item.row.key, item.action) == ("tls.crt", "renew")
    assert item.due == NOW + (365 - 30) * DAY
    (item,) = plan([secret("tls-certificates", rotated={"tls.crt": NOW}, values={"tls.crt": "not one"})])
    assert item.due == NOW + 90 * DAY


def test_the_order_is_half_done_certificates_longest_overdue_and_cleaning_up():
    old = dict.fromkeys(("redis-password", "redis-pubsub-password"), NOW - 200 * DAY) | {"redis-pubsub-password": NOW - 300 * DAY}
    redis = secret("redis-credentials", rotated=old, values={"redis-password": "x", "redis-pubsub-password": "y", "redis-password-previous": "z"})
    jwt = secret("jwt-secrets", rotated={"jwt-secret": NOW - 181 * DAY, "jwt-secret-next": NOW - DAY}, values={"jwt-secret": "a", "jwt-secret-next": "b"})
    _, certificate = DevelopmentCa(NOW - 400 * DAY).issue("x")
    tls = secret("tls-certificates", values={"tls.crt": certificate})
    api = secret("external-api-keys", rotated={"sendgrid-api-key": NOW - 250 * DAY}, values={"sendgrid-api-key": "k"})
    assert due(redis, jwt, tls, api) == [
        ("jwt-secret", "change"),
        ("tls.crt", "renew"),
        ("redis-pubsub-password", "change"),
        ("redis-password", "change"),
        ("sendgrid-api-key", "re-issue"),
        ("redis-password", "retire"),
    ]


def test_what_is_staged_waits_until_everyone_can_have_it():
    jwt = secret("jwt-secrets", rotated={"jwt-secret": NOW - 181 * DAY, "jwt-secret-next": NOW}, values={"jwt-secret": "a", "jwt-secret-next": "b"})
    assert due(jwt) == []
    assert due(jwt, now=NOW + timedelta(hours=1)) == [("jwt-secret", "change")]


def test_a_previous_public_key_is_retired_with_its_pair():
    values = {"jwt-private-key": "a", "jwt-public-key": "b", "jwt-public-key-previous": "c"}
    jwt = secret("jwt-secrets", rotated={"jwt-private-key": NOW}, values=values)
    assert due(jwt, now=NOW + 7 * DAY) == []
    assert due(jwt, now=NOW + 8 * DAY) == [("jwt-private-key", "retire")]


def test_other_objects_are_no_business_of_ours():
    assert plan([secret("other", values={"redis-password": "x"}), {"kind": "ConfigMap", "metadata": {"name": "redis-credentials"}}]) == []


def workload(kind: str, name: str, **pod: Any) -> dict[str, Any]:
    template = {"template": {"spec": {"containers": [], **pod}}}
    return {"kind": kind, "metadata": {"name": name}, "spec": {"jobTemplate": {"spec": template}} if kind == "CronJob" else template}


def container(**fields: Any) -> dict[str, Any]:
    return {"containers": [{"name": "c", **fields}]}


ENV: dict[str, Any] = {"name": "P", "valueFrom": {"secretKeyRef": {"name": "redis-credentials", "key": "redis-password"}}}
VOLUME: dict[str, Any] = {"name": "v", "secret": {"secretName": "redis-credentials"}}
MOUNT: dict[str, Any] = {"name": "v", "mountPath": "/v"}


@pytest.mark.parametrize(
    ("pod", "restart"),
    [
        (container(env=[ENV]), True),
        ({"initContainers": [{"name": "i", "env": [ENV]}]}, True),
        (container(envFrom=[{"secretRef": {"name": "redis-credentials"}}]), True),
        ({**container(volumeMounts=[MOUNT]), "volumes": [VOLUME]}, False),
        ({**container(volumeMounts=[{**MOUNT, "subPath": "redis-password"}]), "volumes": [VOLUME]}, True),
        ({**container(volumeMounts=[MOUNT], env=[ENV]), "volumes": [VOLUME]}, True),
        (
            {**container(volumeMounts=[MOUNT]), "volumes": [{"name": "v", "secret": {**VOLUME["secret"], "items": [{"key": "redis-password", "path": "p"}]}}]},
            False,
        ),
        ({**container(volumeMounts=[MOUNT]), "volumes": [{"name": "v", "projected": {"sources": [{"secret": {"name": "redis-credentials"}}]}}]}, False),
        (container(env=[{**ENV, "valueFrom": {"secretKeyRef": {"name": "redis-credentials", "key": "other"}}}]), None),
        ({**container(volumeMounts=[MOUNT]), "volumes": [{"name": "v", "secret": {**VOLUME["secret"], "items": [{"key": "other", "path": "p"}]}}]}, None),
        (container(envFrom=[{"secretRef": {"name": "other"}}]), None),
        ({"volumes": [VOLUME]}, None),
        (container(env=[{"name": "x", "value": "y"}], envFrom=[{"configMapRef": {"name": "redis-credentials"}}]), None),
    ],
)
def test_who_must_restart(pod: dict[str, Any], restart: bool | None):
    expected = [] if restart is None else [Use("deployment/d", restart)]
    assert uses([workload("Deployment", "d", **pod)], "redis-credentials", "redis-password") == expected


def test_all_kinds_in_order_and_a_cron_job_never_restarts():
    workloads = [workload(kind, "x", **container(env=[ENV])) for kind in ("StatefulSet", "Deployment", "CronJob", "DaemonSet", "Unknown")]
    found = uses(workloads, "redis-credentials", "redis-password")
    assert found == [Use("cronjob/x", False), Use("daemonset/x", True), Use("deployment/x", True), Use("statefulset/x", True)]
