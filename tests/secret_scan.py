"""Whether a manifest file holds secret material: by what it is made of, then by what detect-secrets thinks of it."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from sos_constructs.secrets.stored import decode

import yaml
from detect_secrets.core.scan import scan_file
from detect_secrets.settings import transient_settings

_PEM = re.compile(r"-----BEGIN [A-Z ]+-----")
_DSN = re.compile(r"[a-z][a-z0-9+.-]*://[^\s/:@]*:(?![$<{%])[^\s/:@]+@")  # $(NAME), ${NAME}, <name>, {{ name }} and %s are no passwords
_SECRET_NAME = re.compile(r"(^|_)(PASSWORD|TOKEN|SECRET|CREDENTIALS?|PRIVATE_KEY|API_KEY|ACCESS_KEY|DSN)$", re.IGNORECASE)
_NO_SECRET = re.compile(r"-?[\d.]*|true|false|/.*|.*\$\(\w+\).*|.*\{\{.*", re.DOTALL)  # a number, a switch, a path, or put together from references
_WORD = re.compile(r"[A-Za-z0-9+/_=-]{24,}")
_HEX = re.compile(r"(?<![A-Za-z0-9])[0-9a-fA-F]{32,}(?![A-Za-z0-9])")
_ENTROPY = 4.0
"""Bits per character. Of 24 random characters of base64, 1 in 20 has less; of 32, 1 in 10 000."""

#: Plugins of detect-secrets that are left out, each for a reason.
_LEFT_OUT = {
    "IPPublicDetector",  # addresses are not secret
    "KeywordDetector",  # goes by names such as PASSWORD_MIN_LENGTH and by every "password = …" in source code; we look at names and values ourselves
}

#: Lines that detect-secrets need not judge, each for a reason. It sees YAML with and without indentation and quotes.
_ALLOWED_LINES = (
    r'^\s*[\w.-]+: "?<base64 of .*>"?$',  # template placeholders: the structural scan has made sure that they are nothing else
    r'^\s*[\w./-]*checksum[\w./-]*: "?[0-9a-f]{64}"?$',  # SHA-256 of what a pod was started with
    r'^\s*(- )?image: "?\S+@sha256:[0-9a-f]{64}"?$',  # image digests
)


def assert_no_secret_material(path: Path, *, allowed_lines: Iterable[str] = ()) -> None:
    """Fail if the YAML file at ``path`` holds secret material.

    :param path: a stream of Kubernetes manifests.
    :param allowed_lines: regular expressions of further lines that detect-secrets calls secret and that are not; say why where you call it.
    """
    found = [*secret_material(path), *detected(path, allowed_lines)]
    assert not found, f"{path} holds secret material:\n" + "\n".join(found)


def secret_material(path: Path) -> list[str]:
    """What is wrong by structure: Secrets with values, PEM blocks, passwords in URLs, values in variables named as secrets, random words."""
    findings: list[str] = []
    for document in yaml.load_all(path.read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
        if document is None:
            continue
        name = f"{document.get('kind')}/{document.get('metadata', {}).get('name')}"
        if document.get("kind") == "Secret":
            findings += [f"{name}: has stringData"] if document.get("stringData") else []
            findings += [f"{name}: {key} is a value, not a placeholder" for key, value in (document.get("data") or {}).items() if not is_placeholder(value)]
        rest = document | {"data": {}} if document.get("kind") == "Secret" else document
        findings += [f"{name}: {finding}" for finding in _walk(rest, "")]
    return findings


def is_placeholder(value: object) -> bool:
    """Whether the API server would refuse ``value`` in ``data`` and a person would see why."""
    return isinstance(value, str) and value.startswith("<") and value.endswith(">") and decode(value) is None


def detected(path: Path, allowed_lines: Iterable[str] = ()) -> list[str]:
    """What detect-secrets finds, with the plugins and lines left out that are named above."""
    from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class

    known: dict[str, Any] = dict(get_mapping_from_secret_type_to_class())
    plugins = [{"name": plugin.__name__} for plugin in known.values() if plugin.__name__ not in _LEFT_OUT]
    filters = [{"path": "detect_secrets.filters.regex.should_exclude_line", "pattern": [*_ALLOWED_LINES, *allowed_lines]}]
    with transient_settings({"plugins_used": plugins, "filters_used": filters}):
        return [f"line {secret.line_number}: detect-secrets says {secret.type}" for secret in scan_file(str(path))]


def _walk(value: Any, where: str) -> Iterator[str]:
    if isinstance(value, dict):
        name, literal = value.get("name"), value.get("value")
        named = [("variable", name, literal)] if isinstance(name, str) else []
        named += [("key", key, item) for key, item in value.items()] if where == ".data" else []
        for what, word, item in named:
            if isinstance(item, str) and _SECRET_NAME.search(word) and not _NO_SECRET.fullmatch(item):
                yield f"{where}: {what} {word} has a literal value"
        for key, item in value.items():
            if not ("checksum" in str(key) and isinstance(item, str) and re.fullmatch("[0-9a-f]{64}", item)):
                yield from _walk(item, f"{where}.{key}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _walk(item, f"{where}[{index}]")
    elif isinstance(value, str):
        yield from (f"{where}: {reason}" for reason in _suspicious(value))


def _suspicious(text: str) -> Iterator[str]:
    if _PEM.search(text):
        yield "contains a PEM block"
    if _DSN.search(text):
        yield "contains a URL with a password"
    for word in _WORD.findall(text):
        if re.search("[a-z]", word) and re.search("[A-Z]", word) and re.search("[0-9]", word) and _entropy(word) >= _ENTROPY:
            yield f"contains {len(word)} random characters"
    if _HEX.search(re.sub(r"sha256:[0-9a-f]{64}", "", text)):
        yield "contains a long hexadecimal number"


def _entropy(text: str) -> float:
    return -sum(n / len(text) * math.log2(n / len(text)) for n in Counter(text).values())
