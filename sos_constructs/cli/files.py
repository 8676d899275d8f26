"""Writing a file that holds secrets: not to where it would be published, never half, and for its owner only."""

from __future__ import annotations

import contextlib
import os
import stat
import subprocess
import tempfile
from pathlib import Path

from sos_constructs.secrets.stored import SecretInputError

GIT_TIMEOUT = 10


def refuse(path: Path) -> None:
    """Raise unless secrets may be written to ``path``.

    :raises SecretInputError: when it is under a ``dist`` folder, tracked by Git, not a regular file, or in no existing folder.
    """
    target = path.resolve()
    if not target.parent.is_dir():
        raise SecretInputError(f"{path}: the folder {target.parent} does not exist")
    if target.exists() and not target.is_file():
        raise SecretInputError(f"{path}: is not a regular file")
    if "dist" in target.parts[:-1]:
        raise SecretInputError(f"{path}: is under dist/, which is committed and applied as it is; secrets must be in neither")
    if _git(target, "ls-files", "--error-unmatch"):
        raise SecretInputError(f"{path}: is tracked by Git, so that the next commit would publish the secrets; choose a path outside the repository")


def may_be_committed(path: Path) -> bool:
    """Whether ``path`` is in a Git work tree and not ignored there: ``git add --all`` would take it."""
    target = path.resolve()
    return _git(target, "ls-files", "--others", "--exclude-standard", "--error-unmatch")


def write_private(path: Path, text: str) -> None:
    """Replace ``path`` by a file with mode 0600, all at once: after a crash the old content is there, or the new."""
    _replace(path.resolve(), text, 0o600)


def write_public(path: Path, text: str) -> None:
    """Replace ``path``, which holds nothing secret, all at once. Its mode stays; a new file gets 0644."""
    target = path.resolve()
    _replace(target, text, stat.S_IMODE(target.stat().st_mode) if target.exists() else 0o644)


def _replace(target: Path, text: str, mode: int) -> None:
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")  # mode 0600 from the start
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            os.fchmod(file.fileno(), mode)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(target)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(temporary).unlink()
        raise


def _git(target: Path, *arguments: str) -> bool:
    command = ["git", "-C", str(target.parent), *arguments, "--", target.name]
    try:
        return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=GIT_TIMEOUT, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False  # no Git, no repository
