"""emit: nothing is lost on the way to YAML, and what could not survive it is refused with path, value and fix."""

from __future__ import annotations

import json
import math
import os
import random
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from sos_constructs import emit as module
from sos_constructs.apply_limit import LIMIT, SERVER_SIDE_LIMIT, annotation_bytes
from sos_constructs.emit import APPLY, Objects, emit
from sos_constructs.placement import CLUSTER_SCOPED as BY_GROUP
from sos_constructs.placement import is_cluster_scoped

import cdk8s
import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from tests.generated import examples
from tests.programs import program

ROOT = Path(__file__).resolve().parent.parent


def manifest(**fields: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}} | fields


def refused(made: dict[str, Any]) -> str:
    """The message with which emit refuses the manifest; nothing of it may be in the tree then."""
    chart = cdk8s.Chart(cdk8s.App(), "platform")
    with pytest.raises(ValueError, match=r"^platform/") as raised:
        emit(chart, made)
    assert cdk8s.Testing.synth(chart) == []
    return str(raised.value)


# --- what goes through ------------------------------------------------------------------------------------------------


FULL = {
    "apiVersion": "example.org/v1",
    "kind": "Thing",
    "metadata": {
        "annotations": {"example.org/note": "x: y"},
        "finalizers": ["example.org/f"],
        "labels": {"app.kubernetes.io/name": "thing"},
        "name": "thing",
        "namespace": "elsewhere",
    },
    "data": {"kept": {}, "also kept": [], "and": ""},
    "spec": {"z": 1, "a": [{"b": True, "c": 0.5}, "x"], "storage": "1Gi", "unknown/field~1": {"deep": {"er": "50m"}}, "port": "http", "number": 2**53},
    "strange/top~level": "kept",
}


def test_nothing_is_lost_and_order_and_spelling_stay():
    chart = cdk8s.Testing.chart()
    emit(chart, FULL)
    (out,) = cdk8s.Testing.synth(chart)
    assert out == FULL
    assert json.dumps(out["spec"]) == json.dumps(FULL["spec"]), "the order of keys"


def test_the_manifest_itself_is_not_changed():
    before = json.dumps(FULL)
    emit(cdk8s.Testing.chart(), FULL)
    assert json.dumps(FULL) == before


def test_id_is_kind_and_name():
    assert emit(cdk8s.Testing.chart(), manifest()).node.id == "configmap-a"


def test_charts_labels_and_namespace_are_added():
    chart = cdk8s.Chart(cdk8s.App(), "c", namespace="sos-app", labels={"team": "sos", "x": "chart"})
    emit(chart, manifest(metadata={"name": "a", "labels": {"x": "own"}}))
    emit(chart, manifest(metadata={"name": "b", "namespace": "own"}))
    first, second = cdk8s.Testing.synth(chart)
    assert first["metadata"] == {"name": "a", "namespace": "sos-app", "labels": {"team": "sos", "x": "own"}}
    assert second["metadata"]["namespace"] == "own"


CLUSTER_SCOPED = [(f"{group}/v1".lstrip("/"), kind) for group, kinds in BY_GROUP.items() for kind in sorted(kinds)]


@pytest.mark.parametrize("body", [{}, {"spec": {"x": 1}}], ids=["without a body", "with a body"])
def test_cluster_scoped_kinds_never_get_a_namespace(body: dict[str, Any]):
    chart = cdk8s.Chart(cdk8s.App(), "c", namespace="sos-app")
    for api_version, kind in CLUSTER_SCOPED:
        emit(chart, {"apiVersion": api_version, "kind": kind, "metadata": {"name": "a"}} | body)
    for out in cdk8s.Testing.synth(chart):
        assert out["metadata"] == {"name": "a"}


def test_scope_goes_by_group_and_kind():
    for api_version, kind in (("v1", "ConfigMap"), ("apps/v1", "StatefulSet"), ("rbac.authorization.k8s.io/v1", "Role"), ("example.org/v1", "Namespace")):
        assert not is_cluster_scoped({"apiVersion": api_version, "kind": kind})
    assert is_cluster_scoped({"apiVersion": "v1", "kind": "Namespace"})
    assert is_cluster_scoped({"apiVersion": "scheduling.k8s.io/v1alpha9", "kind": "PriorityClass"}), "the scope does not depend on the version"


