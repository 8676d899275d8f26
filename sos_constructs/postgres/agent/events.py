"""What is said in the postgres container, as events: one JSON object each, with ``time``, ``level``, ``source`` and ``message``.

PostgreSQL's own events come as JSON (``log_destination = jsonlog``) and keep PostgreSQL's field names. Patroni's lines, and whatever else a
program prints (initdb, pg_basebackup, pg_rewind, a PostgreSQL that has not read its settings yet), come as text.
"""

from __future__ import annotations

import json
import re
from datetime import datetime, timezone
from typing import Any

Event = dict[str, Any]

LONGEST = 4000
"""Characters of one field. Container runtimes cut lines at 16 KiB, and half a line is no JSON: an event must stay below."""
LONGEST_EVENT = 15_000
"""Bytes of one event."""

_LEVELS = {
    **dict.fromkeys(("DEBUG", "DEBUG1", "DEBUG2", "DEBUG3", "DEBUG4", "DEBUG5"), "debug"),
    **dict.fromkeys(("INFO", "LOG", "NOTICE"), "info"),
    "WARNING": "warning",
    "ERROR": "error",
    **dict.fromkeys(("FATAL", "PANIC", "CRITICAL"), "fatal"),
}
_PATRONI = re.compile(r"(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d),(\d{3}) (DEBUG|INFO|WARNING|ERROR|CRITICAL): (.*)", re.DOTALL)
_POSTGRES = re.compile(r"(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d\.\d{3}) UTC \[(\d+)\] (?:(\S*)@(\S*)/(.*?) )??([A-Z]+[1-5]?):  (.*)", re.DOTALL)

_QUOTED = r"(?:[EeUuNn]&?)?'(?:[^'\\]|''|\\.)*(?:'|$)|\$(?P<tag>\w*)\$.*?(?:\$(?P=tag)\$|$)"
_SECRETS = (
    re.compile(rf"(\bpassword\s+)({_QUOTED})", re.IGNORECASE | re.DOTALL),
    re.compile(r"(password\s*=\s*)(''.*?(?:''|$)|\\?'(?:[^'\\]|\\.)*(?:'|$)|[^\s'\"&]+)", re.IGNORECASE | re.DOTALL),
    re.compile(r"(\w+://[^\s:/@'\"]+:)([^\s@'\"]+)(?=@)"),
    re.compile(r"(SCRAM-SHA-256\$)(\S+?)(?=['\"\s;)]|$)"),
    re.compile(r"(\b)(md5[0-9a-f]{32}\b)"),
)
"""Ways in which a password stands in a statement that fails or is slow: ALTER ROLE, a connection string, a URL, a verifier."""
_HINT = re.compile(r"password|://|SCRAM-SHA|md5[0-9a-f]", re.IGNORECASE)


def without_secrets(text: str) -> str:
    """The text with every password that is recognized as one replaced. What nobody recognizes stays: statements are logged when they fail or are slow."""
    if _HINT.search(text):
        for pattern in _SECRETS:
            text = pattern.sub(r"\1***", text)
    return text


def from_jsonlog(line: str) -> Event:
    """One event of PostgreSQL's JSON log."""
    try:
        record = json.loads(line)
    except ValueError:
        return _event(None, "warning", "postgres", line)
    if not isinstance(record, dict):
        return _event(None, "warning", "postgres", line)
    stamp = str(record.get("timestamp", ""))
    time = None
    if stamp.endswith(" UTC"):  # log_timezone; with another one PostgreSQL's own field stays
        time = _utc(stamp.removesuffix(" UTC").replace(" ", "T", 1))
        del record["timestamp"]
    event = _event(time, _LEVELS.get(str(record.get("error_severity")), "info"), "postgres", str(record.get("message", "")))
    return event | {key: value for key, value in record.items() if key not in event}


def from_text(text: str) -> Event:
    """One event of lines that a program printed."""
    if match := _PATRONI.fullmatch(text):
        day, clock, milliseconds, level, message = match.groups()
        return _event(_utc(f"{day}T{clock}.{milliseconds}"), _LEVELS[level], "patroni", message)
    if match := _POSTGRES.fullmatch(text):
        day, clock, pid, user, database, application, level, message = match.groups()
        event = _event(_utc(f"{day}T{clock}"), _LEVELS.get(level, "info"), "postgres", message)
        told = {"pid": int(pid), "user": user, "dbname": database, "application_name": application}
        return event | {key: value for key, value in told.items() if value}
    return _event(None, "info", "output", text)


def continues(line: str, before: str) -> bool:
    """Whether a line of text belongs to the event before it: a traceback of Patroni's, or a statement of several lines."""
    if _PATRONI.match(line) or _POSTGRES.match(line):
        return False
    return line.startswith((" ", "\t", "Traceback (most recent call last)")) or not line or "\nTraceback (most recent call last)" in before


def as_line(event: Event) -> str:
    """The event on one line, without secrets and short enough to stay whole."""
    safe = {key: shortened(without_secrets(value)) if isinstance(value, str) else value for key, value in event.items()}
    line = json.dumps(safe, ensure_ascii=False)
    if len(line.encode("utf-8", "replace")) > LONGEST_EVENT:  # not in ASCII, or many long fields
        line = json.dumps({key: shortened(value, LONGEST // 8) if isinstance(value, str) else value for key, value in safe.items()})
    return line


def shortened(text: str, longest: int = LONGEST) -> str:
    """The text, or its beginning and how much was left out."""
    return text if len(text) <= longest else f"{text[:longest]}… ({len(text) - longest} more characters)"


def _event(time: str | None, level: str, source: str, message: str) -> Event:
    return {"time": time or datetime.now(timezone.utc).isoformat(timespec="milliseconds"), "level": level, "source": source, "message": message}


def _utc(stamp: str) -> str:
    return f"{stamp}+00:00"
