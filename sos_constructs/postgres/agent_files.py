"""The agent's Python files, as far as a pod runs them: what it starts, and what that imports.

Each kind of pod has a ConfigMap of its own: ``kubectl apply`` writes an object into an annotation of itself, and all annotations together may have
256 KiB.
"""

from __future__ import annotations

import ast
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
    return {f"{module}.py": texts[module] for module in sorted(texts)}


def _imports(text: str) -> list[str]:
    """Modules of the same package: it imports only whole files of its own, by their relative names."""
    own = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ImportFrom) and node.level]
    return [name for node in own for name in ([node.module] if node.module else [alias.name for alias in node.names])]
