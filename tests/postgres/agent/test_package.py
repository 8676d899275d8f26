"""What the database image must bring: Python 3.9 and psql, nothing else."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.postgres.example import spec
from tests.postgres.mounted import AGENT, environment, mount

MODULES = sorted(AGENT.glob("*.py"))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_only_the_standard_library_and_itself(path: Path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            assert {alias.name.partition(".")[0] for alias in node.names} <= sys.stdlib_module_names
        if isinstance(node, ast.ImportFrom):
            if node.level:
                wanted = {node.module} if node.module else {alias.name for alias in node.names}
                assert node.level == 1
                assert wanted <= {other.stem for other in MODULES}
            else:
                assert (node.module or "").partition(".")[0] in sys.stdlib_module_names


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_grammar_of_python_3_9(path: Path):
    ast.parse(path.read_text(), feature_version=(3, 9))
    assert re.search(r"^from __future__ import annotations$", path.read_text(), re.MULTILINE) or path.name == "__init__.py"


def python39() -> str:
    candidates = [*(Path.home() / ".pyenv/versions").glob("3.9.*/bin/python3.9"), *map(Path, filter(None, [shutil.which("python3.9")]))]
    found = next((str(path) for path in candidates if subprocess.run([path, "-c", ""], capture_output=True).returncode == 0), None)
    if not found:
        pytest.skip("no Python 3.9 on this machine: pyenv install 3.9")
    return found


IMPORTED = """
import importlib, pkgutil, agent
for module in pkgutil.iter_modules(agent.__path__):
    if module.name != "__main__":
        importlib.import_module(f"agent.{module.name}")
import agent.__main__ as main
from agent import patroni_api, psql, restarts, scram
assert scram.matches("pencil", scram.verifier("pencil"))
assert patroni_api.difference({"a": {"b": 1}}, {}) == {"a": {"b": 1}}
assert psql.identifier('a"b') == '"a""b"'
assert restarts.turn([], set()) == ""
metrics = main.Metrics()
runner = main.Runner("x", lambda member, status: 1 / 0)
runner.round(None, main.Situation("", patroni_api.Status("primary", True, False)), metrics)
assert 'sos_agent_reconcile_failures_total{step="x"} 1' in metrics.text()
"""


def test_it_runs_on_python_3_9(tmp_path: Path):
    """As in the pod: its files alone in a folder called agent."""
    shutil.copytree(AGENT, tmp_path / "agent", ignore=shutil.ignore_patterns("__pycache__"))
    member = mount(tmp_path, spec())
    variables = environment(member, 0) | {"PYTHONPATH": str(tmp_path)}
    for arguments in (["-I", "-c", f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n{IMPORTED}"], ["-m", "agent", "render"]):
        done = subprocess.run([python39(), "-X", "dev", "-W", "error", *arguments], cwd=tmp_path, env=variables, capture_output=True, text=True, timeout=60)
        assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert member.patroni_file.exists()
