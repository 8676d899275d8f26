"""Reading manifests from folders, files and revisions; what cannot be read, and that no value leaves a Secret."""

from __future__ import annotations

import subprocess
from pathlib import Path

from sos_constructs.review import ReviewInputError, load
from sos_constructs.review.model import Hidden, Key

import pytest

ONE = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: one, namespace: x}\ndata: {A: '1'}\n"
TWO = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: two}\n"
MAP = Key("", "ConfigMap", "x", "one")
DEPLOYMENT = Key("apps", "Deployment", "", "two")


def git(folder: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false", "-c", "init.defaultBranch=main"]
    subprocess.run(["git", *identity, "-C", str(folder), *arguments], check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Two commits; dist/ has one object more in the second."""
    (tmp_path / "dist" / "more").mkdir(parents=True)
    (tmp_path / "dist" / "a.k8s.yaml").write_text(ONE)
    (tmp_path / "dist" / "notes.txt").write_text("not: [yaml")
    (tmp_path / "dist" / "link.yaml").symlink_to("a.k8s.yaml")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "one")
    (tmp_path / "dist" / "link.yaml").unlink()
    (tmp_path / "dist" / "more" / "b ü.json").write_text('{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "two"}}')
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "two")
    git(tmp_path, "tag", "v1")
    return tmp_path


@pytest.mark.parametrize(
    ("source", "keys"),
    [
        ("dist", {MAP, DEPLOYMENT}),
        ("dist/a.k8s.yaml", {MAP}),
        ("HEAD", {MAP, DEPLOYMENT}),
        ("main", {MAP, DEPLOYMENT}),
        ("v1:dist", {MAP, DEPLOYMENT}),
        ("HEAD~1", {MAP}),
        ("HEAD~1:dist", {MAP}),
        ("HEAD~1:dist/", {MAP}),
        ("HEAD:dist/more", {DEPLOYMENT}),
        ("HEAD:dist/a.k8s.yaml", {MAP}),
        ("HEAD:", {MAP, DEPLOYMENT}),
    ],
)
def test_sources(repository: Path, source: str, keys: set[Key]):
    assert set(load(source, repository)) == keys


def test_a_path_that_exists_is_taken_before_a_revision(repository: Path):
    (repository / "main").write_text(TWO)
    assert set(load("main", repository)) == {DEPLOYMENT}


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("nowhere", "no Git revision 'nowhere'"),
        ("", "no such file"),
        ("--version", "no such file"),
        ("-h:dist", "no such file"),
        ("HEAD~9", "no Git revision"),
        ("HEAD:nowhere", "HEAD:nowhere: is not in that revision"),
        ("HEAD:../dist", "is not in that revision"),
        ("a\0b", "no such file"),
    ],
)
def test_no_source(repository: Path, source: str, says: str):
    with pytest.raises(ReviewInputError, match=says.replace(".", r"\.")):
        load(source, repository)


def test_outside_of_a_repository(tmp_path: Path):
    with pytest.raises(ReviewInputError, match="no Git revision 'main' here"):
        load("main", tmp_path)


def test_a_revision_without_dist_says_how_to_name_a_folder(tmp_path: Path):
    (tmp_path / "x").write_text("x")
    for arguments in (("init", "-q"), ("add", "."), ("commit", "-qm", "x")):
        git(tmp_path, *arguments)
    with pytest.raises(ReviewInputError, match="for another folder write HEAD:FOLDER"):
        load("HEAD", tmp_path)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: [", "not YAML (line"),
        ("- a", "a document is list, not a mapping"),
        ("just text", "a document is str"),
        ("kind: ConfigMap", "one has no apiVersion"),
        ("apiVersion: v1", "one has no kind"),
        ("apiVersion: v1\nkind: ConfigMap", "one has no metadata.name"),
        ("apiVersion: v1\nkind: ConfigMap\nmetadata: [a]", "one has no metadata.name"),
        ("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: 1}", "one has no metadata.name"),
        ("apiVersion: 1\nkind: ConfigMap\nmetadata: {name: a}", "one has no apiVersion"),
        (f"{ONE}---\n{ONE}", "ConfigMap one (x) is there twice"),
        (f"{ONE}1: 2", "a key is not a string"),
        (f"{ONE}x: &a [*a]", "is nested deeper"),
        (f"{ONE}x: .inf", "a number that is not finite"),
        (f"{ONE}x: !!binary aGk=", "holds a bytes"),
        (f"{ONE}x: !!python/object:os.system {{}}", "not YAML"),
        (f"{ONE}? [a]\n: b", "not YAML"),
        (f"{ONE}x: !!int ''", "not YAML as Kubernetes reads it"),
        ("", "there is no Kubernetes object"),
        ("---\n---\n", "there is no Kubernetes object"),
        ("apiVersion: v1\nkind: List\nitems: [a]", "an item of a List is str"),
    ],
)
def test_unusable(tmp_path: Path, text: str, says: str):
    (tmp_path / "a.yaml").write_text(text)
    with pytest.raises(ReviewInputError) as error:
        load("a.yaml", tmp_path)
    assert says in str(error.value)


def test_not_text_and_not_readable(tmp_path: Path):
    (tmp_path / "a.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ReviewInputError, match="is not text"):
        load("a.yaml", tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ReviewInputError, match="no Kubernetes object in it"):
        load("empty", tmp_path)


def test_lists_byte_order_marks_and_dates(tmp_path: Path):
    (tmp_path / "a.yaml").write_text(
        "\ufeffapiVersion: v1\nkind: ConfigMapList\nitems:\n- {apiVersion: v1, kind: ConfigMap, metadata: {name: a}, data: {d: 2026-01-01}}\n"
    )
    (manifest,) = load("a.yaml", tmp_path).values()
    assert manifest["data"] == {"d": "2026-01-01"}


def test_the_same_object_in_two_files_names_both(tmp_path: Path):
    (tmp_path / "a.yaml").write_text(ONE)
    (tmp_path / "b.yaml").write_text(ONE)
    with pytest.raises(ReviewInputError, match=r"b\.yaml: ConfigMap one \(x\) is there twice, also in .*a\.yaml"):
        load(".", tmp_path)


def test_values_of_secrets_do_not_leave_the_reader(tmp_path: Path):
    (tmp_path / "a.yaml").write_text(
        "apiVersion: v1\nkind: Secret\nmetadata: {name: s, annotations: {kubectl.kubernetes.io/last-applied-configuration: hunter2}}\n"
        "data: {a: aHVudGVyMg==, b: <generate>, c: ''}\nstringData: {d: hunter2, e: [hunter2]}\n"
    )
    (manifest,) = load("a.yaml", tmp_path).values()
    assert "hunter2" not in repr(manifest)
    assert "aHVudGVyMg" not in repr(manifest)
    assert (manifest["data"]["b"], manifest["data"]["c"]) == ("<generate>", "")
    assert isinstance(manifest["stringData"]["e"][0], Hidden)


def test_messages_about_broken_secrets_do_not_quote_them(tmp_path: Path):
    (tmp_path / "a.yaml").write_text("apiVersion: v1\nkind: Secret\nstringData: {password: hunter2: x\n")
    with pytest.raises(ReviewInputError) as error:
        load("a.yaml", tmp_path)
    assert "hunter2" not in str(error.value)
