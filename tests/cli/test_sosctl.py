"""The command itself: version, help, and what happens without its extra."""

from __future__ import annotations

from importlib.metadata import version

from sos_constructs import cli
from sos_constructs.cli.app import app

import pytest
from typer.testing import CliRunner


def test_version():
    assert CliRunner().invoke(app, ["--version"]).stdout == f"sosctl {version('sos-constructs')}\n"


@pytest.mark.parametrize("arguments", [[], ["secrets"]])
def test_without_a_command_it_shows_its_help(arguments):
    assert "secrets" in CliRunner().invoke(app, arguments).output


def test_without_the_extra_it_says_what_to_install(monkeypatch, capsys):
    monkeypatch.setattr(cli, "find_spec", lambda name: None if name in ("yaml", "typer") else True)
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    assert stopped.value.code == 2
    assert capsys.readouterr().err == "sosctl needs typer, PyYAML; install the extra that brings it: pip install 'sos-constructs[cli]'\n"
