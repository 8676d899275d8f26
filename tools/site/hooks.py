"""What mkdocs.yml cannot say: pages made from the code, pages without a place in the navigation, and links to files outside docs/."""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File  # type: ignore[import-not-found]  # of the environment that builds the site

ROOT = Path(__file__).resolve().parents[2]
MADE = ROOT / "build" / "pages"
# On GitHub a link to options leads to the docstring, here to the page that is made of it.
OPTIONS = {
    "sos_constructs/postgres/construct.py": "ha-postgres-options.md",
    "sos_constructs/config/construct.py": "sos-config-options.md",
    "sos_constructs/secrets/construct.py": "sos-secrets-options.md",
    "sos_constructs/foundation/construct.py": "sos-namespace-options.md",
}
PARTS = {"start": "Start", "how-to": "How-to", "reference": "Reference", "explanation": "Explanation"}


def on_files(files: Any, config: Any) -> Any:
    """Add the pages that ``python -m tools.site build/pages`` made, and give every page a place in the navigation."""
    for path in sorted(MADE.rglob("*.md")):
        files.append(File.generated(config, path.relative_to(MADE).as_posix(), abs_src_path=str(path)))
    sections = {title: pages for entry in config.nav for title, pages in entry.items() if isinstance(pages, list)}
    named = set(_leaves(config.nav))
    for page in files.documentation_pages():
        part = page.src_uri.partition("/")[0]
        if page.src_uri not in named and part in PARTS:
            sections[PARTS[part]].append(page.src_uri)
    return files


def _leaves(nav: Any) -> list[str]:
    if isinstance(nav, str):
        return [nav]
    return [leaf for item in (nav.values() if isinstance(nav, dict) else nav) for leaf in _leaves(item)]


def on_page_markdown(markdown: str, *, page: Any, config: Any, **_: Any) -> str:
    """Links that leave docs/ lead to the repository; where its address is not known, only their text stays."""
    address = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"].get("urls", {}).get("Repository")
    folder = (Path(config.docs_dir) / page.file.src_uri).parent

    def link(match: re.Match[str]) -> str:
        text, target = match[1], match[2].partition("#")[0]
        if re.match(r"[a-z]+:", target) or not target:
            return match[0]
        path = Path(os.path.normpath(folder / target))
        if path.is_relative_to(config.docs_dir) or not path.exists():
            return match[0]
        if made := OPTIONS.get(path.relative_to(ROOT).as_posix()):
            return f"[{text}]({os.path.relpath(Path(config.docs_dir) / 'reference' / made, folder)})"
        return f"[{text}]({address}/blob/main/{path.relative_to(ROOT).as_posix()})" if address else text

    markdown = re.sub(r"(?<!!)\[([^\]]*)\]\(([^)\s]+)\)", link, markdown)
    # In a table GitHub wants a bar inside code escaped; here it needs none, and a backslash would be shown.
    return re.sub(r"^\|.*", lambda row: re.sub(r"`[^`]*`", lambda code: code[0].replace("\\|", "|"), row[0]), markdown, flags=re.MULTILINE)
