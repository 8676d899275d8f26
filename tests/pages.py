"""The Python examples of README and the documentation, to be run."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SYNTH = "app.synth()\n"


def blocks(path: Path, *languages: str) -> list[str]:
    """The fenced blocks of a page in one of the languages."""
    text = path.read_text("utf-8")
    return [body for language, body in re.findall(r"^```(\w*)[^\n]*\n(.*?)^```", text, re.DOTALL | re.MULTILINE) if language in languages]


def readme_program() -> str:
    """README's two blocks as one program: the service stands before ``app.synth()``, as README says."""
    chart, service = blocks(ROOT / "README.md", "python")
    assert chart.endswith(SYNTH)
    return chart.removesuffix(SYNTH) + service + SYNTH
