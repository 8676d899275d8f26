"""The agent's files by kind of pod: complete, none too many, and small enough for kubectl apply."""

from __future__ import annotations

import ast
import io
import json
import re
import subprocess
import sys
import tokenize
from pathlib import Path

from sos_constructs.postgres.agent_files import MEMBER, POOLER, agent_files, without_comments
from sos_constructs.postgres.contents import manifests

import pytest

from tests.postgres.mounted import AGENT
from tests.postgres.scenarios import SCENARIOS, install

ANNOTATIONS = 256 * 1024
"""All annotations of an object (apimachinery, pkg/api/validation/objectmeta.go, TotalAnnotationSizeLimitB)."""


@pytest.mark.parametrize("started", [MEMBER, POOLER], ids=["member", "pooler"])
def test_what_is_started_finds_what_it_imports(started: tuple[str, ...], tmp_path: Path):
    (tmp_path / "agent").mkdir()
    for name, text in agent_files(started).items():
        (tmp_path / "agent" / name).write_text(text)
    code = f"import sys, importlib; sys.path.insert(0, {str(tmp_path)!r}); [importlib.import_module(f'agent.{{name}}') for name in {list(started)!r}]"
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_every_file_travels():
    travelling = agent_files(MEMBER) | agent_files(POOLER)
    assert travelling.keys() == {path.name for path in AGENT.glob("*.py")}
    assert list(agent_files(MEMBER)) == sorted(agent_files(MEMBER))


def statements(text: str) -> list[str]:
    """All of a program with their lines, but docstrings and what stands in for one."""

    class Bare(ast.NodeTransformer):
        def visit_Expr(self, node: ast.Expr) -> ast.Expr | None:
            return None if isinstance(node.value, ast.Constant) else node

        def visit_Pass(self, node: ast.Pass) -> None:
            return None

    return ast.dump(Bare().visit(ast.parse(text)), include_attributes=True, indent=1).splitlines()


@pytest.mark.parametrize("path", sorted(AGENT.glob("*.py")), ids=lambda path: path.stem)
def test_only_comments_and_docstrings_stay_behind(path: Path):
    source = path.read_text("utf-8")
    travels = without_comments(source)
    end = re.compile(r"\bend_(lineno|col_offset)=\d+")  # of a block that ended in a docstring
    assert [end.sub("", line) for line in statements(travels)] == [end.sub("", line) for line in statements(source)]
    assert not [token for token in tokenize.generate_tokens(io.StringIO(travels).readline) if token.type == tokenize.COMMENT]
    assert travels.count("\n") == source.count("\n")


def test_a_string_that_looks_like_a_comment_stays():
    source = 'def f() -> str:\n    """Doc."""  # why\n    return """# no\n  comment"""  # ours\n\n\nclass Bare(Exception):\n    """Doc,\n\n    longer."""\n'
    assert without_comments(source) == 'def f() -> str:\n\n    return """# no\n  comment"""\n\n\nclass Bare(Exception):\n    pass\n\n\n'


def test_neither_carries_what_is_the_others_alone():
    assert not {"pooler.py", "pooler_watch.py"} & agent_files(MEMBER).keys()
    assert not {"entry.py", "guard.py", "fast.py"} & agent_files(POOLER).keys()


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_kubectl_apply_can_write_every_object_into_its_annotation(scenario: str):
    """With a tenth to spare for what the agent learns next. As Go writes JSON: three characters cost six."""
    _, db = install(SCENARIOS[scenario])
    for manifest in manifests(db.spec):
        text = json.dumps(manifest, ensure_ascii=False, separators=(",", ":"))
        size = len(text.encode()) + 5 * sum(text.count(character) for character in "<>&")
        assert size + len("kubectl.kubernetes.io/last-applied-configuration\n") <= ANNOTATIONS * 0.9, (manifest["kind"], manifest["metadata"]["name"], size)
