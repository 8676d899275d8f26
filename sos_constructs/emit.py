"""The only bridge from plain dict manifests to cdk8s.

Why not cdk8s-plus or generated classes: in Python they drop unknown fields, typos and bare quantities silently when patched, and
``ApiObject`` takes no ``spec`` (cdk8s-core#2570). A bare ``ApiObject`` with one ``JsonPatch`` per top-level key loses nothing, keeps
the chart's labels and namespace, and leaves the user's own ``add_json_patch`` working on the result.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from sos_constructs import apply_limit, names
from sos_constructs.errors import InvalidOption, located, located_at
from sos_constructs.placement import Place, is_cluster_scoped, note, place

import cdk8s
from constructs import Construct

Manifest = Mapping[str, Any]
"""One Kubernetes object as a plain dict, in Kubernetes spelling."""

APPLY = "sos-app/apply"
"""Key of the app's context: ``app.node.set_context("sos-app/apply", "server-side")`` says that ``dist/`` is applied with ``kubectl apply --server-side``."""

#: Scalars that cdk8s's YAML writer leaves bare although readers take them for something else (kubectl reads 0o14 as 12; << and = are
#: YAML 1.1's merge and value keys), and characters that it does not escape although YAML allows none of them (DEL, C1, surrogates, U+FFFE, U+FFFF),
#: or counts them as line breaks or as a byte order mark.
_BARE_SCALAR = re.compile(r"[-+]?0[oOXB][0-9A-Fa-f_]+|<<|=")
_BARE_CHARACTER = re.compile("[\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")
#: Several lines of which the first that is not empty begins with a tab or is blank: written as a block without an indentation indicator, so that
#: kubectl refuses it or reads another number of spaces.
_BARE_INDENT = re.compile(r"\n*(\t|[ \t]+\n)")


def emit(scope: Construct, manifest: Manifest) -> cdk8s.ApiObject:
    """Add one Kubernetes object to the construct tree, exactly as written.

    The object gets the chart's labels and, unless its kind is cluster-scoped, the chart's namespace.

    :param scope: the construct that owns the object; its id there is ``kind-name``.
    :param manifest: the object. Keys keep their order and spelling.
    :raises ValueError: naming scope, field and fix, when the object holds ``None``, a non-string ConfigMap or Secret value, a scalar
        that YAML readers would misread, a name or label the API server refuses, or is larger than ``kubectl apply`` can take.
    """
    kind, metadata = str(manifest.get("kind", "")), dict(manifest.get("metadata", {}))
    name = metadata.get("name", "")
    where = place(scope)
    with located(scope, f"{kind}-{name}".lower()):
        _check(manifest, kind, metadata)
        check_size(scope, manifest, where)
    api_object = cdk8s.ApiObject(
        scope,
        f"{kind}-{name}".lower(),
        api_version=manifest["apiVersion"],
        kind=kind,
        metadata=cdk8s.ApiObjectMetadata(
            name=name,
            namespace=metadata.pop("namespace", None),
            labels=metadata.pop("labels", None),
            annotations=metadata.pop("annotations", None),
        ),
    )
    metadata.pop("name")
    patches = [cdk8s.JsonPatch.add(f"/metadata/{_pointer(key)}", value) for key, value in metadata.items()]
    patches += [cdk8s.JsonPatch.add(f"/{_pointer(key)}", value) for key, value in manifest.items() if key not in ("apiVersion", "kind", "metadata")]
    if is_cluster_scoped(manifest) and where.namespace is not None:
        patches.append(cdk8s.JsonPatch.remove("/metadata/namespace"))
    if patches:
        api_object.add_json_patch(*patches)
    note(api_object, manifest, where)
    return api_object


class Objects(Mapping[tuple[str, str], cdk8s.ApiObject]):
    """The emitted objects of a construct, by kind and name: the escape hatch.

    ``db.objects["StatefulSet", "postgres"].add_json_patch(...)`` is safe: nothing is dropped.
    """

    def __init__(self, scope: Construct, manifests: Iterable[Manifest]) -> None:
        self._scope = scope
        self._objects: dict[tuple[str, str], cdk8s.ApiObject] = {}
        with located_at(scope):
            for key, value in cdk8s.Chart.of(scope).labels.items():
                names.label_pair(key, value)
        for manifest in manifests:
            self.add(manifest)

    def add(self, manifest: Manifest) -> None:
        """Emit one more."""
        self._objects[str(manifest["kind"]), str(manifest["metadata"]["name"])] = emit(self._scope, manifest)

    def __getitem__(self, key: tuple[str, str]) -> cdk8s.ApiObject:
        if key not in self._objects:
            raise KeyError(f"no {key!r}; there are: {', '.join(map(str, self._objects))}")
        return self._objects[key]

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._objects)

    def __len__(self) -> int:
        return len(self._objects)


