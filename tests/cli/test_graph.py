"""`sosctl graph`: arguments, output and exit codes."""

from __future__ import annotations

from pathlib import Path

from sos_constructs.cli.app import app

import pytest
from typer.testing import CliRunner

ROOT = Path(__file__).resolve().parent.parent.parent
DIST = str(ROOT / "dist")


def run(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["graph", *arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


def test_mermaid_is_the_default():
    code, output, error = run(DIST)
    assert (code, error) == (0, "")
    assert output.startswith("flowchart LR\n")
    assert "ServiceAccount" not in output
    assert "ServiceAccount" in run(DIST, "--rights")[1]


def test_svg_to_a_file(tmp_path: Path):
    target = tmp_path / "a.svg"
    assert run(DIST, "--format", "svg", "-o", str(target)) == (0, "", "")
    assert target.read_text() == run(DIST, "--format", "svg")[1]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("nowhere",), "sosctl: nowhere: there is no such file"),
        ((DIST, "-o", "/nowhere/at/all"), "sosctl: /nowhere/at/all: No such file"),
        ((DIST, "--format", "png"), "--format"),
    ],
)
def test_unusable_input_is_exit_code_2(arguments: tuple[str, ...], says: str):
    code, output, error = run(*arguments)
    assert (code, output) == (2, "")
    assert says in error
