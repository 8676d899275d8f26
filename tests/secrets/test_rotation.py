"""Rotation loses no value that someone may still need, whatever the order of steps, and also where values are sealed."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

from sos_constructs.secrets import ages, holders, rotation
from sos_constructs.secrets.catalogue import BY_NAME, SECRETS
from sos_constructs.secrets.check import check
from sos_constructs.secrets.generate import Generated
from sos_constructs.secrets.rotation import SETTLE, apply, next_step, not_before, refusal, rotatable, step, times
from sos_constructs.secrets.sealing import sealed_secret
from sos_constructs.secrets.stored import SecretInputError, dump, read, select

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import crds
from tests.generated import examples
from tests.secrets.conftest import NOW
from tests.secrets.controller import KEY, unseal

JWT, AES, REDIS, POSTGRES = (BY_NAME[name] for name in ("jwt-secrets", "encryption-keys", "redis-credentials", "postgres-credentials"))
DAY = timedelta(days=1)

#: Keys that rotate without RSA, which is slow to make.
FAST = [(secret, row) for secret in SECRETS for row in rotatable(secret) if row.form != "rsa-private-key"]


def manifest(generated: Generated, name: str) -> dict[str, Any]:
    return next(dict(m) for m in generated.manifests if m["metadata"]["name"] == name)


def rotated(secret: dict[str, Any], *keys: str, now: datetime, retire: bool = False) -> dict[str, Any]:
    """After the next step for each key."""
    spec = BY_NAME[secret["metadata"]["name"]]
    there = holders.keys(secret)
    steps = [step(spec, spec[key], "retire" if retire else next_step(spec, spec[key], there), there, now=NOW) for key in keys]
    return holders.after(secret, steps, holders.base64_of, now)


def test_a_password_without_overlap_is_replaced(generated: Generated):
    before = manifest(generated, "postgres-credentials")
    after = rotated(before, "postgres-password", now=NOW)
    changed = {key for key in before["data"] if before["data"][key] != after["data"][key]}
    assert changed == {"postgres-password"}
    assert set(after["data"]) == set(before["data"])


def test_a_password_of_many_clients_comes_with_a_login_of_its_own(generated: Generated):
    before = manifest(generated, "postgres-credentials")
    staged = rotated(before, "auth-db-password", now=NOW)
    assert {**staged["data"], **before["data"]} == staged["data"], "nothing that is used has changed"
    name = base64.b64decode(staged["data"]["auth-db-username-next"]).decode()
    assert name == f"auth_{NOW:%Y%m%d%H%M}"
    after = rotated(staged, "auth-db-password", now=NOW + DAY)
    for what in ("username", "password"):
        assert after["data"][f"auth-db-{what}"] == staged["data"][f"auth-db-{what}-next"]
        assert after["data"][f"auth-db-{what}-previous"] == before["data"][f"auth-db-{what}"]
        assert f"auth-db-{what}-next" not in after["data"]
    assert check(select(read(dump([after]), "x"), BY_NAME, "x"), now=NOW, only=["postgres-credentials"]) == []
    assert rotated(after, "auth-db-password", now=NOW + 2 * DAY, retire=True)["data"].keys() == before["data"].keys()


def test_dual_passwords_stay_as_previous(generated: Generated):
    before = manifest(generated, "redis-credentials")
    after = rotated(before, "redis-password", now=NOW)
    assert after["data"]["redis-password-previous"] == before["data"]["redis-password"]
    assert after["data"]["redis-password"] != before["data"]["redis-password"]
    assert after["data"]["redis-pubsub-password"] == before["data"]["redis-pubsub-password"]
    assert rotated(after, "redis-password", now=NOW + 2 * DAY, retire=True)["data"].keys() == before["data"].keys()


def test_a_key_ring_is_staged_changed_and_retired(generated: Generated):
    keys = ("jwt-secret", "jwt-private-key")
    before = manifest(generated, "jwt-secrets")
    staged = rotated(before, *keys, now=NOW)
    assert {key: value for key, value in staged["data"].items() if not key.endswith("-next")} == before["data"], "nobody notices"
    assert set(staged["data"]) - set(before["data"]) == {"jwt-secret-next", "jwt-private-key-next", "jwt-public-key-next", "jwt-key-id-next"}
    changed = rotated(staged, *keys, now=NOW + DAY)
    for key in ("jwt-secret", "jwt-public-key", "jwt-key-id"):
        assert changed["data"][key] == staged["data"][f"{key}-next"], "what everyone knows already"
        assert changed["data"][f"{key}-previous"] == before["data"][key]
    assert changed["data"]["jwt-private-key"] == staged["data"]["jwt-private-key-next"]
    assert "jwt-private-key-previous" not in changed["data"], "nothing is signed with it any more"
    assert not any(key.endswith("-next") for key in changed["data"])
    retired = rotated(changed, *keys, now=NOW + 10 * DAY, retire=True)
    assert set(retired["data"]) == set(before["data"])


def accepted(secret: dict[str, Any], key: str) -> set[str]:
    """The values a reader accepts that does what docs/how-to/rotation.md says."""
    return {value for name, value in secret["data"].items() if name == key or name.startswith((f"{key}-next", f"{key}-previous", f"{key}-v"))}


@pytest.mark.parametrize(
    ("name", "root", "keys"),
    [
        ("jwt-secrets", "jwt-secret", ["jwt-secret"]),
        ("jwt-secrets", "jwt-private-key", ["jwt-public-key", "jwt-key-id"]),
        ("encryption-keys", "pii-encryption-key", ["pii-encryption-key"]),
    ],
)
def test_between_two_steps_services_restart_in_any_order(generated: Generated, name: str, root: str, keys: list[str]):
    """Who writes and who reads may each be before or after a step; what was written before the last change is read until it is retired."""
    states = [manifest(generated, name)]
    for turn in range(2):
        for retire in [False, False, True] if name == "jwt-secrets" else [False, False]:
            states.append(rotated(states[-1], root, now=NOW + (turn + 1) * DAY, retire=retire))
            before, after = states[-2:]
            for key in keys:
                for writer in (before, after):
                    for reader in (before, after):
                        assert writer["data"][key] in accepted(reader, key)
                if not retire:
                    assert all(state["data"][key] in accepted(after, key) for state in states[-3:])


def test_every_stage_passes_the_check(generated: Generated):
    current = [manifest(generated, name) for name in ("jwt-secrets", "encryption-keys", "redis-credentials")]
    for day in range(3):
        stored = select(read(dump(current), "x"), BY_NAME, "x")
        assert check(stored, now=NOW, only=list(stored)) == []
        current = [rotated(m, *(row.key for row in rotatable(BY_NAME[m["metadata"]["name"]])), now=NOW + day * DAY) for m in current]


def test_old_encryption_keys_stay_for_good(generated: Generated):
    current = manifest(generated, "encryption-keys")
    history = [current["data"]["pii-encryption-key"]]
    for day in range(6):
        current = rotated(current, "pii-encryption-key", now=NOW + day * DAY)
        if day % 2:
            history.append(current["data"]["pii-encryption-key"])
    assert len(set(history)) == 4
    assert [current["data"][f"pii-encryption-key-v{n}"] for n in (1, 2, 3)] == history[:3]
    with pytest.raises(SecretInputError, match="encryption-keys/pii-encryption-key: has no previous value to retire"):
        rotated(current, "pii-encryption-key", now=NOW, retire=True)


@given(st.lists(st.sampled_from([(s.name, row.key) for s, row in FAST]), max_size=25))
@examples(40)
def test_whatever_is_rotated_no_needed_value_is_lost(walk: list[tuple[str, str]]):
    """Old values as the catalogue promises them, for steps in any order, each taken when it is allowed."""
    now = datetime(2030, 1, 1, tzinfo=UTC)
    values = {s.name: {row.key: f"{row.key}#0" for row in s.keys if row.origin in ("generated", "derived") or row.follows} for s in SECRETS}
    since: dict[str, dict[str, datetime]] = {s.name: dict.fromkeys(values[s.name], now) for s in SECRETS}
    ever: dict[str, list[str]] = {row.key: [f"{row.key}#0"] for s in SECRETS for row in s.keys if row.origin == "generated"}
    for number, (name, key) in enumerate(walk):
        spec, row = BY_NAME[name], BY_NAME[name][key]
        way = next_step(spec, row, values[name])
        now = max(now + timedelta(minutes=1), not_before(spec, row, way, values[name], since[name]) or now)
        taken = step(spec, row, way, values[name], value=f"{key}#{number + 1}", now=NOW)
        family = (key, *(other.key for other in spec.keys if other.follows == key))
        others = {k: v for k, v in values[name].items() if not k.startswith(family)}
        values[name] = apply([taken], values[name], str)
        since[name] = times([taken], since[name], now)
        assert {k: v for k, v in values[name].items() if not k.startswith(family)} == others
        if values[name][key] != ever[key][-1]:
            ever[key].append(values[name][key])
        old = ever[key][:-1]
        if row.rotation.keeps == "all":
            assert set(old) <= set(values[name].values())
        elif old and row.rotation.keeps == "previous":
            assert values[name][f"{key}-previous"] == old[-1]


def test_sealed_values_rotate_without_being_opened(generated: Generated):
    stored = select(read(dump(generated.manifests), "x"), BY_NAME, "x")
    before = sealed_secret(stored["jwt-secrets"], KEY.public_key(), namespace="sos-app")
    label, made = "sos-app/jwt-secrets", []

    def encode(text: str) -> str:
        made.append(text)
        return sealed_text(text)

    staged = holders.after(before, [step(JWT, JWT["jwt-secret"], "stage", holders.keys(before), now=NOW)], encode, NOW)
    after = holders.after(staged, [step(JWT, JWT["jwt-secret"], "change", holders.keys(staged), now=NOW)], encode, NOW + DAY)
    values = after["spec"]["encryptedData"]
    assert values["jwt-secret-previous"] == before["spec"]["encryptedData"]["jwt-secret"]
    assert [unseal(values["jwt-secret"], label).decode()] == made
    assert unseal(values["jwt-secret-previous"], label) == stored["jwt-secrets"].values["jwt-secret"]
    assert ages.read(after["metadata"])["jwt-secret"] == NOW + DAY
    assert after["spec"]["template"]["metadata"]["annotations"] == after["metadata"]["annotations"], "so the Secret says it, too"
    crds.validate_custom_resource(after)


def sealed_text(text: str) -> str:
    from sos_constructs.secrets.sealing import seal

    return seal(text.encode(), KEY.public_key(), b"sos-app/jwt-secrets")


def test_times_say_when_a_value_began_to_be_used(generated: Generated):
    before = manifest(generated, "jwt-secrets")
    assert ages.read(before["metadata"]) == dict.fromkeys([row.key for row in JWT.keys if row.origin != "ring"], NOW)
    staged = rotated(before, "jwt-private-key", now=NOW + DAY)
    assert ages.read(staged["metadata"])["jwt-private-key"] == NOW
    assert ages.read(staged["metadata"])["jwt-public-key-next"] == NOW + DAY
    after = ages.read(rotated(staged, "jwt-private-key", now=NOW + 2 * DAY)["metadata"])
    assert (after["jwt-private-key"], after["jwt-public-key"], after["jwt-secret"]) == (NOW + 2 * DAY, NOW + 2 * DAY, NOW)
    assert not any(key.endswith(("-next", "-previous")) for key in after)


@pytest.mark.parametrize("text", ["", "nonsense", "[]", '{"a": 1, "b": "yesterday", "c": null}'])
def test_a_time_that_cannot_be_read_is_not_known(text: str):
    assert ages.read({"annotations": {ages.ANNOTATION: text}}) == {}
    assert ages.read({}) == {}


def test_an_annotation_is_the_same_for_the_same_times():
    first = ages.annotation({"b": NOW, "a": NOW + DAY})
    assert first == ages.annotation({"a": NOW + DAY, "b": NOW})
    assert list(json.loads(first[ages.ANNOTATION])) == ["a", "b"]
    assert ages.annotation({}) == {}


def test_waiting_times():
    key = JWT["jwt-private-key"]
    there = {"jwt-private-key", "jwt-private-key-next"}
    assert not_before(JWT, key, "stage", there, {}) is None
    assert not_before(JWT, key, "change", there, {"jwt-private-key-next": NOW}) == NOW + SETTLE
    full = there | {"jwt-public-key-previous"}
    ages_of = {"jwt-private-key-next": NOW, "jwt-private-key": NOW}
    assert not_before(JWT, key, "change", full, ages_of) == NOW + 8 * DAY, "tokens signed with the one before the last are still about"
    assert not_before(JWT, key, "retire", full, ages_of) == NOW + 8 * DAY
    assert not_before(JWT, key, "retire", full, ages_of, 31 * DAY) == NOW + 31 * DAY
    assert not_before(POSTGRES, POSTGRES["postgres-password"], "change", {"postgres-password"}, {}) is None
    with pytest.raises(SecretInputError, match="jwt-private-key: since when it has this value is not known"):
        not_before(JWT, key, "change", full, {"jwt-private-key-next": NOW})


@pytest.mark.parametrize(
    ("secret", "key", "message"),
    [
        ("jwt-secrets", "jwt-public-key", "is computed from jwt-private-key; rotate that"),
        ("jwt-secrets", "jwt-secret-previous", "is the next or the previous value"),
        ("postgres-credentials", "postgres-username", "is not secret and never rotated"),
        ("postgres-credentials", "auth-db-username", "changes together with auth-db-password; rotate that"),
        ("tls-certificates", "tls.crt", "which its CA renews: cert-manager"),
        ("external-api-keys", "sendgrid-api-key", "is issued elsewhere. Have a new one issued: SendGrid → Settings"),
        ("object-storage-credentials", "s3-secret-access-key", "better none: EKS Pod Identity"),
    ],
)
def test_what_we_cannot_make_is_refused_with_how_it_is_had(secret: str, key: str, message: str):
    assert message in str(refusal(BY_NAME[secret], BY_NAME[secret][key]))


def test_everything_generated_can_be_rotated():
    assert {row.key for s in SECRETS for row in s.keys if row.origin == "generated"} == {row.key for s in SECRETS for row in rotatable(s)}


@pytest.mark.parametrize(("secret", "row"), FAST, ids=lambda value: getattr(value, "key", ""))
def test_what_is_not_there_is_not_rotated(secret: Any, row: Any):
    with pytest.raises(SecretInputError, match=f"{row.key}: is not there; sosctl secrets generate makes it"):
        step(secret, row, "change", set(), now=NOW)


def test_what_a_vendor_issues_is_said_to_come_from_there():
    secret = BY_NAME["external-api-keys"]
    row = secret["apns-key-id"]
    with pytest.raises(SecretInputError, match="apns-key-id: is not there; ") as error:
        step(secret, row, "change", set(), "ABC123DEFG", now=NOW)
    assert row.obtain in str(error.value)
    assert "generate makes it" not in str(error.value)


def test_half_a_staged_pair_is_not_used():
    there = {"jwt-private-key", "jwt-public-key", "jwt-key-id", "jwt-private-key-next", "jwt-key-id-next"}
    with pytest.raises(SecretInputError, match="jwt-public-key-next: is not there, although others"):
        step(JWT, JWT["jwt-private-key"], "change", there, now=NOW)


def test_a_step_does_not_show_its_values():
    taken = step(REDIS, REDIS["redis-password"], "change", {"redis-password"}, value="c4n4ry", now=NOW)
    assert "c4n4ry" not in repr(taken)


def test_kubectls_copy_of_the_old_values_goes():
    secret = {
        "kind": "Secret",
        "metadata": {"name": "redis-credentials", "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "c4n4ry", "mine": "x"}},
        "data": {"redis-password": "b25l"},
        "stringData": {"redis-pubsub-password": "two"},
    }
    after = rotated(secret, "redis-password", now=NOW)
    assert "c4n4ry" not in json.dumps(after)
    assert after["metadata"]["annotations"]["mine"] == "x"
    assert "stringData" not in after
    assert after["data"]["redis-pubsub-password"] == holders.base64_of("two")
    assert after["data"]["redis-password-previous"] == "b25l"


def test_placeholders_are_no_values():
    assert holders.keys({"kind": "Secret", "metadata": {"name": "a"}, "data": {"a": "<base64 of it>", "b": "", "c": "Yw==", "d": None}}) == {"c"}


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({}, None),
        ({"ownerReferences": [{"kind": "ExternalSecret", "name": "x"}]}, "is written by ExternalSecret x; rotate it in its store"),
        ({"ownerReferences": [{"kind": "SealedSecret", "name": "x"}]}, "is written by SealedSecret x; rotate it in its file: --file FILE"),
        ({"ownerReferences": [{"kind": "KafkaUser", "name": "x", "controller": True}]}, "is written by KafkaUser x; rotate it there"),
        ({"ownerReferences": [{"kind": "Other", "name": "x"}]}, None),
        ({"labels": {"reconcile.external-secrets.io/managed": "true"}}, "is written by ExternalSecret a; rotate it in its store"),
        ({"labels": {"reconcile.external-secrets.io/managed": "true", "app.kubernetes.io/component": "secret-document"}}, None),
        ({"annotations": {"cert-manager.io/certificate-name": "x"}}, "is written by Certificate x; cert-manager renews it"),
    ],
)
def test_who_would_undo_a_change(metadata: dict[str, Any], message: str | None):
    found = holders.owner({"kind": "Secret", "metadata": {"name": "a", **metadata}})
    assert (found is None) if message is None else (found or "").startswith(message)


def test_the_step_is_named_for_the_row():
    assert rotation.next_step(AES, AES["pii-encryption-key"], {"pii-encryption-key"}) == "stage"
    assert rotation.next_step(AES, AES["pii-encryption-key"], {"pii-encryption-key", "pii-encryption-key-next"}) == "change"
    assert rotation.next_step(REDIS, REDIS["redis-password"], {"redis-password"}) == "change"
