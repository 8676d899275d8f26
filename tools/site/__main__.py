"""Write the pages of the site that are made from the code: ``python -m tools.site FOLDER``. Their text is that of docstrings and help texts."""

from __future__ import annotations

import sys
from pathlib import Path

from tools.site import api, command_line, objects


def pages() -> dict[str, str]:
    """Each page by its path in docs/."""
    return {**api.pages(), "reference/sosctl.md": command_line.page(), "reference/objects.md": objects.page()}


def main(folder: Path) -> None:
    """Write them, and nothing where nothing changed: mkdocs watches."""
    for name, text in pages().items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8", newline="\n")
    for left in set(folder.rglob("*.md")) - {folder / name for name in pages()}:
        left.unlink()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
