"""What `cdk8s synth` runs (cdk8s.yaml): main.py on the Python that `make synth` installed, then the result into dist/.

The CLI deletes its output folder before it starts the app. So that folder is build/cdk8s, and takes the place of dist/ only after a good synth.
Any Python 3 starts this file; it uses the standard library alone.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STAGED = ROOT / "build" / "cdk8s"  # `output` in cdk8s.yaml


def interpreter(root: Path = ROOT) -> str | None:
    """The Python of .venv, else this one if cdk8s is installed for it, else None."""
    for path in (root / ".venv" / "bin" / "python", root / ".venv" / "Scripts" / "python.exe"):
        if path.is_file():
            return str(path)
    return sys.executable if find_spec("cdk8s") else None


def main() -> int:
    """Exit code of main.py; 0 after dist/ has been replaced."""
    python = interpreter()
    if not python:
        print("cdk8s is not installed for Python here. Run this first: make synth", file=sys.stderr)
        return 1
    output = Path(os.environ.get("CDK8S_OUTDIR", STAGED)).resolve()
    code = subprocess.run([python, str(ROOT / "main.py")], cwd=ROOT, env={**os.environ, "CDK8S_OUTDIR": str(output)}, check=False).returncode
    if code == 0 and output == STAGED:  # with `cdk8s synth --output folder` the user has chosen another place
        fresh = ROOT / f".dist.{os.getpid()}"
        shutil.copytree(output, fresh)
        shutil.rmtree(ROOT / "dist", ignore_errors=True)
        fresh.rename(ROOT / "dist")
    return code


if __name__ == "__main__":
    sys.exit(main())
