"""What is kept of a round that failed: its history, and what the cluster says of itself."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from tests.chaos.history import History
from tests.chaos.onlooker import Onlooker
from tests.cluster import kube
from tests.cluster.installation import Installation


def collect(folder: Path, installation: Installation, record: dict[str, Any], history: History, onlooker: Onlooker) -> None:
    """Files in a folder; what does not answer says so in its file."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "record.json").write_text(json.dumps(record, indent=1, sort_keys=True), encoding="utf-8")
    (folder / "history.json").write_text(json.dumps(history.as_json()), encoding="utf-8")
    (folder / "seen.txt").write_text(onlooker.since(record["began"]), encoding="utf-8")
    space = ("-n", installation.namespace)
    since = f"--since={int(time.time() - record['began']) + 10}s"
    wanted = {
        "pods.txt": ("get", "pods", *space, "-o", "wide", "-L", "role"),
        "nodes.txt": ("get", "nodes", "-o", "wide"),
        "pods.yaml": ("get", "pods", *space, "-o", "yaml"),
        "events.txt": ("get", "events", *space, "--sort-by=.lastTimestamp"),
        "endpointslices.yaml": ("get", "endpointslices", *space, "-o", "yaml"),
        "store.yaml": ("get", "configmaps", *space, "-l", "cluster-name=postgres-patroni", "-o", "yaml"),
    }
    for pod in installation.pod_names:
        wanted[f"{pod}.members.txt"] = ("exec", *space, pod, "-c", "postgres", "--", "patronictl", "list", "-e")
        wanted[f"{pod}.controldata.txt"] = ("exec", *space, pod, "-c", "postgres", "--", f"{installation.image.bin_dir}/pg_controldata", "/pgdata/data")
        for container in ("postgres", "agent"):
            wanted[f"{pod}.{container}.log"] = ("logs", *space, pod, "-c", container, since, "--timestamps")
            wanted[f"{pod}.{container}.previous.log"] = ("logs", *space, pod, "-c", container, "--previous", since, "--timestamps")
    for name, arguments in wanted.items():
        done = kube.run(*arguments, seconds=15)
        (folder / name).write_text(done.stdout + done.stderr, encoding="utf-8")
