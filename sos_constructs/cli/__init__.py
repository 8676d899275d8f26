"""``sosctl``, the command line tool. It needs the extra ``cli``."""

from __future__ import annotations

import sys
from importlib.util import find_spec

_NEEDS = {"typer": "typer", "rich": "rich", "yaml": "PyYAML", "cryptography": "cryptography"}


def main() -> None:
    """Entry point of ``sosctl``."""
    missing = [package for module, package in _NEEDS.items() if find_spec(module) is None]
    if missing:
        print(f"sosctl needs {', '.join(missing)}; install the extra that brings it: pip install 'sos-constructs[cli]'", file=sys.stderr)
        raise SystemExit(2)
    from sos_constructs.cli.app import app

    app(prog_name="sosctl")
