"""The source of secrets that are committed, sealed. Synth reads them; it neither seals nor unseals."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

from sos_constructs.checked import checked
from sos_constructs.errors import InvalidOption, did_you_mean
from sos_constructs.secrets.holders import check_shape
from sos_constructs.secrets.model import SecretSpec
from sos_constructs.secrets.sealing import API_VERSION, looks_sealed, scope_of
from sos_constructs.secrets.stored import SecretInputError, documents

from attrs import field, frozen

_METADATA = ("name", "namespace", "labels", "annotations")
"""What is emitted of an object's metadata; anything else (``creationTimestamp: null``) is a trace of the tool that wrote it."""


@checked
@frozen
class SealedSecrets:
    """The committed SealedSecrets of a file or folder, for a Sealed Secrets controller to unseal.

    ``sosctl secrets seal`` writes them (as does ``kubeseal``). Reading them needs PyYAML, from the extra ``cli``.

    :param path: a file, or a folder of ``.yaml`` and ``.yml`` files.
    :param without: what is knowingly not in them, as ``secret`` or ``secret/key``: put into the cluster by someone else (cert-manager), or not yet.
    :raises ValueError: at synth, for a file that cannot be read, holds anything but SealedSecrets, or lacks a required key.
    """

    alone: ClassVar[bool] = False

    path: Path = field(converter=Path)
    without: Collection[str] = field(default=(), kw_only=True)

    def manifests(self, secrets: Collection[SecretSpec]) -> list[dict[str, Any]]:
        known = [name for secret in secrets for name in (secret.name, *(f"{secret.name}/{row.key}" for row in secret.keys))]
        for name in sorted(self.without):
            if name not in known:
                raise InvalidOption("without", name, f"is no secret and no secret/key of the catalogue{did_you_mean(name, known)}")
        found = self._read({secret.name for secret in secrets})
        return [manifest for secret in secrets for manifest in self._checked(secret, found.get(secret.name))]

    def _read(self, names: Collection[str]) -> dict[str, tuple[str, Mapping[str, Any]]]:
        """Each SealedSecret with the file it is in, by name."""
        found: dict[str, tuple[str, Mapping[str, Any]]] = {}
        for file in self._files():
            for document in _documents(file):
                kind, metadata = document.get("kind"), document.get("metadata")
                name = metadata.get("name") if isinstance(metadata, dict) else None
                if kind == "Secret":
                    fix = "rotate its values, seal the new ones, and clean Git's history"
                    raise InvalidOption("path", str(file), f"holds Secret {name} unsealed; {fix}")
                if kind != "SealedSecret" or document.get("apiVersion") != API_VERSION or not isinstance(document.get("spec"), dict):
                    raise InvalidOption("path", str(file), f"holds a {kind} {name}; it must hold nothing but SealedSecrets of {API_VERSION}")
                if not isinstance(name, str) or name not in names:
                    raise InvalidOption("path", str(file), f"holds SealedSecret {name}, which is not in the catalogue{did_you_mean(str(name), names)}")
                if name in found:
                    raise InvalidOption("path", str(file), f"holds SealedSecret {name}, which is also in {found[name][0]}; keep one")
                found[name] = (str(file), document)
        return found

    def _files(self) -> list[Path]:
        if not self.path.is_dir():
            return [self.path]
        files = sorted(file for file in self.path.iterdir() if file.suffix in (".yaml", ".yml"))
        if not files:
            raise InvalidOption("path", str(self.path), "has no .yaml file in it; make one: sosctl secrets seal")
        return files

    def _checked(self, secret: SecretSpec, found: tuple[str, Mapping[str, Any]] | None) -> Iterator[dict[str, Any]]:
        required = [row.key for row in secret.keys if not row.optional and f"{secret.name}/{row.key}" not in self.without]
        if secret.name in self.without:
            if found:
                raise InvalidOption("without", secret.name, f"is sealed in {found[0]}; remove one of the two")
            return
        if found is None:
            if required:
                raise InvalidOption("path", str(self.path), f"has no SealedSecret {secret.name}; seal one with sosctl secrets seal, or add it to without=")
            return
        file, document = found
        spec = document["spec"]
        template, values = spec.get("template") or {}, spec.get("encryptedData") or {}
        there = {**values, **(template.get("data") or {})}
        if missing := [key for key in required if key not in there]:
            raise InvalidOption(
                "path", file, f"lacks {', '.join(missing)} of {secret.name}; seal them with --merge-into {file}, or add {secret.name}/{missing[0]} to without="
            )
        for key, value in values.items():
            if not looks_sealed(value):
                raise InvalidOption(
                    "path", file, f"has a value of {secret.name}/{key} that is not sealed; rotate it, seal the new one, and clean Git's history"
                )
        if (type := template.get("type") or "Opaque") != secret.type:
            raise InvalidOption("path", file, f"makes {secret.name} of type {type}; it must be {secret.type}")
        if scope_of(document) != "cluster-wide" and not document["metadata"].get("namespace"):
            raise InvalidOption("path", file, f"has no namespace for {secret.name}, and its values can be unsealed in only one")
        yield _emitted(document)


def _documents(file: Path) -> list[dict[str, Any]]:
    try:
        found = documents(file.read_text("utf-8"), str(file))
        for document in found:
            check_shape(document, str(file))
        return found
    except SecretInputError as error:
        raise InvalidOption("path", str(file), str(error).removeprefix(f"{file}: ")) from None
    except OSError as error:
        raise InvalidOption("path", str(file), f"cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InvalidOption("path", str(file), "is not text (UTF-8)") from None
    except ModuleNotFoundError:
        raise InvalidOption("path", str(file), "cannot be read without PyYAML: pip install 'sos-constructs[cli]'") from None


def _emitted(document: Mapping[str, Any]) -> dict[str, Any]:
    """The object as it is applied: the file's, in a fixed order, without what the API server or a tool filled in."""
    spec, template = document["spec"], document["spec"].get("template") or {}
    rest = {key: template[key] for key in ("data", "immutable", "type") if template.get(key) is not None}
    inner = _metadata(template.get("metadata") or {})
    return {
        "apiVersion": API_VERSION,
        "kind": "SealedSecret",
        "metadata": _metadata(document["metadata"]),
        "spec": {"encryptedData": dict(sorted((spec.get("encryptedData") or {}).items())), "template": ({"metadata": inner} if inner else {}) | rest},
    }


def _metadata(metadata: Mapping[str, Any]) -> dict[str, Any]:
    return {key: dict(sorted(value.items())) if isinstance(value := metadata[key], dict) else value for key in _METADATA if metadata.get(key)}
