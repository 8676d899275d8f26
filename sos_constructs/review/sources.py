"""Reading manifests: a folder, a file, or what either was in a revision of Git. Messages never quote what is in them."""

from __future__ import annotations

import hashlib
import json
import math
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from sos_constructs.review.model import Hidden, Key, Manifest, Manifests

SUFFIXES = (".yaml", ".yml", ".json")
FOLDER = "dist"
"""What a revision without a path stands for."""
GIT_TIMEOUT = 60
MAX_DEPTH = 100
"""Levels of nesting; Kubernetes' own types have fewer than 30, and an alias of YAML that contains itself has no end."""

_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


class ReviewInputError(ValueError):
    """Input that cannot be compared. Its text is one clear sentence without a value."""


def load(source: str, folder: Path | None = None) -> Manifests:
    """The objects of ``source`` by key, with the values of Secrets hidden.

    :param source: a folder (every YAML and JSON file below it), a file, or a Git revision: ``main:dist``, ``HEAD~1:dist/app.yaml``;
        ``main`` alone is its ``dist/``. What exists as a path is taken as a path.
    :param folder: what relative paths and the revision start from (default: the current folder).
    :raises ReviewInputError: nothing of that name, not YAML, not Kubernetes objects, no object at all, or the same object twice.
    """
    base = folder or Path()
    path = base / source
    texts = _files(path, source) if source and path.exists() else _revision(source, base)
    found: dict[Key, Manifest] = {}
    seen: dict[Key, str] = {}
    for where, data in texts:
        for manifest in _documents(data, where):
            key = _key(manifest, where)
            if key in found:
                raise ReviewInputError(f"{where}: {key} is there twice" + (f", also in {seen[key]}" if seen[key] != where else ""))
            found[key], seen[key] = _hide(manifest), where
    if not found:
        raise ReviewInputError(f"{source}: there is no Kubernetes object in it")
    return found


def _files(path: Path, source: str) -> Iterator[tuple[str, bytes]]:
    names = sorted(p for p in path.rglob("*") if p.suffix in SUFFIXES and p.is_file()) if path.is_dir() else [path]
    try:
        yield from ((str(name), name.read_bytes()) for name in names)
    except OSError as error:
        raise ReviewInputError(f"{source}: {error.strerror}") from None


