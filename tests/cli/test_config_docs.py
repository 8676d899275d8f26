"""docs/reference/config-cli.md shows what the commands really print; `make golden` rewrites its output."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

from sos_constructs.cli.app import app
from sos_constructs.config import bindings
from sos_constructs.config.catalogue import SOS

import pytest
from typer.testing import CliRunner

from tests.conftest import Golden

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "config-cli.md"


def run(command: str, shown: str, last: list[int]) -> str:
    """What a command of the page prints; `cat` makes the file that it shows."""
    words = shlex.split(command)
    if words[0] == "cat":
        Path(words[1]).parent.mkdir(exist_ok=True)
        Path(words[1]).write_text(shown)
        return shown
    if words[0] == "echo":
        return f"{last[-1]}\n"
    assert words[0] == "sosctl", command
    head = int(words[-1][1:]) if words[-3:-1] == ["|", "head"] else None
    target = words[-1] if words[-2] == ">" else None
    result = CliRunner().invoke(app, words[1:-3] if head else words[1:-2] if target else words[1:])
    last.append(result.exit_code)
    if target:
        Path(target).write_text(result.stdout)
        return ""
    return "".join(result.output.splitlines(keepends=True)[:head])


def test_the_page_shows_what_is_printed(golden: Golden, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    last: list[int] = []

    def again(block: re.Match[str]) -> str:
        commands = re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block[1], re.MULTILINE)
        return "```console\n" + "".join(f"$ {command}\n{run(command, shown, last)}" for command, shown in commands) + "```\n"

    page = PAGE.read_text(encoding="utf-8")
    now = re.sub(r"```console\n(.*?)```\n", again, page, flags=re.DOTALL)
    assert len(last) > 10
    if request.config.getoption("--update-golden"):
        PAGE.write_text(now, encoding="utf-8", newline="\n")
    else:
        assert now == page, "if this is what you meant: make golden, then review the diff"


def test_the_layers_for_editors_and_the_python_example_work(tmp_path: Path):
    page = PAGE.read_text(encoding="utf-8")
    (layer,) = re.findall(r"```yaml\n(# yaml-language-server.*?)```", page, re.DOTALL)
    (tmp_path / "eu.yaml").write_text(layer)
    assert CliRunner().invoke(app, ["config", "check", str(tmp_path / "eu.yaml")]).exit_code == 0
    (example,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (tmp_path / "settings.py").write_text(bindings.render("python", [SOS.section("logging"), SOS.section("timeouts")]))
    (tmp_path / "use.py").write_text(f"{example}print(timeout)\n")
    values = {key.name: key.read(key.default)[1] for name in ("logging", "timeouts") for key in SOS.section(name).keys}
    done = subprocess.run([sys.executable, "use.py"], cwd=tmp_path, env=values, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("0:00:30\n", "")
    refused = subprocess.run(
        [sys.executable, "use.py"], cwd=tmp_path, env=values | {"HTTP_REQUEST_TIMEOUT_SECONDS": "30s", "LOG_LEVEL": ""}, capture_output=True, text=True
    )
    assert "- HTTP_REQUEST_TIMEOUT_SECONDS='30s' must be a whole number of seconds from 1 to 600" in refused.stderr
