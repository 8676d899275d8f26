"""A review as text, Markdown and JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from sos_constructs.review import show
from sos_constructs.review.model import MISSING, Change, Consequence, ObjectChange, Review, show_path

Line = tuple[str, str]
"""A line of text and the name of its style: a consequence's word, or ``title``, ``+``, ``-``, or nothing."""


def text(result: Review) -> Iterator[Line]:
    """For a terminal or a pipe: objects, what their changes come to, and the fields."""
    yield show.summary(result), result.worst.word
    for title, changed in show.entries(result):
        yield "", ""
        yield title, "title"
        for consequence, why, changes in show.groups(changed):
            yield f"  {consequence.word}: {why}", consequence.word
            fields = [(show.field(change.difference.path), change) for change in changes if change.difference.path]
            width = min(max((len(name) for name, _ in fields), default=0), 70)
            for name, change in fields:
                lines = show.text_lines(change)
                yield f"    {name}" if lines else f"    {name:<{width}}  {show.what(change)}", ""
                yield from ((f"      {line}", line[0] if line[:1] in ("+", "-") else "") for line in lines)


def markdown(result: Review) -> Iterator[str]:
    """For a comment on a pull request."""
    yield f"**{show.summary(result)}**"
    for title, changed in show.entries(result):
        yield ""
        yield f"### {_escaped(title)}"
        for consequence, why, changes in show.groups(changed):
            yield ""
            yield f"**{consequence.word}**: {_escaped(why)}"
            fields = [change for change in changes if change.difference.path]
            short = [change for change in fields if not change.difference.lines]
            if short:
                yield from ("", "| field | before | after |", "|---|---|---|")
                yield from (f"| {_code(show.field(c.difference.path))} | {_cell(c.difference.before)} | {_cell(c.difference.after)} |" for c in short)
            for change in fields:
                if change.difference.lines:
                    yield from _details(change)


def as_json(result: Review) -> dict[str, Any]:
    """For programs: nothing is shortened; values of Secrets are hidden."""
    return {
        "worst": result.worst.word,
        "consequences": {consequence.word: sum(changed.consequence is consequence for changed in result.objects) for consequence in Consequence},
        "objects": [_object(changed) for changed in result.objects],
    }


def dump(result: Review) -> str:
    """:func:`as_json` as text."""
    return json.dumps(as_json(result), indent=2, ensure_ascii=False, default=str)


def _object(changed: ObjectChange) -> dict[str, Any]:
    return {
        "apiVersion": changed.api_version,
        "kind": changed.key.kind,
        "namespace": changed.key.namespace,
        "name": changed.key.name,
        "event": changed.event,
        "consequence": changed.consequence.word,
        "changes": [_change(change) for change in changed.changes],
    }


def _change(change: Change) -> dict[str, Any]:
    """Keys ``before`` and ``after`` are left out where the field or object is missing, and for objects as a whole."""
    difference = change.difference
    values = {} if not difference.path else {"before": difference.before, "after": difference.after}
    return {
        "field": show_path(difference.path),
        **{name: content for name, content in values.items() if content is not MISSING},
        **({"lines": list(difference.lines)} if difference.lines else {}),
        "consequence": change.consequence.word,
        "row": change.row,
        "why": change.why,
        "source": change.source,
    }


def _details(change: Change) -> Iterator[str]:
    lines = show.text_lines(change)
    fence = "`" * max(3, 1 + max((len(run) for line in lines for run in re.findall("`+", line)), default=0))
    yield from ("", f"<details><summary>{_escaped(show.field(change.difference.path))}: {len(change.difference.lines)} lines</summary>", "")
    yield from (f"{fence}diff", *lines, fence, "", "</details>")


def _cell(content: Any) -> str:
    return "" if content is MISSING else _code(show.value(content))


def _code(content: str) -> str:
    """As code in a table: backticks need a longer fence, a bar ends the cell even inside of it."""
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", content)), default=0))
    pad = " " if len(fence) > 1 else ""
    return f"{fence}{pad}{content}{pad}{fence}".replace("|", r"\|")


def _escaped(content: str) -> str:
    return re.sub(r"([\\`*_\[\]<>|#])", r"\\\1", content)