def _revision(source: str, base: Path) -> Iterator[tuple[str, bytes]]:
    revision, colon, inside = source.partition(":")
    if not revision or revision.startswith("-"):
        raise ReviewInputError(f"{source or repr(source)}: there is no such file or folder")
    commit = _git(base, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    if commit is None:
        raise ReviewInputError(f"{source}: there is no such file or folder, and no Git revision {revision!r} here")
    wanted = inside if colon else FOLDER
    spelled = f"{revision}:{wanted}"
    name = _git(base, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{commit.decode().strip()}:{wanted}")
    if name is None:
        raise ReviewInputError(f"{spelled}: is not in that revision" + ("" if colon else f"; for another folder write {revision}:FOLDER"))
    object_name = name.decode().strip()
    if _must_git(base, spelled, "cat-file", "-t", object_name).strip() == b"blob":
        yield spelled, _must_git(base, spelled, "cat-file", "blob", object_name)
        return
    for entry in filter(None, _must_git(base, spelled, "ls-tree", "-r", "-z", "--full-tree", object_name).split(b"\0")):
        meta, _, raw = entry.partition(b"\t")
        file = raw.decode("utf-8", "replace")
        mode, kind, blob = meta.split()
        if kind == b"blob" and mode != b"120000" and file.endswith(SUFFIXES):
            yield f"{spelled.rstrip('/')}/{file}", _must_git(base, spelled, "cat-file", "blob", blob.decode())


def _git(base: Path, *arguments: str) -> bytes | None:
    """Output of Git, ``None`` where it says no."""
    try:
        done = subprocess.run(["git", "-C", str(base), *arguments], stdin=subprocess.DEVNULL, capture_output=True, timeout=GIT_TIMEOUT, check=False)
    except (OSError, subprocess.TimeoutExpired, ValueError):  # no Git, or a null byte in what was asked for
        return None
    return done.stdout if done.returncode == 0 else None


def _must_git(base: Path, spelled: str, *arguments: str) -> bytes:
    output = _git(base, *arguments)
    if output is None:
        raise ReviewInputError(f"{spelled}: Git cannot read it")
    return output


def _documents(data: bytes, where: str) -> Iterator[dict[str, Any]]:
    import yaml

    try:
        loaded = [document for document in yaml.load_all(data.decode("utf-8-sig"), _loader()) if document is not None]
    except UnicodeDecodeError:
        raise ReviewInputError(f"{where}: is not text (UTF-8)") from None
    except yaml.YAMLError as error:  # its text quotes the line, and with it the value
        mark = getattr(error, "problem_mark", None)
        raise ReviewInputError(f"{where}: not YAML" + (f" (line {mark.line + 1}, column {mark.column + 1})" if mark else "")) from None
    except (ValueError, LookupError, RecursionError, TypeError):  # scalars and keys that YAML allows and Python does not
        raise ReviewInputError(f"{where}: not YAML as Kubernetes reads it") from None
    for document in loaded:
        if not isinstance(document, dict):
            raise ReviewInputError(f"{where}: not Kubernetes objects (a document is {type(document).__name__}, not a mapping)")
        items = document.get("items") if str(document.get("kind", "")).endswith("List") else None
        for item in items if isinstance(items, list) else [document]:
            if not isinstance(item, dict):
                raise ReviewInputError(f"{where}: not Kubernetes objects (an item of a List is {type(item).__name__}, not a mapping)")
            _check(item, where, MAX_DEPTH)
            yield item


def _loader() -> type:
    """YAML's safe loader, in C where it is there, that leaves dates as they are written: Kubernetes' JSON has none."""
    import yaml

    base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    resolvers = {first: [pair for pair in pairs if pair[0] != "tag:yaml.org,2002:timestamp"] for first, pairs in base.yaml_implicit_resolvers.items()}
    return type("Loader", (base,), {"yaml_implicit_resolvers": resolvers})


def _check(value: object, where: str, depth: int) -> None:
    if depth == 0:
        raise ReviewInputError(f"{where}: is nested deeper than {MAX_DEPTH} levels")
    if isinstance(value, dict):
        if not all(isinstance(key, str) for key in value):
            raise ReviewInputError(f"{where}: a key is not a string; quote it")
        for child in value.values():
            _check(child, where, depth - 1)
    elif isinstance(value, list):
        for child in value:
            _check(child, where, depth - 1)
    elif isinstance(value, float) and not math.isfinite(value):
        raise ReviewInputError(f"{where}: holds a number that is not finite, which JSON does not know")
    elif value is not None and not isinstance(value, (str, int, float)):
        raise ReviewInputError(f"{where}: holds a {type(value).__name__}, which JSON does not know")


def _key(manifest: Manifest, where: str) -> Key:
    metadata = manifest.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    texts = (manifest.get("apiVersion"), manifest.get("kind"), metadata.get("name") or metadata.get("generateName"))
    for field, text in zip(("apiVersion", "kind", "metadata.name"), texts, strict=True):
        if not isinstance(text, str) or not text:
            raise ReviewInputError(f"{where}: not Kubernetes objects (one has no {field})")
    version, kind, name = map(str, texts)
    return Key(version.rpartition("/")[0], kind, str(metadata.get("namespace") or ""), name)


def _hide(manifest: dict[str, Any]) -> Manifest:
    """The manifest with the values of a Secret replaced by what can be compared and not shown; placeholders (``<…>``) stay."""
    if manifest["kind"] != "Secret" or manifest["apiVersion"] != "v1":
        return manifest
    hidden = manifest | {name: _hidden(manifest[name]) for name in ("data", "stringData") if name in manifest}
    annotations = manifest["metadata"].get("annotations")
    if isinstance(annotations, dict) and _LAST_APPLIED in annotations:  # holds the values once more
        hidden["metadata"] = manifest["metadata"] | {"annotations": annotations | {_LAST_APPLIED: _hidden(annotations[_LAST_APPLIED])}}
    return hidden


def _hidden(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _hidden(child) for key, child in value.items()}
    if isinstance(value, list):
        return [_hidden(child) for child in value]
    if value in (None, "") or (isinstance(value, str) and value.lstrip().startswith("<")):
        return value
    return Hidden(hashlib.sha256(json.dumps(value).encode()).hexdigest())


def secret_values(manifest: Manifest) -> Iterable[Hidden]:
    """The hidden values of a manifest."""
    for name in ("data", "stringData"):
        entries = manifest.get(name)
        if isinstance(entries, dict):
            yield from (value for value in entries.values() if isinstance(value, Hidden))
