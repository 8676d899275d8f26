"""`sosctl secrets check`: what it says, what it never says, and how it ends."""

from __future__ import annotations

import base64
from collections.abc import Mapping

from sos_constructs.cli.app import app
from sos_constructs.secrets.catalogue import SECRETS

import pytest
import yaml
from typer.testing import CliRunner

from tests.cli.conftest import Cluster, manifest

CANARY = "c4n4ry.Zm9vYmFyYmF6cXV4"
PASSWORD = base64.b64encode(b"kD3mPq8ZrT5vXw2YbN7cF9hJ4gLs6uAe").decode()
OTHER = base64.b64encode(b"Zt6WnQ4xHs8RkV2dJy5Mb9LgPc3TfE7u").decode()
GOOD = {"redis-password": PASSWORD, "redis-pubsub-password": OTHER}


def check(data: Mapping[str, str] | str, *arguments: str):
    text = data if isinstance(data, str) else yaml.safe_dump(manifest(**data))
    return CliRunner().invoke(app, ["secrets", "check", "-", "--only", "redis-credentials", *arguments], input=text)


def test_nothing_wrong():
    result = check(GOOD)
    assert (result.exit_code, result.stdout) == (0, "1 secret: nothing wrong\n")


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("", "missing"),
        ("<base64 of it>", "placeholder"),
        (base64.b64encode(b"short").decode(), "weak"),
        (CANARY, "malformed"),
        (base64.b64encode(CANARY.encode() + b"@" * 32).decode(), "malformed"),
    ],
)
def test_a_defect_is_one_line_without_the_value(value, problem):
    result = check(GOOD | {"redis-password": value})
    assert result.exit_code == 1
    line, summary = result.stdout.splitlines()
    assert line.startswith(f"{problem:<11} redis-credentials/redis-password ")
    assert summary == f"1 secret: 1 {problem}"
    assert CANARY not in result.output


def test_a_note_is_no_defect():
    result = check(GOOD | {"redis-pass": PASSWORD})
    assert result.exit_code == 0
    assert result.stdout.startswith("note        redis-credentials/redis-pass is not in the catalogue")


def test_only_what_vendors_issue_is_missing():
    result = CliRunner().invoke(app, ["secrets", "check", "-", "--only", "oauth-credentials"], input=yaml.safe_dump(manifest("oauth-credentials")))
    assert result.exit_code == 3
    assert "6 missing" in result.stdout


def test_a_whole_canary_set_is_judged_without_a_word_of_it():
    documents = [manifest(s.name, **{row.key: base64.b64encode(f"{CANARY}-{row.key}-{CANARY}".encode()).decode() for row in s.keys}) for s in SECRETS]
    result = CliRunner().invoke(app, ["secrets", "check", "-"], input=yaml.safe_dump_all(documents))
    assert result.exit_code == 1
    assert len(result.stdout.splitlines()) > 50
    assert CANARY not in result.output
    assert base64.b64encode(CANARY.encode()).decode()[:20] not in result.output


def test_the_namespace_is_chosen():
    both = yaml.safe_dump_all([manifest(**GOOD), manifest(namespace="staging")])
    assert "redis-credentials is there twice; keep one, or choose a namespace with --namespace" in check(both).stderr
    assert check(both, "--namespace", "sos-app").exit_code == 0
    assert check(both, "--namespace", "staging").exit_code == 1


@pytest.mark.parametrize(
    ("text", "message"), [("", "standard input: is empty"), (f"a: b: {CANARY}", "standard input: not YAML"), (f"- {CANARY}", "not Kubernetes manifests")]
)
def test_input_that_cannot_be_read(text, message):
    result = check(text)
    assert result.exit_code == 2
    assert message in result.stderr
    assert CANARY not in result.output
    assert "Traceback" not in result.output


def test_a_file(tmp_path):
    (tmp_path / "s.yaml").write_text(yaml.safe_dump(manifest(**GOOD)))
    assert CliRunner().invoke(app, ["secrets", "check", str(tmp_path / "s.yaml"), "--only", "redis-credentials"]).exit_code == 0
    assert CliRunner().invoke(app, ["secrets", "check", str(tmp_path)]).exit_code == 2


def test_secrets_of_a_cluster_wherever_they_came_from(cluster: Cluster):
    cluster.apply(yaml.safe_dump(manifest(**(GOOD | {"redis-password": base64.b64encode(b"short").decode()}))))
    result = CliRunner().invoke(app, ["secrets", "check", "--cluster", "--only", "redis-credentials", "--only", "oauth-credentials"])
    lines = result.stdout.splitlines()
    assert lines[0] == "weak        redis-credentials/redis-password has 5 characters; 32 is the least"
    assert lines[1].startswith("missing     oauth-credentials/google-oauth-client-id Google Cloud console → ")
    assert all(" Without it: No log-in with " in line for line in lines[1:-1])
    assert result.exit_code == 1
    call = cluster.calls()[-1]
    assert call[:2] == ["--namespace", "sos-app"]
    assert call[-6:-3] == ["secret", "redis-credentials", "oauth-credentials"]


def test_another_cluster_and_namespace(cluster: Cluster):
    cluster.apply(yaml.safe_dump(manifest(namespace="other", **GOOD)))
    arguments = ["secrets", "check", "--cluster", "--only", "redis-credentials", "--context", "prod", "--namespace", "other"]
    assert CliRunner().invoke(app, arguments).exit_code == 0
    (call,) = cluster.calls()
    assert call[:4] == ["--context", "prod", "--namespace", "other"]


def test_a_cluster_that_does_not_answer_has_not_been_checked(cluster: Cluster):
    cluster.fails("Unable to connect to the server")
    result = CliRunner().invoke(app, ["secrets", "check", "--cluster"])
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == "sosctl: cluster (context none, namespace sos-app): Unable to connect to the server.\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "say what to check: a FILE, '-' for standard input, or --cluster."),
        (["-", "--cluster"], "say what to check: a FILE, '-' for standard input, or --cluster, not two of them."),
        (["-", "--context", "prod"], "--context prod: belongs to --cluster; add it."),
    ],
)
def test_what_to_check_must_be_clear(arguments: list[str], message: str):
    result = CliRunner().invoke(app, ["secrets", "check", *arguments], input="")
    assert (result.exit_code, result.stderr) == (2, f"sosctl: {message}\n")
