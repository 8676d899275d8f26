"""Reading what is declared, and writing files whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import re
from pathlib import Path
from typing import Any

from .tls import Places, with_tls

_PRINTABLE = re.compile(r"[\x21-\x7e]+")


class DeclaredError(Exception):
    """Something in the mounted files cannot be used. The message names the file and key, never the value."""


class Declared:
    """The mounted ConfigMap and Secret at one moment."""

    def __init__(self, config: Path, credentials: Path, tls: Places | None = None) -> None:
        self.config_dir, self.credentials_dir, self.tls = config, credentials, tls
        self.patroni: dict[str, Any] = with_tls(self._json("patroni.json"), tls)
        databases: dict[str, Any] = self._json("databases.json")
        self.roles: list[dict[str, str]] = databases["roles"]
        self.more_roles: list[dict[str, Any]] = databases.get("more_roles", [])
        self.databases: list[dict[str, Any]] = databases["databases"]
        self.pooler: dict[str, str] | None = databases.get("pooler")
        self.storage: str = databases.get("storage", "")

    def _json(self, name: str) -> dict[str, Any]:
        try:
            value: dict[str, Any] = json.loads((self.config_dir / name).read_text("utf-8"))
            return value
        except (OSError, ValueError) as error:
            raise DeclaredError(f"ConfigMap file {name}: {error}") from None

    def credential(self, key: str) -> str:
        """One value of the Secret."""
        return read_credential(self.credentials_dir, key)

    def has(self, key: str) -> bool:
        """Whether the Secret has this key."""
        return (self.credentials_dir / key).exists()

    def check_username(self, role: dict[str, str]) -> None:
        """The Secret names the user for the applications, the chart for PostgreSQL: they must agree."""
        if self.credential(role["username_key"]) != role["name"]:
            raise DeclaredError(f"Secret key {role['username_key']}: differs from the declared role {role['name']!r}; change one of the two")

    def digest(self) -> str:
        """Changes whenever any mounted file does."""
        return folder_digest(self.config_dir, self.credentials_dir, *([self.tls.mounted] if self.tls else []))

    def settings_digest(self) -> str:
        """Changes whenever postgresql.conf does."""
        try:
            return hashlib.sha256((self.config_dir / "postgresql.conf").read_bytes()).hexdigest()
        except OSError as error:
            raise DeclaredError(f"ConfigMap file postgresql.conf: {error.strerror}") from None


def folder_digest(*folders: Path) -> str:
    """Changes whenever a file in one of the mounted folders does."""
    digest = hashlib.sha256()
    for folder in folders:
        for path in sorted(p for p in folder.iterdir() if p.is_file()):
            digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def read_credential(folder: Path, key: str) -> str:
    """One value of a mounted Secret."""
    try:
        value = (folder / key).read_text("ascii")
    except FileNotFoundError:
        raise DeclaredError(f"Secret key {key}: is missing") from None
    except (OSError, UnicodeDecodeError):
        raise DeclaredError(f"Secret key {key}: must be readable ASCII text") from None
    if not _PRINTABLE.fullmatch(value):
        raise DeclaredError(f"Secret key {key}: must be printable ASCII without spaces and without a newline at its end")
    return value


def write_whole(path: Path, text: str) -> None:
    """Replace the file by one rename, readable by its owner only."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.new")  # two processes may write the same file
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(path)
