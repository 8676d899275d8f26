"""Values that files of Python hold, named as ``file.py:NAME`` on the command line."""

from __future__ import annotations

import re
import runpy
import sys
from pathlib import Path

from sos_constructs.errors import InvalidOption, did_you_mean

_PYTHON = re.compile(r"(.+\.py):([A-Za-z_][A-Za-z0-9_]*)")


def named(given: str) -> tuple[str, str] | None:
    """File and name, or ``None`` where the text names something else."""
    found = _PYTHON.fullmatch(given)
    return (found[1], found[2]) if found else None


def name(given: str) -> str:
    """The name in the file."""
    return given.rpartition(":")[2]


def load(option: str, given: str) -> object:
    """What a file of Python calls by that name. It may import the files beside it.

    :raises InvalidOption: when there is no such file or name, or the file raises something.
    """
    found = named(given)
    if not found:
        raise InvalidOption(option, given, "must be file.py:NAME")
    path, wanted = found
    if not Path(path).is_file():
        raise InvalidOption(option, given, f"cannot be read: there is no file {path}")
    sys.path.insert(0, str(Path(path).resolve().parent))
    try:
        names = runpy.run_path(path, run_name=Path(path).stem)
    except (Exception, SystemExit) as error:  # noqa: BLE001  # it is the user's code, which may raise anything
        raise InvalidOption(option, given, f"cannot be read: {path} raised {type(error).__name__}: {error}") from None
    finally:
        sys.path.pop(0)
    if wanted not in names:
        raise InvalidOption(option, given, f"cannot be read: {path} has no {wanted}{did_you_mean(wanted, (each for each in names if each[0] != '_'))}")
    return names[wanted]
