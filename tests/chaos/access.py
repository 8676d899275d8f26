"""How this machine reaches the database: a workload's environment with its values filled in, and who had which address."""

from __future__ import annotations

import atexit
import base64
import os
import shutil
import subprocess
import tempfile
import threading
from pathlib import Path
from typing import Any

from tests.cluster import chart, kube
from tests.cluster.installation import Installation

PSQL_PLACES = ("/usr/lib/postgresql/15/bin/psql", "/usr/pgsql-15/bin/psql")


def psql() -> str:
    """This machine's psql."""
    found = [os.environ.get("LEDGER_PSQL", ""), *PSQL_PLACES, shutil.which("psql") or ""]
    for place in found:
        if place and Path(place).exists():
            return place
    raise AssertionError(f"no psql on this machine (looked at $LEDGER_PSQL, {', '.join(PSQL_PLACES)} and PATH)")


def environment(installation: Installation) -> dict[str, str]:
    """What `libpq_env` gives a workload, and what a kubelet and the cluster's DNS would add: values of Secrets, the CA's file, an address."""
    values = {name: value for name, value in os.environ.items() if not name.startswith("PG")} | {"LEDGER_PSQL": psql()}
    handle = chart.database_handle(installation.namespace, installation.image)
    for variable in handle.libpq_env():
        values[variable["name"]] = _value(installation, variable)
    if "PGSSLROOTCERT" in values:
        authority: Any = handle
        values["PGSSLROOTCERT"] = _file(_secret(installation, authority.ca.secret, Path(values["PGSSLROOTCERT"]).name))
    service, _, _ = values["PGHOST"].partition(".")
    values["PGHOSTADDR"] = str(kube.get("service", service, "-n", installation.namespace)["spec"]["clusterIP"])
    return values


def _file(text: str) -> str:
    """A file that lives as long as this process."""
    descriptor, path = tempfile.mkstemp(prefix="sos-chaos-")
    with os.fdopen(descriptor, "w") as out:
        out.write(text)
    atexit.register(Path(path).unlink)
    return path


def _secret(installation: Installation, name: str, key: str) -> str:
    return base64.b64decode(kube.get("secret", name, "-n", installation.namespace)["data"][key]).decode()


def _value(installation: Installation, variable: dict[str, Any]) -> str:
    if "value" in variable:
        return str(variable["value"])
    reference = variable["valueFrom"]["secretKeyRef"]
    return _secret(installation, reference["name"], reference["key"])


class Addresses:
    """Which member had an address, by watching the pods for as long as we run."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        self._members: dict[str, str] = {}
        self._stop = threading.Event()
        self._watch: subprocess.Popen[str] | None = None
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    def member(self, address: str) -> str:
        """Its name, or the address itself where no pod was ever seen with it."""
        return self._members.get(address, address)

    def close(self) -> None:
        self._stop.set()
        if self._watch:
            self._watch.kill()
        self._thread.join(10)

    def _follow(self) -> None:
        columns = "custom-columns=:metadata.name,:status.podIP"
        selector = f"app.kubernetes.io/instance={self._installation.name}"
        command = ["kubectl", "get", "pods", "-n", self._installation.namespace, "-l", selector, "--watch", "--no-headers", "-o", columns]
        while not self._stop.is_set():
            self._watch = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
            assert self._watch.stdout
            for line in self._watch.stdout:
                name, address, *_ = [*line.split(), "", ""]
                if address and address != "<none>":
                    self._members[address] = name
            self._watch.wait()
            self._stop.wait(1)
