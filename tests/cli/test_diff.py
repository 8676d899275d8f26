"""`sosctl diff`: arguments, formats and exit codes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from sos_constructs.cli.app import app
from sos_constructs.review import Consequence

import pytest
from typer.testing import CliRunner

from tests.review.examples import EXAMPLES, Example

ROOT = Path(__file__).resolve().parent.parent.parent
ROWS = {
    Consequence.NONE: "priority-text",
    Consequence.RELOAD: "service",
    Consequence.RESTART: "deployment-template",
    Consequence.RECREATE: "service-account-pods",
    Consequence.FORBIDDEN: "statefulset-fixed",
    Consequence.REMOVAL: "crd-version",
    Consequence.DATA_LOSS: "claims-deleted",
    Consequence.SECRET: "secret-values",
}
WORST = {consequence: next(example for example in EXAMPLES if example.row == row) for consequence, row in ROWS.items()}


def run(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["diff", *arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


def written(folder: Path, example: Example) -> tuple[str, str]:
    assert example.old
    assert example.new
    paths = folder / "old.json", folder / "new.json"
    for path, manifest in zip(paths, (example.old, example.new), strict=True):
        path.write_text(json.dumps(manifest))
    return str(paths[0]), str(paths[1])


@pytest.mark.parametrize("consequence", Consequence)
def test_the_exit_code_tells_the_worst_consequence(tmp_path: Path, consequence: Consequence):
    sides = written(tmp_path, WORST[consequence])
    code, output, _ = run(*sides)
    assert code == (0 if consequence is Consequence.NONE else 10 + consequence)
    assert f"Worst consequence: {consequence.word} (" in output
    assert run(*sides, "--fail-on", "none")[0] == 10 + consequence
    assert run(*sides, "--fail-on", "never")[0] == 0


@pytest.mark.parametrize(("threshold", "code"), [("reload", 12), ("restart", 12), ("recreate", 0), ("secret", 0)])
def test_thresholds(tmp_path: Path, threshold: str, code: int):
    assert run(*written(tmp_path, WORST[Consequence.RESTART]), "--fail-on", threshold)[0] == code


def test_no_difference_is_no_consequence(tmp_path: Path):
    old, _ = written(tmp_path, WORST[Consequence.RESTART])
    assert run(old, old, "--fail-on", "none") == (0, "No difference.\n", "")


def test_formats(tmp_path: Path):
    sides = written(tmp_path, WORST[Consequence.RESTART])
    assert json.loads(run(*sides, "--format", "json")[1])["worst"] == "restart"
    assert "### Deployment review-deployment (review-test)" in run(*sides, "--format", "markdown")[1]
    plain = run(*sides)[1]
    assert "\x1b" not in plain
    assert plain == run(*sides, "--format", "table")[1]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("nowhere", "dist"), "sosctl: nowhere: there is no such file or folder"),
        ((str(ROOT / "Makefile"), "dist"), "not YAML"),
        (("--format", "xml", "a", "b"), "--format"),
        (("--fail-on", "doom", "a", "b"), "--fail-on"),
        ((), "OLD"),
    ],
)
def test_unusable_input_is_one_line_and_exit_code_2(arguments: tuple[str, ...], says: str):
    code, output, error = run(*arguments)
    assert (code, output) == (2, "")
    assert says in error
    assert "Traceback" not in error


def test_the_committed_chart_against_itself_from_the_shell():
    done = subprocess.run([sys.executable, "-m", "sos_constructs.cli", "diff", "dist"], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "No difference.\n", "")


@pytest.mark.parametrize("form", ["table", "markdown", "json"])
def test_a_terminal_without_our_characters_is_no_crash(tmp_path: Path, form: str):
    command = [sys.executable, "-m", "sos_constructs.cli", "diff", *written(tmp_path, WORST[Consequence.RESTART]), "--format", form]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, "PYTHONIOENCODING": "ascii"}, capture_output=True, timeout=60)
    assert (done.returncode, done.stderr) == (12, b"")


def test_the_help_documents_every_exit_code():
    result = CliRunner().invoke(app, ["diff", "--help"], env={"COLUMNS": "200"})
    text = " ".join(result.stdout.split())
    assert all(f"{consequence.word} {consequence.exit_code}" in text for consequence in Consequence)


def test_it_does_not_start_node():
    code = "import sys; sys.argv[0] = 'sosctl'; from sos_constructs.cli import app; import sos_constructs.cli.diff; sys.exit('jsii' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, timeout=60).returncode == 0
