"""Canary values in everything that `sosctl secrets` reads, and a search for them in everything that it says, writes and starts."""

from __future__ import annotations

import base64
import json
import os
import stat
import subprocess
import sys
import urllib.parse
from pathlib import Path
from typing import Any

from sos_constructs.cli import app as tool
from sos_constructs.cli import secrets
from sos_constructs.secrets import SealedSecrets
from sos_constructs.secrets.catalogue import SECRETS

import pytest
import typer
import yaml
from typer.testing import CliRunner

from tests.cli.conftest import Cluster, manifest
from tests.secrets.controller import certificate

app = secrets.app
assert tool.app is not app  # it is there that all commands are put together

CANARY = "c4n4ry~Zt6WnQ4xHs8RkV2d"


def value_of(key: str) -> str:
    return f"{CANARY}-{key}-{CANARY}"


def shapes(text: str) -> set[str]:
    """How the canary may look: in clear, and in base64 (alone or within a value), hexadecimal or a URL."""
    raw = text.encode()
    shifted = [base64.b64encode(b"x" * shift + raw).decode()[4 if shift else 0 :][:24] for shift in range(3)]
    return {text, text[6:], urllib.parse.quote(text), raw.hex(), repr(text)[1:-1], *shifted}


SHAPES = shapes(CANARY)

SETS = [manifest(s.name, **{row.key: base64.b64encode(value_of(row.key).encode()).decode() for row in s.keys}) for s in SECRETS]
TEXT = yaml.safe_dump_all(SETS)
SEALED = {"apiVersion": "bitnami.com/v1alpha1", "kind": "SealedSecret", "metadata": SETS[2]["metadata"]}
BROKEN = {
    "not YAML": f"data: {{a: {CANARY}\n  b: [",
    "a scalar": f"--- {CANARY}\n",
    "no base64": yaml.safe_dump(manifest(**{"redis-password": CANARY})),
    "a number": yaml.safe_dump({**manifest(), "data": {"redis-password": [CANARY], "other": CANARY}}),
    "JSON cut off": json.dumps(SETS[0])[:-40],
    "data is text": yaml.safe_dump({**manifest(), "data": CANARY}),
    "sealed data is text": yaml.safe_dump({**SEALED, "spec": {"encryptedData": CANARY}}),
    "sealed template is text": yaml.safe_dump({**SEALED, "spec": {"encryptedData": {}, "template": CANARY}}),
    "sealed value is a list": yaml.safe_dump({**SEALED, "spec": {"encryptedData": {"redis-password": [CANARY]}}}),
    "annotations are text": yaml.safe_dump({**SETS[2], "metadata": {**SETS[2]["metadata"], "annotations": CANARY}}),
    "metadata is text": yaml.safe_dump({**SETS[2], "metadata": CANARY}),
    "twice": TEXT + "---\n" + TEXT,
}


def leaks(text: str) -> list[str]:
    return [shape for shape in SHAPES if shape in text]


def test_the_search_finds_canaries():
    assert all(leaks(text) for text in (CANARY, f"x{CANARY}y", base64.b64encode(f"ab{CANARY}".encode()).decode(), CANARY.encode().hex(), TEXT))
    assert not leaks("nothing to see")


@pytest.fixture
def folder(tmp_path: Path, cluster: Cluster) -> Path:
    """Files, and a cluster, full of canaries."""
    cluster.apply(TEXT)
    work = tmp_path / "work"
    work.mkdir()
    (work / "plain.yaml").write_text(TEXT)
    (work / "cert.pem").write_text(certificate())
    (work / "expired.pem").write_text(certificate(days=-1))
    for name, text in BROKEN.items():
        (work / f"{name}.broken").write_text(text)
    (work / "value").write_text(value_of("sendgrid-api-key"))
    return work


