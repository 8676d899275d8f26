"""What the text of a database's SQL must not hold, found as PostgreSQL's scanner reads it: what stands in quotes or in a comment counts for nothing."""

from __future__ import annotations

import re

_QUOTED = re.compile(
    r"""
      --[^\r\n]*
    | \b[eE]'(?:[^'\\]|\\.|'')*'
    | '(?:[^']|'')*'
    | "(?:[^"]|"")*"
    | (?<![\w$])\$(?P<tag>[^\W\d]\w*)?\$.*?\$(?(tag)(?P=tag))\$
    """,
    re.VERBOSE | re.DOTALL,
)
_COMMENT_ENDS = re.compile(r"/\*|\*/")


def problem(text: str) -> str | None:
    """What is wrong with the text, in words that follow on it; ``None`` when nothing is."""
    if "\0" in text:
        return "must hold no NUL character: PostgreSQL takes none"
    try:
        text.encode()
    except UnicodeEncodeError:
        return "must be text that UTF-8 can hold; read its file with the encoding that it has"
    bare = unquoted(text)
    if "\\" in bare:
        return "must hold no psql command: it is sent to the server, where a backslash outside of quotes is an error"
    if re.search(r"\bcopy\b[^;]*\bfrom\s+stdin\b", bare, re.IGNORECASE):
        return "must hold no COPY ... FROM STDIN: only psql can send such rows; write INSERT instead"
    return None


def unquoted(text: str) -> str:
    """The text with each quoted part and each comment as one space."""
    found, at = [], 0
    while at < len(text):
        if text.startswith("/*", at):
            at = _after_comment(text, at)
            found.append(" ")
        elif match := _QUOTED.match(text, at):
            at = match.end()
            found.append(" ")
        else:
            found.append(text[at])
            at += 1
    return "".join(found)


def _after_comment(text: str, start: int) -> int:
    """Comments of this kind nest."""
    depth, at = 0, start
    while match := _COMMENT_ENDS.search(text, at):
        at = match.end()
        depth += 1 if match[0] == "/*" else -1
        if not depth:
            return at
    return len(text)
