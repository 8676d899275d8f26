"""`sosctl secrets generate`: complete, kept on every further run, and never where it could be published."""

from __future__ import annotations

import base64
import os
import stat
import subprocess
import sys
from pathlib import Path

from sos_constructs.cli import kubectl
from sos_constructs.cli.app import app
from sos_constructs.secrets.catalogue import SECRETS

import pytest
import yaml
from typer.testing import CliRunner

from tests.cli.conftest import Cluster, manifest

REDIS = ("--only", "redis-credentials")
CANARY = "c4n4ry.Zm9vYmFyYmF6cXV4"


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def sosctl(*arguments: str, stdin: str = ""):
    return CliRunner().invoke(app, ["secrets", "generate", *arguments], input=stdin)


def secrets_of(text: str) -> dict[str, dict[str, str]]:
    return {m["metadata"]["name"]: m["data"] for m in yaml.safe_load_all(text)}


def test_the_readmes_pipe_on_a_new_cluster_makes_everything_and_on_a_second_run_changes_nothing(cluster):
    first = sosctl()
    assert first.exit_code == 0, first.stderr
    cluster.apply(first.stdout)
    live = cluster.data()
    assert {"postgres-credentials", "jwt-secrets", "tls-certificates"} <= set(live)
    second = sosctl()
    assert second.exit_code == 0
    cluster.apply(second.stdout)
    assert cluster.data() == live
    assert second.stdout == first.stdout
    assert "0 values are new" in second.stderr


def test_what_vendors_issue_is_listed_on_stderr_with_the_way_to_get_it(cluster):
    result = sosctl("--only", "external-api-keys", "--only", "monitoring-credentials")
    for secret in SECRETS:
        for row in secret.keys:
            if secret.name in ("external-api-keys", "monitoring-credentials"):
                assert row.key in result.stderr
                if not row.optional:
                    assert f"{secret.name}/{row.key}: {row.obtain}. Without it: {row.breaks}" in result.stderr
    assert result.stdout == ""


def test_values_added_by_hand_are_kept(cluster):
    cluster.apply(yaml.safe_dump(manifest("external-api-keys", **{"apns-key-id": b64("ABC123DEFG"), "of-our-own": b64("x")})))
    result = sosctl("--only", "external-api-keys", "--only", "redis-credentials")
    assert secrets_of(result.stdout)["external-api-keys"] == {"apns-key-id": b64("ABC123DEFG"), "of-our-own": b64("x")}


def test_the_cluster_is_asked_for_its_secrets_by_name_and_told_nothing(cluster):
    sosctl("--namespace", "staging", "--context", "other", *REDIS)
    (call,) = cluster.calls()
    assert call == [
        "--context",
        "other",
        "--namespace",
        "staging",
        "--request-timeout",
        "10s",
        "get",
        "secret",
        "redis-credentials",
        "--ignore-not-found",
        "--output",
        "json",
    ]


@pytest.mark.parametrize("trouble", ["unreachable", "slow", "not installed", "not JSON"])
def test_no_answer_from_the_cluster_means_no_output(cluster: Cluster, monkeypatch, trouble):
    if trouble == "unreachable":
        cluster.fails("E1123 some log line\nThe connection to the server localhost:8080 was refused")
        message = "cluster (context none, namespace sos-app): The connection to the server localhost:8080 was refused"
    elif trouble == "slow":
        cluster.hangs()
        monkeypatch.setattr(kubectl, "PROCESS_TIMEOUT", 0.5)
        message = "kubectl did not answer within 0.5 seconds"
    elif trouble == "not installed":
        monkeypatch.setenv("PATH", "/nonexistent")
        message = "kubectl is not installed"
    else:
        (cluster.folder / "store").write_text("[]")
        (cluster.folder / "kubectl").write_text("#!/bin/sh\necho Unable to help\n")
        message = "not Kubernetes manifests"
    result = sosctl()
    assert result.exit_code == 2
    assert result.stdout == ""
    assert message in result.stderr
    assert "nothing was written" in result.stderr
    assert "--existing none" in result.stderr


def test_a_fresh_set_needs_no_cluster_and_says_how_to_apply_it_safely(monkeypatch):
    monkeypatch.setenv("PATH", "/nonexistent")
    result = sosctl("--existing", "none", *REDIS)
    assert result.exit_code == 0
    assert len(secrets_of(result.stdout)["redis-credentials"]) == 2
    assert "use kubectl create" in result.stderr