def run(folder: Path, *arguments: str, stdin: str = "") -> Any:
    """In this process, for speed."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        done = CliRunner().invoke(app, list(arguments), input=stdin)
    finally:
        os.chdir(before)
    assert done.exception is None or isinstance(done.exception, SystemExit), "an unexpected error would show a traceback"
    assert done.exit_code in (0, 1, 2), done.stderr
    return done


#: Command lines by command; `generate` prints what it is for, to standard output only.
COMMANDS: dict[str, list[list[str]]] = {
    "check": [["plain.yaml"], ["-"]],
    "docs": [[]],
    "generate": [["--existing", "plain.yaml"], ["--existing", "cluster", "-o", "out.yaml"], ["--existing", "plain.yaml", "-o", "plain.yaml"]],
    "plan": [[], ["--file", "plain.yaml"], ["--file", "plain.yaml", "--workloads", "plain.yaml"]],
    "rotate": [
        ["redis-credentials"],
        ["redis-credentials", "--force"],
        ["jwt-secrets", "--key", "jwt-secret", "--file", "plain.yaml"],
        ["encryption-keys", "--file", "plain.yaml", "--force"],
        ["external-api-keys", "--key", "sendgrid-api-key", "--value-from", "value"],
        ["jwt-secrets", "--file", "plain.yaml", "--retire", "--force"],
    ],
    "seal": [
        ["plain.yaml", "--certificate", "cert.pem"],
        ["plain.yaml", "--certificate", "cert.pem", "-o", "sealed.yaml"],
        ["plain.yaml", "--certificate", "expired.pem"],
        ["plain.yaml", "--certificate", "plain.yaml"],
        ["plain.yaml", "--certificate", "cert.pem", "--merge-into", "plain.yaml"],
    ],
}
INPUT = {
    "check": ["FILE"],
    "generate": ["--existing", "FILE"],
    "plan": ["--file", "FILE"],
    "rotate": ["redis-credentials", "--file", "FILE"],
    "seal": ["FILE", "--certificate", "cert.pem"],
}


def test_every_command_is_searched():
    assert {command.name for command in app.registered_commands} == set(COMMANDS)
    assert set(COMMANDS) - set(INPUT) == {"docs"}, "which reads nothing"


@pytest.mark.parametrize(("command", "arguments"), [pytest.param(name, line, id=" ".join([name, *line])) for name, lines in COMMANDS.items() for line in lines])
def test_no_command_shows_a_value(folder: Path, cluster: Cluster, capfd: pytest.CaptureFixture[str], command: str, arguments: list[str]):
    before = set(folder.iterdir())
    done = run(folder, command, *arguments, stdin=TEXT if "-" in arguments else "")
    assert leaks(done.stderr) == []
    if command != "generate" or "-o" in arguments:
        assert leaks(done.stdout) == []
    assert "".join(capfd.readouterr()) == "", "of a process that it started"
    assert leaks((cluster.folder / "calls").read_text() if cluster.calls() else "") == [], "arguments of a process, which every user of the machine can see"
    for path in set(folder.iterdir()) - before:
        if leaks(path.read_text()):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600, path.name
    if command == "seal" and (folder / "sealed.yaml").exists():
        assert leaks((folder / "sealed.yaml").read_text()) == []


@pytest.mark.parametrize("kind", BROKEN)
def test_no_error_shows_a_value_where_sealed_values_are_merged(folder: Path, kind: str):
    file = f"{kind}.broken"
    before = (folder / file).read_text()
    done = run(folder, "seal", "plain.yaml", "--certificate", "cert.pem", "--merge-into", file)
    assert leaks(done.output) == []
    assert (folder / file).read_text() == before


@pytest.mark.parametrize("kind", BROKEN)
def test_no_error_shows_a_value_where_synth_reads(folder: Path, kind: str):
    with pytest.raises(ValueError, match="path=") as error:
        SealedSecrets(folder / f"{kind}.broken").manifests(SECRETS)
    assert leaks(str(error.value)) == []


@pytest.mark.parametrize("kind", BROKEN)
def test_no_error_shows_a_value_where_workloads_are_read(folder: Path, kind: str):
    (folder / "w.yaml").write_text(yaml.safe_dump({"kind": "Deployment", "metadata": {"name": "a"}, "spec": CANARY}))
    for file in ("w.yaml", f"{kind}.broken"):
        assert leaks(run(folder, "plan", "--file", "plain.yaml", "--workloads", file).output) == []


@pytest.mark.parametrize("kind", BROKEN)
@pytest.mark.parametrize("command", INPUT)
def test_no_error_shows_a_value(folder: Path, command: str, kind: str):
    """Whatever is wrong with the input."""
    done = run(folder, command, *(word.replace("FILE", f"{kind}.broken") for word in INPUT[command]))
    assert leaks(done.stderr) == []
    assert leaks(done.stdout) == [] or (command, done.exit_code) == ("generate", 0), "which prints values"


def test_a_cluster_that_refuses_does_not_make_it_show_a_value(folder: Path, cluster: Cluster):
    """As its own process, with all that Python itself might print."""
    cluster.refuses("Error from server (Invalid): Secret is invalid: ")
    command = [sys.executable, "-m", "sos_constructs.cli", "secrets", "rotate", "postgres-credentials", "--force"]
    done = subprocess.run(command, cwd=folder, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2
    assert "was refused (Invalid)" in done.stderr
    assert leaks(done.stdout + done.stderr) == []


def test_no_option_takes_a_value_from_the_command_line():
    """It would be in `ps` and in the shell's history."""
    group: Any = typer.main.get_command(app)
    options = {option for command in group.commands.values() for parameter in command.params for option in parameter.opts if option.startswith("--")}
    assert not {option for option in options if any(word in option for word in ("password", "token", "secret"))}
    assert {option for option in options if "value" in option} == {"--value-from"}