def test_a_users_patches_apply_to_the_result():
    chart = cdk8s.Chart(cdk8s.App(), "c", namespace="sos-app")
    made = emit(chart, FULL)
    made.add_json_patch(cdk8s.JsonPatch.replace("/spec/storage", "2Gi"), cdk8s.JsonPatch.add("/spec/new", {"any": "field"}))
    made.add_json_patch(cdk8s.JsonPatch.remove("/spec/a/1"))
    (out,) = cdk8s.Testing.synth(chart)
    assert out["spec"] == FULL["spec"] | {"storage": "2Gi", "new": {"any": "field"}, "a": [{"b": True, "c": 0.5}]}  # type: ignore[operator]


def test_objects_are_found_by_kind_and_name():
    objects = Objects(cdk8s.Testing.chart(), [manifest(), manifest(kind="Secret")])
    assert list(objects) == [("ConfigMap", "a"), ("Secret", "a")]
    assert len(objects) == 2
    assert objects["Secret", "a"].kind == "Secret"
    with pytest.raises(KeyError, match=r"no \('Secret', 'b'\); there are: \('ConfigMap', 'a'\), \('Secret', 'a'\)"):
        objects["Secret", "b"]


SCRIPT = """
import sos_constructs
from tests.test_emit import FULL
from sos_constructs.emit import emit
import cdk8s
app = cdk8s.Testing.app()
chart = cdk8s.Chart(app, "c", namespace="sos-app", labels={"b": "1", "a": "2"})
emit(chart, FULL)
emit(chart, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "b"}, "data": {k: k for k in ("z", "a", "m")}})
print(app.synth_yaml(), end="")
"""


def test_same_input_same_bytes_whatever_the_hash_seed():
    running = [
        subprocess.Popen([sys.executable, "-c", SCRIPT], cwd=ROOT, env=os.environ | {"PYTHONHASHSEED": seed}, stdout=subprocess.PIPE) for seed in ("1", "2")
    ]
    first, second = (process.communicate(timeout=120)[0] for process in running)
    assert b"name: thing" in first
    assert first == second


# --- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("made", "message"),
    [
        ({"apiVersion": "", "kind": "X"}, "platform/x-: apiVersion='' must be a non-empty string"),
        ({"apiVersion": "v1"}, "platform/-: kind=None must be a non-empty string"),
        ({"apiVersion": "v1", "kind": 1}, "platform/1-: kind=1 must be a non-empty string"),
        (manifest(metadata={}), "platform/configmap-: metadata={} must have a fixed name"),
        (manifest(metadata={"name": None}), "ConfigMap metadata.name=None must be a DNS-1123 subdomain"),
        (manifest(metadata={"generateName": "a-"}), "must have a fixed name"),
        (manifest(metadata={"name": "A_b"}), "platform/configmap-a_b: ConfigMap metadata.name='A_b' must be a DNS-1123 subdomain"),
        (manifest(metadata={"name": "a" * 254}), "at most 253 characters"),
        (manifest(kind="Service", metadata={"name": "a.b"}), "Service metadata.name='a.b' must be a DNS-1035 label"),
        (manifest(kind="Service", metadata={"name": "a" * 64}), "at most 63 characters"),
        (manifest(metadata={"name": "a", "namespace": "A"}), "metadata.namespace='A' must be a DNS-1123 label"),
        (manifest(kind="Namespace", metadata={"name": "a", "namespace": "b"}), "metadata.namespace='b' must be left out: Namespace is cluster-scoped"),
        (manifest(metadata={"name": "a", "labels": {"a b": "c"}}), "label='a b' must be [prefix/]name"),
        (manifest(metadata={"name": "a", "labels": {"a": 1}}), "label a=1 must be a string"),
        (manifest(metadata={"name": "a", "labels": {"a": "b c"}}), "label a='b c' must be a string of at most 63"),
        (manifest(metadata={"name": "a", "labels": None}), "metadata.labels=None must have a value"),
        (manifest(metadata={"name": "a", "annotations": {"port": 80}}), "metadata.annotations.port=80 must be a string"),
        (manifest(data={"PORT": 5432}), "data.PORT=5432 must be a string: ConfigMap and Secret hold nothing else"),
        (manifest(data={"ON": True}), "data.ON=True must be a string"),
        (manifest(data={"X": None}), "data.X=None must be a string"),
        (manifest(kind="Secret", stringData={"X": 1.5}), "stringData.X=1.5 must be a string"),
        (manifest(kind="Secret", data={"X": b"x"}), "data.X=b'x' must be a string"),
        (manifest(spec={"a": [{"b": None}]}), "platform/configmap-a: spec.a[0].b=None must have a value: a missing one would silently drop the field"),
        (manifest(spec=None), "spec=None must have a value"),
        (manifest(spec={"a": {1: "x"}}), "spec.a key=1 must be a string"),
        (manifest(spec={"a": {"__proto__": {}}}), "spec.a key='__proto__' is a word that jsii keeps for itself"),
        (manifest(spec={"a": {"$jsii.byref": "x"}}), "spec.a key='$jsii.byref' is a word"),
        (manifest(spec={"a": {1, 2}}), "spec.a={1, 2} has type set; use dict, list, str, int, float or bool"),
        (manifest(spec={"n": 2**53 + 1}), f"spec.n={2**53 + 1} is beyond 2^53 and would be rounded in JavaScript; write it as a string"),
        (manifest(spec={"n": -(2**60)}), "is beyond 2^53"),
        (manifest(spec={"n": math.inf}), "spec.n=inf is no number that JSON and YAML can hold"),
        (manifest(spec={"n": math.nan}), "spec.n=nan is no number"),
    ],
)
def test_refused(made: dict[str, Any], message: str):
    assert message in refused(made)