@pytest.mark.parametrize("source", ["file", "standard input"])
def test_the_values_of_a_file_are_kept(tmp_path, source):
    text = yaml.safe_dump(manifest(**{"redis-password": b64(CANARY)}))
    (tmp_path / "old.yaml").write_text(text)
    result = sosctl("--existing", "-" if source == "standard input" else str(tmp_path / "old.yaml"), *REDIS, stdin=text)
    data = secrets_of(result.stdout)["redis-credentials"]
    assert data["redis-password"] == b64(CANARY)
    assert len(base64.b64decode(data["redis-pubsub-password"])) >= 32
    assert "1 values are new, 1 were kept" in result.stderr


def test_a_filled_in_template_adds_to_what_the_cluster_has(cluster, tmp_path):
    cluster.apply(yaml.safe_dump(manifest("external-api-keys", **{"apns-key-id": b64("LIVE123456")})))
    filled = manifest("external-api-keys", **{"apns-key-id": b64("OTHER12345"), "apns-team-id": b64("DEF123GHIJ"), "twilio-auth-token": "<base64 of it>"})
    (tmp_path / "issued.yaml").write_text(yaml.safe_dump(filled))
    result = sosctl("--existing", "cluster", "--existing", str(tmp_path / "issued.yaml"), "--only", "external-api-keys")
    assert secrets_of(result.stdout)["external-api-keys"] == {"apns-key-id": b64("LIVE123456"), "apns-team-id": b64("DEF123GHIJ")}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("kind: ConfigMap", "there is no Secret in it"),
        (f"a: b: {CANARY}", "not YAML (line 1, column 5)"),
        (yaml.safe_dump(manifest(**{"redis-password": CANARY})), "redis-credentials/redis-password is not base64"),
        (yaml.safe_dump(manifest(namespace="elsewhere")), "redis-credentials is in namespace elsewhere, not in sos-app"),
        (yaml.safe_dump_all([manifest(), manifest()]), "redis-credentials is there twice"),
    ],
)
def test_existing_values_that_cannot_be_read_stop_it(text, message):
    result = sosctl("--existing", "-", *REDIS, stdin=text)
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr
    assert CANARY not in result.stderr
    assert "Traceback" not in result.stderr


def test_a_file_that_is_not_there(tmp_path):
    result = sosctl("--existing", str(tmp_path / "missing.yaml"))
    assert result.exit_code == 2
    assert "missing.yaml: No such file or directory" in result.stderr


def test_a_file_that_is_no_text(tmp_path):
    (tmp_path / "x").write_bytes(b"\xff\xfe\xff")
    assert "is not text" in sosctl("--existing", str(tmp_path / "x")).stderr


def test_an_unknown_secret_is_named_with_the_nearest_one():
    result = sosctl("--only", "postgres-credential")
    assert result.exit_code == 2
    assert "did you mean 'postgres-credentials'?" in result.stderr


def test_the_namespace_is_written(cluster):
    result = sosctl("--namespace", "staging", *REDIS)
    assert yaml.safe_load(result.stdout)["metadata"]["namespace"] == "staging"


def test_stderr_never_shows_a_value(cluster):
    result = sosctl()
    values = [base64.b64decode(value).decode() for data in secrets_of(result.stdout).values() for value in data.values()]
    fixed = {row.value for secret in SECRETS for row in secret.keys if row.value}
    assert [value for value in values if value not in fixed and value in result.stderr] == []


# Files


def output(path: Path, *arguments: str):
    return sosctl("--existing", "none", *REDIS, "--output", str(path), *arguments)


def test_a_file_is_for_its_owner_only_whatever_the_umask(tmp_path):
    before = os.umask(0)
    try:
        result = output(tmp_path / "secrets.yaml")
    finally:
        os.umask(before)
    assert result.exit_code == 0, result.stderr
    assert result.stdout == ""
    assert stat.S_IMODE((tmp_path / "secrets.yaml").stat().st_mode) == 0o600
    assert "redis-credentials" in secrets_of((tmp_path / "secrets.yaml").read_text())
    assert [p.name for p in tmp_path.iterdir()] == ["secrets.yaml"]


