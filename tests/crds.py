"""Two opinions on custom resources, for which no general validator has a schema.

:func:`validate_custom_resource` checks against the schemas in ``crds/`` and, where they are at hand, against the full ones of the
projects themselves. :func:`typed_second_opinion` rebuilds the object with the classes `cdk8s import` made of ``crds/``.
"""

from __future__ import annotations

import enum
import importlib
import keyword
import os
import re
import typing
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import cdk8s
import jsonschema
import yaml

ROOT = Path(__file__).resolve().parent.parent
UPSTREAM = Path(os.environ.get("SOS_UPSTREAM_CRDS") or ROOT / ".tools" / "crds")
"""Folder of unmodified custom resource definitions, brought by `make test-tools`; may be missing."""


def validate_custom_resource(manifest: Mapping[str, Any]) -> None:
    """Raise ``AssertionError`` with every fault, unless each schema at hand takes the object and would keep all of its fields."""
    api_version, kind = manifest["apiVersion"], manifest["kind"]
    found = schemas(api_version, kind)
    assert any(source.parent == ROOT / "crds" for source in found), f"crds/ has no schema of {api_version} {kind}: add the fields we emit"
    faults = [f"{source.name}: {fault}" for source, schema in found.items() for fault in _faults(schema, manifest)]
    assert not faults, "\n".join(faults)


def typed_second_opinion(manifest: Mapping[str, Any]) -> None:
    """Raise unless the class of imports/ for this kind takes the same values and serializes to the same object."""
    group = manifest["apiVersion"].partition("/")[0].replace("-", "_")
    module = importlib.import_module(".".join(["imports", *reversed(group.split("."))]))
    struct = getattr(module, f"{manifest['kind']}Spec")
    metadata = {_attribute(key): value for key, value in manifest["metadata"].items()}
    chart = cdk8s.Chart(cdk8s.Testing.app(), "second-opinion")
    built = getattr(module, manifest["kind"])(chart, "object", metadata=cdk8s.ApiObjectMetadata(**metadata), spec=_typed(struct, manifest["spec"], "spec"))
    assert built.to_json() == manifest


@cache
def _definitions() -> list[tuple[Path, dict[str, Any]]]:
    """Every custom resource definition at hand, with its file. Upstream files are big: each is parsed once, and only when asked for."""
    return [(path, document) for folder in (ROOT / "crds", UPSTREAM) for path in sorted(folder.glob("*.yaml")) for document in _documents(path)]


def _documents(path: Path) -> list[dict[str, Any]]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return [document for document in yaml.load_all(path.read_text(encoding="utf-8"), Loader=loader) if document]


def schemas(api_version: str, kind: str) -> dict[Path, dict[str, Any]]:
    """The openAPIV3Schema of a kind, by the file it comes from: ours first, then upstream's where there is one."""
    group, _, version = api_version.rpartition("/")
    found = {}
    for path, definition in _definitions():
        spec = definition["spec"]
        if (spec["group"], spec["names"]["kind"]) == (group, kind):
            served = {v["name"]: v["schema"]["openAPIV3Schema"] for v in spec["versions"] if v["served"]}
            assert version in served, f"{path}: {kind} is served as {', '.join(served)}, not {version}"
            found[path] = served[version]
    return found


def _faults(schema: dict[str, Any], manifest: Mapping[str, Any]) -> Iterator[str]:
    for error in jsonschema.Draft202012Validator(_strict(schema, at="root")).iter_errors(manifest):
        yield f"{error.json_path}: {error.message}"


def _strict(schema: Any, at: str = "") -> Any:
    """A structural schema as JSON Schema that refuses what the API server would refuse or silently drop (structural pruning)."""
    if isinstance(schema, list):
        return [_strict(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    result = {key: _strict(value) for key, value in schema.items() if key not in ("properties", "description", "default", "example")}
    if "properties" in schema:
        result["properties"] = {name: value if (at, name) == ("root", "metadata") else _strict(value) for name, value in schema["properties"].items()}
    if schema.get("type") == "object" and "additionalProperties" not in schema and not schema.get("x-kubernetes-preserve-unknown-fields"):
        result["additionalProperties"] = False
    if isinstance(pattern := schema.get("pattern"), str):
        result["pattern"] = re.sub(r"^\^\(\?i\)", "(?i)^", pattern)  # Go takes flags anywhere, Python only in front
    return result


def _typed(annotation: Any, value: Any, where: str) -> Any:
    """``value`` as what a generated ``__init__`` wants: structs for mappings, members for enumerated words."""
    if typing.get_origin(annotation) is typing.Union:  # Optional[X], or Union[Struct, Dict]: the first is the exact one
        return _typed(typing.get_args(annotation)[0], value, where)
    if isinstance(value, list):
        (item,) = typing.get_args(annotation)
        return [_typed(item, each, f"{where}[{index}]") for index, each in enumerate(value)]
    if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
        return annotation[re.sub(r"\W", "_", _attribute(value)).upper()]
    if isinstance(value, dict) and isinstance(annotation, type) and annotation is not Any:
        hints = typing.get_type_hints(vars(annotation)["__init__"])
        unknown = [key for key in value if _attribute(key) not in hints]
        assert not unknown, f"{annotation.__name__} has no {', '.join(unknown)} ({where})"
        return annotation(**{_attribute(key): _typed(hints[_attribute(key)], each, f"{where}.{key}") for key, each in value.items()})
    return value


def _attribute(key: str) -> str:
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", key).lower()
    return f"{snake}_" if keyword.iskeyword(snake) else snake
