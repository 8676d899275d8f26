"""Checks our English with textlint: ``python tools/prose.py [FILE...]``; default: all pages, and the docstrings and messages of sos_constructs.

The rules are tools/prose_style/terms.yml (words) and tools/prose_style/rules/ (length of sentences). Of a Python file, docstrings and messages are checked.
They are copied to their own line numbers, so that what textlint reports leads to the source.
"""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tools import cdk8s_cli

ROOT = Path(__file__).resolve().parent.parent
STYLE = ROOT / "tools" / "prose_style"
LATER = STYLE / "not-yet-rewritten.txt"
SOURCES = ("README.md", "CONTRIBUTING.md", "docs/**/*.md", "examples/**/*.md", "sos_constructs/**/*.md", "sos_constructs/**/*.py")

# textlint takes a configuration that it cannot load for an empty one, and then finds nothing. In this text it must find two faults.
CANARY = f"An image of ours.\n\n{'word ' * 50}.\n"

_SQL = re.compile(r"(?:ALTER|CREATE|DELETE|DO|DROP|GRANT|INSERT|REVOKE|SELECT|SET|UPDATE|WITH) ")


def files() -> list[str]:
    """Everything that is checked."""
    return sorted({path.relative_to(ROOT).as_posix() for pattern in SOURCES for path in ROOT.glob(pattern) if "_generated" not in path.parts})


def later() -> list[str]:
    """The files that are not checked by default."""
    return [line for line in LATER.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]


def markdown(program: str) -> str:
    """The prose of a Python program as Markdown, each piece at the line where it stands."""
    lines = [""] * (program.count("\n") + 2)
    for number, text in _pieces(ast.parse(program)):
        for index, line in enumerate(text.split("\n"), start=number - 1):
            lines[index] = lines[index] or line
    return "\n".join(lines)


def _pieces(tree: ast.Module) -> Iterator[tuple[int, str]]:
    skip: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node):
            docstring = node.body[0]
            assert isinstance(docstring, ast.Expr)
            skip.add(docstring.value)
            yield docstring.lineno, _docstring(ast.get_docstring(node) or "")
        if isinstance(node, ast.JoinedStr):
            skip.update(node.values)
            yield from _message(node, "".join(str(part.value) if isinstance(part, ast.Constant) else "`value`" for part in node.values))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in skip:
            yield from _message(node, node.value)


def _docstring(text: str) -> str:
    return re.sub(r"^:(?:param|raises?|returns?)\b[^:]*:", "-", text, flags=re.MULTILINE)


def _message(node: ast.expr, text: str) -> Iterator[tuple[int, str]]:
    if "\n" not in text and not _SQL.match(text) and len(re.findall(r"\b[a-z]+\b", text)) >= 4:
        yield node.lineno, f"- {text}"


def check(paths: Iterable[str]) -> list[str]:
    """What textlint says about the files, one ``FILE:LINE:COLUMN: …`` each."""
    with TemporaryDirectory() as folder:
        for path in paths:
            copy = Path(folder, path if path.endswith(".md") else f"{path}.md")
            copy.parent.mkdir(parents=True, exist_ok=True)
            text = (ROOT / path).read_text(encoding="utf-8")
            copy.write_text(text if path.endswith(".md") else markdown(text), encoding="utf-8")
        Path(folder, "canary.md").write_text(CANARY)
        textlint = str(cdk8s_cli.MODULES / "textlint" / "bin" / "textlint.js")
        options = ["--format", "unix", "--config", str(STYLE / "textlint.json"), "--rulesdir", str(STYLE / "rules")]
        with cdk8s_cli.environment() as env:
            done = subprocess.run(["node", textlint, *options, "."], cwd=folder, env=env, capture_output=True, text=True, check=False)
        if done.returncode > 1 or len(re.findall(r"^\S*/canary\.md:.*(?:Error/prh|Error/sentences)", done.stdout, re.MULTILINE)) != 2:
            sys.exit(f"textlint did not check: {done.stdout}{done.stderr}")
        found = [line.removeprefix(f"{os.path.realpath(folder)}/").replace(".py.md:", ".py:", 1) for line in done.stdout.splitlines()]
        return sorted(line for line in found if re.match(r"(?!canary)\S+:\d+:\d+: ", line))


def main(arguments: list[str]) -> int:
    """Print what is wrong. Exit code: 0 for nothing, 1 otherwise."""
    if missing := cdk8s_cli.missing():
        print(f"prose not checked: {missing}", file=sys.stderr)
        return 1 if os.environ.get("CI") else 0
    faults = check(arguments or sorted(set(files()) - set(later())))
    print("\n".join(faults), end="\n" if faults else "")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
