from __future__ import annotations

import json
import os
import stat
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml
from attrs import frozen

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_KUBECTL = """\
#!{python} -IS
# A kubectl with one namespace, kept in a file: `get secret` and `apply`/`create` as far as sosctl and its users need them.
import json, pathlib, sys, time
folder = pathlib.Path({folder!r})
with (folder / "calls").open("a") as calls:
    calls.write(json.dumps(sys.argv[1:]) + "\\n")
if (folder / "fails").exists():
    sys.exit((folder / "fails").read_text())
if (folder / "hangs").exists():
    time.sleep(30)
if "current-context" in sys.argv:
    print("kind-sos")
elif "replace" in sys.argv:
    store = json.loads((folder / "store").read_text())
    new = json.load(sys.stdin)
    if (folder / "refuses").exists():
        sys.exit((folder / "refuses").read_text() + json.dumps(new))
    store[new["metadata"]["name"]] = new
    (folder / "store").write_text(json.dumps(store))
elif "deployments,statefulsets,daemonsets,cronjobs" in sys.argv:
    if not (folder / "workloads").exists():
        sys.exit("Error from server (Forbidden): deployments.apps is forbidden")
    print((folder / "workloads").read_text())
elif "--raw" in sys.argv:
    print((folder / "certificate").read_text())
elif "annotate" in sys.argv:
    pass
elif "get" in sys.argv and "secret" not in sys.argv:
    wanted = "/".join(sys.argv[sys.argv.index("get") + 1 :][:2])
    store = json.loads((folder / "store").read_text())
    print(json.dumps(store[wanted]) if wanted in store else "")
elif "get" in sys.argv:
    store = json.loads((folder / "store").read_text())
    names = sys.argv[sys.argv.index("secret") + 1 : sys.argv.index("--ignore-not-found")]
    found = [store[name] for name in names if name in store]
    if len(names) == 1 and found:
        print(json.dumps(found[0]))
    elif found:
        print(json.dumps({{"apiVersion": "v1", "kind": "List", "items": found}}))
"""


@frozen
class Cluster:
    """The fake cluster behind the fake kubectl."""

    folder: Path

    def apply(self, manifests: str) -> None:
        """As kubectl apply: new Secrets are added, known ones replaced."""
        store = json.loads((self.folder / "store").read_text())
        store |= {m["metadata"]["name"]: m for m in yaml.load_all(manifests, Loader=LOADER)}
        (self.folder / "store").write_text(json.dumps(store))

    def data(self) -> dict[str, dict[str, str]]:
        return {name: m["data"] for name, m in json.loads((self.folder / "store").read_text()).items()}

    def calls(self) -> list[list[str]]:
        calls = self.folder / "calls"
        return [json.loads(line) for line in calls.read_text().splitlines()] if calls.exists() else []

    def fails(self, message: str) -> None:
        (self.folder / "fails").write_text(message)

    def refuses(self, message: str) -> None:
        """It takes no changes; kubectl's message goes on with the whole object, as it does when the API server finds one invalid."""
        (self.folder / "refuses").write_text(message)

    def hangs(self) -> None:
        (self.folder / "hangs").touch()


@pytest.fixture(scope="session", autouse=True)
def _commands_built_once() -> Iterator[None]:
    """typer builds all commands anew for each call: a tenth of a second."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("typer.testing._get_command", cache(typer.main.get_command))
        yield


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    """An empty cluster that answers."""
    folder = tmp_path / "kubectl-bin"
    folder.mkdir()
    (folder / "store").write_text("{}")
    kubectl = folder / "kubectl"
    kubectl.write_text(_KUBECTL.format(python=sys.executable, folder=str(folder)))
    kubectl.chmod(kubectl.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return Cluster(folder)


def manifest(name: str = "redis-credentials", namespace: str = "sos-app", **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": namespace}, "type": "Opaque", "data": data}
