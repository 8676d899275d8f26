"""Values, paths and sums in the words of a report. Whatever stands in a manifest comes out as one line without control characters."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import groupby
from typing import Any

from sos_constructs.review.model import MISSING, Change, Consequence, ObjectChange, Path, Review, show_path

WIDTH = 100
"""Characters of a value that are shown; JSON has all of them."""
LINES = 40
"""Lines of a text that are shown."""

_POD = re.compile(r"^(spec\.(?:jobTemplate\.spec\.)?template)\.spec\.")
_HASH = re.compile("[0-9a-f]{40}|[0-9a-f]{64}")
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def field(path: Path) -> str:
    """The path as a reader says it: ``spec.template…containers[postgres].image``."""
    return plain(_POD.sub(r"\1…", show_path(path)))


def plain(text: str) -> str:
    """Without characters that would move the cursor or turn the text around."""
    return _CONTROL.sub(lambda match: f"\\x{ord(match[0]):02x}", text)


def value(content: Any) -> str:
    """A value on one line, shortened; of a bare hash the beginning, as Git shows it."""
    if isinstance(content, str) and _HASH.fullmatch(content):
        return f"{content[:8]}…"
    if isinstance(content, str) and content and not re.search(r"[\n\t]", content) and content == content.strip():
        text = content
    else:
        text = json.dumps(content, ensure_ascii=False, default=str)
    return plain(text if len(text) <= WIDTH else f"{text[: WIDTH - 1]}…")


def what(change: Change) -> str:
    """Old and new value: ``4Gi → 8Gi``."""
    before, after = change.difference.before, change.difference.after
    if before is MISSING:
        return f"new: {value(after)}"
    if after is MISSING:
        return f"gone: {value(before)}"
    return f"{value(before)} → {value(after)}"


def text_lines(change: Change) -> list[str]:
    """The lines of a changed text, as many as a reader bears."""
    shown = [plain(line) for line in change.difference.lines]
    return shown if len(shown) <= LINES else [*shown[: LINES - 1], f"… {len(shown) - LINES + 1} more lines; --format json has them"]


def entries(result: Review) -> Iterator[tuple[str, ObjectChange]]:
    """What a report lists: a title and the changes below it. Objects of a kind that are new or gone, to the same effect, share one entry."""

    def alike(changed: ObjectChange) -> tuple[str, ...]:
        key, first = changed.key, changed.changes[0]
        return (changed.event, key.kind, key.namespace, first.why) if changed.event in ("added", "removed") else (str(key), key.group)

    for _, members in groupby(result.objects, key=alike):
        first, *more = members
        names = ", ".join([first.key.name, *(other.key.name for other in more)])
        where = f" ({first.key.namespace})" if first.key.namespace else ""
        event = {"added": ": new", "removed": ": gone", "replaced": ": under a new name"}.get(first.event, "")
        yield plain(f"{first.key.kind} {names}{where}{event}"), first


def groups(changed: ObjectChange) -> Iterator[tuple[Consequence, str, list[Change]]]:
    """The changes of an object that come to the same, together, the worst first."""
    ordered = sorted(changed.changes, key=lambda change: (-change.consequence, change.why))
    for (consequence, why), changes in groupby(ordered, key=lambda change: (change.consequence, change.why)):
        yield consequence, plain(why), list(changes)


def summary(result: Review) -> str:
    """How much changes, and the worst of it."""
    if not result.objects:
        return "No difference."
    counts = {event: sum(changed.event == event for changed in result.objects) for event in ("changed", "replaced", "added", "removed")}
    words = [
        f"{counts[event]} {word}"
        for event, word in (("changed", "changed"), ("replaced", "under a new name"), ("added", "new"), ("removed", "gone"))
        if counts[event]
    ]
    total = len(result.objects)
    return f"{total} object{'' if total == 1 else 's'}: {', '.join(words)}. Worst consequence: {result.worst.word} ({result.worst.meaning})."
