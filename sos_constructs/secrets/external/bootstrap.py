"""Documents that the operator makes by itself, from nothing: every random, fixed and derived key of a Secret.

Written in the operator's template language (Go templates with the functions of sprig). ``index . "key"`` is a value that exists already and is
then kept; only what is missing is made. ``randAlphaNum`` and ``randBytes`` read the system's cryptographic random source. The operator's
``Password`` generator is not used: with its ``base64`` encoding 32 characters are not 32 random bytes, and its own key would land in every document.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from sos_constructs.secrets.external.manifests import WAVE_BOOTSTRAP, WAVE_STORE, metadata
from sos_constructs.secrets.forms import AES256_BYTES, HS256_CHARACTERS, KEYFILE_BYTES
from sos_constructs.secrets.model import Form, SecretSpec

from attrs import frozen

PASSWORD_CHARACTERS = 40
"""238 bits, more than SHA-256 based log-ins can use."""

_MAKERS: Mapping[Form, str] = {
    "password": f"randAlphaNum {PASSWORD_CHARACTERS}",
    "hs256": f"randAlphaNum {HS256_CHARACTERS}",
    "aes256": f"randBytes {AES256_BYTES}",  # randBytes gives base64 text
    "mongodb-keyfile": f"randBytes {KEYFILE_BYTES}",
}
_KEY_PAIR = "rsa-private-key"


def document(secret: SecretSpec) -> str:
    """Template of a YAML mapping with all keys of the Secret that can be made, keeping those that exist; empty when there is none."""
    lines: list[str] = []
    for row in secret.keys:
        if row.origin == "fixed":
            lines.append(f'{row.key}: {{{{ index . "{row.key}" | default "{row.value}" | toJson }}}}')
        elif row.origin == "generated" and row.form == _KEY_PAIR:
            lines.append((files("sos_constructs.secrets.external") / "files" / f"{secret.attribute}-key-pair.tpl").read_text("utf-8").strip())
        elif row.origin == "generated":
            lines.append(f'{row.key}: {{{{ index . "{row.key}" | default ({_MAKERS[row.form]}) | toJson }}}}')
    return "\n".join(lines)


@frozen
class Making:
    """A document that the operator makes.

    :param name: what its objects are called after.
    :param remote_key: its name in the store.
    :param text: template of its values, as :func:`document` writes it.
    """

    name: str
    remote_key: str
    text: str


def template(text: str) -> dict[str, Any]:
    """``spec.template`` or ``spec.target.template`` that completes a document; ``text`` may be empty."""
    result: dict[str, Any] = {"engineVersion": "v2", "mergePolicy": "Merge"}
    return result | {"templateFrom": [{"literal": text, "target": "Data"}]} if text else result


def nothing(name: str, namespace: str) -> dict[str, Any]:
    """A generator of no values: PushSecret needs one, but all values come from its template."""
    return {"apiVersion": "generators.external-secrets.io/v1alpha1", "kind": "Fake", "metadata": metadata(name, namespace, WAVE_STORE), "spec": {"data": {}}}


def push_new(making: Making, namespace: str, *, store: Mapping[str, str], generator: str, about: Mapping[str, Any]) -> dict[str, Any]:
    """Write a document of new values, if there is none."""
    selector = {"generatorRef": {"apiVersion": "generators.external-secrets.io/v1alpha1", "kind": "Fake", "name": generator}}
    push = _push(f"{making.name}-bootstrap", namespace, store, making.remote_key, about, selector)
    return {**push, "spec": {**push["spec"], "template": template(making.text)}}


def push_live(secret: SecretSpec, namespace: str, *, store: Mapping[str, str], remote_key: str, about: Mapping[str, Any]) -> dict[str, Any]:
    """Write the live Secret as its document, if there is none."""
    return _push(f"{secret.name}-adopt", namespace, store, remote_key, about, {"secret": {"name": secret.name}})


def _push(name: str, namespace: str, store: Mapping[str, str], remote_key: str, about: Mapping[str, Any], selector: Mapping[str, Any]) -> dict[str, Any]:
    """Once: never again by the clock, not even where somebody has deleted the document."""
    data: dict[str, Any] = {"conversionStrategy": "None", "match": {"remoteRef": {"remoteKey": remote_key}}}
    if about:
        data["metadata"] = dict(about)
    return {
        "apiVersion": "external-secrets.io/v1alpha1",
        "kind": "PushSecret",
        "metadata": metadata(name, namespace, WAVE_BOOTSTRAP),
        "spec": {
            "data": [data],  # without secretKey and property: IfNotExists looks at whole documents only
            "deletionPolicy": "None",
            "refreshInterval": "0s",
            "secretStoreRefs": [dict(store)],
            "selector": dict(selector),
            "updatePolicy": "IfNotExists",
        },
    }
