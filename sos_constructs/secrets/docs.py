"""The tables of docs/reference/secrets.md, made from the catalogue: ``python -m sos_constructs.secrets.docs docs/reference/secrets.md``.

The prose around them is written in that file; the tables stand between its ``begin`` and ``end`` comments.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from sos_constructs.secrets.catalogue import SECRETS
from sos_constructs.secrets.catalogues import SecretCatalogue
from sos_constructs.secrets.forms import FORMS, recipe
from sos_constructs.secrets.model import Key, Rotation, SecretSpec

_PART = re.compile(r"(<!-- begin (\w+):[^\n]*-->\n).*?(<!-- end \2 -->)", re.DOTALL)


def update(page: str, catalogue: SecretCatalogue = SECRETS) -> str:
    """``page`` with its tables as the catalogue has them now."""
    parts = {"overview": _overview, "keys": _keys, "added": _added}
    return _PART.sub(lambda part: f"{part[1]}\n{parts[part[2]](catalogue)}\n{part[3]}", page)


def markdown(catalogue: SecretCatalogue) -> str:
    """A page about every Secret of a catalogue."""
    return f"# Secrets\n\n{_overview(catalogue)}\n{_keys(catalogue)}\n"


def _overview(catalogue: SecretCatalogue) -> str:
    rows = ([f"[`{s.name}`](#{s.name})", f"`{_handle(s)}`", str(sum(row.origin != "ring" for row in s.keys)), s.meaning] for s in catalogue)
    return _table(("Secret", "Handle", "Keys", "What it is for"), rows)


def _handle(secret: SecretSpec) -> str:
    return f"secrets.{secret.attribute}" if secret.name in SECRETS else f'secrets["{secret.name}"]'


def _keys(catalogue: SecretCatalogue) -> str:
    return "\n".join(_section(secret) for secret in catalogue)


def _section(secret: SecretSpec) -> str:
    rows = (
        [
            f"`{row.key}`" + (" (optional)" if row.optional else "") + (" (added)" if row.added else ""),
            f"`{row.env}`",
            row.meaning,
            f"{row.origin}: {f'`{row.value}`' if row.value else FORMS[row.form].words}",
            _rotation(row.rotation),
            _how(row),
            row.breaks,
        ]
        for row in secret.keys
    )
    heading = f"### {secret.name}\n\n{secret.meaning} Type `{secret.type}`.\n\n"
    return heading + _table(("Key", "Variable", "What it is", "Origin and form", "Rotation", "How to get it", "Without it"), rows)


def _rotation(rotation: Rotation) -> str:
    return "never" if rotation.days is None else f"{rotation.days} days, {rotation.strategy}"


def _how(row: Key) -> str:
    if row.origin == "fixed":
        return "`sosctl`"
    if row.origin in ("generated", "derived"):
        return f"`sosctl`, or `{recipe(row)}`"
    return recipe(row)


def _added(catalogue: SecretCatalogue) -> str:
    """Keys with the same reason share a row."""
    reasons: dict[tuple[str, str], list[str]] = {}
    for secret in catalogue:
        for row in secret.keys:
            if row.added:
                reasons.setdefault((secret.name, row.added), []).append(f"`{row.key}`")
    return _table(("Secret", "Keys", "Why"), ([f"`{name}`", ", ".join(keys), reason] for (name, reason), keys in reasons.items()))


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return _row(head) + "|" + "---|" * len(head) + "\n" + "".join(_row(row) for row in rows)


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


if __name__ == "__main__":
    file = Path(sys.argv[1])
    file.write_text(update(file.read_text("utf-8")), "utf-8")