def test_a_file_that_others_could_read_is_replaced_by_one_they_cannot(tmp_path):
    path = tmp_path / "secrets.yaml"
    path.write_text(yaml.safe_dump(manifest(**{"redis-password": b64(CANARY)})))
    path.chmod(0o644)
    result = sosctl("--existing", str(path), *REDIS, "--output", str(path))
    assert result.exit_code == 0, result.stderr
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert secrets_of(path.read_text())["redis-credentials"]["redis-password"] == b64(CANARY)


def test_a_file_that_exists_is_not_replaced_by_new_values(tmp_path):
    (tmp_path / "secrets.yaml").write_text("kind: List\nitems: []\n")
    result = output(tmp_path / "secrets.yaml")
    assert result.exit_code == 2
    assert "exists; keep its values with --existing" in result.stderr
    assert (tmp_path / "secrets.yaml").read_text() == "kind: List\nitems: []\n"


@pytest.mark.parametrize("failing", ["fsync", "replace"])
def test_a_failure_while_writing_leaves_the_old_file_and_no_other(tmp_path, monkeypatch, failing):
    def fail(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    path = tmp_path / "secrets.yaml"
    before = yaml.safe_dump(manifest(**{"redis-password": b64(CANARY)}))
    path.write_text(before)
    monkeypatch.setattr(*((os, "fsync", fail) if failing == "fsync" else (Path, "replace", fail)))
    result = sosctl("--existing", str(path), *REDIS, "--output", str(path))
    assert result.exit_code == 2
    assert "No space left on device" in result.stderr
    assert path.read_text() == before
    assert [p.name for p in tmp_path.iterdir()] == ["secrets.yaml"]


@pytest.mark.parametrize("place", ["dist/secrets.yaml", "dist/deeper/secrets.yaml", "link/secrets.yaml", "deeper/../dist/secrets.yaml"])
def test_dist_is_refused_by_any_name(tmp_path, place):
    (tmp_path / "dist/deeper").mkdir(parents=True)
    (tmp_path / "deeper").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "dist")
    result = output(tmp_path / place)
    assert result.exit_code == 2
    assert "is under dist/, which is committed and applied" in result.stderr
    assert not list((tmp_path / "dist").rglob("*.yaml"))


@pytest.fixture
def repository(tmp_path):
    folder = tmp_path / "repository"
    folder.mkdir()
    (folder / "tracked.yaml").write_text("kind: List\nitems: []\n")
    (folder / ".gitignore").write_text("ignored.yaml\n")
    for arguments in (["init", "-q"], ["add", "."]):
        subprocess.run(["git", *arguments], cwd=folder, check=True)
    return folder


@pytest.mark.parametrize("name", ["tracked.yaml", "link.yaml"])
def test_a_file_that_git_tracks_is_refused(repository, name):
    (repository / "link.yaml").symlink_to("tracked.yaml")
    result = sosctl("--existing", str(repository / "tracked.yaml"), "--output", str(repository / name))
    assert result.exit_code == 2
    assert "is tracked by Git, so that the next commit would publish the secrets" in result.stderr
    assert (repository / "tracked.yaml").read_text() == "kind: List\nitems: []\n"


@pytest.mark.parametrize(("name", "warned"), [("new.yaml", True), ("ignored.yaml", False)])
def test_a_file_that_git_would_take_is_warned_of(repository, name, warned):
    result = output(repository / name)
    assert result.exit_code == 0
    assert ("keep it out of commits" in result.stderr) == warned


@pytest.mark.parametrize(("path", "message"), [("missing/secrets.yaml", "does not exist"), (".", "is not a regular file")])
def test_other_places_that_cannot_hold_a_file(tmp_path, path, message):
    result = output(tmp_path / path)
    assert result.exit_code == 2
    assert message in result.stderr


def test_a_device_is_not_replaced_by_a_file():
    assert "is not a regular file" in output(Path("/dev/null")).stderr
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


def test_the_real_command_in_a_real_pipe():
    tool = f"{sys.executable} -m sos_constructs.cli secrets"
    command = f"{tool} generate --existing none --only redis-credentials | {tool} check - --only redis-credentials"
    done = subprocess.run(command, shell=True, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "1 secret: nothing wrong\n"), done.stderr
