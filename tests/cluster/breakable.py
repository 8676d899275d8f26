"""A cluster whose nodes may be broken: the tool that does it, where the current kubeconfig is that tool's cluster.

`$SOS_CLUSTER_TOOL`, or `../shared/cluster/cluster.py` beside the repository. On any other cluster nothing of this is touched.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs

from tests.cluster import kube

ROOT = Path(__file__).resolve().parent.parent.parent
TOOL = Path(os.environ.get("SOS_CLUSTER_TOOL") or ROOT.parent / "shared" / "cluster" / "cluster.py")
HOME = Path(os.environ.get("SOS_CLUSTER_HOME") or Path.home() / ".cache" / "sos-cluster")


@attrs.frozen
class Breakable:
    """The tool's verbs."""

    tool: Path
    home: Path

    def do(self, *verb: str) -> None:
        """Run one verb to its end."""
        subprocess.run([sys.executable, str(self.tool), *verb], check=True, capture_output=True, text=True, timeout=300)

    def begin(self, *verb: str) -> subprocess.Popen[bytes]:
        """Run one verb beside us."""
        return subprocess.Popen([sys.executable, str(self.tool), *verb], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    @property
    def audit_log(self) -> Path:
        return self.home / "run" / "audit.log"

    def audited(self, offset: int, user: str) -> Iterator[dict[str, Any]]:
        """What the API server noted of one user, from a position in the log on."""
        with self.audit_log.open(encoding="utf-8") as log:
            log.seek(offset)
            for line in log:
                event = json.loads(line)
                if event["user"]["username"] == user:
                    yield event

    def on(self, node: str) -> list[str]:
        """What to put before a command of this machine, so that it runs in the node's network."""
        kubelet, _ = (self.home / "run" / f"kubelet-{node}.pid").read_text().split()
        return ["nsenter", f"--target={kubelet}", "--net"]

    def recycle_volumes(self) -> int:
        """Empty the released volumes and offer them again; the cluster's own storage class keeps (`Retain`) what was written."""
        released = [volume for volume in kube.items("persistentvolumes") if volume["status"]["phase"] == "Released" and "local" in volume["spec"]]
        for volume in released:
            folder = Path(volume["spec"]["local"]["path"])
            assert folder.is_relative_to(self.home / "data"), f"{folder} is not a volume of this cluster"
            for entry in folder.iterdir():
                shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
            forget = json.dumps([{"op": "remove", "path": "/spec/claimRef"}])
            kube.kubectl("patch", "persistentvolume", volume["metadata"]["name"], "--type=json", "-p", forget)
        return len(released)


def find() -> Breakable | str:
    """The tool, or why there is none."""
    if not TOOL.exists():
        return f"no {TOOL}; SOS_CLUSTER_TOOL names the tool of a cluster whose nodes may be broken"
    current = Path(os.environ.get("KUBECONFIG") or Path.home() / ".kube" / "config")
    if current.resolve() != (HOME / "run" / "kubeconfig").resolve():
        return f"the kubeconfig {current} is not that of {TOOL}"
    return Breakable(TOOL, HOME)
