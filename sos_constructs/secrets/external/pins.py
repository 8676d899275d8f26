"""Which version of each document is in use: a file of one line per Secret, so that a rotation is a commit, and its revert the way back."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path

from sos_constructs.errors import InvalidOption, did_you_mean
from sos_constructs.secrets.stored import SecretInputError, documents

Pin = int | str
"""A number: documents ``NAME-v1``, ``NAME-v2`` … that nobody ever writes again. A text: what the store itself calls a version of its document ``NAME``."""

_NUMBERED = re.compile(r"(.+)-v([1-9]\d*)")


def read(path: Path, known: Collection[str]) -> dict[str, Pin]:
    """The pins of a file; Secrets that it does not name follow the newest.

    :raises InvalidOption: when the file cannot be read, or holds anything but names of Secrets and their versions.
    """
    try:
        every = documents(path.read_text("utf-8"), str(path))
    except SecretInputError as error:
        raise InvalidOption("versions", str(path), str(error).removeprefix(f"{path}: ")) from None
    except OSError as error:
        raise InvalidOption("versions", str(path), f"cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InvalidOption("versions", str(path), "is not text (UTF-8)") from None
    except ModuleNotFoundError:
        raise InvalidOption("versions", str(path), "cannot be read without PyYAML: pip install 'sos-constructs[cli]'") from None
    if len(every) != 1:
        raise InvalidOption("versions", str(path), "holds several documents; keep one")
    pins: dict[str, Pin] = {}
    for name, value in every[0].items():
        if name not in known:
            raise InvalidOption("versions", str(path), f"names {name}, which is no Secret of this source{did_you_mean(str(name), known)}")
        if isinstance(value, bool) or not isinstance(value, (int, str)) or value == "" or (isinstance(value, int) and value < 1):
            raise InvalidOption("versions", str(path), f"has no version for {name}: a number from 1 for a numbered document, or the store's own, in quotes")
        pins[str(name)] = value
    return pins


def numbered(remote_key: str, pin: Pin | None) -> str:
    """Name of the document that ``pin`` means."""
    return f"{remote_key}-v{pin}" if isinstance(pin, int) else remote_key


def number_of(remote_key: str) -> tuple[str, int] | None:
    """The name without its version, and the version, of a numbered document."""
    found = _NUMBERED.fullmatch(remote_key)
    return (found[1], int(found[2])) if found else None


def changed(text: str, where: str, name: str, old: int, new: int) -> str:
    """The text of a versions file with one version changed, and every comment kept.

    :raises SecretInputError: when it does not say ``old`` for ``name``.
    """
    result, count = re.subn(rf"(?m)^({re.escape(name)}\s*:\s*){old}(?=\s*(#.*)?$)", rf"\g<1>{new}", text)
    if count != 1:
        raise SecretInputError(f"{where}: does not say '{name}: {old}', which is what the cluster has; apply what is committed first")
    return result
