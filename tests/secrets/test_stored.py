"""Reading Secrets from whatever holds them, without ever quoting a value."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from sos_constructs.secrets.stored import SecretInputError, StoredSecret, dump, merge, read, select

import pytest
import yaml

EARLY, LATE = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)
CANARY = "c4n4ry-Zm9vYmFy"


def secret(name: str = "redis-credentials", *, namespace: str = "sos-app", **fields: object) -> dict[str, object]:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": namespace}, "type": "Opaque", **fields}


def as_list(*items: object) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": items})


@pytest.mark.parametrize(
    "text",
    [
        yaml.safe_dump(secret(data={"a": "YQ=="})),
        json.dumps(secret(data={"a": "YQ=="})),
        as_list(secret(data={"a": "YQ=="})),
        yaml.safe_dump(json.loads(as_list({"kind": "ConfigMap"}, secret(data={"a": "YQ=="})))),
        "---\n---\nkind: ConfigMap\n---\n" + yaml.safe_dump(secret(data={"a": "YQ=="})),
        yaml.safe_dump(secret(stringData={"a": "a"})),
        yaml.safe_dump(secret(data={"a": "Yg=="}, stringData={"a": "a"})),
    ],
    ids=["yaml", "json", "json list", "yaml list", "documents", "stringData", "stringData wins"],
)
def test_every_form_of_the_same_secret(text):
    assert read(text, "x") == [StoredSecret("redis-credentials", "sos-app", "Opaque", {"a": b"a"})]


def test_values_are_told_apart():
    data = {"good": "YQ==", "empty": "", "none": None, "hole": "<base64 of something>", "number": 1234, "text": "not base64"}
    (found,) = read(yaml.safe_dump(secret(data=data)), "x")
    assert found.values == {"good": b"a", "empty": b"", "none": b""}
    assert found.placeholders == {"hole"}
    assert {key: reason.split(";")[0].split(",")[0] for key, reason in found.broken.items()} == {"number": "is not a string", "text": "is not base64"}


def test_an_empty_list_is_a_new_namespace():
    assert read(as_list(), "x") == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "x: is empty"),
        ("---\n", "x: is empty"),
        ("kind: ConfigMap\n", "x: there is no Secret in it"),
        (f"{CANARY}", "x: not Kubernetes manifests"),
        (f"- {CANARY}", "x: not Kubernetes manifests"),
        (f"{{{CANARY}", r"x: not JSON \(line 1, column 2\)"),
        (f"a: b\n  c: {CANARY}: d", r"x: not YAML \(line 2, column 4\)"),
        (f"a: '{CANARY}", "x: not YAML"),
        ("a: !!python/object:os.system {}", "x: not YAML"),
        ("a: 2026-13-45", "x: not YAML"),
        (f"a: \x00{CANARY}", "x: not YAML"),
        (yaml.safe_dump(secret(data=[CANARY])), "x: data of Secret redis-credentials is not a mapping"),
        (f"kind: Secret\ndata: {{a: {CANARY}}}", "x: a Secret has no metadata.name"),
        (f"kind: Secret\nmetadata: {CANARY}", "x: a Secret has no metadata.name"),
    ],
)
def test_bad_input_is_named_and_not_quoted(text, message):
    with pytest.raises(SecretInputError, match=message) as caught:
        read(text, "x")
    assert CANARY not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_selection_by_name_and_namespace():
    there = [StoredSecret("a", "one"), StoredSecret("b", "one"), StoredSecret("a", "two"), StoredSecret("c", "")]
    assert select(there, ["a", "c"], "x", namespace="two") == {"a": there[2], "c": there[3]}


def test_a_secret_that_is_there_twice_is_refused():
    with pytest.raises(SecretInputError, match="x: a is there twice; keep one, or choose a namespace with --namespace"):
        select([StoredSecret("a", "one"), StoredSecret("a", "two")], ["a"], "x")


def test_a_secret_of_another_namespace_is_not_silently_ignored():
    with pytest.raises(SecretInputError, match="x: a is in namespace one, not in two; choose it with --namespace one"):
        select([StoredSecret("a", "one")], ["a"], "x", namespace="two")


def test_the_first_set_with_a_value_wins():
    first = {"a": StoredSecret("a", type="first", values={"x": b"1"})}
    second = {"a": StoredSecret("a", values={"x": b"2", "y": b"2"}, broken={"z": "bad"}), "b": StoredSecret("b")}
    merged = merge([first, second])
    assert merged == {"a": StoredSecret("a", type="first", values={"x": b"1", "y": b"2"}, broken={"z": "bad"}), "b": StoredSecret("b")}


def test_an_empty_value_does_not_hide_one_that_is_in_use() -> None:
    template = {"a": StoredSecret("a", values={"x": b"", "empty": b""}, rotated={"x": EARLY})}
    cluster = {"a": StoredSecret("a", values={"x": b"in use"}, rotated={"x": LATE})}
    for sets in ([template, cluster], [cluster, template]):
        merged = merge(sets)["a"]
        assert merged.values == {"x": b"in use", "empty": b""}
        assert merged.rotated == {"x": LATE}


def test_a_value_is_kept_whatever_a_later_set_has_there() -> None:
    merged = merge([{"a": StoredSecret("a", values={"x": b"good"})}, {"a": StoredSecret("a", broken={"x": "is not base64"})}])["a"]
    assert (merged.values, merged.broken) == ({"x": b"good"}, {})
    hidden = merge([{"a": StoredSecret("a", broken={"x": "is not base64"})}, {"a": StoredSecret("a", values={"x": b"good"})}])["a"]
    assert hidden.broken, "which of the two is in use is for a human to say"


def test_what_is_written_reads_the_same_and_one_line_per_value():
    documents = [secret(data={"k": "QUJD" * 400})]
    text = dump(documents)
    assert list(yaml.safe_load_all(text)) == documents
    assert f"  k: {'QUJD' * 400}\n" in text
    assert text.startswith("---\n")
