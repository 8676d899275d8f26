"""What `make synth` runs: main.py into a clean dist/, then a short table of what was written.

`cdk8s synth` deletes dist/ before it runs the app and `python main.py` never does, so a renamed chart would leave its old file behind.
Here main.py writes to a new folder that takes the place of dist/ only when all went well: a failing synth leaves dist/ as it was.
"""

from __future__ import annotations

import argparse
import os
import re
import runpy
import shutil
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def synth(output: Path) -> None:
    """Run main.py and put what it writes in the place of ``output``."""
    fresh = output.with_name(f".{output.name}.{os.getpid()}")
    shutil.rmtree(fresh, ignore_errors=True)
    os.environ["CDK8S_OUTDIR"] = str(fresh)  # read by cdk8s when its Node starts; the same variable that `cdk8s synth` sets
    try:
        runpy.run_path(str(ROOT / "main.py"), run_name="__main__")
        shutil.rmtree(output, ignore_errors=True)
        fresh.rename(output)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def table(output: Path) -> str:
    """One row per file: its name, size and objects by kind."""
    rows = []
    for file in sorted(output.rglob("*.yaml")):
        text = file.read_text(encoding="utf-8")
        kinds = Counter(re.findall(r"^kind: (\S+)", text, re.MULTILINE))
        objects = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
        rows.append((os.path.relpath(file), f"{len(text.encode()):,}", f"{sum(kinds.values())}", objects))
    rows.insert(0, ("file", "bytes", "objects", "by kind"))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return "\n".join(f"{name:<{widths[0]}}  {size:>{widths[1]}}  {count:>{widths[2]}}  {kinds}" for name, size, count, kinds in rows)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=ROOT / "dist")
    arguments = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    synth(arguments.output.resolve())
    print(table(arguments.output))
