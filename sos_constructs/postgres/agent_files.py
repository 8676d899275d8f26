"""The agent's Python files, as far as a pod runs them: what it starts, and what that imports.

``kubectl apply`` writes an object into an annotation of itself, and all annotations together may have 256 KiB. So each kind of pod has a ConfigMap of
its own, and comments and docstrings stay in the library.
"""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterator
from functools import lru_cache
from importlib import resources

MEMBER = ("__main__", "again", "before_stop", "entry")
"""What a member's containers, its hooks and its Patroni start."""
POOLER = ("pooler",)

_AGENT = resources.files("sos_constructs.postgres").joinpath("agent")


@lru_cache
def agent_files(started: tuple[str, ...]) -> dict[str, str]:
    """The text of each file, by its name and in its order.

    :param started: modules that are run with ``python3 -m agent.…``.
    """
    texts: dict[str, str] = {}
    wanted = ["__init__", *started]
    while wanted:
        module = wanted.pop()
        if module not in texts:
            texts[module] = _AGENT.joinpath(f"{module}.py").read_text("utf-8")
            wanted += _imports(texts[module])
    return {f"{module}.py": without_comments(texts[module]) for module in sorted(texts)}


def without_comments(text: str) -> str:
    """The same program without comments and docstrings. Every statement keeps its line, so that a traceback leads to the source."""
    lines = text.split("\n")
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column].rstrip()
    for body in _bodies(ast.parse(text)):
        strings = [each for each in body if isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant) and isinstance(each.value.value, str)]
        for each in strings:
            lines[each.lineno - 1 : each.end_lineno] = [""] * ((each.end_lineno or each.lineno) - each.lineno + 1)
        if strings and len(strings) == len(body):
            lines[strings[0].lineno - 1] = f"{' ' * strings[0].col_offset}pass"
    return "\n".join(lines)


def _bodies(tree: ast.Module) -> Iterator[list[ast.stmt]]:
    """The statements of every block whose docstrings may go."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            yield node.body


def _imports(text: str) -> list[str]:
    """Modules of the same package: it imports only whole files of its own, by their relative names."""
    own = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ImportFrom) and node.level]
    return [name for node in own for name in ([node.module] if node.module else [alias.name for alias in node.names])]