#: Each is written bare or as a broken block by cdk8s, and read as something else by kubectl (or by PyYAML).
UNSAFE = (
    *("0o14", "-0o7", "0O17", "+0X1F", "0B11", "<<", "="),
    *("a\u0085b", "\u2028", "a\u2029", "\ufeffx", "a\x7f", "\x80", "\x9f", "\ufffe", "x\uffff", "\ud800"),
    *("\tx\ny", "\n\tx", " \nx"),
)


@pytest.mark.parametrize("text", UNSAFE, ids=ascii)
def test_unsafe_text_is_refused_as_value_and_as_key(text: str):
    assert f"data.K={text!r} " in refused(manifest(data={"K": text}))
    assert f"spec.list[1]={text!r} " in refused(manifest(spec={"list": ["x", text]}))
    assert "spec key=" in refused(manifest(spec={text: "x"}))


def sized(size: int, letter: str = "x") -> dict[str, Any]:
    """A ConfigMap whose annotations have ``size`` bytes once ``kubectl apply`` has written it."""
    base = manifest(metadata={"name": "a", "namespace": "sos-app"}, data={"K": ""})
    empty, each = annotation_bytes(base), annotation_bytes(base | {"data": {"K": letter}}) - annotation_bytes(base)
    return base | {"data": {"K": letter * ((size - empty) // each) + "x" * ((size - empty) % each)}}


@pytest.mark.parametrize("letter", ["x", "ü", "<", '"'])
def test_the_limit_is_that_of_kubectl_apply(letter: str):
    chart = cdk8s.Chart(cdk8s.App(), "c", namespace="sos-app")
    emit(chart, sized(LIMIT, letter))
    with pytest.raises(ValueError, match=rf"size={LIMIT + 1} bytes of annotations .*most of it is data\['K'\].*Split it.*--server-side"):
        emit(cdk8s.Chart(cdk8s.App(), "c", namespace="sos-app"), sized(LIMIT + 1, letter))


def test_labels_of_the_chart_and_annotations_count():
    labelled = cdk8s.Chart(cdk8s.App(), "c", namespace="sos-app", labels={"team": "sos"})
    with pytest.raises(ValueError, match="bytes of annotations"):
        emit(labelled, sized(LIMIT))
    annotated = sized(LIMIT)
    annotated["metadata"]["annotations"] = {"a": "b"}
    with pytest.raises(ValueError, match="bytes of annotations"):
        emit(cdk8s.Chart(cdk8s.App(), "c", namespace="sos-app"), annotated)


def test_an_app_that_is_applied_on_the_servers_side_may_have_larger_objects():
    app = cdk8s.App()
    app.node.set_context(APPLY, "server-side")
    chart = cdk8s.Chart(app, "c", namespace="sos-app")
    emit(chart, sized(LIMIT * 2))
    with pytest.raises(ValueError, match=f"more than the {SERVER_SIDE_LIMIT} the API server takes"):
        emit(cdk8s.Chart(app, "d", namespace="sos-app"), sized(SERVER_SIDE_LIMIT * 2))


# --- text survives YAML -----------------------------------------------------------------------------------------------

WORDS = (
    *("0", "1", "o", "x", "b", "e", "E", "yes", "No", "on", "null", "~", "true", ".inf", ".nan", "0x", "0o", "0b"),
    *("1_0", "12:30", "2001-01-01", "-", "+", ".", "---", "..."),
)
MARKS = (*"  \n\n\t\r\0\x1b\xa0", *"#:,?&*!|>'\"%@`[]{}=\\é😀", ": ", " #", "- ", "<<")

tricky = st.one_of(st.lists(st.sampled_from([*WORDS, *MARKS]), max_size=8).map("".join), st.text(max_size=12))


def accepted(text: str) -> bool:
    try:
        module._check_text(text, "here")
    except ValueError:
        return False
    return True


def pyyaml_cannot(text: str) -> bool:
    """PyYAML alone takes a tab before a word for a broken indentation in a plain scalar, which YAML allows; kubectl's reader does not."""
    return "\t" in text and "\n" not in text


@examples(40)
@given(st.lists(tricky.filter(accepted), min_size=20, max_size=60))
@example(["", " ", "\n", "a\n", "a\n\n", " a\nb", "a \nb", "\r\n", "a\rb", "x" * 200 + " y" * 100])
def test_accepted_text_survives_yaml(texts: list[str]):
    texts = [text for text in texts if not pyyaml_cannot(text)]
    app = cdk8s.Testing.app()
    spec = {"list": texts, "keys": dict.fromkeys((text for text in texts if not text.startswith(("__proto__", "$jsii."))), 1)}
    emit(cdk8s.Chart(app, "c"), manifest(data={f"k{index}": text for index, text in enumerate(texts)}, spec=spec))
    out = yaml.safe_load(app.synth_yaml())
    assert list(out["data"].values()) == texts
    assert out["spec"] == spec


def test_accepted_text_survives_kubectl(tmp_path: Path):
    """kubectl reads with Go's YAML library, whose idea of YAML is between 1.1 and 1.2."""
    kubectl = program("kubectl")
    pick = random.Random(15)
    texts = ["".join(pick.choices([*WORDS, *MARKS], k=pick.randint(0, 7))) for _ in range(2000)]
    texts += ["".join(pick.choices(" \t\nab#:", k=pick.randint(1, 7))) for _ in range(2000)]
    data = {f"k{index}": text for index, text in enumerate(texts) if accepted(text)}
    assert len(data) > 2000
    app = cdk8s.Testing.app()
    emit(cdk8s.Chart(app, "c"), manifest(data=data))
    (tmp_path / "a.yaml").write_text(app.synth_yaml(), encoding="utf-8", newline="")
    # --local: read, change and print without a server
    done = subprocess.run([kubectl, "annotate", "--local", "-f", tmp_path / "a.yaml", "-o", "json", "x=y"], capture_output=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    out = json.loads(done.stdout)["data"]
    assert {key: (text, out.get(key)) for key, text in data.items() if out.get(key) != text} == {}


@pytest.mark.parametrize("number", [0, -1, 2**53, -(2**53), 0.1, 1e-7, 1e21, True, False])
def test_numbers_survive_yaml(number: float):
    app = cdk8s.Testing.app()
    emit(cdk8s.Chart(app, "c"), manifest(spec={"number": number}))
    written = re.search(r"^  number: (\S+)$", app.synth_yaml(), re.MULTILINE)
    assert written
    assert json.loads(written[1]) == number


@pytest.mark.parametrize(("labels", "message"), [({"a b": "c"}, "label='a b' must be [prefix/]name"), ({"team": "a b"}, "label team='a b' must be a string")])
def test_a_charts_labels_are_judged_before_they_reach_objects(labels: dict[str, str], message: str) -> None:
    chart = cdk8s.Chart(cdk8s.App(), "c", namespace="sos-app", labels=labels)
    with pytest.raises(ValueError, match="^" + re.escape(f"c: {message}")):
        Objects(chart, [])