def _pointer(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")


def _check(manifest: Manifest, kind: str, metadata: dict[str, Any]) -> None:
    for field in ("apiVersion", "kind"):
        if not isinstance(manifest.get(field), str) or not manifest[field]:
            raise InvalidOption(field, manifest.get(field), "must be a non-empty string")
    if "name" not in metadata:
        raise InvalidOption("metadata", metadata, "must have a fixed name: generated names change between runs")
    names.object_name(kind, metadata["name"])
    if is_cluster_scoped(manifest) and "namespace" in metadata:
        raise InvalidOption("metadata.namespace", metadata["namespace"], f"must be left out: {kind} is cluster-scoped")
    if "namespace" in metadata:
        names.dns_label("metadata.namespace", metadata["namespace"])
    for key, value in dict(metadata.get("labels") or {}).items():
        names.label_pair(key, value)
    for key, value in dict(metadata.get("annotations") or {}).items():
        if not isinstance(value, str):
            raise InvalidOption(f"metadata.annotations.{key}", value, "must be a string")
    if kind in ("ConfigMap", "Secret"):
        for field in ("data", "stringData", "binaryData"):
            for key, value in dict(manifest.get(field) or {}).items():
                if not isinstance(value, str):
                    raise InvalidOption(f"{field}.{key}", value, "must be a string: ConfigMap and Secret hold nothing else")
    _check_values(manifest, "")


def check_size(scope: Construct, manifest: Manifest, where: Place) -> None:
    """Refuse what ``kubectl apply`` cannot take, or, where the app says that it is applied on the server's side, what the API server cannot."""
    metadata = dict(manifest["metadata"])
    if labels := {**where.labels, **(metadata.get("labels") or {})}:
        metadata["labels"] = labels
    if not is_cluster_scoped(manifest):
        metadata.setdefault("namespace", where.namespace or "default")
    complete = {**manifest, "metadata": metadata}
    size = apply_limit.annotation_bytes(complete)
    if size <= apply_limit.LIMIT:
        return
    largest = f"most of it is {apply_limit.largest_part(manifest)}"
    if scope.node.try_get_context(APPLY) != "server-side":
        raise InvalidOption(
            "size",
            size,
            f"bytes of annotations is more than the {apply_limit.LIMIT} that kubectl apply can write, as it keeps the whole object in one; {largest}. "
            f"Split it; or apply with kubectl apply --server-side, and say so right after cdk8s.App(): app.node.set_context({APPLY!r}, 'server-side')",
        )
    size = apply_limit.object_bytes(complete)
    if size > apply_limit.SERVER_SIDE_LIMIT:
        raise InvalidOption("size", size, f"bytes is more than the {apply_limit.SERVER_SIDE_LIMIT} the API server takes for one object; {largest}. Split it")


def _check_values(value: object, where: str) -> None:
    """Walk the manifest; ``where`` is a dotted path for the message."""
    if value is None:
        raise InvalidOption(where, None, "must have a value: a missing one would silently drop the field; leave the key out instead")
    if isinstance(value, Mapping):
        for key, item in value.items():
            if not isinstance(key, str):
                raise InvalidOption(f"{where} key", key, "must be a string")
            if key == "__proto__" or key.startswith("$jsii."):
                raise InvalidOption(f"{where} key", key, "is a word that jsii keeps for itself; use another")
            _check_text(key, f"{where} key")
            _check_values(item, f"{where}.{key}" if where else key)
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            _check_values(item, f"{where}[{index}]")
    elif isinstance(value, str):
        _check_text(value, where)
    elif isinstance(value, int):
        if abs(value) > 2**53:
            raise InvalidOption(where, value, "is beyond 2^53 and would be rounded in JavaScript; write it as a string")
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise InvalidOption(where, value, "is no number that JSON and YAML can hold; write it as a string")
    else:
        raise InvalidOption(where, value, f"has type {type(value).__name__}; use dict, list, str, int, float or bool")


def _check_text(text: str, where: str) -> None:
    if _BARE_SCALAR.fullmatch(text):
        raise InvalidOption(
            where, text, "is text that YAML readers would take for a number or a merge key; write it another way (a decimal number, or with a suffix)"
        )
    if found := _BARE_CHARACTER.search(text):
        raise InvalidOption(where, text, f"contains U+{ord(found[0]):04X}, which YAML readers refuse, drop or take for a line break; remove the character")
    if "\n" in text and _BARE_INDENT.match(text):
        raise InvalidOption(where, text, "has several lines and begins with a tab or a blank line, which YAML readers take for indentation; begin with text")
